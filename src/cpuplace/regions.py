"""Regions: which nodes and L3 groups a plain request gets, the straight way (what that is: see `straight`).

    one node has room   -> which L3 groups of which node, as few as can be
    no node has room    -> the fewest, nearest nodes: which of them, then which of their L3 groups

Most often the L3 groups are few enough to look at every union of so many of them (`Alike.together`); the others are
counted first, then compared as `subsets`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from cpuplace.alike import Alike
from cpuplace.straight import Straight
from cpuplace.subsets import Demand, Group, Listed, Walk, lower, subsets


class Answer(NamedTuple):
    """The best grant; `cut` when equally good regions were left uncompared, so that only its ids may be off."""

    grant: int
    cut: bool = False


_BROKEN: Final = 1 << 60
_MISSING: Final = 40
_HELD: Final = 20
_PLACE: Final = (1 << _HELD) - 1
"""Keys are ints, less is better: broken cores, cores too many, free CPUs of the nodes (or sets), of their L3 groups.
A node with room is coded alike, by its free CPUs and its place in a list."""


def straight_choice(way: Straight, free: int, count: int) -> Answer | None:
    """The best grant of `count` of the free CPUs (there are so many), None when it takes the long way."""
    room = [
        (size << _HELD) + rank for rank, node in enumerate(way.nodes) if (size := (free & node).bit_count()) >= count
    ]
    demand = (free, way.pairs(free), count, count >> 1, count & 1) if way.paired else (free, 0, count, 0, 0)
    if room:
        room.sort()
        return _fewest_cells(way, way.alone, room, demand)
    held = [(free & node).bit_count() for node in way.nodes]
    size = _fewest(held, count)
    if way.single_cells:
        return _nodes_as_places(way, size, held, demand)
    for alike in way.node_sets(size) or ():
        room = _room(alike.totals(held), count)
        if room:
            return _fewest_cells(way, alike, room, demand)
    return None


def _room(held: Sequence[int], count: int) -> list[int]:
    """Those that hold enough, the least free first: how many CPUs they have, and at which place in the list."""
    return sorted([(size << _HELD) + at for at, size in enumerate(held) if size >= count])


def _fewest(sizes: Iterable[int], count: int) -> int:
    """How many of these it takes to hold `count`, the largest first; there are enough together."""
    return bisect_left([*accumulate(sorted(sizes, reverse=True))], count) + 1


def _fewest_cells(way: Straight, alike: Alike, room: list[int], demand: Demand) -> Answer:
    """The best use of the fewest L3 groups that any of the node sets with room needs."""
    count = demand[2]
    taken = -(-count // way.widest_cell)
    while (unions := alike.together[taken]) is not None:
        regions = _best_regions(unions, room, demand)
        if regions:
            return Answer(_least(way, regions, count))
        taken += 1
    return _counted(way, alike, room, demand)


def _best_regions(unions: list[list[int]], room: list[int], demand: Demand) -> list[int]:
    """The best regions, each all that is free in a union; none when no union of the node sets with room holds enough.

    Node sets are looked at in the order of their free CPUs; so the first region that needs no broken core and no more
    cores than the count ends the search, but for those that equal it.
    """
    free, pairs, count, half, odd = demand
    best = 1 << 62
    regions: list[int] = []
    for code in room:
        total = code & ~_PLACE
        if total > best:
            break
        for union in unions[code & _PLACE]:
            region = free & union
            size = region.bit_count()
            key = total + size
            if size >= count and key <= best:
                whole = (pairs & union).bit_count()
                if whole < half:
                    key += half - whole << _MISSING
                elif odd and size == 2 * whole:
                    key += _BROKEN
                if key < best:
                    best, regions = key, [region]
                elif key == best:
                    regions.append(region)
    return regions


def _least(way: Straight, regions: list[int], count: int) -> int:
    """The grant with the lowest ids among regions; one whose lowest id is above that of a grant cannot win."""
    grant = way.pick(regions[0], count)
    if len(regions) == 1:
        return grant
    for region in regions[1:]:
        if region & -region <= grant & -grant:
            other = way.pick(region, count)
            grant = other if lower(other, grant) else grant
    return grant


class _Contest:
    """The best of several sets of places by a key; only those that draw are compared by ids."""

    def __init__(self) -> None:
        self.key = 1 << 82
        self._first: list[Listed | Walk] = []

    def enter(self, found: Listed | Walk, held: int) -> None:
        """Compare a set; `held` = the free CPUs of its nodes, which count before those of its L3 groups."""
        key = (found.quality >> 20 << 40) + (held << 20) + (found.quality & 0xFFFFF)
        if key < self.key:
            self.key, self._first = key, [found]
        elif key == self.key:
            self._first.append(found)

    def answer(self, way: Straight, count: int) -> Answer:
        """The winner of those who entered."""
        regions = [region for found in self._first for region in found.regions()]
        return Answer(_least(way, regions, count), any(found.cut for found in self._first))


def _counted(way: Straight, alike: Alike, room: list[int], demand: Demand) -> Answer:
    """The same where so many L3 groups have too many unions to look at each: counted first, then compared."""
    free, _, count, _, _ = demand
    every = [(free & cell).bit_count() for cell in way.cells]
    fewest = len(every) + 1
    best: list[tuple[int, tuple[int, ...]]] = []
    for code in room:
        sizes = alike.of_cells[code & _PLACE](every)
        ascending = sorted(sizes)
        if sum(ascending[-fewest:]) >= count:
            if sum(ascending[1 - fewest :]) >= count:
                fewest, best = _fewest(ascending, count), []
            best.append((code, sizes))
    unions = alike.together[fewest]
    if unions is not None:
        return Answer(_least(way, _best_regions(unions, [code for code, _ in best], demand), count))
    contest = _Contest()
    for code, sizes in best:
        if code & ~_PLACE > contest.key:
            break
        found = subsets([(alike.inside[code & _PLACE], sizes, fewest)], demand, way.pick)
        contest.enter(found, code >> _HELD)
    return contest.answer(way, count)


def _nodes_as_places(way: Straight, size: int, held: list[int], demand: Demand) -> Answer | None:
    """Which nodes, when a node is one L3 group or has none that counts."""
    count = demand[2]
    tops = [[0, *accumulate(sorted([held[rank] for rank in ranks], reverse=True))] for ranks in way.classes]
    for picks in way.levels(size) or ():
        totals = [sum([top[taken] for top, taken in zip(tops, pick, strict=True)]) for pick in picks]
        fitting = [pick for pick, total in zip(picks, totals, strict=True) if total >= count]
        if fitting:
            return _best_pick(way, fitting, held, demand)
    return None


def _best_pick(way: Straight, picks: Sequence[tuple[int, ...]], held: list[int], demand: Demand) -> Answer:
    """The best nodes of some picks, which say how many of each class of twins to use."""
    free, _, count, _, _ = demand
    contest = _Contest()
    classes = [([way.nodes[rank] for rank in ranks], [held[rank] for rank in ranks]) for ranks in way.classes]
    for pick in picks:
        groups = [(cells, sizes, taken) for (cells, sizes), taken in zip(classes, pick, strict=True) if taken]
        if contest.key != count or not _above(contest.answer(way, count).grant, groups, free):
            contest.enter(subsets(groups, demand, way.pick), 0)
    return contest.answer(way, count)


def _above(grant: int, groups: Sequence[Group], free: int) -> bool:
    """Whether every free CPU of these places is above the lowest of a grant: they could only draw, and lose by ids."""
    lowest_two = (grant & -grant) * 2 - 1
    return not any(free & cell & lowest_two for cells, _, _ in groups for cell in cells)
