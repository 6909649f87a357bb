"""The text of a file or of standard input to a host: which format it is shows in how it begins."""

import re
from collections.abc import Callable
from typing import Final

from cpuplace.errors import BadInput
from cpuplace.topology import Topology


def parse_host(text: str, *, source: str, name: str = "") -> Topology:
    """The host that a text describes; raises BadInput that names `source` for anything else.

    hwloc XML begins with `<`, lscpu -p with `#`, numactl -H with `available:`, lscpu -J with an object that names
    `lscpu` or `cpus` before anything else; all else is read as cpuplace's own JSON (which begins with `schema`).

    >>> parse_host("available: 1 nodes (0)\\nnode 0 cpus: 0 1\\n", source="x").online
    CpuSet('0-1')
    """
    body = text.removeprefix("\ufeff").lstrip()
    reader = next((reader for begin, reader in _READERS if begin.match(body)), None)
    if reader is None:
        from cpuplace.formats import cpuplace_json

        return cpuplace_json.parse(body, source=source)
    try:
        return reader(body, name)
    except BadInput as bad:
        where = f"{source}: {bad.source}" if bad.source else source
        raise BadInput(bad.problem, source=where, position=bad.position, hint=bad.hint) from None


def _xml(text: str, name: str) -> Topology:
    from cpuplace.formats import hwloc_xml

    return hwloc_xml.parse(text, name=name)


def _lscpu(text: str, name: str) -> Topology:
    from cpuplace.formats import lscpu

    return lscpu.parse(text, name=name)


def _numactl(text: str, name: str) -> Topology:
    from cpuplace.formats import numactl

    return numactl.parse(text, name=name)


_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[str, str], Topology]], ...]] = (
    (re.compile("<"), _xml),
    (re.compile("#"), _lscpu),
    (re.compile(r'\{\s*"(?:lscpu|cpus)"'), _lscpu),
    (re.compile("available:"), _numactl),
)
