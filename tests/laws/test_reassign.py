"""Reassignment is the least there is: compared with exhaustive search on small crowded hosts."""

from collections.abc import Iterator
from itertools import combinations, permutations, product

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.ordering import Manner, in_one_step, ordered
from cpuplace.preference import elements
from cpuplace.reassign import Cleared, clear
from cpuplace.reassign_match import assign
from cpuplace.reassign_seat import SUMMED
from cpuplace.resolving import resolve
from cpuplace.state import Assignment
from cpuplace.transitions import replaced, with_owner
from cpuplace.wishes import ResolvedWishes
from laws.made_once import booleans, integers, sampled_from
from laws.oracle import Oracle, Question
from laws.strategies import hosts
from laws.worlds import WISHES, few_cpus

PLENTY = 10**7
"""A search budget that is never spent."""


REGULAR = (
    cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2),
    cp.Topology.uniform(packages=2, l3_per_node=2, cores_per_l3=2),
    cp.Topology.uniform(packages=2, nodes_per_package=2, cores_per_l3=2, distances=(10, 12, 32)),
)


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    reserved = draw(st.sets(sampled_from(sorted(host.online)), max_size=1)) if draw(booleans()) else set()
    return cp.Policy(
        reserved=cp.CpuSet(reserved),
        min_shared_cpus=draw(sampled_from([0, 0, 1, 2])),
        isolated_cpus=draw(sampled_from(["exclusive-only", "ignore", "ignore"])),
        memory_scope=draw(sampled_from(["exclusive", "pinned"])),
        widen=draw(sampled_from(["now", "lazy"])),
        search_budget=PLENTY,
    )


@st.composite
def crowds(draw: st.DrawFn, *, most: int = 4) -> cp.HostState:
    """A host of at most 8 CPUs, most of it taken by integer containers; some wish, some forbid, some never move."""
    host = draw(st.one_of(hosts(max_cpus=8, offline=False), sampled_from(REGULAR)))
    state = cp.HostState.empty(host, draw(policies(host)))
    for number in range(draw(integers(1, most))):
        wishes = draw(sampled_from(WISHES))
        if draw(integers(0, 9)) == 0:
            wishes = evolve(wishes, move="never")
        most_of_it = st.sets(sampled_from(sorted(host.online)), min_size=min(4, len(host.online))).map(cp.CpuSet)
        forbid = draw(most_of_it) if draw(integers(0, 3)) == 0 else cp.CpuSet()
        count = draw(integers(1, 3))
        request = cp.ContainerRequest.integer(f"i{number}", count, wishes=wishes, forbid=forbid)
        state = taken_over(state, request)
    if draw(booleans()):
        state = taken_over(state, cp.ContainerRequest.shared("s", forbid=draw(few_cpus)))
    for key in [key for key in state.owners if draw(integers(0, 5)) == 0]:
        state = cp.apply(state, cp.release(state, key))
    return state


def taken_over(state: cp.HostState, request: cp.ContainerRequest) -> cp.HostState:
    answer = cp.place(state, request)
    return cp.apply(state, answer) if isinstance(answer, cp.Plan) else state


@st.composite
def conflicts(draw: st.DrawFn) -> tuple[cp.HostState, cp.ContainerRequest]:
    """A crowded host and a pin that meets somebody, mostly."""
    state = draw(crowds())
    held = sorted(state.exclusive)
    most = sorted(state.usable - state.reserved) or sorted(state.usable)
    cpus = draw(st.sets(sampled_from(held or most), min_size=1, max_size=3))
    cpus |= draw(st.sets(sampled_from(most), max_size=1))
    return state, cp.ContainerRequest.pinned("pin", cp.CpuSet(cpus), exclusive=draw(booleans()))


Way = list[tuple[Assignment, set[int], set[int]]]
"""Each mover, its new CPUs, and the siblings withheld for it."""


class Exhaustive:
    """Every way to clear a pin, from the definition, in sets."""

    def __init__(self, state: cp.HostState, request: cp.ContainerRequest, *, once: bool = False) -> None:
        self.state, self.request, self.once = state, request, once
        integer = [one for one in state.owners.values() if one.kind is cp.Kind.INTEGER]
        self.must = [one for one in integer if (one.cpus | one.withheld) & request.pin]
        self.others = [one for one in integer if one not in self.must and self.movable(one)]

    def movable(self, one: Assignment) -> bool:
        return self.wishes(one).move == "allow"

    def wishes(self, one: Assignment) -> ResolvedWishes:
        return resolve(self.state.policy.wishes, one.request.wishes)

    def oracle(self, one: Assignment, movers: list[Assignment]) -> Oracle:
        """The choice of one mover on the host without all movers and without the pin."""
        state = self.state
        stay = {c for other in state.owners.values() if other not in movers for c in other.cpus | other.withheld}
        gone = stay | set(self.request.pin) | set(state.reserved) | set(one.request.forbid)
        aside = set(state.topology.isolated) if state.policy.isolated_cpus == "exclusive-only" else set()
        others = {
            cpu
            for (pod, name), held in state.remembered.items()
            if pod != one.request.pod or (name != one.request.name and not held.init)
            for cpu in cp.CpuSet.from_mask(held.cpus)
        }
        wishes = self.wishes(one)
        return Oracle(
            Question(
                state.topology,
                frozenset(set(state.usable) - gone - aside),
                len(one.cpus),
                wishes,
                others=frozenset(others - set(one.cpus | one.withheld)),
                usable=frozenset(state.usable if wishes.cores == "isolate" else state.usable - state.reserved),
                isolated_free=frozenset(aside & set(state.usable) - gone),
            )
        )

    def memory(self, cpus: set[int]) -> set[int]:
        return {self.state.topology.cpu(cpu).node for cpu in cpus}

    def seats(self, one: Assignment, movers: list[Assignment]) -> Iterator[tuple[tuple[int, ...], set[int], set[int]]]:
        oracle = self.oracle(one, movers)
        names = [element.name for element in elements(self.wishes(one))]
        bound = self.state.policy.memory_scope == "exclusive"
        for grant in oracle.grants():
            values = dict(zip(names, oracle.tuple_of(grant), strict=True))
            moves = int(bound and self.memory(grant) != self.memory(set(one.cpus)))
            summed = [int(values.get(name, 0)) for name in SUMMED]
            yield (moves, len(set(one.cpus) - grant), *summed), grant, oracle.withheld(grant)

    def ways(self, number: int) -> Iterator[tuple[tuple[int, ...], Way]]:
        for some in combinations(self.others, number):
            movers = [*self.must, *some]
            for way in product(*(list(self.seats(one, movers)) for one in movers)):
                claims = [grant | withheld for _, grant, withheld in way]
                if sum(map(len, claims)) == len(set().union(*claims)):
                    cost = tuple(map(sum, zip(*(cost for cost, _, _ in way), strict=True)))
                    yield cost, [(one, grant, idle) for one, (_, grant, idle) in zip(movers, way, strict=True)]

    def after(self, way: Way) -> cp.HostState:
        moved = [evolve(one, cpus=cp.CpuSet(cpus), withheld=cp.CpuSet(idle)) for one, cpus, idle in way]
        return with_owner(replaced(self.state, *moved), Assignment(self.request, self.request.pin))

    def legal(self, way: Way) -> bool:
        after = self.after(way)
        pool, left = set(self.state.pool), set(after.pool)
        if pool - left and len(left) < self.state.policy.min_shared_cpus:
            return False
        if pool - left and any(not left - set(request.forbid) for request in self.state.shared.values()):
            return False
        return (in_one_step if self.once else ordered)(self.state, after) is not None

    def has_room(self, holders: tuple[str, ...]) -> bool:
        """Whether some containers have seats apart on the host without the others that could move."""
        held = [one for one in (*self.must, *self.others) if one.container_id in holders]
        rest = {one.container_id for one in (*self.must, *self.others) if one not in held}
        state = evolve(self.state, owners={k: one for k, one in self.state.owners.items() if k not in rest})
        alone = Exhaustive(state, self.request)
        alone.must, alone.others = held, []
        return next(alone.ways(0), None) is not None

    def cost(self, answer: Cleared) -> tuple[object, ...]:
        """(others that move, cost, ids) of an answer, which has to be legal."""
        before = [self.state[one.container_id] for one in answer.movers]
        number = sum(one not in self.must for one in before)
        way = [(old, set(new.cpus), set(new.withheld)) for old, new in zip(before, answer.movers, strict=True)]
        assert self.legal(way)
        costs = [
            next(cost for cost, grant, idle in self.seats(old, before) if (grant, idle) == (cpus, withheld))
            for old, cpus, withheld in way
        ]
        return number, tuple(map(sum, zip(*costs, strict=True))), self.ids(way)

    def ids(self, way: Way) -> tuple[tuple[int, ...], ...]:
        """The CPUs of the movers, in the order in which they came."""
        grants = {one.container_id: tuple(sorted(grant)) for one, grant, _ in way}
        return tuple(grants[key] for key in self.state.owners if key in grants)

    def least(self) -> tuple[object, ...] | None:
        """(others that move, cost, ids) of the best way, None without any."""
        if not all(self.movable(one) for one in self.must):
            return None
        for number in range(len(self.others) + 1):
            for cost, way in sorted(self.ways(number), key=lambda found: (found[0], self.ids(found[1]))):
                if self.legal(way):
                    return number, cost, self.ids(way)
        return None


@given(conflicts(), booleans())
def test_the_way_found_is_the_least_there_is(conflict: tuple[cp.HostState, cp.ContainerRequest], once: bool) -> None:
    check_least(*conflict, once=once)


@st.composite
def knots(draw: st.DrawFn) -> tuple[cp.HostState, cp.ContainerRequest]:
    """Containers that have to stay together or take whole cores, several of which are met by one pin."""
    wishes = [cp.Wishes(numa="require-one"), cp.Wishes(cores="require-full"), cp.Wishes(cores="isolate"), cp.Wishes()]
    state = cp.HostState.empty(draw(sampled_from(REGULAR)), cp.Policy(min_shared_cpus=0, search_budget=PLENTY))
    for number in range(3):
        asked = draw(sampled_from(wishes))
        state = taken_over(state, cp.ContainerRequest.integer(f"i{number}", draw(integers(1, 2)), wishes=asked))
    met = draw(st.permutations(sorted(state.owners)))[: draw(integers(2, 3))]
    cpus = cp.CpuSet(draw(sampled_from(sorted(state[key].cpus))) for key in met)
    return state, cp.ContainerRequest.pinned("pin", cpus, exclusive=True)


@given(knots())
def test_several_that_are_in_each_others_way_find_the_least_there_is(
    conflict: tuple[cp.HostState, cp.ContainerRequest],
) -> None:
    check_least(*conflict, once=False)


def check_least(state: cp.HostState, request: cp.ContainerRequest, *, once: bool) -> None:
    every = Exhaustive(state, request, once=once)
    answer, best = clear(state, request, Manner(state if once else None)), every.least()
    assert isinstance(answer, Cleared) == (best is not None), (answer, best)
    if isinstance(answer, Cleared):
        assert answer.optimal and every.cost(answer) == best
    check_refusal(every, answer)
    assert not isinstance(answer, cp.SearchBudgetSpent)


def check_refusal(every: Exhaustive, answer: Cleared | cp.Refusal) -> None:
    """Whom `Impossible` names have no room together, whoever else makes way."""
    if isinstance(answer, cp.Impossible):
        assert not every.has_room(answer.holders), answer


@given(conflicts(), integers(1, 120))
def test_a_small_budget_proves_nothing_that_is_wrong(
    conflict: tuple[cp.HostState, cp.ContainerRequest], budget: int
) -> None:
    state, request = conflict
    every = Exhaustive(state, request)
    answer = clear(evolve(state, ground=state.ground.with_budget(budget)), request)
    best = every.least()
    if isinstance(answer, Cleared):
        assert best is not None
        assert every.cost(answer) == best if answer.optimal else every.cost(answer) >= best
        return
    check_refusal(every, answer)
    if isinstance(answer, cp.SearchBudgetSpent):
        assert answer.budget == budget
    else:
        assert best is None, answer


@given(integers(1, 4), integers(0, 2), st.data())
def test_assigning_is_the_least_of_all_permutations(rows: int, more: int, data: st.DataObject) -> None:
    row = st.lists(integers(0, 9), min_size=rows + more, max_size=rows + more)
    costs = data.draw(st.lists(row, min_size=rows, max_size=rows))
    chosen = assign(costs)
    assert len(set(chosen)) == rows
    least = min(
        sum(line[column] for line, column in zip(costs, some, strict=True))
        for some in permutations(range(rows + more), rows)
    )
    assert sum(costs[number][column] for number, column in enumerate(chosen)) == least
