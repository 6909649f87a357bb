"""Where a host comes from: one word on the command line to one `Topology`."""

import sys
from pathlib import Path
from typing import Final

from cpuplace.errors import BadInput
from cpuplace.topology import Topology

_LARGEST_TEXT: Final = 64 << 20  # bytes; a description of the largest host is far below
_ARCHIVES: Final = (".tar.gz", ".tgz", ".tar")
_ACCEPTED: Final = "a name that `cpuplace hosts` lists, live, a directory, a tar.gz, a .json or .xml file, or -"


def load_host(spec: str) -> Topology:
    """The host that `--host SPEC` names; raises BadInput when there is none or it cannot be read.

    A name of the catalogue | live (this machine) | a directory or tar.gz holding a sysfs tree | FILE.json |
    FILE.xml (hwloc) | - (JSON or hwloc XML on standard input). A name of the catalogue wins over a file of
    that name: write ./NAME for the file.

    >>> load_host("vm-2cpu").online
    CpuSet('0-1')
    """
    from cpuplace import catalogue

    if spec in catalogue.NAMES:
        return catalogue.host(spec)
    if spec == "live":
        return _read_tree(Path("/"), "this machine")
    if spec == "-":
        return _parse(sys.stdin.read(_LARGEST_TEXT), "standard input")
    path = Path(spec)
    if _exists(path):
        return _read_file(path)
    if _looks_like_path(spec):
        raise BadInput("no such file or directory", source=spec, hint=_ACCEPTED)
    return catalogue.host(spec)  # says which names are near


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or not a path at all
        return False


def _looks_like_path(spec: str) -> bool:
    return "/" in spec or spec in ("", ".", "..") or spec.endswith((*_ARCHIVES, ".json", ".xml"))


def _read_file(path: Path) -> Topology:
    if path.is_dir() or path.name.endswith(_ARCHIVES):
        return _read_tree(path, _name(path))
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_TEXT + 1)
    except OSError as error:
        raise BadInput(error.strerror or "cannot be read", source=str(path)) from None
    if len(data) > _LARGEST_TEXT:
        raise BadInput(f"larger than {_LARGEST_TEXT >> 20} MiB: not the description of a host", source=str(path))
    try:
        return _parse(data.decode(), str(path))
    except UnicodeDecodeError as error:
        raise BadInput("not a text file", source=str(path), position=error.start, hint=_ACCEPTED) from None


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


def _parse(text: str, source: str) -> Topology:
    """JSON or hwloc XML, told apart by the first character."""
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return _parse_xml(text, source)
    from cpuplace.formats import cpuplace_json

    return cpuplace_json.parse(text, source=source)


def _parse_xml(text: str, source: str) -> Topology:
    from cpuplace.formats import hwloc_xml

    try:
        return hwloc_xml.parse(text, name=_name(Path(source)).removesuffix(".xml"))
    except BadInput as bad:
        raise BadInput(bad.problem, source=f"{source}: {bad.source}", position=bad.position, hint=bad.hint) from None
