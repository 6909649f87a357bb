"""One container of a plan as the tools that start processes need to know it."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from cpuplace.idset import CpuSet, NodeSet
from cpuplace.request import Kind
from cpuplace.state import Assignment
from cpuplace.topology import Topology


@frozen(slots=True)
class Placed:
    """What a container holds, and how its CPUs lie on the host."""

    host: Topology
    held: Assignment

    @property
    def cpus(self) -> CpuSet:
        """Where it runs."""
        return self.held.cpus

    @property
    def mems(self) -> NodeSet | None:
        """Memory nodes that are enforced; None = any."""
        return self.held.mems

    @property
    def preferred(self) -> NodeSet | None:
        """Memory nodes that are only preferred."""
        return self.held.preferred

    @property
    def alone(self) -> bool:
        """True when nobody else runs on its CPUs, so that each of its threads can have one."""
        return self.held.exclusive

    @property
    def about(self) -> str:
        """Which container this is, on one line whatever its name holds.

        >>> from cpuplace.request import ContainerRequest
        >>> Placed(Topology.uniform(), Assignment(ContainerRequest.integer("db", 1), CpuSet([0]))).about
        'db: integer, 1 CPU of its own'
        """
        held = self.held
        said = f"{held.container_id}: {held.kind}, {_what(held)}"
        said += f", siblings {held.withheld} stay idle" if held.withheld else ""
        said += ", an init container: only while it runs" if held.request.init else ""
        return "".join(char if char.isprintable() else "?" for char in said)

    @property
    def by_thread(self) -> tuple[int, ...]:
        """Its CPUs, one thread of every core before a second one: fewer threads than CPUs have cores of their own."""
        cores = self._cores()
        depth = max(map(len, cores), default=0)
        return tuple(core[at] for at in range(depth) for core in cores if at < len(core))

    @property
    def by_core(self) -> tuple[int, ...]:
        """Its CPUs core by core, siblings side by side."""
        return tuple(cpu for core in self._cores() for cpu in core)

    def _cores(self) -> Sequence[tuple[int, ...]]:
        return [tuple(core.cpus & self.cpus) for core in self.host.cores if core.cpus & self.cpus]


def _what(held: Assignment) -> str:
    if held.kind is Kind.SHARED:
        return "runs on the pool"
    count = f"{len(held.cpus)} CPU{'' if len(held.cpus) == 1 else 's'}"
    return f"{count} of its own" if held.exclusive else f"{count} that others may use too"


def runs(cpus: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First id and length of each run of ids that follow one another, in the given order.

    >>> list(runs([4, 5, 6, 0, 9]))
    [(4, 3), (0, 1), (9, 1)]
    """
    start = 0
    for at in range(1, len(cpus) + 1):
        if at == len(cpus) or cpus[at] != cpus[at - 1] + 1:
            yield cpus[start], at - start
            start = at
