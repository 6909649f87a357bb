"""NodeSets: which sets of NUMA nodes a grant could span, in the order of the preference.

Nodes that the preference cannot tell apart before their CPUs are looked at form a *class*; a *pick* says how many nodes
of each class are spanned. Two packages of twelve equal nodes have 169 picks instead of 2^24 sets. On a host without
such structure every node is its own class, and the search over them is cut by the budget.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, product

from attrs import frozen

from cpuplace.hostmap import HostMap
from cpuplace.task import Task

Pick = tuple[int, ...]
_LISTED = 4096
"""Up to so many picks of one size are listed and sorted; more are searched from the nearest outwards."""


class Budget:
    """Search nodes left to spend; `cut` once something was not looked at for lack of them."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.cut = False

    def spend(self, steps: int) -> bool:
        """Take some steps; False, and cut, when they are used up."""
        self.left -= steps
        if self.left < 0:
            self.cut = True
        return self.left >= 0


@frozen(slots=True)
class NodeClass:
    """Nodes (ranks) that can stand for each other; at least `least` of them are spanned. `sizes`: most CPUs first."""

    ranks: tuple[int, ...]
    least: int
    sizes: tuple[int, ...]


@frozen(eq=False)
class NodeSets:
    """The classes of one task, and its picks."""

    task: Task

    @cached_property
    def classes(self) -> tuple[NodeClass, ...]:
        """The classes of the nodes that have allowed CPUs, by lowest rank."""
        task, host = self.task, self.task.host
        groups: dict[tuple[object, ...], list[int]] = {}
        near = [host.device_distances(name) for name in task.wishes.devices_soft]
        for rank, cpus in enumerate(host.node_cpus):
            if cpus & task.allowed:
                alike = host.packages_of[rank] if task.wishes.spread is not None else host.twins[rank]
                alone = rank if task.nodes_ok else -1
                hits = tuple(wanted >> rank & 1 for wanted in task.hit)
                key = (alike, alone, hits, bool(cpus & task.must), *(distances[rank] for distances in near))
                groups.setdefault(key, []).append(rank)
        return tuple(self._class(ranks) for ranks in groups.values())

    def _class(self, ranks: list[int]) -> NodeClass:
        task, nodes = self.task, self.task.host.node_cpus
        sizes = sorted(((nodes[rank] & task.allowed).bit_count() for rank in ranks), reverse=True)
        return NodeClass(tuple(ranks), len(ranks) if nodes[ranks[0]] & task.must else 0, tuple(sizes))

    def sizes(self) -> list[int]:
        """The numbers of nodes to try, best first: from the fewest that hold enough, or from what a spread aims at."""
        task = self.task
        every = sum(len(one.ranks) for one in self.classes)
        most = min(every, task.count, task.node_limit or every)
        full = list(accumulate(sorted((size for one in self.classes for size in one.sizes), reverse=True)))
        fewest = next((nodes for nodes, held in enumerate(full, 1) if held >= task.count), most + 1)
        sizes = range(max(fewest, sum(one.least for one in self.classes)), most + 1)
        return sorted(sizes, key=lambda size: abs(size - task.want)) if task.wishes.spread is not None else list(sizes)

    def picks(self, size: int, budget: Budget) -> Iterator[Pick]:
        """The picks of `size` nodes that hold enough CPUs and meet every hard wish about nodes, nearest first."""
        listed = 1
        for one in self.classes:
            listed *= min(len(one.ranks), size) + 1 - one.least
        if listed <= _LISTED:
            return iter(self._listed(size))
        return _Nearest(self, size, budget).picks()

    def _listed(self, size: int) -> list[Pick]:
        ranges = (range(one.least, min(len(one.ranks), size) + 1) for one in self.classes)
        fitting = (pick for pick in product(*ranges) if sum(pick) == size and self._fits(pick))
        return sorted(fitting, key=lambda pick: (self.distance(pick), self.packages(pick)))

    def _fits(self, pick: Pick) -> bool:
        held = sum(sum(one.sizes[:taken]) for one, taken in zip(self.classes, pick, strict=True))
        return held >= self.task.count and self.task.nodes_allowed(self.sample(pick))

    def sample(self, pick: Pick) -> int:
        """One set of nodes (ranks) of this pick; all of them look alike to the hard wishes and the devices."""
        return sum(1 << rank for one, taken in zip(self.classes, pick, strict=True) for rank in one.ranks[:taken])

    def packages(self, pick: Pick) -> int:
        """The packages spanned; when nodes cross packages, the fewest that are possible: one."""
        return 1 if self.task.host.packages_cross else packages_spanned(self.task.host, self.sample(pick))

    def distance(self, pick: Pick) -> int:
        """The sum of distances over pairs of nodes, the same for every set of this pick."""
        return 0 if self.task.wishes.spread is not None else self.task.host.spread_of(self.sample(pick))


def packages_spanned(host: HostMap, nodes: int) -> int:
    """How many packages these nodes (ranks) have CPUs in."""
    met = 0
    for rank, packages in enumerate(host.packages_of):
        if nodes >> rank & 1:
            met |= packages
    return met.bit_count()


class _Nearest:
    """The picks of one size when there are too many to list: depth first over nodes, nearest first, within a budget.

    State: (nodes taken, distance so far, CPUs held, nodes still to decide about). A branch is left when even its
    nearest completion is farther than the best set met, or even its fullest holds too few CPUs. Each start node is
    first completed greedily, so that the bound is good from the beginning.
    """

    def __init__(self, sets: NodeSets, size: int, budget: Budget) -> None:
        self._sets, self._size, self._budget = sets, size, budget
        self._host, self._task = sets.task.host, sets.task
        self._class_of = {rank: at for at, one in enumerate(sets.classes) for rank in one.ranks}
        self._ranks = sorted(self._class_of, key=lambda rank: (-self._held(rank), rank))
        self._forced = [rank for rank in self._ranks if self._host.node_cpus[rank] & self._task.must]
        self._best: int | None = None
        self._found: dict[Pick, int] = {}

    def _held(self, rank: int) -> int:
        return (self._host.node_cpus[rank] & self._task.allowed).bit_count()

    def picks(self) -> Iterator[Pick]:
        for start in self._forced[:1] or self._ranks:
            self._greedy(start)
        rest = [rank for rank in self._ranks if rank not in self._forced]
        held = sum(map(self._held, self._forced))
        mask = sum(1 << rank for rank in self._forced)
        self._deepen(self._forced, mask, self._host.spread_of(mask), held, rest)
        yield from sorted(self._found, key=lambda pick: (self._found[pick], self._sets.packages(pick)))

    def _greedy(self, start: int) -> None:
        """Complete a set round one node: nearest first, then fullest; as a last resort fullest first."""
        near = self._host.distances[start]
        rest = [rank for rank in self._ranks if rank != start and rank not in self._forced]
        seed = self._forced or [start]
        for order in (sorted(rest, key=lambda rank: (near[rank], -self._held(rank), rank)), rest):
            taken = (seed + order)[: self._size]
            if sum(map(self._held, taken)) >= self._task.count:
                self._note(taken)
                return

    def _note(self, taken: Sequence[int]) -> None:
        mask = sum(1 << rank for rank in taken)
        distance = self._host.spread_of(mask) if self._task.wishes.spread is None else 0
        if (self._best is not None and distance > self._best) or not self._task.nodes_allowed(mask):
            return
        if self._best is None or distance < self._best:
            self._best, self._found = distance, {}
        counts = [0] * len(self._sets.classes)
        for rank in taken:
            counts[self._class_of[rank]] += 1
        self._found[tuple(counts)] = distance

    def _deepen(self, taken: list[int], mask: int, distance: int, held: int, rest: list[int]) -> None:
        missing = self._size - len(taken)
        if not missing:
            if held >= self._task.count:
                self._note(taken)
            return
        if held + sum(map(self._held, rest[:missing])) < self._task.count or not self._budget.spend(1):
            return
        added = {rank: sum(self._host.distances[rank][other] for other in taken) for rank in rest}
        if self._best is not None and distance + self._least(added, rest, missing) > self._best:
            return
        for rank in sorted(rest, key=lambda rank: (added[rank], -self._held(rank), rank)):
            if len(rest) < missing or self._budget.cut:
                return
            rest = [other for other in rest if other != rank]
            self._deepen([*taken, rank], mask | 1 << rank, distance + added[rank], held + self._held(rank), rest)

    def _least(self, added: dict[int, int], rest: list[int], missing: int) -> int:
        """What `missing` more nodes add at the least: their distances to the taken, and half their own shells."""
        if missing == 1 or self._task.wishes.spread is not None:
            return min(added.values(), default=0) if self._task.wishes.spread is None else 0
        shells = []
        for rank in rest:
            row = self._host.distances[rank]
            near = sorted([row[other] for other in rest if other != rank])[: missing - 1]
            shells.append(2 * added[rank] + sum(near))
        return sum(sorted(shells)[:missing]) // 2
