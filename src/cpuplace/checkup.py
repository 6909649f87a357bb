"""A doctor for states: what is wrong with who holds what, and the plan that mends it.

The state may be one that no planner would make: read from a file that somebody edited, that was written in two
halves, or whose host lost CPUs since.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

from attrs import evolve, frozen

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.invariants import violations
from cpuplace.plan import Plan
from cpuplace.planner import synchronize
from cpuplace.request import Kind
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed

FindingKind = Literal["overlap", "leak", "offline", "unknown", "promise"]


@frozen(slots=True, kw_only=True)
class Finding:
    """One thing that is wrong; `rule` is the promise (I1-I9) that is broken, where it is one of ours.

    overlap: CPUs in two sets; leak: in nobody's; offline, unknown: held, but not there; promise: any other promise.
    """

    kind: FindingKind
    sentence: str
    cpus: CpuSet = NO_CPUS
    containers: tuple[str, ...] = ()
    rule: str = ""


@frozen(slots=True, kw_only=True)
class Checkup:
    """What is wrong with a state, and how to mend it: steps, the state they lead to, and what cannot be mended."""

    findings: tuple[Finding, ...]
    repair: Plan

    @property
    def healthy(self) -> bool:
        """True when nothing is wrong."""
        return not self.findings


def check_up(state: HostState, *, pool: CpuSet | None = None) -> Checkup:
    """Everything that is wrong with a state, and the plan from what it says to a legal one; O(containers^2).

    `pool` is the shared pool as the file keeps it, where that is a fact of its own (kubelet's default set): it may
    then overlap with others, or leave CPUs to nobody. The state itself need not be legal.

    >>> from cpuplace.topology import Topology
    >>> check_up(HostState.empty(Topology.uniform(cores_per_l3=2)), pool=CpuSet([0])).findings[0].cpus
    CpuSet('1')
    """
    found = [*_overlaps(state, pool), *_leaks(state, pool), *_absent(state, pool), *_promises(state)]
    return Checkup(findings=tuple(found), repair=synchronize(_readable(state), _observed(state)))


def _overlaps(state: HostState, pool: CpuSet | None) -> Iterator[Finding]:
    broken = {one.containers for one in violations(state) if one.invariant == "I1"}
    for a, b in combinations(state.owners.values(), 2):
        names = (a.container_id, b.container_id)
        if names in broken:
            both = (a.cpus | a.withheld) & (b.cpus | b.withheld)
            yield Finding(
                kind="overlap", sentence=f"CPUs {both} belong to two owners", cpus=both, containers=names, rule="I1"
            )
    for one in state.owners.values():
        shared = one.cpus & (pool or NO_CPUS) if one.exclusive else NO_CPUS
        if shared:
            sentence = f"CPUs {shared} are its own and in the pool too"
            yield Finding(kind="overlap", sentence=sentence, cpus=shared, containers=(one.container_id,))


def _leaks(state: HostState, pool: CpuSet | None) -> Iterator[Finding]:
    if pool is not None:
        lost = state.pool - pool
        sentence = f"CPUs {lost} are in nobody's set"
    else:
        lost = state.pool - CpuSet.from_mask(state.told) if state.policy.widen == "now" else NO_CPUS
        sentence = f"CPUs {lost} are in the pool, but shared containers were not told of them"
    if lost:
        yield Finding(kind="leak", sentence=sentence, cpus=lost)


def _absent(state: HostState, pool: CpuSet | None) -> Iterator[Finding]:
    """CPUs that somebody holds, or the pool lists, and that are not there."""
    exist = CpuSet(cpu.id for cpu in state.topology.cpus)
    held = [(one.cpus | one.withheld, (key,)) for key, one in state.owners.items()]
    for cpus, who in [*held, (pool or NO_CPUS, ())]:
        owner = "holds" if who else "the pool lists"
        if cpus - exist:
            sentence = f"{owner} CPUs {cpus - exist}, which the host does not have"
            yield Finding(kind="unknown", sentence=sentence, cpus=cpus - exist, containers=who)
        offline = cpus & state.topology.offline
        if offline:
            sentence = f"{owner} CPUs {offline}, which are offline"
            yield Finding(kind="offline", sentence=sentence, cpus=offline, containers=who)


def _promises(state: HostState) -> Iterator[Finding]:
    """What else is promised and does not hold; CPUs that are not there have been told of already."""
    for one in violations(state):
        held = state[one.containers[0]].cpus if one.invariant == "I2" else NO_CPUS
        if one.invariant != "I1" and held <= state.topology.online:
            yield Finding(kind="promise", sentence=one.sentence, containers=one.containers, rule=one.invariant)
    for (pod, name), remembered in state.remembered.items():
        gone = CpuSet.from_mask(remembered.cpus) - state.usable
        if gone:
            sentence = f"CPUs {gone}, remembered for {name} of pod {pod}, cannot be used"
            yield Finding(kind="promise", sentence=sentence, cpus=gone)


def _readable(state: HostState) -> HostState:
    """The state as `synchronize` may lean on it: what is remembered can be used."""
    usable = state.usable.mask
    return evolve(
        state, remembered={name: held._replace(cpus=held.cpus & usable) for name, held in state.remembered.items()}
    )


def _observed(state: HostState) -> Iterator[Observed]:
    """Every container as the state says that it runs."""
    for one in state.assignments.values():
        alone = one.cpus if one.kind is not Kind.UNMANAGED else NO_CPUS
        yield Observed(request=one.request, cpus=alone, mems=one.mems, baseline=one.baseline)
