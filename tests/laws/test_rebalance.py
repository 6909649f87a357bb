"""Rebalancing finds the least sum there is: compared with exhaustive search on small fragmented hosts; and its promises."""

from collections.abc import Iterator
from itertools import combinations, product

from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.ordering import ordered
from cpuplace.preference import elements
from cpuplace.rebalance_sum import COUNTED, tuple_sum
from cpuplace.resolving import resolve
from cpuplace.state import Assignment
from cpuplace.transitions import replaced
from cpuplace.wishes import ResolvedWishes
from laws.oracle import Oracle, Question
from laws.strategies import hosts
from laws.test_ordering import carried_out, check_safe, view_of
from laws.test_reassign import PLENTY, REGULAR, taken_over
from laws.worlds import WISHES, few_cpus, states

NAMES = tuple(element.name for element in COUNTED)


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    reserved = draw(st.sets(st.sampled_from(sorted(host.online)), max_size=1)) if draw(st.booleans()) else set()
    return cp.Policy(
        reserved=cp.CpuSet(reserved),
        min_shared_cpus=draw(st.sampled_from([0, 0, 1, 2])),
        isolated_cpus=draw(st.sampled_from(["exclusive-only", "ignore", "ignore"])),
        memory_scope=draw(st.sampled_from(["exclusive", "pinned", "pinned"])),
        widen=draw(st.sampled_from(["now", "lazy"])),
        reassign="never" if draw(st.integers(0, 19)) == 0 else "allow",
        search_budget=PLENTY,
    )


@st.composite
def fragmented(draw: st.DrawFn, *, cpus: int = 8, most: int = 6) -> cp.HostState:
    """A host of few CPUs that was filled with containers of 1 to 3 CPUs, of which some ended."""
    host = draw(st.one_of(hosts(max_cpus=cpus, offline=False), st.sampled_from(REGULAR)))
    state = cp.HostState.empty(host, draw(policies(host)))
    for number in range(draw(st.integers(2, most))):
        wishes = draw(st.sampled_from(WISHES)) if draw(st.booleans()) else cp.Wishes()
        if draw(st.integers(0, 9)) == 0:
            wishes = evolve(wishes, move="never")
        forbid = draw(few_cpus) if draw(st.integers(0, 5)) == 0 else cp.CpuSet()
        count = draw(st.sampled_from([1, 1, 2, 2, 3]))
        memory = draw(st.sampled_from([0, 0, 2**20, 2**28]))
        request = cp.ContainerRequest.integer(f"i{number}", count, wishes=wishes, forbid=forbid, memory_bytes=memory)
        state = taken_over(state, request)
    if draw(st.booleans()):
        state = taken_over(state, cp.ContainerRequest.shared("s", forbid=draw(few_cpus)))
    if draw(st.integers(0, 4)) == 0:
        pin = cp.CpuSet(draw(st.sets(st.sampled_from(sorted(host.online)), min_size=1, max_size=2)))
        state = taken_over(state, cp.ContainerRequest.pinned("p", pin, exclusive=draw(st.booleans())))
    for key in [key for key in state.owners if draw(st.integers(0, 2)) == 0]:
        state = cp.apply(state, cp.release(state, key))
    return state


def sum_of(state: cp.HostState) -> dict[str, int]:
    return dict(zip(NAMES, tuple_sum(state), strict=True))


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
        return ordered(self.state, after, one_step_per_container=self.one_step) is not None

    def least(self, most: int) -> tuple[object, ...]:
        """(sum, moves, CPUs changed, who, CPUs) of the best way, or of staying."""
        stay = (self.total(self.state), 0, 0, (), ())
        better = [way for way in self.ways(most) if way[0] < stay]
        return next((rank for rank, after in sorted(better, key=lambda way: way[0]) if self.legal(after)), stay)

    def rank_of(self, plan: cp.Plan) -> tuple[object, ...]:
        movers = [one for one in self.integer if plan.after[one.container_id].cpus != one.cpus]
        seats = [(plan.after[one.container_id].cpus, plan.after[one.container_id].withheld) for one in movers]
        return self.way(tuple(movers), seats)[0] if movers else (self.total(self.state), 0, 0, (), ())


@given(fragmented(), st.integers(1, 2), st.booleans())
def test_the_sum_reached_is_the_least_there_is(state: cp.HostState, most: int, one_step: bool) -> None:
    every = Exhaustive(state, move_memory=False, one_step=one_step)
    plan = cp.rebalance(state, max_moves=most, one_step_per_container=one_step)
    assert plan.optimal
    assert tuple_sum(state) == every.total(state)
    assert every.rank_of(plan) == every.least(most)
