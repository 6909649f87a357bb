"""R11: hardware comes and goes, nothing is refused, nothing is lost, and what is degraded is said."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from laws.made_once import integers, sampled_from
from laws.worlds import requests, states


@given(states(), st.data())
def test_any_sequence_of_offline_and_online_keeps_every_promise(state: cp.HostState, data: st.DataObject) -> None:
    everything = cp.CpuSet(cpu.id for cpu in state.topology.cpus)
    usable = state.usable
    for number in range(3):
        online = cp.CpuSet(data.draw(st.sets(sampled_from(sorted(everything)), min_size=1)))
        if not online & usable:
            continue
        plan = cp.change_topology(state, state.topology.with_online(online))
        assert set(plan.after.assignments) == set(state.assignments)
        assert cp.violations(plan.after) == ()
        check_exclusive(plan.after)
        state = cp.apply(state, plan)
        answer = cp.place(state, data.draw(requests(f"n{number}", host=state.topology)))
        if isinstance(answer, cp.Plan):
            state = cp.apply(state, answer)
            assert cp.violations(state) == ()
        for key in [key for key in state.assignments if data.draw(integers(0, 4)) == 0]:
            state = cp.apply(state, cp.release(state, key))
            assert cp.violations(state) == ()


def check_exclusive(state: cp.HostState) -> None:
    """Whatever is degraded, usable CPUs have one owner; integer ones use what is usable when anything is."""
    held = [one.cpus & state.usable for one in state.owners.values() if one.kind is cp.Kind.INTEGER]
    assert sum(map(len, held)) == len(cp.CpuSet(cpu for one in held for cpu in one))


@given(states(), st.data())
def test_who_loses_nothing_does_not_move(state: cp.HostState, data: st.DataObject) -> None:
    lost = data.draw(sampled_from(sorted(state.topology.online)))
    online = state.topology.online - cp.CpuSet([lost])
    if not online & state.usable:
        return
    plan = cp.change_topology(state, state.topology.with_online(online))
    for key, one in state.owners.items():
        if lost not in one.cpus | one.withheld:
            assert plan.after[key].cpus == one.cpus, key
    assert all(not step.after.cpus & cp.CpuSet([lost]) or step.after.cpus for step in plan.steps if step.after)


@given(states())
def test_the_same_host_again_is_the_empty_plan(state: cp.HostState) -> None:
    assert cp.change_topology(state, evolve(state.topology)).is_empty


HOST = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)


def put(*wanted: cp.ContainerRequest) -> cp.HostState:
    state = cp.HostState.empty(HOST)
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def offline(state: cp.HostState, cpus: str) -> cp.Plan:
    return cp.change_topology(state, HOST.with_online(HOST.online - cp.CpuSet.parse(cpus)))


def test_an_integer_container_leaves_offline_cpus_and_keeps_the_others() -> None:
    state = put(cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("s"))
    plan = offline(state, "4")
    assert str(plan.after["a"].cpus) == "0-1" and not plan.notes and plan.after["a"].rule == "R11"
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.NARROW, "s"), (cp.Op.MOVE, "a")]


def test_who_loses_nothing_stays_where_strangers_run_too() -> None:
    stranger = cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet([4]))
    plan = offline(put(cp.ContainerRequest.integer("a", 2), stranger), "7")
    assert str(plan.after["a"].cpus) == "0,4"


def test_all_cpus_of_one_container_gone_and_a_whole_node_gone() -> None:
    state = put(cp.ContainerRequest.integer("a", 2))
    assert str(offline(state, "0,4").after["a"].cpus) == "1,5"
    assert str(offline(state, "0-1,4-5").after["a"].cpus) == "2,6"


def test_who_has_no_cpu_left_keeps_its_old_ones_and_is_noted() -> None:
    plan = offline(put(cp.ContainerRequest.integer("a", 1, forbid=cp.CpuSet.parse("1-7"))), "0")
    assert (str(plan.after["a"].cpus), plan.notes) == ("0", ("a: has 0 usable CPUs of the 1 it asked for",))


def test_who_had_to_keep_a_forbidden_cpu_leaves_it_as_soon_as_there_is_another() -> None:
    """Also where widening waits (R7)."""
    row = cp.Topology.uniform(cores_per_l3=4)
    state = cp.HostState.empty(row, cp.Policy(widen="lazy"))
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.shared("s", forbid=cp.CpuSet.parse("0-2"))).unwrap())
    gone = cp.change_topology(state, row.with_online(cp.CpuSet.parse("0-1"))).after
    everywhere = cp.synchronize(gone, [cp.Observed(request=gone["s"].request)]).after
    assert str(everywhere["s"].cpus) == "0-1" and everywhere.low_pool
    back = cp.change_topology(everywhere, row.with_online(cp.CpuSet.parse("0-1,3"))).after
    assert (str(back["s"].cpus), back.low_pool, cp.violations(back)) == ("3", False, ())


def test_a_cpu_that_comes_back_goes_to_who_may_use_few_others() -> None:
    row = cp.Topology.uniform(cores_per_l3=4)
    runs = [
        (cp.ContainerRequest.integer("a", 2), "1-2"),
        (cp.ContainerRequest.integer("b", 2, forbid=cp.CpuSet([1, 2])), "0,3"),
    ]
    seen = [cp.Observed(request=request, cpus=cp.CpuSet.parse(cpus)) for request, cpus in runs]
    state = cp.synchronize(cp.HostState.empty(row, cp.Policy(min_shared_cpus=0)), seen).after
    down = cp.change_topology(state, row.with_online(cp.CpuSet([2, 3]))).after
    up = cp.change_topology(down, row)
    assert {key: str(one.cpus) for key, one in up.after.assignments.items()} == {"a": "1-2", "b": "0,3"}
    assert not up.notes


def test_who_has_too_many_keeps_the_first_of_them() -> None:
    row = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=4))
    seen = cp.Observed(request=cp.ContainerRequest.integer("a", 1), cpus=cp.CpuSet.parse("0-1"))
    assert str(cp.synchronize(row, [seen]).after["a"].cpus) == "0"


def test_too_few_cpus_are_noted_and_made_up_for_when_they_return() -> None:
    state = put(cp.ContainerRequest.integer("a", 6))
    poor = offline(state, "4-7")
    (note,) = poor.notes
    assert note == "a: has 3 usable CPUs of the 6 it asked for" and len(poor.after["a"].cpus) == 3
    rich = cp.change_topology(poor.after, HOST)
    assert rich.notes == () and len(rich.after["a"].cpus) == 6 and cp.violations(rich.after) == ()


def test_a_sibling_that_returns_breaks_a_whole_core() -> None:
    state = cp.HostState.empty(HOST.with_online(cp.CpuSet.parse("0-3")))
    full = cp.ContainerRequest.integer("f", 1, wishes=cp.Wishes(cores="require-full"))
    alone = cp.ContainerRequest.integer("i", 1, wishes=cp.Wishes(cores="isolate"))
    for request in (full, alone):
        state = cp.apply(state, cp.place(state, request).unwrap())
    plan = cp.change_topology(state, HOST)
    assert plan.notes == ("f: its hard wishes cannot be had any more",) and plan.after["f"].cpus == cp.CpuSet([0])
    assert (str(plan.after["i"].cpus), str(plan.after["i"].withheld)) == ("1", "5")
    assert cp.violations(plan.after) == ()


def test_fewer_whole_cores_when_their_number_cannot_be_had() -> None:
    state = cp.HostState.empty(HOST.with_online(cp.CpuSet.parse("0-3")))
    wishes = cp.Wishes(cores="require-full")
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("f", 3, wishes=wishes)).unwrap())
    plan = cp.change_topology(state, HOST)
    assert str(plan.after["f"].cpus) == "0,4"
    assert plan.notes == ("f: has 2 usable CPUs of the 3 it asked for",)


def test_pins_are_noted_not_moved() -> None:
    state = put(cp.ContainerRequest.pinned("p", cp.CpuSet.parse("0-1"), exclusive=True))
    plan = offline(state, "1")
    assert plan.after["p"].cpus == state["p"].cpus
    assert plan.notes == ("p: its pin names CPUs that cannot be used now: 1",)
    assert cp.change_topology(plan.after, HOST).notes == ()


def found(plan: cp.Plan, key: str, cpus: str) -> cp.HostState:
    """The state that is rebuilt when this container is seen on other CPUs than planned."""
    one = plan.after[key]
    return cp.synchronize(plan.after, [cp.Observed(request=one.request, cpus=cp.CpuSet.parse(cpus))]).after


def test_a_pin_that_had_to_run_elsewhere_gets_its_list_when_that_returns() -> None:
    pin = cp.ContainerRequest.pinned("p", cp.CpuSet.parse("1"), exclusive=True)
    elsewhere = found(offline(put(pin), "1"), "p", "3")
    assert (str(elsewhere["p"].cpus), bool(elsewhere["p"].degraded)) == ("3", True)
    back = cp.change_topology(elsewhere, HOST)
    assert (str(back.after["p"].cpus), back.notes, cp.violations(back.after)) == ("1", (), ())


def test_a_pin_that_had_to_run_elsewhere_waits_for_who_holds_its_list() -> None:
    pin = cp.ContainerRequest.pinned("p", cp.CpuSet.parse("0-1"), exclusive=True)
    elsewhere = found(offline(put(pin), "1"), "p", "3")
    held = cp.place(elsewhere, cp.ContainerRequest.integer("a", 1, forbid=cp.CpuSet.parse("2-7"))).unwrap()
    back = cp.change_topology(held.after, HOST)
    assert (str(back.after["p"].cpus), back.notes) == ("3", ("p: others hold CPUs of its pin 0-1",))
    freed = cp.change_topology(cp.release(back.after, "a").after, HOST.with_online(cp.CpuSet.parse("0-6")))
    assert (str(freed.after["p"].cpus), freed.notes, cp.violations(freed.after)) == ("0-1", (), ())


def test_pins_that_overlap_stay_noted_when_the_host_changes() -> None:
    pins = [cp.ContainerRequest.pinned(key, cp.CpuSet.parse("0-1"), exclusive=True) for key in "pq"]
    state = cp.synchronize(put(), [cp.Observed(request=one, cpus=one.pin) for one in pins]).after
    plan = offline(state, "7")
    assert [note.split(":")[0] for note in plan.notes] == ["q"] and cp.violations(plan.after) == ()


def test_the_last_cpu_of_the_pool_goes_and_nobody_is_told_of_nothing() -> None:
    state = put(cp.ContainerRequest.integer("a", 7), cp.ContainerRequest.shared("s"))
    last = str(state["s"].cpus)
    plan = offline(state, last)
    assert plan.notes[-1] == "the pool has only 0 CPUs" and plan.after["s"].cpus == state["s"].cpus
    assert not plan.steps and cp.violations(plan.after) == ()
    back = cp.change_topology(plan.after, HOST)
    assert not back.notes and cp.violations(back.after) == () and not back.after.low_pool


def test_a_picky_container_keeps_what_it_had_when_its_cpus_go() -> None:
    forbid = cp.CpuSet.parse("1-7")
    state = put(cp.ContainerRequest.shared("s", forbid=forbid), cp.ContainerRequest.unmanaged("u"))
    plan = offline(state, "0")
    assert str(plan.after["s"].cpus) == "0" and plan.after.low_pool and cp.violations(plan.after) == ()
    assert cp.release(plan.after, "s").after.assignments.keys() == {"u"}


def test_another_host_is_bad_input() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(reserved=cp.CpuSet([7])))
    with pytest.raises(cp.BadInput, match="does not have: 7"):
        cp.change_topology(state, cp.Topology.uniform(cores_per_l3=4))
