"""Real containerds, runc, busybox and the CRI's description, out of Debian packages that are never installed."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from . import apt
from .cache import made
from .trouble import Lacking

STABLE: Final = ("trixie",)
"""Has containerd 1.7 and the CRI's proto; what is newer there one day is taken as it is."""
NEWEST: Final = ("sid", "testing")
"""Have containerd 2; the second, should the first one's need a newer C library than this machine has."""
HERE: Final = ("bookworm",)
"""Has a runc that needs no newer C library than containerd does."""
CONTAINERD: Final = ("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr")
PROTO: Final = "usr/share/gocode/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto"
GO_ONLY: Final = re.compile(r'^(import "github\.com/gogo/.*|option \(gogoproto\..*)$', re.MULTILINE)
VERSION: Final = re.compile(r"\bv?([0-9]+\.[0-9]+\.[0-9]+)", re.ASCII)


@attrs.frozen(slots=True)
class Runtimes:
    """The programs, each folder flat."""

    folder: Path

    @property
    def containerds(self) -> tuple[Path, Path]:
        """The folders of an older and a newer containerd with its shim and `ctr`."""
        return self.folder / "stable", self.folder / "newest"

    @property
    def runc(self) -> Path:
        """What starts and updates containers."""
        return self.folder / "here" / "runc"

    @property
    def busybox(self) -> Path:
        """A static program that images are made of."""
        return self.folder / "here" / "busybox"

    @property
    def cri(self) -> Path:
        """The CRI's services and messages: a serialized FileDescriptorSet."""
        return self.folder / "cri.binpb"

    def __str__(self) -> str:
        """What was found in the suites, as the programs say it: suites move on, and "green" means green with these."""
        found = [f"containerd {version(folder / 'containerd')}" for folder in self.containerds]
        return f"with {' and '.join(found)}, runc {version(self.runc)}"


def version(program: Path) -> str:
    """The first version in what a program says of itself; raises Lacking when it does not run on this machine."""
    try:
        said = apt.called(str(program), "--version")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Lacking(f"{program.name} from Debian does not run here: {error}") from error
    found = VERSION.search(said)
    return found[1] if found else said.strip()


def prepared() -> Runtimes:
    """The runtimes, downloaded and unpacked where there are none yet; raises Lacking when they are not to be had."""
    return Runtimes(made("runtimes", make))


def make(work: Path, folder: Path) -> None:
    """Everything, from the suites that have it."""
    first(STABLE, ["containerd"], CONTAINERD, work, folder / "stable")
    first(NEWEST, ["containerd"], CONTAINERD, work, folder / "newest")
    first(HERE, ["runc", "busybox-static"], ("usr/sbin/runc", "bin/busybox"), work, folder / "here")
    first(STABLE, ["golang-github-kubernetes-cri-api-dev"], (PROTO,), work, work / "proto")
    describe(work / "proto" / "api.proto", folder / "cri.binpb")
    version(folder / "here" / "runc")


def first(suites: Sequence[str], names: Sequence[str], files: Sequence[str], work: Path, folder: Path) -> None:
    """These files of these packages, from the first suite whose packages are to be had and run here."""
    said = ""
    for suite in suites:
        try:
            take(suite, names, files, work / suite, folder)
            return
        except subprocess.CalledProcessError as error:
            said = apt.complaint(error)
        except Lacking as error:
            said = str(error)
    raise Lacking(f"no {' or '.join(names)} to be had from {' or '.join(suites)}: {said}")


def take(suite: str, names: Sequence[str], files: Sequence[str], work: Path, folder: Path) -> None:
    """The files, out of one suite; raises CalledProcessError when apt cannot, Lacking when they do not run here."""
    if work.is_dir():  # the suite was asked before
        options = apt.private(suite, work)
    else:
        work.mkdir()
        options = apt.listed(suite, work)
    folder.mkdir(parents=True, exist_ok=True)
    for package in apt.download(options, names, work):
        apt.unpack(package, work / "files")
    for file in files:
        (work / "files" / file).replace(folder / Path(file).name)
    for program in folder.glob("containerd"):
        version(program)


def describe(proto: Path, out: Path) -> None:
    """The proto, compiled; without what only Go's generator reads."""
    plain = proto.with_name("cri.proto")
    plain.write_text(GO_ONLY.sub("", proto.read_text()))
    words = [sys.executable, "-m", "grpc_tools.protoc", f"-I{plain.parent}", f"--descriptor_set_out={out}", plain.name]
    try:
        apt.called(*words)
    except subprocess.CalledProcessError as error:
        raise Lacking(f"the CRI's proto does not compile: {apt.complaint(error)}") from error
