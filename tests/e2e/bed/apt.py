"""Debian packages by apt: downloaded from the mirror that this machine uses, from any suite, never installed."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .trouble import Lacking

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def listed(suite: str, work: Path) -> list[str]:
    """Options for apt by which it knows this suite and nothing else; raises CalledProcessError when it cannot."""
    options = private(suite, work)
    called("apt-get", *options, "-q", "update", "--error-on=any")
    return options


def download(options: Sequence[str], names: Sequence[str], work: Path) -> list[Path]:
    """The files of these packages, in this order; apt checks signature and checksum."""
    called("apt-get", *options, "-q", "download", *names, at=work)
    return [next(work.glob(f"{name}_*.deb")) for name in names]


def unpack(package: Path, folder: Path) -> None:
    """The package's files."""
    called("dpkg-deb", "--extract", str(package), str(folder))


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
        targets = called("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    except (OSError, subprocess.CalledProcessError):
        targets = ""
    for line in targets.splitlines():
        release, origin, component, uri = line.split(" ", 3)
        if "-" not in release and component == "main" and origin in ("Debian", "$(ORIGIN)"):
            return uri
    raise Lacking("apt knows no Debian mirror to take packages from")


def complaint(error: subprocess.CalledProcessError) -> str:
    """The last line of what a failed command said."""
    return str(error.stderr or error.output or "").strip().rpartition("\n")[2]


def called(*words: str, at: Path | None = None) -> str:
    """What a command prints; raises CalledProcessError when it fails."""
    return subprocess.run(words, cwd=at, check=True, capture_output=True, text=True).stdout
