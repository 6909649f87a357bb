"""A container as a command of numactl, which binds CPUs and memory."""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed
from cpuplace.idset import NodeSet


def lines(one: Placed) -> Iterator[str]:
    """`numactl --physcpubind=LIST --membind=LIST -- COMMAND`."""
    if one.preferred is not None and len(one.preferred) > 1:
        yield "# --preferred-many: numactl 2.0.15 or newer"
    memory = f" {_memory(one)}" if one.mems or one.preferred else ""
    yield f"numactl --physcpubind={one.cpus}{memory} -- COMMAND"


def _memory(one: Placed) -> str:
    preferred = one.preferred or NodeSet()
    if not preferred:
        return f"--membind={one.mems}"
    return f"--preferred{'-many' if len(preferred) > 1 else ''}={preferred}"
