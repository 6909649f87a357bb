"""Subsets: which of several places (L3 groups or nodes) to use, when so many of each class are to be used.

A place is known by how many free CPUs and how many wholly free pairs of siblings it has. Using some places is worth a
*quality* (an int, less is better): one broken core too many, then cores touched, then free CPUs left over. All subsets
of equal best quality are compared by ids in the end; there are too many of them to list, so a table says which sums
the places still ahead can reach, and the walk over the places enters only branches that end in the best quality.

    bit (pairs * BASE + cpus) of rows[i][j]  =  "j of the places i.. can have so many pairs and CPUs together"

Adding a place is one shift for each j; the table of 12 places takes microseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, combinations, compress, repeat
from math import comb
from typing import Final

_LISTED: Final = 100
"""Up to so many subsets are simply looked at one by one; more are searched with the table."""
_OPEN: Final = 2000
"""How many places the walk may decide about before it leaves the rest; only ids can then be off."""


_SIZE: Final = 20
_MASK: Final = (1 << _SIZE) - 1
_BROKEN: Final = 1 << 40


Demand = tuple[int, int, int, int, int]
"""(free, pairs, asked, half, odd): the free CPUs; the lower ids of the wholly free pairs of siblings among them; how
many CPUs are asked for; the pairs it takes to have them all in whole cores, 0 where cores do not count; 1 when one
more CPU is needed then, which best is in no pair. A plain tuple, because every choice makes one."""


def quality_of(demand: Demand, size: int, pairs: int) -> int:
    """What so many CPUs and pairs are worth together; at least as many CPUs as asked for must be there.

    >>> three = (0b111111, 0b000111, 3, 1, 1)
    >>> quality_of(three, size=4, pairs=2) > quality_of(three, size=9, pairs=4)
    True
    """
    _, _, _, half, odd = demand
    broken = _BROKEN if odd and size == 2 * pairs else 0
    return broken + (max(half - pairs, 0) << _SIZE) + size


Pick = Callable[[int, int], int]
"""The best grant of so many within some CPUs."""
Group = tuple[Sequence[int], Sequence[int], int]
"""Some places: the CPUs of each, how many of these are free, and how many of the places to use."""


def lower(one: int, two: int) -> bool:
    """Whether the ascending ids of `one` come before those of `two`; both of one size.

    >>> lower(0b1001, 0b0110)
    True
    """
    apart = one ^ two
    return bool(apart & -apart & one)


def subsets(groups: Sequence[Group], demand: Demand, pick: Pick) -> "Listed | Walk":
    """The use of exactly so many places of each group, which can hold enough: `quality`, on demand the `regions`."""
    if len(groups) == 1:
        sure, open_, rest = _narrowed(*groups[0], demand[2])
        if comb(len(open_), rest) <= _LISTED:
            return Listed(sure, open_, rest, demand)
    return Walk(groups, demand, pick)


def _narrowed(cells: Sequence[int], sizes: Sequence[int], taken: int, asked: int) -> tuple[int, Sequence[int], int]:
    """The CPUs of places that must be used, the places that may be used, and how many of them are.

    A place must be used when it and the smallest others are too much to leave out; it may be used when it and the
    largest others are enough.
    """
    ascending = sorted(sizes)
    empty = ascending.count(0)
    dropped = len(ascending) - empty - taken
    if dropped <= 0:
        return sum(cells), (), 0
    most = sum(ascending) - asked - sum(ascending[empty : empty + dropped - 1])
    least = asked - sum(ascending[len(ascending) - taken + 1 :])
    pairs = [*zip(cells, sizes, strict=True)]
    sure = [cell for cell, size in pairs if size > most]
    open_ = [cell for cell, size in pairs if least <= size <= most]
    return sum(sure), open_, taken - len(sure)


class Listed:
    """Every subset by its sums (pairs << 20 | size); few enough to look at each of them."""

    __slots__ = ("_best", "_free", "_open", "_rest", "_sums", "_sure", "quality")

    cut = False

    def __init__(self, sure: int, open_: Sequence[int], rest: int, demand: Demand) -> None:
        free, pairs, *_ = demand
        self._free, self._sure, self._open, self._rest = free, sure, open_, rest
        base = ((pairs & sure).bit_count() << _SIZE) + (free & sure).bit_count()
        values = [((pairs & cell).bit_count() << _SIZE) + (free & cell).bit_count() for cell in open_]
        self._sums = sums = [*map(sum, combinations(values, rest), repeat(base))]
        self.quality, self._best = _best(sums, demand)

    def regions(self) -> list[int]:
        """The free CPUs of each subset of the best quality."""
        free, sure, best = self._free, self._sure, self._best
        wins = compress(combinations(self._open, self._rest), map(best.__contains__, self._sums))
        return [free & sum(subset, sure) for subset in wins]


def _best(sums: list[int], demand: Demand) -> tuple[int, list[int]]:
    """The best quality and the sums that have it."""
    _, _, asked, half, odd = demand
    least, best = 1 << 62, []
    for one in sums:
        size = one & _MASK
        if size >= asked:
            pairs = one >> _SIZE
            quality = size
            if pairs < half:
                quality += half - pairs << _SIZE
            if odd and size == 2 * pairs:
                quality += _BROKEN
            if quality < least:
                least, best = quality, [one]
            elif quality == least:
                best.append(one)
    return least, best


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
        _, _, self._asked, self._half, self._odd = demand
        self._places: list[Place] = []
        self._starts: dict[int, int] = {}
        most_cpus = most_pairs = 0
        for cells, sizes, taken in groups:
            places = _places(cells, sizes, demand)
            most_cpus += sum(sorted([place[1] for place in places])[-taken:])
            most_pairs += sum(sorted([place[2] for place in places])[-taken:])
            self._starts[len(self._places)] = taken
            self._places += places
        self._base = base = 1 + most_cpus
        self._block = base * (1 + most_pairs)
        self._shifts = [place[2] * base + place[1] for place in self._places]
        lows = [place[0] & -place[0] for place in self._places]
        self._ahead = [*accumulate(reversed(lows), min, initial=1 << 70_000)][-2::-1]
        self._after: list[int] = []
        self._targets = self._steps = 0
        self.quality = self._aim(self._table())

    def regions(self) -> list[int]:
        """The least grant among the subsets of the best quality: of these it is the only region to look at."""
        return [self._first() or self._walk(0, 0, 0, 0)]

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
        half, odd = self._half, self._odd
        most = (total.bit_length() - 1) // self._base
        size = self._least_size(total, range(half, most + 1), spare=odd)
        if size:
            return self._target(size, range(half, min(most, (size - odd) // 2) + 1))
        for pairs in range(min(half - 1, most), -1, -1):
            size = self._least_size(total, (pairs,), spare=0)
            if size:
                return self._target(size, (pairs,))
        size = self._least_size(total, range(half, most + 1), spare=0)
        return self._target(size, (size // 2,))

    def _least_size(self, total: int, numbers: Iterable[int], *, spare: int) -> int:
        """The fewest CPUs that are enough, with such a number of pairs; `spare`: at least one of them in no pair.

        0 = there are none.
        """
        asked, base = self._asked, self._base
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
        return quality_of(self._demand, size, numbers[-1])

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
        grant = self._pick(cpus, self._asked)
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
            return self._pick(cpus, self._asked)
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


Place = tuple[int, int, int]
"""The free CPUs of one place, their number, and how many pairs of siblings are among them."""


def _places(cells: Sequence[int], sizes: Sequence[int], demand: Demand) -> list[Place]:
    """The places that have free CPUs, in the order of their lowest id."""
    free, pairs, *_ = demand
    places = [(free & cell, size, (pairs & cell).bit_count()) for cell, size in zip(cells, sizes, strict=True) if size]
    return sorted(places, key=_lowest)


def _lowest(place: Place) -> int:
    return place[0] & -place[0]
