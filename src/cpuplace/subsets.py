"""Subsets: which of several places (L3 groups or nodes) to use, when so many of each class are to be used.

A place is known by how many free CPUs and how many wholly free pairs of siblings it has. Using some places is worth a
*quality* (an int, less is better): one broken core too many, then cores touched, then free CPUs left over. All subsets
of equal best quality are compared by ids in the end; there are too many of them to list, so a table says which sums
the places still ahead can reach, and the walk over the places enters only branches that end in the best quality.

    bit (pairs * BASE + cpus) of rows[i][j]  =  "j of the places i.. can have so many pairs and CPUs together"

Adding a place is one shift for each j; the table of 12 places takes microseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

_LISTED: Final = 36
"""Up to so many subsets are simply listed; more are searched with the table."""
_OPEN: Final = 2000
"""How many places the walk may decide about before it leaves the rest; only ids can then be off."""


Place = tuple[int, int, int]
"""The free CPUs of one L3 group or node, their number, and how many pairs of siblings are among them; plain tuples,
because dozens are made for one choice."""


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
        return (broken << 40) + ((missing << 20) if missing > 0 else 0) + size


class Best(NamedTuple):
    """The best quality, and the least grant among the subsets that have it; `cut` when not all were compared."""

    quality: int
    grant: int
    cut: bool


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


def best_subset(groups: Sequence[Group], demand: Demand, pick: Pick) -> Best | None:
    """The best use of exactly so many places of each group, or None when none holds enough CPUs."""
    if len(groups) == 1:
        places, taken = groups[0]
        if comb(len(places), taken) <= _LISTED:
            return _listed(places, taken, demand, pick)
    return _Walk(groups, demand, pick).best()


def _listed(places: Sequence[Place], taken: int, demand: Demand, pick: Pick) -> Best | None:
    """Every subset, one by one; all of the best quality are compared by ids."""
    least, grant = 1 << 62, 0
    count = demand.asked
    for subset in combinations(places, taken):
        size = pairs = cpus = 0
        for place in subset:
            cpus |= place[0]
            size += place[1]
            pairs += place[2]
        if size < count:
            continue
        quality = demand.quality(size, pairs)
        if quality < least:
            least, grant = quality, pick(cpus)
        elif quality == least:
            other = pick(cpus)
            grant = other if lower(other, grant) else grant
    return Best(least, grant, False) if grant else None


class _Walk:
    """The table of sums, and the walk that finds the least grant of the best quality.

    State of the walk: (group, place in it, how many of the group still to use, `at` = the sums so far, CPUs chosen).
    Places of a group are in the order of their lowest id. A place is first used; then it is left out, unless the
    grant found holds one of its CPUs that is below all places still ahead: nothing without it can have lower ids,
    because what is taken of the places before is the same either way.
    """

    def __init__(self, groups: Sequence[Group], demand: Demand, pick: Pick) -> None:
        self._demand, self._pick = demand, pick
        self._groups = [sorted(places, key=_lowest) for places, _ in groups]
        self._taken = [taken for _, taken in groups]
        self._base = 1 + sum(place[1] for places, _ in groups for place in places)
        self._rows: list[list[list[int]]] = []
        self._ahead: list[list[int]] = []
        self._steps = 0
        self._targets = 0

    def best(self) -> Best | None:
        """The best quality that can be had, and its least grant."""
        total = self._table()
        quality = self._aim(total)
        if quality is None:
            return None
        grant = self._walk(0, 0, self._taken[0], 0, 0)
        return Best(quality, grant, self._steps > _OPEN)

    def _table(self) -> int:
        """Fill the rows from the last place to the first; of each group exactly `taken` places are used."""
        after, beyond = 1, 1 << 70_000
        for places, taken in zip(reversed(self._groups), reversed(self._taken), strict=True):
            row = [after] + [0] * taken
            rows, ahead = [row], [beyond]
            for place in reversed(places):
                shift = place[2] * self._base + place[1]
                row = [after, *[row[used] | row[used - 1] << shift for used in range(1, taken + 1)]]
                rows.append(row)
                beyond = min(beyond, place[0] & -place[0])
                ahead.append(beyond)
            self._rows.insert(0, rows[::-1])
            self._ahead.insert(0, ahead[::-1])
            after = row[taken]
        return after

    def _aim(self, total: int) -> int | None:
        """The best quality among the sums; its sums become the targets of the walk."""
        half, odd = self._demand.half, self._demand.odd
        most = total.bit_length() // self._base
        size = self._least_size(total, range(half, most + 1), spare=odd)
        if size:
            self._target(size, [pairs for pairs in range(half, most + 1) if size >= 2 * pairs + odd])
            return self._demand.quality(size, (size - odd) // 2)
        for pairs in range(min(half - 1, most), -1, -1):
            size = self._least_size(total, (pairs,), spare=False)
            if size:
                self._target(size, [pairs])
                return self._demand.quality(size, pairs)
        size = self._least_size(total, range(half, most + 1), spare=False)
        if size:
            self._target(size, [size // 2])
            return self._demand.quality(size, size // 2)
        return None

    def _least_size(self, total: int, range_of_pairs: Iterable[int], *, spare: bool) -> int:
        """The fewest CPUs that are enough, with so many pairs; `spare`: one of them at least in no pair. 0 = none."""
        count, base = self._demand.asked, self._base
        best = 0
        for pairs in range_of_pairs:
            low = max(count, 2 * pairs + spare)
            if best and low >= best:
                break
            sums = (total >> pairs * base & (1 << base) - 1) >> low
            if sums:
                size = low + (sums & -sums).bit_length() - 1
                best = min(best or size, size)
        return best

    def _target(self, size: int, pairs: Iterable[int]) -> None:
        self._targets = sum(1 << (count * self._base + size) for count in pairs)

    def _walk(self, group: int, index: int, needed: int, at: int, cpus: int) -> int:
        """The least grant from here on, or 0 when no subset ahead ends in a target."""
        while not needed:
            group, index = group + 1, 0
            if group == len(self._groups):
                return self._pick(cpus) if self._targets >> at & 1 else 0
            needed = self._taken[group]
        if not self._rows[group][index][needed] & self._targets >> at:
            return 0
        self._steps += 1
        place = self._groups[group][index]
        used = self._walk(group, index + 1, needed - 1, at + place[2] * self._base + place[1], cpus | place[0])
        own = used & place[0]
        if self._steps > _OPEN or (own and own & -own < self._ahead[group][index + 1]):
            return used
        other = self._walk(group, index + 1, needed, at, cpus)
        return other if not used or (other and lower(other, used)) else used


def _lowest(place: Place) -> int:
    return place[0] & -place[0]
