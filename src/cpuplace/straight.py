"""Straight: a host of the usual build, compiled for the straight way (`regions`), and the picking of CPUs in a region.

For cores of one or two threads the elements below `nodes` follow from two counts of a region, its free CPUs and its
wholly free pairs of siblings: because nodes and L3 groups are the fewest, every choice of N CPUs in a region meets all
of it. So the search is over regions, and CPUs are picked only in those that are equally good.
"""

from collections.abc import Iterator
from itertools import combinations, product
from math import comb, prod
from typing import Final, NamedTuple

from cpuplace.alike import Alike
from cpuplace.hostmap import HostMap, ranks_met

_PICKS: Final = 4096
"""Up to so many picks of nodes of one size are listed and kept; a host with more goes the long way."""
_NODE_SETS: Final = 200
"""Up to so many sets of nodes are looked at one by one when their L3 groups have to be chosen too."""


class Stride(NamedTuple):
    """Pairs of siblings whose ids lie equally far apart: the lower ids, and how far."""

    lower: int
    apart: int


class Straight:
    """A host compiled for the straight way; `cores` or `l3` False: built for wishes that do not count them."""

    def __init__(self, host: HostMap, *, cores: bool, l3: bool) -> None:
        self.nodes = host.node_cpus
        self.paired = cores and host.widest_core == 2
        inside = [[cell.cpus for cell in cells] if l3 and host.l3s else [] for cells in host.cells]
        inside = [cells or [node] for cells, node in zip(inside, host.node_cpus, strict=True)]
        self.cells = tuple(cpus for cells in inside for cpus in cells)
        self.homes = tuple(rank for rank, cells in enumerate(inside) for _ in cells)
        self.single_cells = len(self.cells) == len(self.nodes)
        self.widest_cell = max(cpus.bit_count() for cpus in self.cells)
        self.alone = Alike([(rank,) for rank in range(len(self.nodes))], self.homes, self.cells)
        self._strides = _strides(host) if self.paired else ()
        self._host = host
        self._classes = _classes(host)
        self._levels: dict[int, list[list[tuple[int, ...]]] | None] = {}
        self._sets: dict[int, list[Alike] | None] = {}

    @staticmethod
    def of(host: HostMap, *, cores: bool = True, l3: bool = True) -> "Straight | None":
        """The host compiled for these wishes, made on first use; None when it is not of the usual build.

        Usual are nodes within packages, L3 groups within nodes, and cores of at most two threads.
        """
        ways: dict[tuple[bool, bool], Straight | None] = host.ways
        try:
            return ways[cores, l3]
        except KeyError:
            odd = host.packages_cross or (l3 and host.crossing_l3s) or (cores and host.widest_core > 2)
            return ways.setdefault((cores, l3), None if odd else Straight(host, cores=cores, l3=l3))

    def pairs(self, cpus: int) -> int:
        """The lower siblings of the pairs that are wholly in `cpus`."""
        found = 0
        for lower_ids, apart in self._strides:
            found |= cpus & cpus >> apart & lower_ids
        return found

    def pick(self, cpus: int, count: int) -> int:
        """The best grant of `count` CPUs in a region all of whose nodes and L3 groups count anyway.

        Whole cores as far as they go, lowest first; then single threads, lowest first; and only when there is none,
        one thread of the next whole core (of all cores taken then, the one whose upper sibling is highest is broken).
        """
        if cpus.bit_count() == count:
            return cpus
        if not self.paired:
            return lowest(cpus, count)
        pairs = self.pairs(cpus)
        whole = pairs.bit_count()
        if whole > count >> 1:
            whole = count >> 1
        grant = self.both(lowest(pairs, whole))
        rest = count - 2 * whole
        if not rest:
            return grant
        singles = cpus & ~self.both(pairs)
        if singles:
            return grant | lowest(singles, rest)
        lower_ids = lowest(pairs, whole + 1)
        upper_ids = self.both(lower_ids) ^ lower_ids
        return lower_ids | lowest(upper_ids, whole)

    def both(self, pairs: int) -> int:
        """Both threads of the pairs with these lower siblings."""
        every = pairs
        for lower_ids, apart in self._strides:
            every |= (pairs & lower_ids) << apart
        return every

    def levels(self, size: int) -> list[list[tuple[int, ...]]] | None:
        """The picks of `size` nodes, how many of each class of twins, in groups of equal (distance, packages)."""
        if size not in self._levels:
            self._levels[size] = self._make_levels(size)
        return self._levels[size]

    def _make_levels(self, size: int) -> list[list[tuple[int, ...]]] | None:
        if prod(min(len(ranks), size) + 1 for ranks in self._classes) > _PICKS:
            return None
        levels: dict[tuple[int, int], list[tuple[int, ...]]] = {}
        for pick in product(*(range(min(len(ranks), size) + 1) for ranks in self._classes)):
            if sum(pick) == size:
                levels.setdefault(self._nearness(pick), []).append(pick)
        return [picks[::-1] for _, picks in sorted(levels.items())]  # those of low classes, so of low ids, first

    def _nearness(self, pick: tuple[int, ...]) -> tuple[int, int]:
        ranks = [rank for one, taken in zip(self._classes, pick, strict=True) for rank in one[:taken]]
        cpus = sum(self.nodes[rank] for rank in ranks)
        return self._host.spread_of(sum(1 << rank for rank in ranks)), ranks_met(self._host.packages, cpus).bit_count()

    def node_sets(self, size: int) -> list[Alike] | None:
        """The sets of `size` nodes, two or more, the nearest in the fewest packages first; None when too many."""
        if size not in self._sets:
            levels = self.levels(size)
            few = levels is not None and comb(len(self.nodes), size) <= _NODE_SETS
            self._sets[size] = [self._alike(picks) for picks in levels or ()] if few else None
        return self._sets[size]

    def _alike(self, picks: list[tuple[int, ...]]) -> Alike:
        return Alike([ranks for pick in picks for ranks in self._each_set(pick)], self.homes, self.cells)

    def _each_set(self, pick: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for parts in product(*(combinations(ranks, taken) for ranks, taken in zip(self._classes, pick, strict=True))):
            yield tuple(rank for part in parts for rank in part)

    @property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The ranks of the nodes of each class of twins."""
        return self._classes


def _strides(host: HostMap) -> tuple[Stride, ...]:
    lower_ids: dict[int, int] = {}
    for core in host.cores:
        low = core & -core
        if core != low:
            apart = core.bit_length() - low.bit_length()
            lower_ids[apart] = lower_ids.get(apart, 0) | low
    return tuple(Stride(mask, apart) for apart, mask in sorted(lower_ids.items()))


def _classes(host: HostMap) -> tuple[tuple[int, ...], ...]:
    ranks: dict[int, list[int]] = {}
    for rank, twin in enumerate(host.twins):
        ranks.setdefault(twin, []).append(rank)
    return tuple(tuple(one) for one in ranks.values())


def lowest(cpus: int, count: int) -> int:
    """The `count` lowest ids of a set that has so many; O(log ids) operations.

    >>> bin(lowest(0b110110, 3))
    '0b10110'
    """
    if count < 5:
        rest = cpus
        for _ in range(count):
            rest &= rest - 1
        return cpus ^ rest
    extra = cpus.bit_count() - count
    if extra < 5:
        for _ in range(extra):
            cpus ^= 1 << cpus.bit_length() - 1
        return cpus
    low, high = (cpus & -cpus).bit_length() + count - 1, cpus.bit_length()
    while low < high:
        middle = (low + high) >> 1
        if (cpus & ((1 << middle) - 1)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return cpus & ((1 << low) - 1)
