"""The straight way: the plain preference on hosts of the usual build, in microseconds, exact like the long way.

For cores of one or two threads the elements below `nodes` follow from two counts of a region, its free CPUs and its
wholly free pairs of siblings: because nodes and L3 groups are the fewest, every choice of N CPUs in a region meets all
of it. So the search is over regions, and CPUs are picked only in those that are equally good:

    one node has an L3 group with room   -> the best such L3 group, fullest nodes first
    one node has room                    -> the fewest L3 groups of a node: which of them
    no node has room                     -> the fewest, nearest nodes: which of them, then which of their L3 groups
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, combinations, product
from math import comb, prod
from typing import Final, NamedTuple

from cpuplace.hostmap import HostMap, ranks_met
from cpuplace.subsets import Best, Demand, Group, Place, best_subset, lower

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
        self.cells = tuple(
            tuple(cell.cpus for cell in cells) if l3 and host.l3s else (node,)
            for node, cells in zip(host.node_cpus, host.cells, strict=True)
        )
        self.single_cells = all(len(cells) == 1 for cells in self.cells)
        self._strides = _strides(host) if self.paired else ()
        self._host = host
        self._classes = _classes(host)
        self._levels: dict[int, list[list[tuple[int, ...]]] | None] = {}

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
        grant = self._both(lowest(pairs, whole))
        rest = count - 2 * whole
        if not rest:
            return grant
        singles = cpus & ~self._both(pairs)
        if singles:
            return grant | lowest(singles, rest)
        lower_ids = lowest(pairs, whole + 1)
        upper_ids = self._both(lower_ids) ^ lower_ids
        return lower_ids | lowest(upper_ids, whole)

    def _both(self, pairs: int) -> int:
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
        return [picks for _, picks in sorted(levels.items())]

    def _nearness(self, pick: tuple[int, ...]) -> tuple[int, int]:
        ranks = [rank for one, taken in zip(self._classes, pick, strict=True) for rank in one[:taken]]
        cpus = sum(self.nodes[rank] for rank in ranks)
        return self._host.spread_of(sum(1 << rank for rank in ranks)), ranks_met(self._host.packages, cpus).bit_count()

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


def straight_choice(way: Straight, free: int, count: int) -> Answer | None:
    """The best grant of `count` of the free CPUs (there are so many), None when it takes the long way.

    Here one L3 group is enough. Nodes are looked at in the order of their free CPUs, so the first L3 group that needs
    no broken core and no more cores than the count ends the search at the end of its row of equally full nodes.
    """
    held = [(free & node).bit_count() for node in way.nodes]
    room = [size for size in held if size >= count]
    if not room:
        return _many_nodes(way, free, count, held)
    pairs = way.pairs(free) if way.paired else 0
    half, odd = (count >> 1, count & 1) if way.paired else (0, 0)
    best, regions = 1 << 62, []
    for size in sorted(set(room)):
        if size << _HELD > best:
            break
        for rank, other in enumerate(held):
            if other == size:
                for cell in way.cells[rank]:
                    region = free & cell
                    inside = region.bit_count()
                    if inside >= count:
                        whole = (pairs & cell).bit_count()
                        key = (size << _HELD) + inside
                        if whole < half:
                            key += half - whole << _MISSING
                        elif odd and inside == 2 * whole:
                            key += _BROKEN
                        if key < best:
                            best, regions = key, [region]
                        elif key == best:
                            regions.append(region)
    return Answer(_least(way, regions, count)) if regions else _one_node(way, free, count, held)


def _least(way: Straight, regions: list[int], count: int) -> int:
    """The grant with the lowest ids among disjoint regions; one whose lowest id is above that of a grant cannot win."""
    grant = way.pick(regions[0], count)
    for region in regions[1:]:
        if region & -region < grant & -grant:
            other = way.pick(region, count)
            if lower(other, grant):
                grant = other
    return grant


def _places(way: Straight, free: int, cells: Iterable[int]) -> list[Place]:
    pairs = way.pairs(free)
    return [(cpus, cpus.bit_count(), (pairs & cpus).bit_count()) for cpus in (free & cell for cell in cells) if cpus]


class _Contest:
    """The best of several subsets, by a key and then by ids."""

    def __init__(self) -> None:
        self.key = 1 << 80
        self.grant = 0
        self.cut = False

    def enter(self, found: Best | None, held: int) -> None:
        """Compare a subset; `held` = the free CPUs of its nodes, which count before those of its L3 groups."""
        if found is None:
            return
        key = (found.quality >> 20 << 40) + (held << 20) + (found.quality & 0xFFFFF)
        if key < self.key or (key == self.key and lower(found.grant, self.grant)):
            self.key, self.grant = key, found.grant
        self.cut |= found.cut

    def answer(self) -> Answer | None:
        """The winner; None when nobody entered."""
        return Answer(self.grant, self.cut) if self.grant else None


def _fewest(sizes: Iterable[int], count: int) -> int:
    """How many of these it takes to hold `count`, the fullest first; 0 when all are not enough."""
    held = 0
    for taken, size in enumerate(sorted(sizes, reverse=True), 1):
        held += size
        if held >= count:
            return taken
    return 0


def _one_node(way: Straight, free: int, count: int, held: Sequence[int]) -> Answer | None:
    """Several L3 groups of one node: as few as any node needs."""
    rooms = [(size, _places(way, free, cells)) for size, cells in zip(held, way.cells, strict=True) if size >= count]
    return _fewest_cells(way, rooms, count)


def _fewest_cells(way: Straight, rooms: Sequence[tuple[int, list[Place]]], count: int) -> Answer | None:
    """The best use of the fewest L3 groups in one of these regions; with each region its free CPUs."""
    needs = [_fewest((place[1] for place in places), count) for _, places in rooms]
    fewest = min(needs)
    demand = Demand.of(count, paired=way.paired)
    contest = _Contest()
    for (held, places), need in sorted(zip(rooms, needs, strict=True), key=lambda room: room[0][0]):
        if need == fewest and held << 20 <= contest.key:
            contest.enter(best_subset([(places, need)], demand, lambda cpus: way.pick(cpus, count)), held)
    return contest.answer()


def _many_nodes(way: Straight, free: int, count: int, held: Sequence[int]) -> Answer | None:
    """The fewest nodes, and of those sets the nearest that hold enough."""
    levels = way.levels(_fewest(held, count))
    if levels is None:
        return None
    tops = [list(accumulate(sorted((held[rank] for rank in ranks), reverse=True), initial=0)) for ranks in way.classes]
    for picks in levels:
        fitting = [pick for pick in picks if sum(top[taken] for top, taken in zip(tops, pick, strict=True)) >= count]
        if fitting:
            search = _nodes_as_places if way.single_cells else _node_sets
            return search(way, free, count, fitting)
    return None


def _nodes_as_places(way: Straight, free: int, count: int, picks: Sequence[tuple[int, ...]]) -> Answer | None:
    """Which nodes, when a node is one L3 group or has none that counts."""
    demand = Demand.of(count, paired=way.paired)
    places = [_places(way, free, [way.nodes[rank] for rank in ranks]) for ranks in way.classes]
    contest = _Contest()
    for pick in picks:
        groups: list[Group] = [(one, taken) for one, taken in zip(places, pick, strict=True) if taken]
        contest.enter(best_subset(groups, demand, lambda cpus: way.pick(cpus, count)), 0)
    return contest.answer()


def _node_sets(way: Straight, free: int, count: int, picks: Sequence[tuple[int, ...]]) -> Answer | None:
    """Which nodes and which of their L3 groups: every set of nodes that holds enough, one by one."""
    sizes = [prod(comb(len(ranks), taken) for ranks, taken in zip(way.classes, pick, strict=True)) for pick in picks]
    if sum(sizes) > _NODE_SETS:
        return None
    places = [_places(way, free, cells) for cells in way.cells]
    held = [sum(place[1] for place in inside) for inside in places]
    rooms = []
    for nodes in _each_set(way, picks):
        size = sum(held[rank] for rank in nodes)
        if size >= count:
            rooms.append((size, [place for rank in nodes for place in places[rank]]))
    return _fewest_cells(way, rooms, count)


def _each_set(way: Straight, picks: Iterable[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    for pick in picks:
        for parts in product(*(combinations(ranks, taken) for ranks, taken in zip(way.classes, pick, strict=True))):
            yield tuple(rank for part in parts for rank in part)
