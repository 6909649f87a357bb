"""NodeSets: which sets of NUMA nodes a grant could span, in the order of the preference.

Nodes that the preference cannot tell apart before their CPUs are looked at form a *class*; a *pick* says how many nodes
of each class are spanned. Two packages of twelve equal nodes have 169 picks instead of 2^24 sets. On a host without
such structure every node is its own class, and the search over them is cut by the budget.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, product
from math import prod
from typing import Final

from attrs import frozen

from cpuplace.hostmap import HostMap
from cpuplace.task import Task

Pick = tuple[int, ...]
_LISTED: Final = 4096
"""Up to so many picks of one size are listed and sorted; more are searched from the nearest outwards."""


_TIES: Final = 64
"""So many equally near sets end the search: where so much is alike, there is no end of them."""


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
        return iter(self._listed(size)) if self.all_listed(size) else _Nearest(self, size, budget).picks()

    def all_listed(self, size: int) -> bool:
        """Whether `picks` gives all there are, not only the nearest."""
        return prod(min(len(one.ranks), size) + 1 - one.least for one in self.classes) <= _LISTED

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

    State of the search: the nodes taken, their distance and CPUs, and the nodes left to decide about, fullest first,
    with the distance each would add. A branch is left when even its nearest completion is farther than the best set
    met, or even its fullest holds too few CPUs. Every node is first completed by its nearest, so that there is a good
    answer from the beginning. All sets as near as the best one are kept.
    """

    def __init__(self, sets: NodeSets, size: int, budget: Budget) -> None:
        self._sets, self._size, self._budget, self._task = sets, size, budget, sets.task
        host, task = sets.task.host, sets.task
        self._held = [(cpus & task.allowed).bit_count() for cpus in host.node_cpus]
        self._ranks = sorted((r for r, held in enumerate(self._held) if held), key=lambda r: (-self._held[r], r))
        self._forced = [rank for rank in self._ranks if host.node_cpus[rank] & task.must]
        flat = task.wishes.spread is not None  # a spread does not count distances
        width = len(host.node_ids)
        self._rows = ((0,) * width,) * width if flat else host.distances
        self._shells = ((0,) * width,) * width if flat else host.shells
        self._best: int | None = None
        self._found: set[int] = set()

    def picks(self) -> Iterator[Pick]:
        """The picks of the nearest sets met, those of fewest packages first."""
        if not self._forced:
            for start in self._ranks:
                self._complete([start, *(r for r in self._task.host.nearest[start][1:] if self._held[r])])
        self._complete([*self._forced, *(rank for rank in self._ranks if rank not in self._forced)])
        self._search()
        picks = {self._pick(nodes) for nodes in self._found}
        yield from sorted(picks, key=lambda pick: (self._sets.packages(pick), pick))

    def _pick(self, nodes: int) -> Pick:
        return tuple(sum(nodes >> rank & 1 for rank in one.ranks) for one in self._sets.classes)

    def _complete(self, order: Sequence[int]) -> None:
        """Meet the set of the first nodes of an order, when it holds enough."""
        taken = order[: self._size]
        if sum([self._held[rank] for rank in taken]) >= self._task.count:
            self._meet(sum(1 << rank for rank in taken), self._distance(taken))

    def _distance(self, taken: Sequence[int]) -> int:
        return sum(sum([self._rows[rank][other] for other in taken[:at]]) for at, rank in enumerate(taken))

    def _meet(self, nodes: int, distance: int) -> None:
        if self._best is not None and distance > self._best:
            return
        if self._task.nodes_allowed(nodes):
            if distance != self._best:
                self._best, self._found = distance, set()
            self._found.add(nodes)
            self._budget.cut |= len(self._found) > _TIES

    def _search(self) -> None:
        forced = self._forced
        added = [sum([row[rank] for rank in forced]) for row in self._rows]
        rest = [rank for rank in self._ranks if rank not in forced]
        if len(forced) < self._size:
            held = sum(self._held[rank] for rank in forced)
            self._deepen(sum(1 << rank for rank in forced), self._distance(forced), held, rest, added)

    def _deepen(self, nodes: int, distance: int, held: int, rest: list[int], added: Sequence[int]) -> None:
        """Take one more of `rest` in every way that can still win."""
        missing = self._size - nodes.bit_count()
        if not self._budget.spend(1 + len(rest) // 2):
            return
        if missing == 1:
            for rank in rest:
                if held + self._held[rank] < self._task.count:
                    return
                self._meet(nodes | 1 << rank, distance + added[rank])
            return
        order = sorted(rest, key=added.__getitem__, reverse=True)
        while not self._hopeless(distance, held, rest, added, missing):
            rank = order.pop()
            rest = [other for other in rest if other != rank]
            further = [a + b for a, b in zip(added, self._rows[rank], strict=True)]
            self._deepen(nodes | 1 << rank, distance + added[rank], held + self._held[rank], rest, further)

    def _hopeless(self, distance: int, held: int, rest: list[int], added: Sequence[int], missing: int) -> bool:
        """Whether `missing` more of `rest` cannot hold enough, or add too much."""
        if self._budget.cut or len(rest) < missing:
            return True
        if held + sum([self._held[rank] for rank in rest[:missing]]) < self._task.count:
            return True
        if self._best is None:
            return False
        least = sorted([2 * added[rank] + self._shells[rank][missing - 1] for rank in rest])[:missing]
        return distance + (sum(least) + 1) // 2 > self._best
