"""Plans carried over: exactly the CPUs they say, or a refusal that names who or what is in the way."""

from attrs import evolve
from hypothesis import given

import cpuplace as cp
from cpuplace.as_planned import as_planned, wanted_of
from cpuplace.diffing import snapshot
from cpuplace.synchronizing import Observed
from laws.worlds import states

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


def held_in(state: cp.HostState) -> list[Observed]:
    return [
        Observed(request=one.request, cpus=one.cpus, mems=one.mems, baseline=one.baseline)
        for one in state.assignments.values()
    ]


def holdings(state: cp.HostState) -> dict[str, object]:
    return {key: (one.kind, one.cpus, one.mems, one.withheld) for key, one in state.owners.items()}


@given(states())
def test_a_state_is_made_again_on_the_idle_host(state: cp.HostState) -> None:
    idle = cp.HostState.empty(state.topology, state.policy)
    answer = as_planned(idle, held_in(state))
    assert isinstance(answer, cp.Plan)
    assert holdings(answer.after) == holdings(state)
    assert set(answer.after.shared) == set(state.shared)
    assert cp.violations(answer.after) == ()


@given(states())
def test_what_is_there_already_is_the_empty_plan(state: cp.HostState) -> None:
    answer = as_planned(state, held_in(state))
    assert isinstance(answer, cp.Plan)
    assert answer.is_empty


def test_what_waits_to_be_widened_goes_on_waiting_when_nobody_comes() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(widen="lazy"))
    for request in (cp.ContainerRequest.integer("db", 2), cp.ContainerRequest.shared("web")):
        state = cp.apply(state, cp.place(state, request).unwrap())
    state = cp.apply(state, cp.release(state, "db"))
    assert state["web"].cpus != state.pool
    answer = as_planned(state, held_in(state))
    assert isinstance(answer, cp.Plan) and answer.is_empty
    joined = as_planned(state, [integer("new", "2,10")]).unwrap()
    assert joined.after["web"].cpus == joined.after.pool


@given(states(), states())
def test_nobody_who_is_there_moves(state: cp.HostState, other: cp.HostState) -> None:
    new = [
        evolve(one, request=evolve(one.request, container_id=f"new-{one.request.container_id}", pod="new"))
        for one in held_in(other)
    ]
    answer = as_planned(state, new)
    if isinstance(answer, cp.Plan):
        assert {key: answer.after[key].cpus for key in state.owners} == {
            key: one.cpus for key, one in state.owners.items()
        }
        for one in new:
            if one.request.kind != "shared":
                assert answer.after[one.request.container_id].cpus == one.cpus
    else:
        assert answer.container_id in {one.request.container_id for one in new} | set(state.owners)


def integer(key: str, cpus: str, mems: cp.NodeSet | None = None) -> Observed:
    found = cp.CpuSet.parse(cpus)
    return Observed(request=cp.ContainerRequest.integer(key, len(found)), cpus=found, mems=mems)


def test_somebody_in_the_way_is_named() -> None:
    state = cp.HostState.empty(HOST)
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("db", 2)).unwrap())
    answer = as_planned(state, [integer("new", "8-9")])
    assert isinstance(answer, cp.PinOverlap)
    assert (answer.container_id, answer.holders) == ("new", ("db",))
    assert answer.sentence == "the plan gives it 8-9, where db is now: plan again"


def test_the_same_container_elsewhere_is_in_its_own_way() -> None:
    state = cp.HostState.empty(HOST)
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("db", 2)).unwrap())
    answer = as_planned(state, [integer("db", "2,10")])
    assert isinstance(answer, cp.PinOverlap)
    assert answer.holders == ("db",)


def test_cpus_that_are_not_to_be_had_are_named() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(reserved=cp.CpuSet([0])))
    answer = as_planned(state, [integer("new", "0,8")])
    assert isinstance(answer, cp.BadPin)
    assert (answer.wrong, answer.rule) == (cp.CpuSet([0]), "R1")


def test_memory_that_is_bound_otherwise_is_refused() -> None:
    answer = as_planned(cp.HostState.empty(HOST), [integer("new", "0,8", cp.NodeSet([0]))])
    assert isinstance(answer, cp.BadPin)
    assert answer.sentence == "the plan binds it to memory nodes 0, the policy here to none: plan again"


@given(states())
def test_a_printed_plan_is_enough(state: cp.HostState) -> None:
    idle = cp.HostState.empty(state.topology, state.policy)
    answer = as_planned(idle, wanted_of(snapshot(state)))
    if isinstance(answer, cp.Plan):
        named = {f"{one.request.pod}/{one.request.name}": (one.kind, one.cpus) for one in state.owners.values()}
        assert {key: (one.kind, one.cpus) for key, one in answer.after.owners.items()} == named
