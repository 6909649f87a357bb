"""Seats: where one integer container could go that has to move, the best first (section 4 of the rules)."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final, NamedTuple

from attrs import define, evolve, field, frozen

from cpuplace.binding import bound_nodes
from cpuplace.cpulist import ids_of
from cpuplace.exact import ExactSearch, Found
from cpuplace.granting import ask_of, given_of
from cpuplace.preference import ELEMENTS
from cpuplace.state import Assignment, HostState
from cpuplace.task import Task, compile_task, siblings

_NAMES: Final = tuple(element.name for element in ELEMENTS)
SUMMED: Final = _NAMES[: _NAMES.index("node_leftover")]
"""The elements of the preference that are added up over all movers."""
_SEARCH: Final = 10
"""What one search for a seat costs at least, in search nodes."""

Cost = tuple[int, ...]


@define
class Purse:
    """The search nodes that are left for one decision; `cut` once something was not looked at for want of them."""

    left: int
    each: int
    cut: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is left, which is then noted."""
        self.cut = self.cut or self.left <= 0
        return self.left <= 0


class Seat(NamedTuple):
    """New CPUs for a mover, their withheld siblings, and what it costs.

    `cost`: 1 when its memory nodes change, the CPUs it gives up, then `SUMMED` (0 where an element does not count).
    """

    grant: int
    withheld: int
    cost: Cost

    @property
    def claim(self) -> int:
        """What nobody else may hold."""
        return self.grant | self.withheld

    @property
    def ids(self) -> tuple[int, ...]:
        """The CPUs, ascending: what decides between seats of equal cost."""
        return ids_of(self.grant)


@frozen(slots=True)
class Mover:
    """One container to move, and the choice it has when it moves alone.

    Its tuple is measured in the host without all movers and without the pinned CPUs, whatever the others then take:
    so the costs of movers do not depend on each other, and sums of them can be compared and bounded.
    """

    state: HostState
    held: Assignment
    task: Task
    purse: Purse
    _known: dict[int, Seat | None] = field(factory=dict, eq=False, repr=False)

    @staticmethod
    def of(lifted: HostState, held: Assignment, purse: Purse, *, fit: bool = True) -> "Mover":
        """The choice of a container in a state that it is not part of; what costs the same by best `fit`, or by ids."""
        old, wanted = held.cpus.mask, len(held.cpus)
        ask = ask_of(lifted, held.request, wanted)
        task = compile_task(lifted.ground.host_map, ask.free, wanted, **given_of(lifted, ask))
        return Mover(lifted, held, evolve(task, others=task.others & ~old, fit=fit), purse)

    @property
    def by_core(self) -> bool:
        """Whether losing one thread of a core is losing the core."""
        return self.task.wishes.cores in ("isolate", "require-full")

    def best(self, ban: int) -> Seat | None:
        """The seat of least cost without any CPU of `ban`; None when there is none, or the purse is empty."""
        lost = siblings(self.task.host, ban) if self.by_core else ban
        allowed = self.task.allowed & ~lost
        if allowed not in self._known:
            self._known[allowed] = self._search(allowed)
        return self._known[allowed]

    def _search(self, allowed: int) -> Seat | None:
        if allowed.bit_count() < self.task.count:
            return None
        bound = self.held.mems or self.held.preferred
        if bound:  # the same memory nodes come before everything else
            home = self.state.ground.memory_nodes
            near = sum(1 << cpu for cpu in ids_of(allowed) if home(1 << cpu) <= bound)
            found = self._nearest(self.task.restrict(near), same_memory=True)
            if found is not None:
                return found
        return self._nearest(self.task.restrict(allowed), same_memory=False)

    def _nearest(self, task: Task, *, same_memory: bool) -> Seat | None:
        """The best seat among those that keep most of what is held."""
        keep = task.allowed & self.held.cpus.mask
        found = self._run(task, keep, same_memory)
        if found is None and keep and self._run(task, 0, same_memory) is not None:
            found = self._keeping_less(task, keep, same_memory)
        return None if found is None else self.seat_of(found.grant)

    def _keeping_less(self, task: Task, keep: int, same_memory: bool) -> Found | None:
        """The same with less kept; that nothing need be kept has been looked at."""
        for tier in _tiers(task, keep):
            best: Found | None = None
            for kept in tier:
                if self.purse.empty:
                    break
                found = self._run(task, kept, same_memory)
                best = found if best is None or (found is not None and found < best) else best
            if best is not None:
                return best
        return self._run(task, 0, same_memory)

    def _run(self, task: Task, kept: int, same_memory: bool) -> Found | None:
        """The best grant that holds `kept`."""
        if self.purse.empty or not kept.bit_count() <= task.count <= task.allowed.bit_count():
            return None
        search = ExactSearch(self.purse.each)
        search.run(evolve(task, must=kept))
        self.purse.left -= max(_SEARCH, (self.purse.each - search.budget.left) // _SEARCH)
        self.purse.cut = self.purse.cut or search.budget.cut
        best = search.best
        if best is None or not same_memory or not self._memory_changes(best.grant):
            return best
        return min(filter(None, self._reaching(task, kept, best.grant)), default=None)

    def _reaching(self, task: Task, kept: int, grant: int) -> Iterator[Found | None]:
        """The best grants that meet one more of the memory nodes that are bound now."""
        home, bound = self.state.ground.memory_nodes, self.held.mems or self.held.preferred
        assert bound is not None
        missing = bound - home(grant, self.task.wishes.nodes)
        for cpu in ids_of(task.allowed & ~kept) if missing else ():
            if missing.min in home(1 << cpu):
                yield self._run(task, kept | 1 << cpu, same_memory=True)

    def _memory_changes(self, grant: int) -> bool:
        bound = bound_nodes(self.state, self.held.request, grant, self.task.wishes)
        return bound != (self.held.mems, self.held.preferred)

    def seat_of(self, grant: int) -> Seat:
        """A grant with what is withheld for it and what it costs."""
        values = dict(zip(self.task.names(), self.task.measure(grant), strict=True))
        given_up = (self.held.cpus.mask & ~grant).bit_count()
        summed = (values.get(name, 0) for name in SUMMED)
        cost = (int(self._memory_changes(grant)), given_up, *(int(one) for one in summed if isinstance(one, int)))
        idle = self.state.ground.usable & ~grant if self.task.wishes.cores == "isolate" else 0
        return Seat(grant, siblings(self.task.host, grant) & idle, cost)


def _tiers(task: Task, keep: int) -> Iterator[Iterable[int]]:
    """What could be kept of `keep` instead of all: the sets of most CPUs first, those of one size together.

    Wishes for one node, package or L3 group leave one part of it; whole cores stay whole.
    """
    parts = sorted({keep & region for region in _regions(task)})
    most = max(part.bit_count() for part in parts)
    for size in range(min(most, keep.bit_count() - (keep in parts)), 0, -1):
        yield (kept for part in parts for kept in _subsets(task, part, size))


def _regions(task: Task) -> Iterator[int]:
    host, wishes = task.host, task.wishes
    nodes = host.node_cpus if task.node_limit == 1 else (-1,)
    packages = host.packages if wishes.one_package else (-1,)
    l3s = host.l3s if wishes.l3 == "require-one" and host.l3s else (-1,)
    return (node & package & l3 for node in nodes for package in packages for l3 in l3s)


def _subsets(task: Task, part: int, size: int) -> Iterator[int]:
    """The sets of so many CPUs of a part."""
    units = [1 << cpu for cpu in ids_of(part)]
    if task.whole_cores:
        units = [core & part for core in task.host.cores if core & part]
    least, most = (min(widths), max(widths)) if (widths := [unit.bit_count() for unit in units]) else (1, 1)
    for number in range(-(-size // most), size // least + 1):
        yield from (kept for some in combinations(units, number) if (kept := sum(some)).bit_count() == size)
