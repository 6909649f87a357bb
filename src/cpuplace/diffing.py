"""What differs between two answers to who holds what: who came, who went, who moved, and the pool."""

from collections.abc import Mapping

from attrs import frozen

from cpuplace.idset import NO_CPUS, CpuSet, NodeSet
from cpuplace.request import Kind
from cpuplace.state import HostState


@frozen(slots=True, kw_only=True)
class Holding:
    """What one container holds; of a shared one the CPUs are those of the pool, and not compared."""

    kind: Kind
    cpus: CpuSet
    mems: NodeSet | None = None
    withheld: CpuSet = NO_CPUS


@frozen(slots=True, kw_only=True)
class Snapshot:
    """Who holds what, by (pod, container): ids change with every restart, these names stay."""

    holdings: Mapping[tuple[str, str], Holding]
    pool: CpuSet


@frozen(slots=True, kw_only=True)
class Change:
    """One container that differs; `before` None = it came, `after` None = it went."""

    pod: str
    container: str
    before: Holding | None
    after: Holding | None


@frozen(slots=True, kw_only=True)
class Difference:
    """All that differs: containers in the order of the first snapshot, then those that came; the pool."""

    changes: tuple[Change, ...]
    pool_before: CpuSet
    pool_after: CpuSet

    @property
    def is_empty(self) -> bool:
        """True when nothing differs."""
        return not self.changes and self.pool_before == self.pool_after


def snapshot(state: HostState) -> Snapshot:
    """Who holds what in a state. O(containers).

    >>> from cpuplace.topology import Topology
    >>> snapshot(HostState.empty(Topology.uniform())).pool
    CpuSet('0')
    """
    return Snapshot(
        holdings={
            (one.request.pod, one.request.name): Holding(
                kind=one.kind, cpus=one.cpus, mems=one.mems, withheld=one.withheld
            )
            for one in state.assignments.values()
        },
        pool=state.pool,
    )


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """What differs between two snapshots of one host.

    >>> from cpuplace.topology import Topology
    >>> one = snapshot(HostState.empty(Topology.uniform()))
    >>> difference(one, one).is_empty
    True
    """
    names = [*before.holdings, *(name for name in after.holdings if name not in before.holdings)]
    pairs = [(name, before.holdings.get(name), after.holdings.get(name)) for name in names]
    return Difference(
        changes=tuple(
            Change(pod=pod, container=container, before=was, after=now)
            for (pod, container), was, now in pairs
            if _differ(was, now)
        ),
        pool_before=before.pool,
        pool_after=after.pool,
    )


def _differ(was: Holding | None, now: Holding | None) -> bool:
    """Shared containers follow the pool, whose change is told once."""
    if was is not None and now is not None and was.kind is now.kind is Kind.SHARED:
        return was.mems != now.mems
    return was != now
