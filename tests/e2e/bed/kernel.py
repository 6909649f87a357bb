"""The kernel that boots: a Debian package, downloaded by name and unpacked into a cache, never installed."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from .trouble import Lacking

# The cloud flavour of 6.12 has virtio-pci, virtiofs and NVMe built in, so that it boots without an initramfs.
# Small suite first: a list of 0.3 MB, not 10.
SUITES: Final = ("bookworm-backports", "trixie")
NAME: Final = re.compile(r"linux-image-6\.12\.([0-9]+)\+deb[0-9.]+-cloud-amd64", re.ASCII)
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ZSTD: Final = b"\x28\xb5\x2f\xfd"
"""How the kernel proper begins inside its boot image: Debian packs it with zstd."""


@attrs.frozen(slots=True)
class Kernel:
    """An unpacked kernel package."""

    folder: Path

    @property
    def image(self) -> Path:
        """The bare kernel: booting it directly spares unpacking it in the guest, two seconds a boot."""
        return self.folder / "vmlinux"

    def modules(self, *names: str) -> list[Path]:
        """The files of these modules, in this order."""
        found = {path.name.partition(".")[0].replace("-", "_"): path for path in self.folder.rglob("*.ko*")}
        return [found[name] for name in names]


def cache() -> Path:
    """The folder that outlives a run: CPUPLACE_E2E_CACHE, else below the user's cache."""
    named = os.environ.get("CPUPLACE_E2E_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cpuplace-e2e"


def prepared() -> Kernel:
    """The kernel, downloaded and unpacked where there is none yet; raises Lacking when none is to be had.

    What lies in the cache is whole: it is made beside and renamed at last. Two runs at once wait for each other.
    """
    place = cache()
    place.mkdir(parents=True, exist_ok=True)
    with locked(place / "lock"):
        whole = place / "kernel"
        if not whole.exists():
            with scratch(place) as work:
                unpack(download(work), work / "kernel")
                (work / "kernel").rename(whole)
        return Kernel(whole)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone on this machine."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """A folder for half-made things, on the same filesystem."""
    for left in place.glob("making-*"):  # of a run that was killed: nobody else is here
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="making-", dir=place))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download(work: Path) -> Path:
    """The package file, from the first suite that has one; apt checks signature and checksum."""
    said = ""
    for suite in SUITES:
        try:
            return from_suite(suite, work)
        except subprocess.CalledProcessError as error:
            said = str(error.stderr or error.output or "").strip().rpartition("\n")[2]
    raise Lacking(f"no kernel package to be had from {' or '.join(SUITES)}: {said or 'none is listed'}")


def from_suite(suite: str, work: Path) -> Path:
    """The newest kernel of one suite; raises CalledProcessError when apt cannot."""
    options = private(suite, work)
    called("apt-get", *options, "-q", "update", "--error-on=any")
    name = newest(called("apt-cache", *options, "pkgnames", "linux-image-6.12.").split())
    if name is None:
        raise subprocess.CalledProcessError(1, suite, output=f"{suite} lists no linux-image-6.12.*-cloud-amd64")
    called("apt-get", *options, "-q", "download", name, at=work)
    return next(work.glob("linux-image-*.deb"))


def newest(names: Sequence[str]) -> str | None:
    """The kernel package with the highest version; debug symbols, unsigned images and others are left out.

    >>> newest(["linux-image-6.12.9+deb13-cloud-amd64", "linux-image-6.12.10+deb13-cloud-amd64-dbg",
    ...         "linux-image-6.12.10+deb13-cloud-amd64"])
    'linux-image-6.12.10+deb13-cloud-amd64'
    """
    found = [match for match in map(NAME.fullmatch, names) if match]
    return max(found, key=lambda match: (int(match[1]), match[0]))[0] if found else None


def private(suite: str, work: Path) -> list[str]:
    """Options for apt: one suite of the mirror that this machine uses, and the machine's own lists left alone."""
    sources = work / "sources.list"
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    sources.write_text(f"deb {signed}{mirror()} {suite} main\n")
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::Etc::SourceList": str(sources),
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": f"{work}/lists",
        "Dir::Cache::Archives": f"{work}/archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "root",  # the usual user cannot enter this folder
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def mirror() -> str:
    """The address of the Debian archive that this machine is set up for; raises Lacking on another system."""
    form = "$(RELEASE) $(ORIGIN) $(COMPONENT) $(REPO_URI)"
    try:
        listed = called("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    for line in listed.splitlines():
        release, origin, component, uri = line.split(" ", 3)
        if "-" not in release and component == "main" and origin in ("Debian", "$(ORIGIN)"):
            return uri
    raise Lacking("apt knows no Debian mirror to take the kernel from")


def called(*words: str, at: Path | None = None) -> str:
    """What a command prints; raises CalledProcessError when it fails."""
    return subprocess.run(words, cwd=at, check=True, capture_output=True, text=True).stdout


def unpack(package: Path, folder: Path) -> None:
    """The package's files, and the bare kernel beside them."""
    called("dpkg-deb", "--extract", str(package), str(folder))
    image = next((folder / "boot").glob("vmlinuz-*"))
    (folder / "vmlinux").write_bytes(bare(image.read_bytes()))


def bare(image: bytes) -> bytes:
    """The ELF file inside a boot image; raises Lacking when it is packed in another way."""
    at = image.find(ZSTD)
    while at >= 0:
        # What follows the payload makes zstd complain, after it has unpacked everything.
        out = subprocess.run(("zstd", "-dc"), input=image[at:], capture_output=True, check=False).stdout
        if out.startswith(b"\x7fELF"):
            return out
        at = image.find(ZSTD, at + 1)
    raise Lacking("the kernel image is packed in an unknown way")
