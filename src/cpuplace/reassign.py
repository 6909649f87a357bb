"""Reassigning: integer containers make way for pinned CPUs, as few and as little as possible (R3, section 4)."""

from itertools import combinations
from operator import itemgetter
from typing import Final, NamedTuple

from attrs import evolve

from cpuplace.granting import counted
from cpuplace.idset import CpuSet
from cpuplace.ordering import ANY_NUMBER, Manner
from cpuplace.reassign_joint import Answer
from cpuplace.reassign_scene import Scene, in_the_way, may_move
from cpuplace.reassign_seat import Purse
from cpuplace.refusal import Impossible, NoLegalMove, PoolExhausted, Refusal, SearchBudgetSpent
from cpuplace.request import ContainerRequest, Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState

Held = tuple[Assignment, ...]
_NOBODY: Final[Held] = ()
_NO_WAY: Final = "every way would leave too little pool or memory, or has no safe order of steps"


class Cleared(NamedTuple):
    """New assignments of all who move; `optimal` False when the budget cut the search."""

    movers: Held
    optimal: bool


def clear(state: HostState, request: ContainerRequest, manner: Manner = ANY_NUMBER) -> Cleared | Refusal:
    """Where the integer containers on the CPUs of a pin go, or why they cannot go anywhere (R3).

    Of all ways, the least by: containers out of the way that move too, containers whose memory nodes change,
    containers moved, CPUs given up, sum of the movers' tuples before `node_leftover`, then the ids: the movers in the
    order in which they came, each its CPUs ascending, compared as tuples. A mover's tuple is that of `choose` in the
    host without all movers and without the pinned CPUs. Hard wishes, forbid lists and memory bind movers; the pool
    keeps its floor (R6), and only ways count that have a legal order of steps (`manner`: by default nobody has too few
    CPUs for a moment).

    Exact within `Policy.search_budget`, in which one search for one mover counts as 10 search nodes; `optimal` speaks
    of all before the ids, which are looked for with what the least cost leaves of the budget. Refusals: `NoLegalMove`
    when somebody in the way may not move, or nobody can get there safely; `Impossible` when it is proved that the
    containers it names have no room together; `PoolExhausted`; else `SearchBudgetSpent`.

    >>> from cpuplace.transitions import with_owner
    >>> from cpuplace.topology import Topology
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4, threads_per_core=2))
    >>> state = with_owner(state, Assignment(ContainerRequest.integer("a", 2), CpuSet([0, 4])))
    >>> found = clear(state, ContainerRequest.pinned("p", CpuSet([0]), exclusive=True))
    >>> found.movers[0].cpus
    CpuSet('1,4')
    """
    return _Clearing(state, request, manner).answer()


class _Clearing:
    """One pin that is to be cleared: who is in the way, who else could move, what is left of the budget."""

    def __init__(self, state: HostState, request: ContainerRequest, manner: Manner) -> None:
        self.state, self.request, self.manner = state, request, manner
        self.must = in_the_way(state, request)
        self.others = tuple(one for one in state.owners.values() if one not in self.must and may_move(state, one))
        self.purse = self._purse()

    def _purse(self) -> Purse:
        budget = self.state.policy.search_budget
        return Purse(budget, budget)

    def _scene(self, held: Held) -> Scene:
        return Scene(self.state, self.request, held, self.manner)

    def answer(self) -> Cleared | Refusal:
        """Without others first, then with one of them, with two, ..."""
        stay = tuple(one for one in self.must if not may_move(self.state, one))
        if stay:
            return self._no_move(stay, "they may not be moved")
        left, floor = self._pool_left(), min(self.state.policy.min_shared_cpus, self.state.pool_mask.bit_count())
        if left is not None and left < floor:
            return self._pool_exhausted(left)
        for number in range(len(self.others) + 1):
            if number == 1 and self._is_impossible(self.must + self.others, self._purse()):
                return self._impossible()
            found = self._least(number)
            if found is not None:
                return found
            if self.purse.empty:
                break
        if self.purse.cut:
            return self._spent()
        proved = self._is_impossible(self.must + self.others, self._purse())
        return self._impossible() if proved else self._no_move(self.must, self._no_way())

    def _no_way(self) -> str:
        return _NO_WAY if self.manner.once_from is None else f"{_NO_WAY} with one step per container"

    def _least(self, number: int) -> Cleared | None:
        """The best way on which so many of the others move too."""
        best: list[tuple[Answer, Scene]] = []
        for some in combinations(self.others, number):
            scene = self._scene(self._in_order(some))
            answer = scene.answer(self.purse)
            if answer is not None and not (best and answer.cost > best[0][0].cost):
                best = [found for found in best if found[0].cost == answer.cost] + [(answer, scene)]
            if self.purse.empty:
                break
        if not best:
            return None
        optimal = not self.purse.cut
        if optimal:
            best = [(scene.lowest(answer, self.purse), scene) for answer, scene in best]
        answer, scene = min(best, key=itemgetter(0))
        return Cleared(scene.moved(answer.seats), optimal)

    def _in_order(self, some: Held) -> Held:
        """Who is in the way and some others, in the order in which they came."""
        keys = {one.container_id for one in (*self.must, *some)}
        return tuple(one for key, one in self.state.owners.items() if key in keys) if some else self.must

    def _is_impossible(self, held: Held, purse: Purse, dropped: Held = ()) -> bool:
        """Whether it is proved that these have no room together, even on a host without the `dropped` ones."""
        scene = Scene(_without(self.state, dropped), self.request, held)
        return not scene.has_room(purse) and not purse.cut

    def _pool_left(self) -> int | None:
        """How many CPUs the pool would keep by number alone (R6), below 0 when too few; None = not to be told."""
        state = self.state
        if state.ground.isolated or any(one.withheld for one in self.others):
            return None  # somebody might go where the pool is not, or leave fewer siblings idle
        taken = self.request.pin.mask if self.request.kind is Kind.PINNED else 0
        left = self._scene(self.must).lifted.pool_mask & ~taken
        return left.bit_count() - sum(len(one.cpus) for one in self.must)

    def _pool_exhausted(self, left: int) -> PoolExhausted:
        least = self.state.policy.min_shared_cpus
        missing = f"need {counted(-left)} more than there are"
        return PoolExhausted(
            container_id=self.request.container_id,
            rule="R6",
            sentence=f"the pin {self.request.pin}, and {_names(self.must)} that would make way for it, "
            + (missing if left < 0 else f"would leave fewer than {counted(least)} in the pool"),
            asked=len(self.request.pin),
            fits=max(0, self.state.pool_mask.bit_count() - least),
        )

    def _no_move(self, holders: Held, missing: str) -> NoLegalMove:
        cpus = CpuSet(cpu for one in holders for cpu in (one.cpus | one.withheld) & self.request.pin)
        return NoLegalMove(
            container_id=self.request.container_id,
            rule="R3",
            sentence=f"the pin {self.request.pin} meets CPUs {cpus} of {_names(holders)}: {missing}",
            cpus=cpus,
            holders=tuple(one.container_id for one in holders),
            missing=missing,
        )

    def _impossible(self) -> Impossible:
        """Named are only those without whom it would be possible, as far as the budget allows to find out."""
        core, dropped, purse = self.must + self.others, _NOBODY, self._purse()
        for one in reversed(core):
            fewer = tuple(other for other in core if other is not one)
            if self._is_impossible(fewer, purse, (*dropped, one)):
                core, dropped = fewer, (*dropped, one)
        said = ", ".join(f"{one.container_id} ({counted(len(one.cpus))}{_wishes(self.state, one)})" for one in core)
        return Impossible(
            container_id=self.request.container_id,
            rule="R3",
            sentence=f"beside the pin {self.request.pin} there is no room for {said}",
            holders=tuple(one.container_id for one in core),
        )

    def _spent(self) -> SearchBudgetSpent:
        budget = self.state.policy.search_budget
        return SearchBudgetSpent(
            container_id=self.request.container_id,
            rule="R3",
            sentence=f"no room found within the search budget of {budget} for {_names(self.must)}, who would have to "
            f"make way for the pin {self.request.pin}, and none ruled out: raise search_budget",
            budget=budget,
        )


def _without(state: HostState, gone: Held) -> HostState:
    """The state without some integer containers, nothing remembered."""
    for one in gone:
        owners = {key: other for key, other in state.owners.items() if key != one.container_id}
        integer, withheld = state.integer & ~one.cpus.mask, state.withheld_mask & ~one.withheld.mask
        state = evolve(state, owners=owners, integer=integer, withheld_mask=withheld)
    return state


def _names(held: Held) -> str:
    return ", ".join(one.container_id for one in held)


def _wishes(state: HostState, one: Assignment) -> str:
    """The hard wishes and forbidden CPUs of a container, as words behind its size."""
    wishes = resolve(state.policy.wishes, one.request.wishes)
    words = {
        "numa require-one": wishes.limit == "one",
        "numa require-fewest": wishes.limit == "fewest",
        f"numa {wishes.nodes}": wishes.nodes is not None,
        f"cores {wishes.cores}": wishes.cores in ("require-full", "isolate"),
        "l3 require-one": wishes.l3 == "require-one",
        "package require-one": wishes.one_package,
        f"devices {', '.join(wishes.devices_hard)}": bool(wishes.devices_hard),
        f"core_kind {wishes.kind_hard}": wishes.kind_hard is not None,
        "isolated require": wishes.isolated == "require",
        f"forbids {one.request.forbid}": bool(one.request.forbid),
    }
    return "".join(f", {word}" for word, holds in words.items() if holds)
