"""A container as a drop-in of a systemd service: AllowedCPUs= and AllowedMemoryNodes= (cgroup v2).

systemd joins what several files say of such a list, so that each setting begins with an empty one, which forgets the
others. `systemctl set-property UNIT AllowedCPUs=LIST` does the same to a unit that runs.
"""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed
from cpuplace.idset import NodeSet


def lines(one: Placed) -> Iterator[str]:
    """The text of a drop-in."""
    preferred = one.preferred or NodeSet()
    if len(preferred) > 1:
        yield f"# prefers the memory of nodes {preferred}: NUMAPolicy=preferred takes one node only"
    yield "[Service]"
    yield from _anew("AllowedCPUs", str(one.cpus))
    if one.mems:
        yield from _anew("AllowedMemoryNodes", str(one.mems))
    if len(preferred) == 1:
        yield "NUMAPolicy=preferred"
        yield from _anew("NUMAMask", str(preferred))


def _anew(name: str, value: str) -> Iterator[str]:
    yield f"{name}="
    yield f"{name}={value}"
