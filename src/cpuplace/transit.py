"""Transit: containers with CPUs of their own change places, one after another, each prefix safe (section 4).

    every mover and hop waiting --(what it wins is held by nobody else)--> arrived
        | none can: a cycle
        +--> one of them steps aside, onto CPUs nobody holds and nobody is still to get --> go on
        +--> with `allow_dip`, one of them shrinks to what it keeps anyway              --> go on
        +--> neither for any of them                                                    --> no legal order

Arriving never stands in another's way, since goals are apart, so whoever can arrive does; only who steps aside is
searched for, depth first. A mover steps aside at most once. Memory nodes change with the last step only.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

from attrs import frozen

from cpuplace.cpulist import ids_of, union_of
from cpuplace.idset import CpuSet
from cpuplace.state import Assignment, Held
from cpuplace.step import Step, alike, changed, op_between


@frozen(slots=True)
class Mover:
    """An owner that holds something else afterwards. Its withheld siblings are its own too, but for transit."""

    was: Assignment
    will: Assignment

    @property
    def claim(self) -> int:
        """What nobody else may hold before."""
        return self.was.cpus.mask | self.was.withheld.mask

    @property
    def goal(self) -> int:
        """What nobody else may hold afterwards."""
        return self.will.cpus.mask | self.will.withheld.mask

    @property
    def least(self) -> int:
        """How many CPUs it has at any time."""
        return min(len(self.was.cpus), len(self.will.cpus))


@frozen(slots=True)
class Hop:
    """Shared containers that hold the same and cannot be narrowed in place: they change CPUs in one step.

    `whole`: only to all of `will` at once; otherwise to whatever is there of it, and they are widened later.
    """

    keys: tuple[str, ...]
    was: int
    will: int
    whole: bool


@frozen(slots=True, kw_only=True)
class Road:
    """What does not change on the way.

    `spare`: CPUs to step aside onto, when nobody holds them; `standing`: what shared containers hold throughout, one
    mask for each different one, of which every one has to keep a CPU.
    """

    movers: dict[str, Mover]
    hops: dict[str, Hop]
    spare: int
    standing: tuple[int, ...]

    @property
    def crowded(self) -> int:
        """CPUs on which shared containers run throughout, unless they make way."""
        return union_of(self.standing)


class Walk(NamedTuple):
    """Where everybody is: the steps so far, what each holds now, who waits, who stepped aside, which CPUs shared
    containers must leave for that."""

    steps: tuple[Step, ...]
    held: dict[str, int]
    waiting: tuple[str, ...]
    aside: frozenset[str]
    cleared: int


STANDING: Final = Walk((), {}, (), frozenset(), 0)
"""The walk of nobody."""


def travel(road: Road, *, one_step: bool = False, allow_dip: bool = False) -> Walk | None:
    """The walk on which everybody arrives, or None when there is no legal one."""
    held = {key: one.claim for key, one in road.movers.items()} | {key: hop.was for key, hop in road.hops.items()}
    walk = _arrived(road, STANDING._replace(held=held, waiting=(*road.movers, *road.hops)))
    if not walk.waiting:
        return walk
    if not one_step:
        return _search(road, walk, allow_dip, set())
    walk = _arrived(road, _idle_given_up(road, walk))
    return None if walk.waiting else walk


def hopped(hops: Mapping[str, Hop]) -> Walk | None:
    """The walk on which all hop and nobody else moves, so that nobody is in the way; None when one has no CPU to go to.

    The same as `travel`, sooner: this is what most containers that come ask of shared ones.
    """
    if not all(hop.will for hop in hops.values()):
        return None
    steps = chain.from_iterable(_leap(hop, hop.will) for hop in hops.values())
    return STANDING._replace(steps=tuple(steps), held={key: hop.will for key, hop in hops.items()})


def _idle_given_up(road: Road, walk: Walk) -> Walk:
    """The walk when all who wait still hold their CPUs, but no idle siblings any more: that takes no step."""
    return walk._replace(
        held=walk.held | {key: road.movers[key].was.cpus.mask for key in walk.waiting if key in road.movers}
    )


def _search(road: Road, stuck: Walk, allow_dip: bool, seen: set[tuple[int, ...]]) -> Walk | None:
    """Depth first over who steps aside; places that were looked at are not looked at again."""
    for detour in _detours(road, stuck, allow_dip):
        walk = _arrived(road, detour)
        if not walk.waiting:
            return walk
        place = tuple(walk.held.values())
        if place not in seen:
            seen.add(place)
            found = _search(road, walk, allow_dip, seen)
            if found is not None:
                return found
    return None


def _arrived(road: Road, walk: Walk) -> Walk:
    """The walk after everybody has arrived who can."""
    ready = next(_ready(road, walk), None)
    while ready is not None:
        walk = ready
        ready = next(_ready(road, walk), None)
    return walk


def _ready(road: Road, walk: Walk) -> Iterator[Walk]:
    for key in walk.waiting:
        if key in road.movers:
            if not _won(road, walk, key) & _held_by_others(walk, key):
                yield _move_in(road, walk, key)
        elif room := _landing(road.hops[key], walk, union_of(walk.held[mover] for mover in road.movers)):
            yield _hop(road.hops[key], walk, key, room)


def _won(road: Road, walk: Walk, key: str) -> int:
    """What it does not run on yet. Who only loses CPUs is in nobody's way, even in a world where others run on them."""
    mover = road.movers[key]
    return mover.goal & ~(walk.held[key] if key in walk.aside else mover.was.cpus.mask)


def _held_by_others(walk: Walk, key: str) -> int:
    return union_of(held for other, held in walk.held.items() if other != key)


def _move_in(road: Road, walk: Walk, key: str) -> Walk:
    mover = road.movers[key]
    now = mover.was.held
    if key in walk.aside:
        now = now._replace(cpus=CpuSet.from_mask(walk.held[key]))
    steps = () if now == mover.will.held else (changed(key, now, mover.will.held),)  # idle siblings alone: no step
    return _with(walk, key, mover.goal, steps)


def _landing(hop: Hop, walk: Walk, owned: int) -> int:
    """The CPUs that shared containers can change to now; 0 = none yet."""
    room = hop.will & ~(owned | walk.cleared)
    return 0 if hop.whole and room != hop.will else room


def _hop(hop: Hop, walk: Walk, key: str, room: int) -> Walk:
    return _with(walk, key, room, _leap(hop, room))


def _leap(hop: Hop, room: int) -> tuple[Step, ...]:
    before, after = Held(CpuSet.from_mask(hop.was)), Held(CpuSet.from_mask(room))
    return alike(op_between(before, after), hop.keys, before, after)


def _with(walk: Walk, key: str, held: int, steps: tuple[Step, ...]) -> Walk:
    waiting = tuple(one for one in walk.waiting if one != key)
    return walk._replace(steps=walk.steps + steps, held=walk.held | {key: held}, waiting=waiting)


def _detours(road: Road, walk: Walk, allow_dip: bool) -> Iterator[Walk]:
    """Everybody who can make way, who needs the fewest CPUs for it first; then those who can shrink."""
    movers = [key for key in walk.waiting if key in road.movers and key not in walk.aside]
    ways = [(key, *_way(road, walk, key)) for key in movers]
    for key, kept, room in sorted(ways, key=lambda way: _need(road.movers[way[0]], way[1])):
        for cpus in _fillings(road, walk, key, kept, room):
            if cpus and cpus != walk.held[key]:
                yield _aside(road, walk, key, cpus)
    for key, _, _ in ways if allow_dip else ():
        mover = road.movers[key]
        common = mover.was.cpus.mask & mover.goal
        if common and common != walk.held[key]:
            yield _aside(road, walk, key, common)


def _need(mover: Mover, kept: int) -> int:
    return mover.least - kept.bit_count()


def _way(road: Road, walk: Walk, key: str) -> tuple[int, int]:
    """(CPUs it can keep, CPUs it could borrow) without standing in anybody's way."""
    mover = road.movers[key]
    wanted = union_of(road.movers[other].goal for other in walk.waiting if other in road.movers and other != key)
    kept = mover.was.cpus.mask & ~wanted
    room = road.spare & ~(_held_by_others(walk, key) | walk.held[key] | wanted | mover.was.request.forbid.mask)
    return kept, room


def _fillings(road: Road, walk: Walk, key: str, kept: int, room: int) -> Iterator[int]:
    """What it could hold meanwhile: all that it can keep; else CPUs that it is to get, so that others can use the rest.

    Of those to borrow, the ones without shared containers come first; 0 when there are too few.
    """
    mover, crowded = road.movers[key], road.crowded & ~walk.cleared
    borrowed = (*ids_of(room & ~crowded), *ids_of(room & crowded))
    yield _filled(road, walk, mover.least, kept, borrowed)
    if room & mover.goal:
        won = [cpu for cpu in borrowed if mover.goal >> cpu & 1]
        yield _filled(road, walk, mover.least, 0, (*won, *ids_of(kept), *borrowed))


def _filled(road: Road, walk: Walk, least: int, held: int, cpus: Iterable[int]) -> int:
    """`held` filled up to the least number, in this order; every shared container keeps a CPU. 0 when too few."""
    cleared = walk.cleared
    for cpu in cpus:
        bit = 1 << cpu
        if held.bit_count() < least and all(one & ~(cleared | bit) for one in road.standing if one & bit):
            cleared |= bit & road.crowded
            held |= bit
    return held if held.bit_count() >= least else 0


def _aside(road: Road, walk: Walk, key: str, cpus: int) -> Walk:
    mover = road.movers[key]
    after = Held(CpuSet.from_mask(cpus), mover.was.mems, mover.was.preferred)
    steps = () if after == mover.was.held else (changed(key, mover.was.held, after),)
    return walk._replace(
        steps=walk.steps + steps,
        held=walk.held | {key: cpus},
        aside=walk.aside | {key},
        cleared=walk.cleared | cpus & road.crowded,
    )
