"""The text of a file or of standard input to a host: which format it is shows in how it begins."""

import re
from collections.abc import Callable
from typing import Final

from cpuplace.errors import BadInput
from cpuplace.topology import Topology


def parse_host(text: str, *, source: str, name: str = "") -> Topology:
    """The host that a text describes; raises BadInput that names `source` for anything else.

    hwloc XML begins with `<`, lscpu -p with `#`, numactl -H with `available:`, lscpu -J with an object that names
    `lscpu` or `cpus` before anything else; any other object is read as cpuplace's own JSON (it begins with `schema`).

    >>> parse_host("available: 1 nodes (0)\\nnode 0 cpus: 0 1\\n", source="x").online
    CpuSet('0-1')
    """
    body = text.removeprefix("\ufeff").lstrip()
    reader = next((reader for begin, reader in _READERS if begin.match(body)), None)
    if reader is None and not body.startswith("{"):
        raise _unknown(body, source)
    if reader is None:
        from cpuplace.formats import cpuplace_json

        return cpuplace_json.parse(body, source=source)
    try:
        return reader(body, name)
    except BadInput as bad:
        where = f"{source}: {bad.source}" if bad.source else source
        raise BadInput(bad.problem, source=where, position=bad.position, hint=bad.hint) from None


def _unknown(text: str, source: str) -> BadInput:
    """Say what would be read; people first try what lscpu prints for them, which leaves open where each CPU is."""
    if not text:
        return BadInput("empty, not the description of a host", source=source, hint=_KNOWN)
    if _LSCPU_FOR_PEOPLE.search(text):
        return BadInput("what lscpu prints for people is not read", source=source, hint=f"the output of {_TABLE} is")
    return BadInput("not the description of a host", source=source, hint=_KNOWN)


def _xml(text: str, name: str) -> Topology:
    from cpuplace.formats import hwloc_xml

    return hwloc_xml.parse(text, name=name)


def _lscpu(text: str, name: str) -> Topology:
    from cpuplace.formats import lscpu

    return lscpu.parse(text, name=name)


def _numactl(text: str, name: str) -> Topology:
    from cpuplace.formats import numactl

    return numactl.parse(text, name=name)


_TABLE: Final = "lscpu -p=CPU,CORE,SOCKET,NODE,CACHE,ONLINE"
_KNOWN: Final = f"known are cpuplace's JSON, hwloc XML, {_TABLE}, lscpu -J and numactl -H"
_LSCPU_FOR_PEOPLE: Final = re.compile(r"^(?:CPU\(s\):|CPU +[A-Z])", re.MULTILINE)
"""The summary, whose other lines may be translated, or the table of lscpu -e."""

_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[str, str], Topology]], ...]] = (
    (re.compile("<"), _xml),
    (re.compile("#"), _lscpu),
    (re.compile(r'\{\s*"(?:lscpu|cpus)"'), _lscpu),
    (re.compile("available:"), _numactl),
)
