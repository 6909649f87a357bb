"""What `cpuplace plan -o json` printed, read back as who holds what; the rest of it is not looked at."""

from collections.abc import Iterator
from typing import Any

from cpuplace.diffing import Holding, Snapshot
from cpuplace.errors import BadInput
from cpuplace.formats.json_fields import Field, load
from cpuplace.formats.state_container import read_kind, read_nodes, read_text
from cpuplace.idset import NO_CPUS

VERSION = 1


def parse(text: str | bytes, *, source: str = "plan") -> tuple[str, Snapshot]:
    """The name of the host, and who holds what when the plan is carried out; BadInput for anything else.

    Init containers are gone by then, and are left out.

    >>> parse('{"schema": 1, "host": "box", "containers": [], "pool": "0-3"}')[1].pool
    CpuSet('0-3')
    """
    top = load(text, source=source)
    version = top.need("schema").number()
    if version != VERSION:
        hint = "written by a newer cpuplace?" if version > VERSION else ""
        raise top.need("schema").bad(f"version {version} cannot be read, only {VERSION}", hint)
    found: dict[tuple[str, str], Holding] = {}
    for field, name, holding in _holdings(top.need("containers")):
        if name in found:
            raise field.bad(f"container {name[1]!r} of {name[0]!r} is there twice")
        found[name] = holding
    return read_text(top.need("host")), Snapshot(holdings=found, pool=top.need("pool").cpus())


def is_plan(text: str | bytes) -> bool:
    """True when this looks like a plan rather than a saved state; never raises.

    >>> is_plan('{"containers": [], "pool": ""}'), is_plan('{"containers": [], "policy": {}}'), is_plan("[")
    (True, False, False)
    """
    try:
        top: Any = load(text, source="").value
    except BadInput:
        return False
    return isinstance(top, dict) and "pool" in top and "policy" not in top


def _holdings(containers: Field) -> Iterator[tuple[Field, tuple[str, str], Holding]]:
    for field in containers.items():
        if not field.maybe("init", Field.flag, False):
            holding = Holding(
                kind=read_kind(field.need("kind")),
                cpus=field.need("cpus").cpus(),
                mems=field.maybe("mems", read_nodes, None),
                withheld=field.maybe("withheld", Field.cpus, NO_CPUS),
            )
            yield field, (read_text(field.need("pod")), read_text(field.need("container"))), holding
