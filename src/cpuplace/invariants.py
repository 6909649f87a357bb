"""What is always true of a state (section 7 of the rules): one function for laws, stateful tests and adapters.

Everything is worked out from the assignments alone, with none of the sums a state carries, so that it also
catches a wrong sum.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

from attrs import frozen

from cpuplace.cpulist import union_of
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.request import Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState


@frozen(slots=True)
class Violation:
    """A promise that does not hold: its number (I1-I9), what is wrong, and whom it concerns."""

    invariant: str
    sentence: str
    containers: tuple[str, ...] = ()


def violations(state: HostState) -> tuple[Violation, ...]:
    """Every promise of section 7 that this state breaks; empty when all is well. O(containers^2) at worst.

    >>> from cpuplace.topology import Topology
    >>> violations(HostState.empty(Topology.uniform()))
    ()
    """
    return tuple(found for check in _CHECKS for found in check(state))


def _owners(state: HostState) -> list[Assignment]:
    return [one for one in state.owners.values() if one.exclusive]


def _union(sets: Iterator[CpuSet]) -> CpuSet:
    return CpuSet.from_mask(union_of(one.mask for one in sets))


def _same_owner(a: Assignment, b: Assignment) -> bool:
    """Pins of one pod have one owner: the pod."""
    return a.kind is b.kind is Kind.PINNED and a.request.pod == b.request.pod


def _disjoint(state: HostState) -> Iterator[Violation]:
    for a, b in combinations(_owners(state), 2):
        pins = a.kind is b.kind is Kind.PINNED
        if a.degraded or b.degraded or _same_owner(a, b) or (pins and state.policy.pin_overlap == "share"):
            continue
        both = (a.cpus | a.withheld) & (b.cpus | b.withheld)
        if both:
            yield Violation("I1", f"CPUs {both} belong to two owners", (a.container_id, b.container_id))


def _sound(state: HostState) -> Iterator[Assignment]:
    """All but those that hardware, or others while we were away, left with less than the rules promise."""
    starved = state.low_pool
    return (one for one in state.assignments.values() if not (one.degraded or (starved and one.kind is Kind.SHARED)))


def _usable(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind is not Kind.UNMANAGED and not one.cpus <= state.usable:
            yield Violation("I2", f"holds unusable CPUs {one.cpus - state.usable}", (one.container_id,))


def _not_empty(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind is not Kind.UNMANAGED and not one.cpus:
            yield Violation("I3", "holds no CPU", (one.container_id,))


def _expected_pool(state: HostState) -> CpuSet:
    taken = _union(one.cpus | one.withheld for one in _owners(state))
    pool = state.usable - taken - (CpuSet.from_mask(state.ground.isolated) - taken)
    return pool - state.reserved if state.policy.strict_reservation else pool


def _pool(state: HostState) -> Iterator[Violation]:
    expected = _expected_pool(state)
    if state.pool != expected:
        yield Violation("I4", f"the pool is {state.pool}, by its definition it is {expected}")
    floor = min(state.policy.min_shared_cpus, state.ground.pool_base.bit_count())
    if len(expected) < floor and not state.low_pool:
        yield Violation("I4", f"the pool has {len(expected)} CPUs, the floor is {floor}")
    for one in (state[key] for key in state.shared):
        if expected - one.request.forbid and not one.cpus <= expected:  # who finds none there has nowhere to go
            yield Violation("I4", f"runs on {one.cpus - expected} outside the pool", (one.container_id,))


def _exact_count(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind is Kind.INTEGER and len(one.cpus) != one.request.count:
            sentence = f"holds {len(one.cpus)} CPUs, asked for {one.request.count}"
            yield Violation("I5", sentence, (one.container_id,))


def _exact_pin(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind not in (Kind.INTEGER, Kind.SHARED) and one.cpus != one.request.pin:
            sentence = f"holds {one.cpus}, its pin is {one.request.pin}"
            yield Violation("I6", sentence, (one.container_id,))


def _forbidden(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind in (Kind.INTEGER, Kind.SHARED) and one.cpus & one.request.forbid:
            yield Violation("I7", f"holds forbidden CPUs {one.cpus & one.request.forbid}", (one.container_id,))
        reserved = one.cpus & state.reserved if one.exclusive else NO_CPUS
        if reserved and not (one.kind is Kind.PINNED and state.policy.allow_reserved_pins):
            yield Violation("I7", f"owns reserved CPUs {reserved}", (one.container_id,))


def _hard_wishes(state: HostState) -> Iterator[Violation]:
    for one in _sound(state):
        if one.kind is Kind.INTEGER:
            yield from (
                Violation("I8", f"does not have its wish: {unmet}", (one.container_id,)) for unmet in _unmet(state, one)
            )


def _unmet(state: HostState, one: Assignment) -> Iterator[str]:
    wishes, host = resolve(state.policy.wishes, one.request.wishes), state.topology
    cpus = one.cpus & host.online
    nodes = {host.cpu(cpu).node for cpu in cpus}
    by_core = {core.cpus for core in host.cores if core.cpus & cpus}
    if wishes.limit == "one" and len(nodes) > 1:
        yield "numa require-one"
    if wishes.nodes is not None and not nodes <= set(wishes.nodes):
        yield f"numa {wishes.nodes}"
    if wishes.cores == "require-full" and any(not core <= cpus for core in by_core):
        yield "cores require-full"
    if wishes.cores == "isolate" and any(not (core & state.usable) - cpus <= one.withheld for core in by_core):
        yield "cores isolate"
    if wishes.l3 == "require-one" and len({host.cpu(cpu).l3 for cpu in cpus}) > 1:
        yield "l3 require-one"
    if wishes.one_package and len({host.cpu(cpu).package for cpu in cpus}) > 1:
        yield "package require-one"
    if wishes.kind_hard and any(host.cpu(cpu).kind not in (wishes.kind_hard, None) for cpu in cpus):
        yield f"core_kind {wishes.kind_hard}"
    isolated = CpuSet.from_mask(state.ground.isolated)
    if (wishes.isolated == "require" and not cpus <= host.isolated) or (wishes.isolated == "avoid" and cpus & isolated):
        yield f"isolated {wishes.isolated}"


def _partition(state: HostState) -> Iterator[Violation]:
    """I9, assignments against sums; set-aside CPUs count as that even when reserved, so each has one place."""
    exclusive = _union(one.cpus for one in _owners(state)) & state.usable
    withheld = _union(one.withheld for one in _owners(state))
    parts = {"exclusive": exclusive, "withheld": withheld, "set aside": state.set_aside, "pool": state.pool}
    if state.policy.strict_reservation:
        parts["reserved"] = state.reserved - exclusive - withheld - state.set_aside
    for (name, a), (other, b) in combinations(parts.items(), 2):
        if a & b:
            yield Violation("I9", f"CPUs {a & b} count as {name} and as {other}")
    missing = state.usable - _union(iter(parts.values()))
    if missing:
        yield Violation("I9", f"CPUs {missing} have no place")


_CHECKS: tuple[Callable[[HostState], Iterator[Violation]], ...] = (
    _disjoint,
    _usable,
    _not_empty,
    _pool,
    _exact_count,
    _exact_pin,
    _forbidden,
    _hard_wishes,
    _partition,
)
