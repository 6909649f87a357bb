"""Where a host comes from: one word on the command line to one `Topology`."""

import sys
from pathlib import Path
from typing import Final

from cpuplace.errors import BadInput
from cpuplace.topology import Topology
from cpuplace_cli.host_text import parse_host

_LARGEST_TEXT: Final = 64 << 20  # bytes; a description of the largest host is far below
_STDIN: Final = "standard input"
_SYNTHETIC: Final = "synthetic:"
_ARCHIVES: Final = (".tar.gz", ".tgz", ".tar")
_ACCEPTED: Final = "a name that `cpuplace hosts` lists, live, a directory, a tar.gz, a .json or .xml file, or -"


def load_host(spec: str) -> Topology:
    """The host that `--host SPEC` names; raises BadInput when there is none or it cannot be read.

    A name of the catalogue | live (this machine) | a directory or tar.gz holding a sysfs tree | a file (see
    `parse_host`: our JSON, hwloc XML, lscpu, numactl) | - (the same on standard input) | synthetic:DESCRIPTION
    (hwloc). A name of the catalogue wins over a file of that name: write ./NAME for the file.

    >>> load_host("vm-2cpu").online
    CpuSet('0-1')
    """
    from cpuplace import catalogue

    if spec in catalogue.NAMES:
        return catalogue.host(spec)
    if not spec:
        raise BadInput("empty", source="--host", hint="is a variable not set?")
    if spec == "live":
        return _read_tree(Path("/"), "this machine")
    if spec == "-":
        return _read_standard_input()
    if spec.startswith(_SYNTHETIC):
        return _synthetic(spec.removeprefix(_SYNTHETIC))
    path = Path(spec)
    if _exists(path):
        return _read_file(path)
    if _looks_like_path(spec):
        raise BadInput("no such file or directory", source=spec, hint=_ACCEPTED)
    return catalogue.host(spec)  # says which names are near


def _read_standard_input() -> Topology:
    try:
        return parse_host(sys.stdin.read(_LARGEST_TEXT), source=_STDIN)
    except UnicodeDecodeError as error:
        raise BadInput("not text", source=_STDIN, position=error.start, hint=_ACCEPTED) from None


def _synthetic(description: str) -> Topology:
    from cpuplace.formats import hwloc_synthetic

    return hwloc_synthetic.parse(description, name="synthetic")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or not a path at all
        return False


def _looks_like_path(spec: str) -> bool:
    return "/" in spec or spec in (".", "..") or spec.endswith((*_ARCHIVES, ".json", ".xml"))


def _read_file(path: Path) -> Topology:
    if path.is_dir() or path.name.endswith(_ARCHIVES):
        return _read_tree(path, _name(path))
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_TEXT + 1)
    except OSError as error:
        raise BadInput(error.strerror or "cannot be read", source=str(path)) from None
    if _is_archive(data):
        return _read_tree(path, _name(path))
    if len(data) > _LARGEST_TEXT:
        raise BadInput(f"larger than {_LARGEST_TEXT >> 20} MiB: not the description of a host", source=str(path))
    try:
        return parse_host(data.decode(), source=str(path), name=path.stem)
    except UnicodeDecodeError as error:
        raise BadInput("not a text file", source=str(path), position=error.start, hint=_ACCEPTED) from None


def _is_archive(data: bytes) -> bool:
    """Whether it is a tar, packed or not, whatever it is called."""
    return data.startswith(b"\x1f\x8b") or data[257:262] == b"ustar"


def spec_of(path: Path) -> str:
    """What `load_host` reads this file by, also where the catalogue has a host of its name.

    >>> spec_of(Path("vm-2cpu")), spec_of(Path("server7.tar.gz"))
    ('./vm-2cpu', 'server7.tar.gz')
    """
    return str(path) if "/" in str(path) or path.suffix else f"./{path}"


def _name(path: Path) -> str:
    """What to call a host that was read from `path`.

    >>> _name(Path("racks/server7.tar.gz"))
    'server7'
    """
    name = path.resolve().name
    return next((name.removesuffix(end) for end in _ARCHIVES if name.endswith(end)), name)


def _read_tree(path: Path, name: str) -> Topology:
    from cpuplace_linux.read_host import read_host

    return read_host(path, name=name)
