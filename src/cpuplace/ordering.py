"""Ordering: the steps from one state to another, so that every prefix is safe (section 4 of the rules).

Release, narrow shared containers, change places (`transit`), grant, widen; who is not managed (K0) has no step. Safe
means: no CPU belongs to two owners, no shared container runs on an exclusive CPU that has been granted, nobody has an
empty set, nobody fewer CPUs than both before and after.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, pairwise
from typing import Final, NamedTuple

from cpuplace.cpulist import union_of
from cpuplace.idset import CpuSet
from cpuplace.request import Kind
from cpuplace.state import Assignment, Held, HostState
from cpuplace.step import Op, Step, alike, changed
from cpuplace.transit import STANDING, Hop, Mover, Road, Walk, hopped, travel
from cpuplace.transitions import unwidened


class Manner(NamedTuple):
    """Which orders of steps are legal for a plan.

    `once_from`: the state the plan sets out from, when each container may have one step only; None = any number.
    `allow_dip`: a container may have fewer CPUs than before and after for a moment.
    """

    once_from: HostState | None = None
    allow_dip: bool = False

    def leads(self, before: HostState, after: HostState) -> bool:
        """Whether a legal order of steps leads there.

        One step each is asked of the whole way from `once_from`, of which `before` may be a part: if there is any such
        order, there is one that releases first and grants last, so detours by what lies between need no look.
        """
        if self.once_from is not None:
            return in_one_step(self.once_from, after) is not None
        return ordered(before, after, allow_dip=self.allow_dip) is not None

    def joins(self, after: HostState) -> bool:
        """Whether several legal ways, one after another, are legal together: always, but for one step each."""
        return self.once_from is None or self.leads(self.once_from, after)


ANY_NUMBER: Final = Manner()
"""Each container may have as many steps as it needs, and never too few CPUs."""


class Way(NamedTuple):
    """Where steps lead, and the steps."""

    after: HostState
    steps: tuple[Step, ...]


def in_one_step(before: HostState, after: HostState) -> Way | None:
    """The way with one step per container to `after`, or to `after` with widening put off (R7), or None: none is legal.

    >>> from cpuplace.topology import Topology
    >>> empty = HostState.empty(Topology.uniform())
    >>> in_one_step(empty, empty).after is empty
    True
    """
    steps = ordered(before, after, one_step_per_container=True)
    if steps is None:
        after = unwidened(before, after)
        steps = ordered(before, after, one_step_per_container=True)
    return None if steps is None else Way(after, steps)


class Share(NamedTuple):
    """Shared containers that stay, and what each of them holds before and afterwards."""

    keys: tuple[str, ...]
    was: int
    will: int


def ordered(
    before: HostState, after: HostState, *, one_step_per_container: bool = False, allow_dip: bool = False
) -> tuple[Step, ...] | None:
    """The steps that lead from one state to the other, or None when no order of them is legal.

    Cycles of containers that take each other's CPUs go through CPUs that nobody holds (two steps for one of
    them), with `allow_dip` also through the part that one of them keeps. With `one_step_per_container` neither
    is legal, nor are two steps for a shared container. O(changes) unless containers change places.

    >>> from cpuplace.topology import Topology
    >>> empty = HostState.empty(Topology.uniform())
    >>> ordered(empty, empty)
    ()
    """
    movers = _movers(before, after)
    unchanged = before.told == after.told and before.apart == after.apart
    shares = [] if unchanged and not movers else _shares(before, after)
    hops = _hops(shares, whole=one_step_per_container)
    walk: Walk | None = STANDING
    if movers:
        road = _road(before, after, shares, movers, hops)
        walk = travel(road, one_step=one_step_per_container, allow_dip=allow_dip)
    elif hops:
        walk = hopped(hops)
    return None if walk is None else _all_steps(before, after, shares, hops, walk)


def through(states: tuple[HostState, ...], *, allow_dip: bool = False) -> tuple[Step, ...] | None:
    """The steps from the first state by all others to the last, or None when one of these ways has no legal order.

    >>> from cpuplace.topology import Topology
    >>> empty = HostState.empty(Topology.uniform())
    >>> through((empty, empty, empty))
    ()
    """
    ways = [ordered(here, there, allow_dip=allow_dip) for here, there in pairwise(states)]
    return None if None in ways else tuple(chain.from_iterable(filter(None, ways)))


def forced(before: HostState, after: HostState) -> tuple[Step, ...]:
    """The same steps where no order of them is legal: everybody goes straight, whoever is in the way.

    For repairs alone: a world that was unsafe before may have no safe way out of it, nor may a host that lost CPUs have
    one (an integer container and shared ones that have to change places, and not a CPU to spare).
    """
    shares, movers = _shares(before, after), _movers(before, after)
    steps = [changed(key, one.was.held, one.will.held) for key, one in movers.items() if one.was.held != one.will.held]
    walk = STANDING._replace(steps=tuple(sorted(steps, key=_shrinking_first)))
    return _all_steps(before, after, shares, {}, walk)


def _shrinking_first(step: Step) -> int:
    return (Op.NARROW, Op.MOVE, Op.WIDEN).index(step.op)


def _all_steps(
    before: HostState, after: HostState, shares: Iterable[Share], hops: Mapping[str, Hop], walk: Walk
) -> tuple[Step, ...]:
    """Release, narrow, the walk, grant, widen."""
    landed = {hop.keys[0]: walk.held[name] for name, hop in hops.items()}
    narrow, widen = _around(shares, landed, walk.cleared)
    return (*_released(before, after), *narrow, *walk.steps, *_came(before, after), *widen)


def _road(
    before: HostState,
    after: HostState,
    shares: Iterable[Share],
    movers: dict[str, Mover],
    hops: dict[str, Hop],
) -> Road:
    hopping = {hop.keys for hop in hops.values()}
    return Road(
        movers=movers,
        hops=hops,
        spare=_spare(before, after, movers),
        standing=tuple({was & will: None for keys, was, will in shares if keys not in hopping}),
    )


def _movers(before: HostState, after: HostState) -> dict[str, Mover]:
    """Owners that stay and hold something else afterwards; who is not managed has no steps."""
    if before.owners is after.owners:
        return {}
    old = before.owners
    return {
        key: Mover(old[key], one)
        for key, one in after.owners.items()
        if key in old and old[key] is not one and _differs(old[key], one)
    }


def _differs(was: Assignment, will: Assignment) -> bool:
    return (was.held, was.withheld) != (will.held, will.withheld) and will.kind is not Kind.UNMANAGED


def _released(before: HostState, after: HostState) -> Iterator[Step]:
    gone = (*_missing(before.owners, after.owners), *_missing(before.shared, after.shared))
    left = (before[key] for key in gone if key not in after)
    return (Step(Op.RELEASE, one.container_id, one.held, None) for one in left if one.kind is not Kind.UNMANAGED)


def _came(before: HostState, after: HostState) -> Iterator[Step]:
    """The new ones, and those that changed from shared to integer, or back."""
    for key in (*_missing(after.owners, before.owners), *_missing(after.shared, before.shared)):
        was, one = before[key].held if key in before else None, after[key]
        if was != one.held and one.kind is not Kind.UNMANAGED:  # the last CPU of the pool can become its own
            yield Step(Op.GRANT if was is None else Op.MOVE, key, was, one.held)


def _missing(ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    """Our keys that they lack, in our order; set arithmetic in C, since there may be hundreds."""
    lacking = ours.keys() - theirs.keys() if ours is not theirs else ()
    return [key for key in ours if key in lacking] if len(lacking) > 1 else list(lacking)


def _shares(before: HostState, after: HostState) -> list[Share]:
    """All shared containers that stay: most hold just what all are told of, so they are one."""
    special = {*after.picky, *before.apart, *after.apart}
    stay = tuple(after.shared)
    if before.shared is not after.shared:
        stay = tuple(key for key in stay if key in before.shared)
    plain = tuple(key for key in stay if key not in special) if special else stay
    shares = [Share(plain, before.told, after.told)] if plain else []
    for key in (key for key in stay if key in special):
        request = after.shared[key]
        shares.append(Share((key,), before.shared_mask(request), after.shared_mask(request)))
    return shares


def _hops(shares: Iterable[Share], *, whole: bool) -> dict[str, Hop]:
    """Who cannot be narrowed first and widened later: without a common part, or (`whole`) with one step only."""
    hops = [Hop(*one, whole) for one in shares if _must_hop(one.was, one.will, whole=whole)]
    return {f"hop of {hop.keys[0]}": hop for hop in hops}


def _must_hop(was: int, will: int, *, whole: bool) -> bool:
    return was != will and (not was & will or (whole and bool(was & ~will) and bool(will & ~was)))


def _around(shares: Iterable[Share], landed: Mapping[str, int], cleared: int) -> tuple[list[Step], list[Step]]:
    """(narrowing before the walk, widening after it); `cleared` CPUs are left for the time of the walk.

    One change makes the steps of all who hold the same: there may be hundreds.
    """
    narrow: list[Step] = []
    widen: list[Step] = []
    for keys, was, will in shares:
        hopped = landed.get(keys[0])
        middle = was & will & ~cleared if hopped is None else hopped
        if hopped is None and middle != was:
            op = Op.NARROW if middle else Op.MOVE
            middle = middle or will
            narrow += alike(op, keys, _held(was), _held(middle))
        if middle != will:
            widen += alike(Op.WIDEN, keys, _held(middle), _held(will))
    return narrow, widen


def _spare(before: HostState, after: HostState, movers: Mapping[str, Mover]) -> int:
    """What a mover may borrow when nobody holds it: usable, not reserved, not set aside, not pinned, not another's."""
    taken = union_of(_held_throughout(state, before, after, movers) for state in (before, after))
    return after.ground.free_base & before.ground.usable & ~taken


def _held_throughout(state: HostState, before: HostState, after: HostState, movers: Mapping[str, Mover]) -> int:
    return union_of(
        one.cpus.mask | one.withheld.mask
        for key, one in state.owners.items()
        if key in before and key in after and key not in movers
    )


def _held(mask: int) -> Held:
    return Held(CpuSet.from_mask(mask))
