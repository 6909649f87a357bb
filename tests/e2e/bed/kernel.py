"""The kernel that boots: a Debian package, downloaded by name and unpacked into a cache, never installed."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from . import apt
from .cache import made
from .trouble import Lacking

# The cloud flavour of 6.12 has virtio-pci, virtiofs and NVMe built in, so that it boots without an initramfs.
# Small suite first: a list of 0.3 MB, not 10.
SUITES: Final = ("bookworm-backports", "trixie")
NAME: Final = re.compile(r"linux-image-6\.12\.([0-9]+)\+deb[0-9.]+-cloud-amd64", re.ASCII)
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


def prepared() -> Kernel:
    """The kernel, downloaded and unpacked where there is none yet; raises Lacking when none is to be had."""
    return Kernel(made("kernel", lambda work, folder: unpack(download(work), folder)))


def download(work: Path) -> Path:
    """The package file, from the first suite that has one; apt checks signature and checksum."""
    said = ""
    for suite in SUITES:
        try:
            return from_suite(suite, work)
        except subprocess.CalledProcessError as error:
            said = apt.complaint(error)
    raise Lacking(f"no kernel package to be had from {' or '.join(SUITES)}: {said or 'none is listed'}")


def from_suite(suite: str, work: Path) -> Path:
    """The newest kernel of one suite; raises CalledProcessError when apt cannot."""
    options = apt.listed(suite, work)
    name = newest(apt.called("apt-cache", *options, "pkgnames", "linux-image-6.12.").split())
    if name is None:
        raise subprocess.CalledProcessError(1, suite, output=f"{suite} lists no linux-image-6.12.*-cloud-amd64")
    return apt.download(options, [name], work)[0]


def newest(names: Sequence[str]) -> str | None:
    """The kernel package with the highest version; debug symbols, unsigned images and others are left out.

    >>> newest(["linux-image-6.12.9+deb13-cloud-amd64", "linux-image-6.12.10+deb13-cloud-amd64-dbg",
    ...         "linux-image-6.12.10+deb13-cloud-amd64"])
    'linux-image-6.12.10+deb13-cloud-amd64'
    """
    found = [match for match in map(NAME.fullmatch, names) if match]
    return max(found, key=lambda match: (int(match[1]), match[0]))[0] if found else None


def unpack(package: Path, folder: Path) -> None:
    """The package's files, and the bare kernel beside them."""
    apt.unpack(package, folder)
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
