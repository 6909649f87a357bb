"""The search that serves every wish: regions from the best down, the best grant of each by adding costs.

    task --pieces--> (one L3 group, one package) --NodeSets--> pick --regions--> packages and shared L3 groups allowed
         --modes--> whole cores or not, remembered for others or not --Filler, spread or not--> grant --measure-->

Everything outside the Filler is enumeration, cut off where even the best imaginable tuple of a branch (its *floor*) is
worse than the best grant found: so the answer is exact unless the budget was spent.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final, NamedTuple

from attrs import evolve

from cpuplace.fill import EMPTY, Filler, Table, join, take, within
from cpuplace.hostmap import ranks_met
from cpuplace.nodesets import Budget, NodeSets, Pick
from cpuplace.preference import Value, counts_cores, device_distance
from cpuplace.task import Task

_STEP: Final = 16
"""How many additions of the Filler count as one search node, so that a budget bounds the time of both."""
_REGION: Final = 80
"""And how many a region counts besides."""
_PATIENCE: Final = 40_000
"""How many search nodes may be spent beyond the budget before a search without any answer gives up."""


class Found(NamedTuple):
    """A grant and its tuple; the lesser is the better."""

    measure: tuple[Value, ...]
    grant: int


class ExactSearch:
    """One search. `best` is the answer so far (None: no legal grant found), `seen` every grant compared.

    With `keep`, branches that cannot win are looked at all the same until so many grants have been compared.
    """

    def __init__(self, budget: int, *, keep: int = 0) -> None:
        self.best: Found | None = None
        self.seen: list[Found] = []
        self.budget = Budget(budget)
        self._limit = -_PATIENCE
        self._keep = keep
        self._fillers: dict[tuple[int, bool, int], Filler] = {}

    def run(self, task: Task) -> None:
        """Find the best grant of this task.

        CPUs of the wished sort come first in the tuple: so the task is tried with nothing else, or with all of them,
        and only when hard wishes leave no such grant with whatever there is.
        """
        narrow = _wished_sort(task)
        self._pieces(narrow)
        if self.best is None and narrow is not task:
            self._fillers.clear()
            self._pieces(task)

    def _pieces(self, task: Task) -> None:
        for cpus in _pieces(task):
            piece = task.restrict(cpus)
            if piece.allowed.bit_count() >= task.count >= task.must.bit_count() and not task.must & ~cpus:
                self._node_sets(piece)

    def _node_sets(self, task: Task) -> None:
        sets = NodeSets(task)
        for size in sets.sizes():
            if self._hopeless(_floor(task, size)):
                continue
            seen = len(self.seen)
            for pick in sets.picks(size, self.budget):
                if not self._spent() and not self._hopeless(_pick_floor(task, sets, pick)):
                    self._regions(task, sets, pick)
            if len(self.seen) == seen and not sets.all_listed(size):
                self.budget.cut = True  # only the nearest sets were met, and they do not serve

    def _spent(self) -> bool:
        """Whether there is no budget left to look at another branch; without an answer patience counts besides."""
        spent = self.budget.left < (0 if self.best else self._limit)
        self.budget.cut |= spent
        return spent

    def _hopeless(self, floor: tuple[int, ...]) -> bool:
        """Whether a branch cannot win, or there is no budget left to look at it."""
        if self._spent():
            return True
        return self.best is not None and len(self.seen) >= self._keep and floor > self.best.measure[: len(floor)]

    def _regions(self, task: Task, sets: NodeSets, pick: Pick) -> None:
        for packages in self._package_sets(task, sets, pick):
            for shared in self._shared_l3_sets(task, sets, pick):
                floor = _pick_floor(task, sets, pick, packages.bit_count(), shared.bit_count())
                narrowed = _narrowed(task, packages, shared)
                if narrowed is not None and not self._hopeless(floor):
                    self._modes(narrowed, sets, pick)

    def _package_sets(self, task: Task, sets: NodeSets, pick: Pick) -> Iterator[int]:
        """The packages to use (ranks, 0 = whatever the nodes have); they are a choice only if nodes cross them."""
        if not task.host.packages_cross:
            yield 0
            return
        yield from self._subsets(ranks_met(task.host.packages, _reach(task, sets, pick)), least=1)

    def _shared_l3_sets(self, task: Task, sets: NodeSets, pick: Pick) -> Iterator[int]:
        """The L3 groups to use (ranks) among those that cross nodes; the others are chosen by the Filler."""
        crossing = task.host.crossing_l3s if task.wishes.l3 != "ignore" else 0
        met = crossing and ranks_met(task.host.l3s, _reach(task, sets, pick)) & crossing
        yield from self._subsets(met, least=0)

    def _subsets(self, ranks: int, *, least: int) -> Iterator[int]:
        """Every subset, small ones first; when the budget ends, at last the whole."""
        each = [1 << rank for rank in range(ranks.bit_length()) if ranks >> rank & 1]
        for size in range(least, len(each)):
            for subset in combinations(each, size):
                if not self.budget.spend(1):
                    yield ranks
                    return
                yield sum(subset)
        yield ranks

    def _modes(self, task: Task, sets: NodeSets, pick: Pick) -> None:
        """Whole cores before split ones when spreading; without CPUs remembered for others, and with."""
        spreading = task.wishes.spread is not None and counts_cores(task.wishes) and not task.whole_cores
        kinder = task.restrict(~task.others | task.must)
        tasks = [task] if kinder.allowed == task.allowed else [kinder, task]
        for whole in (True, False) if spreading else (task.whole_cores,):
            answers = [self._fill(one, whole, sets, pick) for one in tasks]
            if any(answers):
                return

    def _fill(self, task: Task, whole: bool, sets: NodeSets, pick: Pick) -> bool:
        """Compare the best grant of this region in this mode; False when there is none."""
        filler = self._filler(task, whole)
        chosen = [
            ([filler.node_table(rank) for rank in one.ranks], taken)
            for one, taken in zip(sets.classes, pick, strict=True)
            if taken
        ]
        self.budget.spend(
            _REGION + sum(taken * sum(map(len, tables)) for tables, taken in chosen) * task.count // _STEP
        )
        costs = _spread_costs(chosen, task.count) if task.wishes.spread is not None else [_cost(chosen, task.count)]
        grants = [filler.grant(cost) for cost in costs if cost is not None]
        for grant in grants:
            self._compare(Found(task.measure(grant), grant))
        return bool(grants)

    def _filler(self, task: Task, whole: bool) -> Filler:
        key = (task.allowed, whole, task.must)
        known = self._fillers.get(key)
        if known is None:
            known = self._fillers[key] = Filler(task, whole, ~task.host.crossing_l3s)
        return known

    def _compare(self, found: Found) -> None:
        self.seen.append(found)
        if self.best is None or found < self.best:
            self.best = found


def _pieces(task: Task) -> Iterable[int]:
    """Where a grant may lie as a whole: everywhere, or in one package and one L3 group at a time."""
    host = task.host
    packages = host.packages if task.wishes.one_package else (host.online,)
    l3s = host.l3s if task.wishes.l3 == "require-one" and host.l3s else (host.online,)
    outside = task.free & ~host.online
    return (package & l3 | outside for package in packages for l3 in l3s if package & l3 & task.allowed)


def _wished_sort(task: Task) -> Task:
    """The task that takes as few CPUs of an unwished sort as there can be."""
    wishes, host = task.wishes, task.host
    sorts = [host.isolated] if wishes.isolated == "prefer" else []
    sorts += [host.of_kind(wishes.kind_soft)] if wishes.kind_soft is not None else []
    for sort in sorts:
        wished, must = task.allowed & sort, task.must
        if (wished | must).bit_count() >= task.count:
            task = task.restrict(sort | must)
        elif wished & ~must:
            task = evolve(task, must=must | wished)
    return task


def _floor(
    task: Task, size: int, *, devices: int = 0, distance: int = 0, packages: int = 1, l3s: int = 0
) -> tuple[int, ...]:
    """The least first values of the tuple that a grant over `size` nodes can have."""
    wishes, host, count = task.wishes, task.host, task.count
    floor = []
    if wishes.isolated == "prefer":
        floor.append(max(0, count - (task.allowed & host.isolated).bit_count()))
    if wishes.kind_soft is not None:
        floor.append(max(0, count - (task.allowed & host.of_kind(wishes.kind_soft)).bit_count()))
    if wishes.devices_soft:
        floor.append(devices)
    if wishes.spread is None:
        floor += [size, distance]
    else:
        floor += [abs(size - task.want), 0, 0] if counts_cores(wishes) else [abs(size - task.want), 0]
    floor.append(packages)
    return tuple(floor) if wishes.l3 == "ignore" else (*floor, l3s)


def _pick_floor(task: Task, sets: NodeSets, pick: Pick, packages: int = 0, l3s: int = 0) -> tuple[int, ...]:
    sample = sets.sample(pick)
    return _floor(
        task,
        sum(pick),
        devices=device_distance(task.host, sample, task.wishes.devices_soft),
        distance=sets.distance(pick),
        packages=packages or sets.packages(pick),
        l3s=l3s,
    )


def _reach(task: Task, sets: NodeSets, pick: Pick) -> int:
    """The allowed CPUs of all nodes that this pick could use."""
    nodes = task.host.node_cpus
    ranks = (rank for one, taken in zip(sets.classes, pick, strict=True) if taken for rank in one.ranks)
    return sum(nodes[rank] & task.allowed for rank in ranks)


def _narrowed(task: Task, packages: int, shared_l3s: int) -> Task | None:
    """The task within these packages and shared L3 groups, or None when it cannot be had there."""
    host = task.host
    cpus = task.allowed
    if packages:
        cpus &= sum(mask for rank, mask in enumerate(host.packages) if packages >> rank & 1)
    if host.crossing_l3s and task.wishes.l3 != "ignore":
        closed = host.crossing_l3s & ~shared_l3s
        cpus &= ~sum(mask for rank, mask in enumerate(host.l3s) if closed >> rank & 1)
    if cpus.bit_count() < task.count or task.must & ~cpus:
        return None
    return task if cpus == task.allowed else task.restrict(cpus)


Chosen = list[tuple[list[Table], int]]


def _cost(chosen: Chosen, count: int) -> int | None:
    """The least cost of `count` CPUs from so many nodes of each class."""
    total = EMPTY
    for tables, taken in chosen:
        total = join(total, take(tables, taken, count), count)
    return total.get(count)


def _spread_costs(chosen: Chosen, count: int) -> list[int | None]:
    """The least costs with the most even shares; there may be several windows of shares that are as even."""
    if _cost(chosen, count) is None:
        return []
    low, high = -1, count  # a spread of `low` is too even to be had, one of `high` can be had
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _windows(chosen, count, middle) else (middle, high)
    return _windows(chosen, count, high)


def _windows(chosen: Chosen, count: int, uneven: int) -> list[int | None]:
    """The least cost for each window of shares from `least` to `least + uneven`."""
    nodes = sum(taken for _, taken in chosen)
    found = []
    for least in range(max(1, -(-count // nodes) - uneven), count // nodes + 1):
        cut = [([within(table, least, least + uneven) for table in tables], taken) for tables, taken in chosen]
        found.append(_cost(cut, count))
    return [cost for cost in found if cost is not None]
