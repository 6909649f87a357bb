"""The straight way: the plain preference on hosts of the usual build, in microseconds, exact like the long way.

For cores of one or two threads the elements below `nodes` follow from two counts of a region, its free CPUs and its
wholly free pairs of siblings: because nodes and L3 groups are the fewest, every choice of N CPUs in a region meets all
of it. So the search is over regions, and CPUs are picked only in those that are equally good:

    one node has an L3 group with room   -> the best such L3 group, fullest nodes first
    one node has room                    -> the fewest L3 groups of a node: which of them
    no node has room                     -> the fewest, nearest nodes: which of them, then which of their L3 groups
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, combinations, product
from math import comb, prod
from operator import itemgetter
from typing import Final, NamedTuple

from cpuplace.hostmap import HostMap, ranks_met
from cpuplace.subsets import Demand, Group, Listed, Place, Walk, lower, subsets

_PICKS: Final = 4096
"""Up to so many picks of nodes of one size are listed and kept; a host with more goes the long way."""
_NODE_SETS: Final = 200
"""Up to so many sets of nodes are looked at one by one when their L3 groups have to be chosen too."""


NodeSet = tuple[tuple[int, ...], Callable[[list[int]], tuple[int, ...]]]
"""Some nodes: the positions of their L3 groups, and a getter of what a list has at these positions."""


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
        self.inside = tuple(map(tuple, inside))
        self.cells = tuple(cpus for cells in inside for cpus in cells)
        self.home = tuple(rank for rank, cells in enumerate(inside) for _ in cells)
        self.single_cells = len(self.cells) == len(self.nodes)
        self.widest_cell = max(cpus.bit_count() for cpus in self.cells)
        self.single_nodes = [self._node_set((rank,)) for rank in range(len(self.nodes))]
        self._strides = _strides(host) if self.paired else ()
        self._host = host
        self._classes = _classes(host)
        self._levels: dict[int, list[list[tuple[int, ...]]] | None] = {}
        self._sets: dict[int, list[list[NodeSet]] | None] = {}

    @staticmethod
    def of(host: HostMap, *, cores: bool = True, l3: bool = True) -> "Straight | None":
        """The host compiled for these wishes, made on first use; None when it is not of the usual build.

        Usual are nodes within packages, L3 groups within nodes, and cores of at most two threads.
        """
        ways: dict[tuple[bool, bool], Straight | None] = host.ways
        if (cores, l3) not in ways:
            odd = host.packages_cross or (l3 and host.crossing_l3s) or (cores and host.widest_core > 2)
            ways[cores, l3] = None if odd else Straight(host, cores=cores, l3=l3)
        return ways[cores, l3]

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
        if not self.paired:
            return lowest(cpus, count)
        pairs = self.pairs(cpus)
        whole = min(pairs.bit_count(), count >> 1)
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

    def node_sets(self, size: int) -> list[list[NodeSet]] | None:
        """The sets of `size` nodes, in groups of equal (distance, packages); None when there are too many."""
        if size not in self._sets:
            self._sets[size] = self._make_sets(size)
        return self._sets[size]

    def _make_sets(self, size: int) -> list[list[NodeSet]] | None:
        levels = self.levels(size)
        if levels is None or comb(len(self.nodes), size) > _NODE_SETS:
            return None
        return [[one for pick in picks for one in self._each_set(pick)] for picks in levels]

    def _each_set(self, pick: tuple[int, ...]) -> Iterator[NodeSet]:
        for parts in product(*(combinations(ranks, taken) for ranks, taken in zip(self._classes, pick, strict=True))):
            ranks = tuple(rank for part in parts for rank in part)
            yield self._node_set(ranks)

    def _node_set(self, ranks: Sequence[int]) -> NodeSet:
        cells = tuple(at for at, home in enumerate(self.home) if home in ranks)
        return cells, itemgetter(*cells) if len(cells) > 1 else lambda sizes: (sizes[cells[0]],)

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
    low, high = count, cpus.bit_length()
    while low < high:
        middle = (low + high) >> 1
        if (cpus & ((1 << middle) - 1)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return cpus & ((1 << low) - 1)


class Answer(NamedTuple):
    """The best grant; `cut` when equally good regions were left uncompared, so that only its ids may be off."""

    grant: int
    cut: bool = False


_BROKEN: Final = 1 << 60
_MISSING: Final = 40
_HELD: Final = 20
_RANK: Final = (1 << _HELD) - 1


def straight_choice(way: Straight, free: int, count: int) -> Answer | None:
    """The best grant of `count` of the free CPUs (there are so many), None when it takes the long way.

    Here one L3 group is enough. Nodes are looked at in the order of their free CPUs; so the first L3 group that needs
    no broken core and no more cores than the count ends the search, but for those that equal it.
    """
    held = [(free & node).bit_count() for node in way.nodes]
    room = [(size << _HELD) + rank for rank, size in enumerate(held) if size >= count]
    if not room or count > way.widest_cell:
        several = _Several(way, free, count, held)
        return several.one_node() if room else several.many_nodes()
    pairs, half, odd = (way.pairs(free), count >> 1, count & 1) if way.paired else (0, 0, 0)
    best, regions = 1 << 62, []
    for code in sorted(room):
        total = code & ~_RANK
        if total > best:
            break
        for cell in way.inside[code & _RANK]:
            region = free & cell
            size = region.bit_count()
            if size >= count:
                key = total + size
                whole = (pairs & cell).bit_count()
                if whole < half:
                    key += half - whole << _MISSING
                elif odd and size == 2 * whole:
                    key += _BROKEN
                if key < best:
                    best, regions = key, [region]
                elif key == best:
                    regions.append(region)
    return Answer(_least(way, regions, count)) if regions else _Several(way, free, count, held).one_node()


def _least(way: Straight, regions: list[int], count: int) -> int:
    """The grant with the lowest ids among disjoint regions; one whose lowest id is above that of a grant cannot win."""
    grant = way.pick(regions[0], count)
    for region in regions[1:]:
        if region & -region < grant & -grant:
            other = way.pick(region, count)
            grant = other if lower(other, grant) else grant
    return grant


class _Contest:
    """The best of several regions by a key; only those that draw are compared by ids."""

    def __init__(self) -> None:
        self.key = 1 << 82
        self._first: list[Listed | Walk] = []

    def enter(self, found: Listed | Walk, held: int) -> None:
        """Compare a region; `held` = the free CPUs of its nodes, which count before those of its L3 groups."""
        key = (found.quality >> 20 << 40) + (held << 20) + (found.quality & 0xFFFFF)
        if key < self.key:
            self.key, self._first = key, [found]
        elif key == self.key:
            self._first.append(found)

    def answer(self) -> Answer | None:
        """The winner; None when nobody entered."""
        best = 0
        for found in self._first:
            grant = found.grant()
            best = grant if not best or lower(grant, best) else best
        return Answer(best, any(found.cut for found in self._first)) if best else None


def _fewest(sizes: Iterable[int], count: int) -> int:
    """How many of these it takes to hold `count`, the fullest first; there are enough together."""
    return bisect_left([*accumulate(sorted(sizes, reverse=True))], count) + 1


class _Several:
    """The cases in which one L3 group is not enough; `held` and `sizes`: free CPUs of each node and L3 group."""

    def __init__(self, way: Straight, free: int, count: int, held: list[int]) -> None:
        self._way, self._free, self._count = way, free, count
        self._held = held
        self._sizes = held if way.single_cells else [(free & cell).bit_count() for cell in way.cells]
        self._pairs = way.pairs(free)
        self._demand = Demand.of(count, paired=way.paired)

    def _pick(self, cpus: int) -> int:
        return self._way.pick(cpus, self._count)

    def _places(self, cells: Iterable[int]) -> list[Place]:
        """The L3 groups (positions) that have free CPUs."""
        free, pairs, sizes, cpus = self._free, self._pairs, self._sizes, self._way.cells
        return [(free & cpus[at], sizes[at], (pairs & cpus[at]).bit_count()) for at in cells if sizes[at]]

    def one_node(self) -> Answer | None:
        """Several L3 groups of one node: as few as any node needs."""
        return self._fewest_cells(self._way.single_nodes)

    def many_nodes(self) -> Answer | None:
        """The fewest nodes, and of those sets the nearest that hold enough."""
        size = _fewest(self._held, self._count)
        if self._way.single_cells:
            return self._nodes_as_places(size)
        levels = self._way.node_sets(size)
        return None if levels is None else next(filter(None, map(self._fewest_cells, levels)))

    def _fewest_cells(self, sets: Sequence[NodeSet]) -> Answer | None:
        """The best use of the fewest L3 groups in one of these sets of nodes; None when none holds enough."""
        sizes, count = self._sizes, self._count
        rooms: list[tuple[int, int, tuple[int, ...]]] = []
        fewest = len(sizes)
        for cells, get in sets:
            inside = get(sizes)
            total = sum(inside)
            if total >= count:
                need = _fewest(inside, count)
                if need <= fewest:
                    fewest = need
                    rooms.append((need, total, cells))
        rooms.sort()
        contest = _Contest()
        for need, total, cells in rooms:
            if need > fewest or total << 20 > contest.key:
                break
            contest.enter(subsets([(self._places(cells), need)], self._demand, self._pick), total)
        return contest.answer()

    def _nodes_as_places(self, size: int) -> Answer | None:
        """Which nodes, when a node is one L3 group or has none that counts."""
        classes, held = self._way.classes, self._held
        tops = [[0, *accumulate(sorted([held[rank] for rank in ranks], reverse=True))] for ranks in classes]
        levels = self._way.levels(size)
        if levels is None:
            return None
        return self._best_pick(next(filter(None, (self._fitting(picks, tops) for picks in levels))))

    def _fitting(self, picks: list[tuple[int, ...]], tops: list[list[int]]) -> list[tuple[int, ...]]:
        """The picks whose fullest nodes hold enough; `tops`: for each class what its fullest 0, 1, 2.. nodes hold."""
        held = [sum([top[taken] for top, taken in zip(tops, pick, strict=True)]) for pick in picks]
        return [pick for pick, total in zip(picks, held, strict=True) if total >= self._count]

    def _best_pick(self, picks: Sequence[tuple[int, ...]]) -> Answer | None:
        contest = _Contest()
        for pick in picks:
            chosen = zip(self._way.classes, pick, strict=True)
            groups: list[Group] = [(self._places(ranks), taken) for ranks, taken in chosen if taken]
            if contest.key != self._count or not _above(contest, groups):  # else it could only draw, and lose by ids
                contest.enter(subsets(groups, self._demand, self._pick), 0)
        return contest.answer()


def _above(contest: _Contest, groups: Sequence[Group]) -> bool:
    """Whether every CPU of these places is above the lowest of the best grant so far."""
    best = contest.answer()
    assert best is not None
    low = best.grant & -best.grant
    return all(place[0] & -place[0] > low for places, _ in groups for place in places)
