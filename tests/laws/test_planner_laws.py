"""Laws of the planner over any state: undoing, renumbering, more room, truth of refusals, all or none."""

from itertools import combinations, product

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.wishes import PLAIN_WISHES
from laws.made_once import integers, sampled_from
from laws.oracle import Oracle, Question
from laws.worlds import requests, states


def picture(state: cp.HostState) -> object:
    """All that can be seen of who holds what."""
    return dict(state.assignments), state.free, state.pool, state.withheld, state.set_aside


@given(states(), st.data())
def test_releasing_what_was_just_placed_gives_everything_back(state: cp.HostState, data: st.DataObject) -> None:
    answer = cp.place(state, data.draw(requests("new", host=state.topology)))
    if isinstance(answer, cp.Plan) and not any(step.op is cp.Op.MOVE for step in answer.steps):  # who made way stays
        placed = cp.apply(state, answer)
        back = cp.apply(placed, cp.release(placed, "new"))
        if state.policy.widen == "now":
            assert picture(back) == picture(state)
        else:
            assert (back.free, back.pool, back.withheld) == (state.free, state.pool, state.withheld)
        assert cp.violations(back) == ()


def test_who_feeds_the_choosy_has_the_least_of_what_leaves_them_a_cpu() -> None:
    host = cp.Topology.uniform(cores_per_l3=3, threads_per_core=2, numbering="adjacent")
    foods = [cp.CpuSet(some) for size in (1, 2) for some in combinations(range(6), size)]
    for pinned, food, count in product(range(6), foods, range(1, 5)):
        pin = cp.ContainerRequest.pinned("p", cp.CpuSet([pinned]), exclusive=True)
        both = cp.place_all(cp.HostState.empty(host), [pin, cp.ContainerRequest.shared("s", forbid=host.online - food)])
        if isinstance(both, cp.Refusal):
            continue
        oracle = Oracle(Question(host, frozenset(both.after.free), count, PLAIN_WISHES))
        fed = [grant for grant in oracle.grants() if not set(both.after["s"].cpus) <= grant]
        answer = cp.place(both.after, cp.ContainerRequest.integer("x", count))
        assert isinstance(answer, cp.Plan) == bool(fed)
        assert not fed or set(answer.unwrap().after["x"].cpus) == min(fed, key=oracle.tuple_of), (pin, food, count)


@given(states(), st.data())
def test_a_refusal_tells_the_truth(state: cp.HostState, data: st.DataObject) -> None:
    request = data.draw(requests("new", most=9))
    answer = cp.place(state, request)
    fits = getattr(answer, "fits", None)
    if fits is None or request.kind is not cp.Kind.INTEGER:
        return
    assert fits < request.count
    for count in range(1, request.count):
        smaller = cp.ContainerRequest.integer(
            "new", count, pod=request.pod, name="new", wishes=request.wishes, forbid=request.forbid
        )
        placed = isinstance(cp.place(state, smaller), cp.Plan)
        assert placed if count == fits else not (placed and count > fits), (count, answer)


@given(states(), st.data())
def test_refusals_are_sentences_and_plain_values(state: cp.HostState, data: st.DataObject) -> None:
    answer = cp.place(state, data.draw(requests("new", most=12, host=state.topology)))
    if isinstance(answer, cp.Refusal):
        plain = answer.to_dict()
        assert plain["container_id"] == "new" and plain["rule"] and plain["kind"] == type(answer).__name__
        assert answer.sentence and answer.sentence in str(answer)
        assert all(isinstance(value, (str, int, list)) for value in plain.values())


@given(states(), st.lists(integers(0, 4), min_size=1, max_size=4), st.data())
def test_place_all_is_place_one_after_another_or_nothing(
    state: cp.HostState, sizes: list[int], data: st.DataObject
) -> None:
    several = [data.draw(requests(f"n{number}", host=state.topology)) for number in range(len(sizes))]
    together = cp.place_all(state, several, scope="container")
    after: cp.HostState | None = state
    for request in several:
        one = cp.place(after, request) if after is not None else None
        after = cp.apply(after, one) if after is not None and isinstance(one, cp.Plan) else None
    assert isinstance(together, cp.Plan) == (after is not None)
    if isinstance(together, cp.Plan) and after is not None:
        assert picture(together.after) == picture(after)


@given(states(), st.lists(integers(1, 4), min_size=1, max_size=3), st.data())
def test_a_pod_as_one_grant_holds_all_invariants(state: cp.HostState, counts: list[int], data: st.DataObject) -> None:
    wishes = data.draw(sampled_from([cp.Wishes(), cp.Wishes(numa="require-one"), cp.Wishes(cores="isolate")]))
    several = [
        cp.ContainerRequest.integer(f"n{i}", count, pod="new", name=f"n{i}", wishes=wishes)
        for i, count in enumerate(counts)
    ]
    together = cp.place_all(state, several, scope="pod")
    if isinstance(cp.place_all(state, several, scope="container"), cp.Plan):
        assert isinstance(together, cp.Plan)
    if isinstance(together, cp.Plan):
        assert cp.violations(together.after) == ()


@given(states(), st.data())
def test_a_pod_as_one_grant_spans_no_more_nodes_than_one_container_of_its_size(
    state: cp.HostState, data: st.DataObject
) -> None:
    counts = data.draw(st.lists(integers(1, 3), min_size=2, max_size=3))
    several = [cp.ContainerRequest.integer(f"n{i}", n, pod="new", name=f"n{i}") for i, n in enumerate(counts)]
    whole = cp.place(state, cp.ContainerRequest.integer("whole", sum(counts)))
    together = cp.place_all(state, several, scope="pod")
    if isinstance(whole, cp.Plan):
        assert isinstance(together, cp.Plan)
        held = cp.CpuSet(cpu for one in several for cpu in together.after[one.container_id].cpus)
        assert nodes(state, held) == nodes(state, whole.after["whole"].cpus)


def nodes(state: cp.HostState, cpus: cp.CpuSet) -> int:
    """NUMA nodes met; nodes with equal CPU sets count as one."""
    return len(
        {
            node.cpus
            for node in state.topology.nodes
            if state.topology.cpu(min(node.cpus or cpus)).node == node.id and node.cpus & cpus
        }
    )


def renumbered(host: cp.Topology, to: dict[int, int]) -> cp.Topology:
    """The same host with other CPU ids in the same order."""
    return evolve(
        host,
        cpus=tuple(evolve(cpu, id=to[cpu.id]) for cpu in host.cpus),
        isolated=moved(host.isolated, to),
        devices=tuple(evolve(one, local_cpus=moved(one.local_cpus, to)) for one in host.devices),
    )


def moved(cpus: cp.CpuSet, to: dict[int, int]) -> cp.CpuSet:
    return cp.CpuSet(to[cpu] for cpu in cpus if cpu in to)


@given(states(), st.data())
def test_renumbering_cpus_in_order_renumbers_the_plan(state: cp.HostState, data: st.DataObject) -> None:
    old = [cpu.id for cpu in state.topology.cpus]
    new = sorted(data.draw(st.sets(integers(0, 40), min_size=len(old), max_size=len(old))))
    to = dict(zip(old, new, strict=True))
    policy = evolve(state.policy, reserved=moved(state.policy.reserved, to))
    here, there = (
        cp.HostState.empty(state.topology, state.policy),
        cp.HostState.empty(renumbered(state.topology, to), policy),
    )
    for number in range(3):
        request = data.draw(requests(f"n{number}", host=state.topology))
        if request.pin - cp.CpuSet(old):
            continue
        other = evolve(request, pin=moved(request.pin, to), forbid=moved(request.forbid, to))
        one, two = cp.place(here, request), cp.place(there, other)
        assert isinstance(one, cp.Plan) == isinstance(two, cp.Plan)
        if isinstance(one, cp.Plan) and isinstance(two, cp.Plan):
            here, there = cp.apply(here, one), cp.apply(there, two)
            assert there[request.container_id].cpus == moved(here[request.container_id].cpus, to)


@given(states(), st.data())
def test_more_free_cpus_never_turn_a_plan_into_a_refusal(state: cp.HostState, data: st.DataObject) -> None:
    """The same host before anything was placed on it has at least the same CPUs free."""
    request = data.draw(requests("new", host=state.topology))
    owners = [key for key, one in state.assignments.items() if one.kind is cp.Kind.INTEGER]
    roomier = state
    for key in data.draw(st.sets(sampled_from(owners)) if owners else st.just(set())):
        roomier = cp.apply(roomier, cp.release(roomier, key))
    if isinstance(cp.place(state, request), cp.Plan):
        assert isinstance(cp.place(roomier, request), cp.Plan)


@given(states(), st.data())
def test_explaining_agrees_with_the_plan(state: cp.HostState, data: st.DataObject) -> None:
    answer = cp.place(state, data.draw(requests("new", host=state.topology)))
    if not isinstance(answer, cp.Plan):
        return
    reason, *moves = answer.explain().reasons
    assert all(move.rule == "R3" for move in moves)
    assert reason.container_id == "new" and reason.sentence in str(answer.explain())
    values = [tuple(value for _, value in one.measures) for one in reason.considered]
    assert values == sorted(values)
    if values and "better ones would leave" not in reason.sentence:
        assert [one.won for one in reason.considered].index(True) == 0
        assert reason.considered[0].cpus == answer.after["new"].cpus


@given(states(), st.data())
def test_a_plan_fits_the_state_it_was_made_for_and_its_equals_only(state: cp.HostState, data: st.DataObject) -> None:
    first = cp.place(state, data.draw(requests("new", host=state.topology)))
    second = cp.place(state, data.draw(requests("other", host=state.topology)))
    if isinstance(first, cp.Plan) and isinstance(second, cp.Plan):
        after = cp.apply(evolve(state), first)
        try:
            cp.apply(after, second)
        except cp.StalePlan:
            return
        raise AssertionError("two plans of one state were both applied")
