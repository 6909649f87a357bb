"""Subsets: which of several places (L3 groups or nodes) to use, when so many of each class are to be used.

A place is known by how many free CPUs and how many wholly free pairs of siblings it has. Using some places is worth a
*quality* (an int, less is better): one broken core too many, then cores touched, then free CPUs left over. All subsets
of equal best quality are compared by ids in the end; there are too many of them to list, so a table says which sums
the places still ahead can reach, and the walk over the places enters only branches that end in the best quality.

    bit (pairs * BASE + cpus) of rows[i][j]  =  "j of the places i.. can have so many pairs and CPUs together"

Adding a place is one shift for each j; the table of 12 places takes microseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, combinations
from math import comb
from typing import Final, NamedTuple

_FEW: Final = 16
"""Up to so many are best looked at one after the other, more in sweeps."""
_LISTED: Final = 100
"""Up to so many subsets are simply listed; more are searched with the table."""
_OPEN: Final = 2000
"""How many places the walk may decide about before it leaves the rest; only ids can then be off."""


Place = tuple[int, int, int]
"""The free CPUs of one L3 group or node, their number, and how many pairs of siblings are among them; plain tuples,
because dozens are made for one choice."""


_BROKEN: Final = 1 << 40


class Demand(NamedTuple):
    """How many CPUs are to be taken; `half` = the pairs it takes to have them all in whole cores."""

    asked: int
    half: int
    odd: bool

    @staticmethod
    def of(count: int, *, paired: bool) -> "Demand":
        """The demand on a host whose cores have two threads, or one (or where cores do not matter)."""
        return Demand(count, count >> 1, bool(count & 1)) if paired else Demand(count, 0, False)

    def quality(self, size: int, pairs: int) -> int:
        """What CPUs and pairs are worth together; at least as many as asked must be there.

        >>> Demand.of(3, paired=True).quality(4, 2) > Demand.of(3, paired=True).quality(9, 4)
        True
        """
        missing = self.half - pairs
        broken = self.odd and size == 2 * pairs
        return broken * _BROKEN + ((missing << 20) if missing > 0 else 0) + size


Pick = Callable[[int], int]
"""The best grant within some CPUs."""
Group = tuple[Sequence[Place], int]
"""Some places, and how many of them to use."""


def lower(one: int, two: int) -> bool:
    """Whether the ascending ids of `one` come before those of `two`; both of one size.

    >>> lower(0b1001, 0b0110)
    True
    """
    apart = one ^ two
    return bool(apart & -apart & one)


def subsets(groups: Sequence[Group], demand: Demand, pick: Pick) -> "Listed | Walk":
    """The use of exactly so many places of each group, which can hold enough: best `quality`, on demand its `grant`."""
    if len(groups) == 1:
        places, taken = groups[0]
        if comb(len(places), taken) <= _LISTED:
            return Listed(places, taken, demand, pick)
    return Walk(groups, demand, pick)


_SIZE: Final = 20
_MASK: Final = (1 << _SIZE) - 1


class Listed:
    """Every subset by its sums (pairs << 20 | size); few enough to look at each of them."""

    __slots__ = ("_best", "_pick", "_places", "_sums", "_taken", "quality")

    cut = False

    def __init__(self, places: Sequence[Place], taken: int, demand: Demand, pick: Pick) -> None:
        self._places, self._taken, self._pick = places, taken, pick
        values = [place[2] << _SIZE | place[1] for place in places]
        self._sums = [*map(sum, combinations(values, taken))]
        find = _best_of_many if len(self._sums) > _FEW else _best_of_few
        self.quality, self._best = find(self._sums, demand)

    def grant(self) -> int:
        """The least grant among the subsets of the best quality."""
        grant = 0
        for subset, one in zip(combinations(self._places, self._taken), self._sums, strict=True):
            if one in self._best:
                other = self._pick(sum([place[0] for place in subset]))
                grant = other if not grant or lower(other, grant) else grant
        return grant


def _best_of_few(sums: list[int], demand: Demand) -> tuple[int, list[int]]:
    """The best quality and the sums that have it, one by one."""
    asked, half, odd = demand
    least, best = 1 << 62, []
    for one in sums:
        size = one & _MASK
        if size >= asked:
            pairs = one >> _SIZE
            quality = size if pairs >= half else (half - pairs << _SIZE) + size
            if odd and size == 2 * pairs:
                quality += _BROKEN
            if quality < least:
                least, best = quality, [one]
            elif quality == least:
                best.append(one)
    return least, best


def _best_of_many(sums: list[int], demand: Demand) -> tuple[int, list[int]]:
    """The same in sweeps: enough pairs and, when asked, a CPU in no pair; else the most pairs; then the least size."""
    half = demand.half << _SIZE
    enough = [one for one in sums if one & _MASK >= demand.asked]
    rich = [one for one in enough if one >= half]
    spare = [one for one in rich if one & _MASK > one >> _SIZE - 1] if demand.odd else rich
    poor = () if spare else [one for one in enough if one < half]
    most = max(poor) >> _SIZE if poor else 0
    best = spare or [one for one in poor if one >> _SIZE == most] or rich
    size = min([one & _MASK for one in best])
    best = [one for one in best if one & _MASK == size]
    return demand.quality(size, best[0] >> _SIZE), best


class Walk:
    """The table of sums, and the walk that finds the least grant of the best quality.

    State of the walk: (place, how many of its group still to use, `at` = the sums so far, CPUs chosen). Groups follow
    each other, the places of a group are in the order of their lowest id. A place is used wherever that can end in
    the best quality. Leaving it out needs a look only when the grant found so does not hold one of its CPUs below all
    places still ahead: otherwise nothing without it has lower ids, because what is taken of the places before is the
    same either way.
    """

    def __init__(self, groups: Sequence[Group], demand: Demand, pick: Pick) -> None:
        self._demand, self._pick = demand, pick
        most = [sorted([place[1] for place in places])[-taken:] for places, taken in groups]
        self._base = base = 1 + sum(map(sum, most))
        pairs = [sorted([place[2] for place in places])[-taken:] for places, taken in groups]
        self._block = base * (1 + sum(map(sum, pairs)))
        self._places: list[Place] = []
        self._starts: dict[int, int] = {}
        for places, taken in groups:
            self._starts[len(self._places)] = taken
            self._places += sorted(places, key=_lowest)
        self._shifts = [place[2] * base + place[1] for place in self._places]
        lows = [place[0] & -place[0] for place in self._places]
        self._ahead = [*accumulate(reversed(lows), min, initial=1 << 70_000)][-2::-1]
        self._after: list[int] = []
        self._targets = self._steps = 0
        self.quality = self._aim(self._table())

    def grant(self) -> int:
        """The least grant among the subsets of the best quality."""
        return self._first() or self._walk(0, 0, 0, 0)

    @property
    def cut(self) -> bool:
        """Whether `grant` left some subsets uncompared, so that ids may be off."""
        return self._steps > _OPEN

    def _table(self) -> int:
        """Fill the rows from the last place to the first; `_after` keeps what the places behind each can sum to."""
        block, row = self._block, 1
        for index in range(len(self._places) - 1, -1, -1):
            self._after.append(row)
            row |= row << block + self._shifts[index]
            taken = self._starts.get(index)
            if taken is not None:  # the first of a group: exactly so many of it are used
                row = row >> taken * block & (1 << block) - 1
        self._after.reverse()
        return row

    def _aim(self, total: int) -> int:
        """The best quality among the sums; its sums become the targets of the walk."""
        half, odd = self._demand.half, self._demand.odd
        most = (total.bit_length() - 1) // self._base
        size = self._least_size(total, range(half, most + 1), spare=odd)
        if size:
            return self._target(size, range(half, min(most, (size - odd) // 2) + 1))
        for pairs in range(min(half - 1, most), -1, -1):
            size = self._least_size(total, (pairs,), spare=False)
            if size:
                return self._target(size, (pairs,))
        size = self._least_size(total, range(half, most + 1), spare=False)
        return self._target(size, (size // 2,))

    def _least_size(self, total: int, numbers: Iterable[int], *, spare: bool) -> int:
        """The fewest CPUs that are enough, with such a number of pairs; `spare`: at least one of them in no pair.

        0 = there are none.
        """
        asked, base = self._demand.asked, self._base
        best = 0
        for pairs in numbers:
            low = max(asked, 2 * pairs + spare)
            if best and low >= best:
                break
            sums = (total >> pairs * base & (1 << base) - 1) >> low
            if sums:
                size = low + (sums & -sums).bit_length() - 1
                best = min(best or size, size)
        return best

    def _target(self, size: int, numbers: Sequence[int]) -> int:
        """Aim at so many CPUs with such a number of pairs; the quality of that."""
        self._targets = sum(1 << (pairs * self._base + size) for pairs in numbers)
        return self._demand.quality(size, numbers[-1])

    def _ends_well(self, index: int, needed: int, at: int) -> bool:
        """Whether `needed` places of the group behind this one, and the groups after it, can end in a target."""
        return bool(self._after[index] >> needed * self._block & self._targets >> at)

    def _first(self) -> int:
        """The grant of the walk that uses every place it can, when nothing else needs a look; else 0."""
        at = cpus = needed = 0
        used = []
        for index, shift in enumerate(self._shifts):
            needed = self._starts.get(index, needed)
            if needed and self._ends_well(index, needed - 1, at + shift):
                at += shift
                cpus |= self._places[index][0]
                needed -= 1
                used.append(index)
        grant = self._pick(cpus)
        return grant if all(self._closed(grant, index) for index in used) else 0

    def _closed(self, grant: int, index: int) -> bool:
        """Whether leaving out this place, used by the grant, cannot give lower ids."""
        own = grant & self._places[index][0]
        return 0 < own & -own < self._ahead[index]

    def _walk(self, index: int, needed: int, at: int, cpus: int) -> int:
        """The least grant from here on; there is one."""
        while not needed and index < len(self._places):
            needed = self._starts.get(index, 0)
            index += not needed
        if not needed:
            return self._pick(cpus)
        self._steps += 1
        with_it = at + self._shifts[index]
        used = 0
        if self._ends_well(index, needed - 1, with_it):
            used = self._walk(index + 1, needed - 1, with_it, cpus | self._places[index][0])
            if self._steps > _OPEN or self._closed(used, index):
                return used
        if not self._ends_well(index, needed, at):
            return used
        other = self._walk(index + 1, needed, at, cpus)
        return other if not used or lower(other, used) else used


def _lowest(place: Place) -> int:
    return place[0] & -place[0]
