"""Rebalancing finds the least sum there is: compared with exhaustive search on small hosts; and its promises."""

from collections.abc import Iterator
from itertools import combinations, product

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.binding import bound_nodes
from cpuplace.ordering import in_one_step, ordered
from cpuplace.preference import elements
from cpuplace.rebalance_sum import COUNTED, tuple_sum
from cpuplace.resolving import resolve
from cpuplace.state import Assignment
from cpuplace.transitions import replaced
from cpuplace.wishes import ResolvedWishes
from laws.made_once import booleans, integers, sampled_from
from laws.oracle import Oracle, Question
from laws.running import carried_out, check_safe, view_of
from laws.strategies import hosts
from laws.test_reassign import PLENTY, REGULAR, taken_over
from laws.worlds import WISHES, few_cpus, states

NAMES = tuple(element.name for element in COUNTED)


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    reserved = draw(st.sets(sampled_from(sorted(host.online)), max_size=1)) if draw(booleans()) else set()
    return cp.Policy(
        reserved=cp.CpuSet(reserved),
        min_shared_cpus=draw(sampled_from([0, 0, 1, 2])),
        isolated_cpus=draw(sampled_from(["exclusive-only", "ignore", "ignore"])),
        memory_scope=draw(sampled_from(["exclusive", "pinned", "pinned"])),
        widen=draw(sampled_from(["now", "lazy"])),
        reassign="never" if draw(integers(0, 19)) == 0 else "allow",
        search_budget=PLENTY,
    )


@st.composite
def fragmented(draw: st.DrawFn, *, cpus: int = 8, most: int = 6) -> cp.HostState:
    """A host of few CPUs that was filled with containers of 1 to 3 CPUs, of which some ended."""
    host = draw(st.one_of(hosts(max_cpus=cpus, offline=False), sampled_from(REGULAR)))
    state = cp.HostState.empty(host, draw(policies(host)))
    for number in range(draw(integers(2, most))):
        wishes = draw(sampled_from(WISHES)) if draw(booleans()) else cp.Wishes()
        if draw(integers(0, 9)) == 0:
            wishes = evolve(wishes, move="never")
        forbid = draw(few_cpus) if draw(integers(0, 5)) == 0 else cp.CpuSet()
        count = draw(sampled_from([1, 1, 2, 2, 3]))
        memory = draw(sampled_from([0, 0, 2**20, 2**28]))
        request = cp.ContainerRequest.integer(f"i{number}", count, wishes=wishes, forbid=forbid, memory_bytes=memory)
        state = taken_over(state, request)
    if draw(booleans()):
        state = taken_over(state, cp.ContainerRequest.shared("s", forbid=draw(few_cpus)))
    if draw(integers(0, 4)) == 0:
        pin = cp.CpuSet(draw(st.sets(sampled_from(sorted(host.online)), min_size=1, max_size=2)))
        state = taken_over(state, cp.ContainerRequest.pinned("p", pin, exclusive=draw(booleans())))
    for key in [key for key in state.owners if draw(integers(0, 2)) == 0]:
        state = cp.apply(state, cp.release(state, key))
    return scattered(draw, state)


def scattered(draw: st.DrawFn, state: cp.HostState) -> cp.HostState:
    """The same containers, some of them anywhere they may be."""
    for one in list(state.owners.values()):
        if one.kind is cp.Kind.INTEGER and draw(integers(0, 2)):
            every = Exhaustive(state, move_memory=True, one_step=False)
            oracle = every.question(
                one, {c for o in state.owners.values() if o is not one for c in o.cpus | o.withheld}, set()
            )
            grant = draw(st.sampled_from([*oracle.grants()]))
            mems, preferred = bound_nodes(state, one.request, cp.CpuSet(grant).mask, every.wishes(one))
            idle = cp.CpuSet(oracle.withheld(grant))
            cpus = cp.CpuSet(grant)
            after = replaced(
                state, evolve(one, cpus=cpus, withheld=idle, baseline=cpus, mems=mems, preferred=preferred)
            )
            state = after if every.legal(after) and not cp.violations(after) else state
    return state


class Exhaustive:
    """Every way to move up to k containers, from the definition, in sets."""

    def __init__(self, state: cp.HostState, *, move_memory: bool, one_step: bool) -> None:
        self.state, self.one_step = state, one_step
        self.integer = [one for one in state.owners.values() if one.kind is cp.Kind.INTEGER and not one.degraded]
        self.movable = [one for one in self.integer if self.may_move(one) and (move_memory or one.mems is None)]
        self.known: dict[tuple[str, frozenset[int], frozenset[int]], tuple[int, ...]] = {}

    def wishes(self, one: Assignment) -> ResolvedWishes:
        return resolve(self.state.policy.wishes, one.request.wishes)

    def may_move(self, one: Assignment) -> bool:
        return self.state.policy.reassign == "allow" and self.wishes(one).move == "allow"

    def question(self, one: Assignment, taken: set[int], base: set[int]) -> Oracle:
        """What a container may use beside these CPUs, which others hold."""
        state = self.state
        aside = set(state.topology.isolated) if state.policy.isolated_cpus == "exclusive-only" else set()
        gone = taken | set(state.reserved) | set(one.request.forbid)
        return Oracle(
            Question(
                state.topology,
                frozenset(set(state.usable) - gone - aside - base),
                len(one.cpus),
                self.wishes(one),
                base=frozenset(base),
                usable=frozenset(state.usable),
                reserved=frozenset(state.reserved),
                isolated_free=frozenset(aside & set(state.usable) - gone - base),
            )
        )

    def value(self, one: Assignment, cpus: set[int], taken: set[int]) -> tuple[int, ...]:
        """The tuple of one container that holds these CPUs, while all hold `taken`."""
        key = one.container_id, frozenset(cpus), frozenset(taken)
        if key not in self.known:
            names = [element.name for element in elements(self.wishes(one))]
            values = dict(zip(names, self.question(one, taken, cpus).tuple_of(cpus), strict=True))
            self.known[key] = tuple(int(values.get(name, 0)) for name in NAMES)
        return self.known[key]

    def total(self, state: cp.HostState) -> tuple[int, ...]:
        taken = {cpu for one in state.owners.values() for cpu in one.cpus | one.withheld}
        rows = [self.value(state.owners[one.container_id], set(one.cpus), taken) for one in self.now(state)]
        return tuple(map(sum, zip(*rows, strict=True))) or (0,) * len(NAMES)

    def now(self, state: cp.HostState) -> list[Assignment]:
        return [state.owners[one.container_id] for one in self.integer]

    def ways(self, most: int) -> Iterator[tuple[tuple[object, ...], cp.HostState]]:
        for size in range(1, most + 1):
            for movers in combinations(self.movable, size):
                stay = [one for one in self.state.owners.values() if one not in movers]
                taken = {cpu for one in stay for cpu in one.cpus | one.withheld}
                oracles = [self.question(one, taken, set()) for one in movers]
                seats = [
                    [(grant, oracle.withheld(grant)) for grant in oracle.grants() if grant != set(one.cpus)]
                    for one, oracle in zip(movers, oracles, strict=True)
                ]
                for way in product(*seats):
                    claims = [grant | idle for grant, idle in way]
                    if sum(map(len, claims)) == len(set().union(*claims)):
                        yield self.way(movers, [(cp.CpuSet(a), cp.CpuSet(b)) for a, b in way])

    def way(
        self, movers: tuple[Assignment, ...], seats: list[tuple[cp.CpuSet, cp.CpuSet]]
    ) -> tuple[tuple[object, ...], cp.HostState]:
        moved = [evolve(one, cpus=cpus, withheld=idle) for one, (cpus, idle) in zip(movers, seats, strict=True)]
        after = replaced(self.state, *moved)
        changed = sum(len(one.cpus - cpus) for one, (cpus, _) in zip(movers, seats, strict=True))
        places = tuple(self.integer.index(one) for one in movers)
        return (self.total(after), len(movers), changed, places, tuple(tuple(cpus) for cpus, _ in seats)), after

    def legal(self, after: cp.HostState) -> bool:
        pool, left = set(self.state.pool), set(after.pool)
        if pool - left and len(left) < min(self.state.policy.min_shared_cpus, len(pool)):
            return False
        if pool - left and any(not left - set(request.forbid) for request in self.state.shared.values()):
            return False
        return (in_one_step if self.one_step else ordered)(self.state, after) is not None

    def least(self, most: int) -> tuple[object, ...]:
        """(sum, moves, CPUs changed, who, CPUs) of the best way, or of staying."""
        stay = (self.total(self.state), 0, 0, (), ())
        better = [way for way in self.ways(most) if way[0] < stay]
        return next((rank for rank, after in sorted(better, key=lambda way: way[0]) if self.legal(after)), stay)

    def rank_of(self, plan: cp.Plan) -> tuple[object, ...]:
        movers = [one for one in self.integer if plan.after[one.container_id].cpus != one.cpus]
        seats = [(plan.after[one.container_id].cpus, plan.after[one.container_id].withheld) for one in movers]
        return self.way(tuple(movers), seats)[0] if movers else (self.total(self.state), 0, 0, (), ())


@given(fragmented(), integers(1, 2), booleans(), booleans())
def test_the_sum_reached_is_the_least_there_is(
    state: cp.HostState, most: int, one_step: bool, move_memory: bool
) -> None:
    every = Exhaustive(state, move_memory=move_memory, one_step=one_step)
    plan = cp.rebalance(state, max_moves=most, one_step_per_container=one_step, move_memory=move_memory)
    assert plan.optimal
    assert tuple_sum(state) == every.total(state)
    assert every.rank_of(plan) == every.least(most)


@given(fragmented(cpus=5, most=4))
def test_three_moves_are_the_best_three(state: cp.HostState) -> None:
    every = Exhaustive(state, move_memory=False, one_step=False)
    plan = cp.rebalance(state, max_moves=3)
    assert plan.optimal
    assert every.rank_of(plan) == every.least(3)


def check_promises(state: cp.HostState, plan: cp.Plan, most: int, *, move_memory: bool, one_step: bool) -> None:
    """What holds for every answer, exact or cut."""
    after = cp.apply(state, plan)
    movers = [key for key, one in state.owners.items() if after.owners[key] is not one]
    assert plan.is_empty == (not movers)
    assert len(movers) <= most
    assert plan.is_empty or tuple_sum(after) < tuple_sum(state)
    assert after.shared == state.shared and list(after.owners) == list(state.owners)
    for key in movers:
        was, now = state.owners[key], after.owners[key]
        assert was.cpus != now.cpus and len(was.cpus) == len(now.cpus) and was.request == now.request
        assert len(was.baseline) == len(now.baseline) and was.baseline & now.cpus <= now.baseline <= now.cpus
        assert was.kind is cp.Kind.INTEGER and not was.degraded
        assert resolve(state.policy.wishes, was.request.wishes).move == "allow" and state.policy.reassign == "allow"
        assert move_memory or was.mems is None
    if cp.violations(state) == ():
        assert cp.violations(after) == ()
    view = view_of(state)
    for step in plan.steps:
        view = carried_out(view, step)
        check_safe(view, state, after)
    assert view == view_of(after)
    if one_step:
        each = [step.container_id for step in ordered(state, after, one_step_per_container=True) or ()]
        assert len(each) == len(set(each))


@given(st.one_of(fragmented(), states()), integers(0, 4), integers(0, 300), booleans(), booleans())
def test_its_promises_hold_whatever_the_budget(
    state: cp.HostState, most: int, budget: int, move_memory: bool, one_step: bool
) -> None:
    plan = cp.rebalance(
        state, max_moves=most, search_budget=budget, move_memory=move_memory, one_step_per_container=one_step
    )
    check_promises(state, plan, most, move_memory=move_memory, one_step=one_step)
    again = cp.rebalance(
        state, max_moves=most, search_budget=budget, move_memory=move_memory, one_step_per_container=one_step
    )
    assert (again.after, again.optimal, again.notes) == (plan.after, plan.optimal, plan.notes)


@given(fragmented(), integers(1, 3))
def test_repeating_it_comes_to_an_end_where_one_move_gains_nothing(state: cp.HostState, most: int) -> None:
    for _ in range(100):
        plan = cp.rebalance(state, max_moves=most)
        if plan.is_empty:
            break
        assert tuple_sum(plan.after) < tuple_sum(state)
        state = cp.apply(state, plan)
    assert cp.rebalance(state, max_moves=1).is_empty


@given(fragmented(), integers(1, 3))
def test_more_moves_never_reach_less(state: cp.HostState, most: int) -> None:
    fewer, more = (cp.rebalance(state, max_moves=number) for number in (most, most + 1))
    assert tuple_sum(more.after) <= tuple_sum(fewer.after)
