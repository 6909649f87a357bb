"""R9: whatever runs, synchronizing leads to a state without violations, loses nobody, and then has nothing to do."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.state import Assignment
from cpuplace.transitions import with_owner
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts
from laws.worlds import requests, states


def observed(state: cp.HostState) -> list[cp.Observed]:
    """What a runtime would tell of a state that was carried out."""
    return [
        cp.Observed(request=one.request, cpus=one.cpus, mems=one.mems, baseline=one.baseline)
        for one in state.assignments.values()
    ]


def carried_out(plan: cp.Plan, steps: int, running: dict[str, cp.Held]) -> dict[str, cp.Held]:
    """Who holds what after the first steps of a plan."""
    running = dict(running)
    for step in plan.steps[:steps]:
        if step.after is None:
            del running[step.container_id]
        else:
            running[step.container_id] = step.after
    return running


@given(states())
def test_what_is_legal_stays_and_there_is_nothing_to_do(state: cp.HostState) -> None:
    if state.told == state.pool_mask:  # else what lazy widening has put off is made up for
        assert cp.synchronize(state, observed(state)).is_empty
    fresh = cp.HostState.empty(state.topology, state.policy)
    plan = cp.synchronize(fresh, observed(state))
    assert plan.steps == () or state.policy.widen == "lazy"
    for key, one in state.assignments.items():
        assert plan.after[key].cpus == one.cpus or one.kind is cp.Kind.SHARED, key
        assert plan.after[key].withheld == one.withheld
    assert cp.violations(plan.after) == ()


@given(states(), st.data())
def test_after_a_crash_at_any_step_of_any_plan(state: cp.HostState, data: st.DataObject) -> None:
    answer = cp.place(state, data.draw(requests("new", host=state.topology)))
    keys = sorted(state.assignments)
    plan = answer if isinstance(answer, cp.Plan) else cp.release(state, data.draw(sampled_from(keys)) if keys else "x")
    running = {key: one.held for key, one in state.assignments.items()}
    crashed = carried_out(plan, data.draw(integers(0, len(plan.steps))), running)
    seen = [
        cp.Observed(request=(plan.after if key in plan.after else state)[key].request, cpus=held.cpus, mems=held.mems)
        for key, held in crashed.items()
    ]
    for start in (state, cp.HostState.empty(state.topology, state.policy)):
        check_mended(start, seen)


def check_mended(start: cp.HostState, seen: list[cp.Observed]) -> None:
    plan = cp.synchronize(start, seen)
    mended = cp.apply(start, plan)
    assert set(mended.assignments) == {one.request.container_id for one in seen}
    assert cp.violations(mended) == ()
    for order in (1, -1):  # in whichever they are told of
        again = cp.synchronize(mended, observed(mended)[::order])
        assert again.is_empty, [
            (name, getattr(mended, name), getattr(again.after, name))
            for name in ("owners", "shared", "remembered", "told", "apart", "low_pool")
            if getattr(mended, name) != getattr(again.after, name)
        ]


@given(states(), st.data())
def test_any_world_is_mended(state: cp.HostState, data: st.DataObject) -> None:
    """Containers on any CPUs at all: other people's, none, too many, offline ones."""
    ids = sorted(cpu.id for cpu in state.topology.cpus)
    some = st.sets(sampled_from(ids)).map(cp.CpuSet)
    seen = []
    for number in range(data.draw(integers(0, 5))):
        request = data.draw(requests(f"c{number}", host=state.topology))
        if data.draw(integers(0, 5)) == 0:
            request = cp.ContainerRequest.unmanaged(f"c{number}", cpus=data.draw(some))
        seen.append(cp.Observed(request=request, cpus=data.draw(some)))
    online = cp.CpuSet(data.draw(st.sets(sampled_from(ids), min_size=1)))
    for start in (state, cp.HostState.empty(state.topology, state.policy)):
        check_mended(start, seen)
        if online & start.usable:
            check_mended(cp.change_topology(start, start.topology.with_online(online)).after, seen)


@given(hosts(), st.data())
def test_who_has_what_it_may_have_alone_stays(host: cp.Topology, data: st.DataObject) -> None:
    some = st.sets(sampled_from(sorted(host.online)), min_size=1, max_size=3).map(cp.CpuSet)
    reserved = data.draw(some)
    empty = cp.HostState.empty(host, cp.Policy(reserved=reserved))
    runs = [data.draw(some) for _ in range(data.draw(integers(2, 4)))]
    wanted = [cp.ContainerRequest.integer(f"c{n}", len(cpus)) for n, cpus in enumerate(runs)]
    world = [cp.Observed(request=one, cpus=cpus) for one, cpus in zip(wanted, runs, strict=True)]
    after = cp.synchronize(empty, world).after
    for number, cpus in enumerate(runs):
        others = cp.CpuSet(cpu for other in runs[:number] + runs[number + 1 :] for cpu in other)
        assert after[f"c{number}"].cpus == cpus or not cpus <= empty.free - others, (number, runs, reserved)


@given(states(), st.data())
def test_whose_cpusets_were_reset_get_back_what_they_had(state: cp.HostState, data: st.DataObject) -> None:
    """To none of their own, or to everything: what we gave is among it, so nobody has a reason to be elsewhere."""
    reset = sampled_from([cp.CpuSet(), state.topology.online])
    seen = [evolve(one, cpus=data.draw(reset)) if data.draw(booleans()) else one for one in observed(state)]
    after = cp.synchronize(state, seen).after
    for key, one in state.owners.items():
        assert after[key].held == one.held, key
        assert after[key].withheld == one.withheld, key


@pytest.mark.parametrize("order", [1, -1])
def test_who_has_to_move_takes_nothing_from_who_need_not(order: int) -> None:
    empty = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=6), cp.Policy(reserved=cp.CpuSet([0])))
    world = [seen(cp.ContainerRequest.integer("bad", 2), "0-1"), seen(cp.ContainerRequest.integer("good", 1), "2")]
    after = cp.synchronize(empty, world[::order]).after
    assert (str(after["bad"].cpus), str(after["good"].cpus)) == ("1,3", "2")


HOST = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
EMPTY = cp.HostState.empty(HOST)


def seen(request: cp.ContainerRequest, cpus: str) -> cp.Observed:
    return cp.Observed(request=request, cpus=cp.CpuSet.parse(cpus))


def test_two_containers_on_the_same_cpus_the_first_keeps_them() -> None:
    plan = cp.synchronize(
        EMPTY, [seen(cp.ContainerRequest.integer("a", 2), "0,4"), seen(cp.ContainerRequest.integer("b", 2), "0,4")]
    )
    assert (str(plan.after["a"].cpus), str(plan.after["b"].cpus)) == ("0,4", "1,5")
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.MOVE, "b")]


def test_an_isolated_container_leaves_a_cpu_that_may_not_be_used() -> None:
    """Its idle sibling may be, which is not enough."""
    here = cp.HostState.empty(HOST, cp.Policy(usable=HOST.online - cp.CpuSet([4])))
    request = cp.ContainerRequest.integer("a", 1, wishes=cp.Wishes(cores="isolate"))
    plan = cp.synchronize(here, [cp.Observed(request=request, cpus=cp.CpuSet([4]))])
    assert str(plan.after["a"].cpus) == "0" and cp.violations(plan.after) == ()


def test_nobody_keeps_a_forbidden_cpu_because_a_stranger_runs_there_too() -> None:
    stranger = seen(cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet([0])), "0")
    picky = cp.ContainerRequest.integer("a", 2, forbid=cp.CpuSet([0]))
    plan = cp.synchronize(EMPTY, [stranger, seen(picky, "0,4")])
    assert cp.violations(plan.after) == () and str(plan.after["a"].cpus) == "1,4"


def test_who_has_a_kernel_isolated_cpu_keeps_it_where_a_stranger_runs_too() -> None:
    state = cp.HostState.empty(evolve(HOST, isolated=cp.CpuSet([3])))
    wishing = cp.ContainerRequest.integer("a", 1, wishes=cp.Wishes(isolated="prefer"))
    stranger = cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet([3]))
    for request in (wishing, stranger):
        state = cp.apply(state, cp.place(state, request).unwrap())
    assert str(state["a"].cpus) == "3"
    assert cp.synchronize(state, observed(state)).is_empty
    assert cp.change_topology(state, state.topology.with_online(HOST.online - cp.CpuSet([0]))).after["a"] == state["a"]


@pytest.mark.parametrize("had", ["0", "0-7"])
def test_who_has_its_pin_keeps_it_where_a_stranger_runs_too(had: str) -> None:
    pin = cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True)
    stranger = cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet([0]))
    state = cp.apply(EMPTY, cp.place_all(EMPTY, [pin, stranger]).unwrap())
    runs = [seen(stranger, "0"), seen(pin, had)]
    assert cp.synchronize(state, runs).after is state
    anew = cp.synchronize(EMPTY, runs)
    assert (str(anew.after["p"].cpus), anew.after["p"].degraded) == ("0", "")
    assert anew.notes == ("u: not managed, runs on exclusive CPUs 0",)
    apart = cp.synchronize(state, runs, leave_strangers=True).after["p"]
    assert apart.degraded == "the pin 0 meets CPUs 0 of u"


def test_whom_we_gave_the_cpus_keeps_them() -> None:
    state = cp.apply(EMPTY, cp.place(EMPTY, cp.ContainerRequest.integer("b", 2)).unwrap())
    plan = cp.synchronize(
        state, [seen(cp.ContainerRequest.integer("a", 2), "0,4"), seen(cp.ContainerRequest.integer("b", 2), "0,4")]
    )
    assert (str(plan.after["a"].cpus), str(plan.after["b"].cpus)) == ("1,5", "0,4")


def test_containers_created_while_we_were_away_get_their_cpus() -> None:
    runs = [
        cp.Observed(request=cp.ContainerRequest.integer("a", 2)),
        cp.Observed(request=cp.ContainerRequest.shared("s")),
    ]
    plan = cp.synchronize(EMPTY, runs)
    assert str(plan.after["a"].cpus) == "0,4" and str(plan.after["s"].cpus) == "1-3,5-7"
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.NARROW, "s"), (cp.Op.NARROW, "a")]


def test_who_is_gone_is_released_and_remembered() -> None:
    request = cp.ContainerRequest.integer("i", 1, pod="p", name="m", wishes=cp.Wishes(cores="isolate"))
    isolated = cp.synchronize(cp.apply(EMPTY, cp.place(EMPTY, request).unwrap()), []).after
    assert str(cp.CpuSet.from_mask(isolated.remembered["p", "m"].cpus)) == "0,4"
    state = cp.apply(EMPTY, cp.place(EMPTY, cp.ContainerRequest.integer("a", 2, pod="p", name="m")).unwrap())
    plan = cp.synchronize(state, [])
    assert not plan.after.assignments and not plan.is_empty and ("p", "m") in plan.after.remembered
    back = cp.synchronize(plan.after, [seen(cp.ContainerRequest.integer("a2", 2, pod="p", name="m"), "0,4")])
    assert not back.after.remembered


def test_a_kubelet_that_reset_our_cpusets_is_mended() -> None:
    state = EMPTY
    for request in (cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("s")):
        state = cp.apply(state, cp.place(state, request).unwrap())
    reset = [seen(one.request, "0-7") for one in state.assignments.values()]
    plan = cp.synchronize(state, reset)
    assert not plan.is_empty and [step.op for step in plan.steps] == [cp.Op.NARROW, cp.Op.NARROW]
    assert {key: one.held for key, one in plan.after.assignments.items()} == {
        key: one.held for key, one in state.assignments.items()
    }


def test_a_reset_container_returns_to_its_cpus_though_better_ones_are_free_by_now() -> None:
    state = EMPTY
    for key in ("gone", "b"):
        state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer(key, 2)).unwrap())
    state = cp.apply(state, cp.release(state, "gone"))
    for cpus in ("", "0-7"):
        assert str(cp.synchronize(state, [seen(state["b"].request, cpus)]).after["b"].cpus) == "1,5"


def test_who_has_too_few_takes_nothing_from_another_who_has_too_few() -> None:
    host = cp.Topology.uniform(cores_per_l3=3)
    wide = cp.ContainerRequest.integer("wide", 3)
    late = cp.ContainerRequest.integer("late", 2, forbid=cp.CpuSet([1, 2]))
    empty = cp.HostState.empty(host, cp.Policy(min_shared_cpus=0))
    plan = cp.synchronize(empty, [seen(wide, "1-2"), seen(late, "0-1")])
    assert [str(plan.after[key].cpus) for key in ("wide", "late")] == ["1-2", "0"]
    assert cp.synchronize(plan.after, [seen(wide, "1-2"), seen(late, "0")]).is_empty


def test_who_became_shared_keeps_nobody_from_its_cpus() -> None:
    empty = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=3))
    state = cp.apply(empty, cp.place(empty, cp.ContainerRequest.integer("a", 2)).unwrap())
    plan = cp.synchronize(
        state, [seen(cp.ContainerRequest.shared("a"), "0-1"), seen(cp.ContainerRequest.integer("b", 2), "")]
    )
    assert [str(plan.after[key].cpus) for key in "ab"] == ["2", "0-1"]


def test_who_waits_on_the_last_cpu_of_the_pool_keeps_it() -> None:
    empty = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=3), cp.Policy(min_shared_cpus=0))
    waits = cp.ContainerRequest.integer("waits", 1, wishes=cp.Wishes(isolated="require"))
    short = cp.ContainerRequest.integer("short", 3)
    after = cp.synchronize(empty, [seen(waits, ""), seen(short, "")]).after
    assert [str(after[key].cpus) for key in ("waits", "short")] == ["2", "0-1"]
    assert cp.synchronize(after, [seen(short, "0-1"), seen(waits, "2")]).is_empty


def test_memory_is_bound_as_if_it_had_been_placed_here() -> None:
    for policy in (cp.Policy(memory_scope="exclusive"), cp.Policy(memory_scope="exclusive", memory_policy="preferred")):
        empty = cp.HostState.empty(HOST, policy)
        for request in (
            cp.ContainerRequest.pinned("c", cp.CpuSet([0]), exclusive=True),
            cp.ContainerRequest.integer("c", 1),
        ):
            placed = cp.place(empty, request).unwrap().after["c"]
            found = cp.synchronize(empty, [cp.Observed(request=request, cpus=placed.cpus)]).after["c"]
            assert (found.mems, found.preferred) == (placed.mems, placed.preferred) != (None, None)


def test_what_cannot_be_mended_is_noted() -> None:
    pins = [
        seen(cp.ContainerRequest.pinned("p", cp.CpuSet.parse("0-1"), exclusive=True), "0-1"),
        seen(cp.ContainerRequest.pinned("q", cp.CpuSet.parse("1-2"), exclusive=True), "1-2"),
        seen(cp.ContainerRequest.pinned("r", cp.CpuSet.parse("99"), exclusive=True), "3"),
        seen(cp.ContainerRequest.integer("a", 9), "4-7"),
        seen(cp.ContainerRequest.integer("b", 1, forbid=cp.CpuSet.parse("0-7")), "7"),
    ]
    plan = cp.synchronize(EMPTY, pins)
    assert sorted(note.split(":")[0] for note in plan.notes) == [*("a", "b", "b", "q", "r", "the pool has only 0 CPUs")]
    assert "it runs on the pool" in plan.notes[0] and plan.after["b"].kind is cp.Kind.SHARED
    assert "b: no CPU of the pool is left that it does not forbid, it keeps 7" in plan.notes
    assert cp.violations(plan.after) == ()


def test_integer_containers_stay_where_strangers_run_too_but_get_no_cpus_of_theirs() -> None:
    runs = [
        seen(cp.ContainerRequest.integer("a", 2), "0,4"),
        seen(cp.ContainerRequest.integer("b", 2), "1"),
        cp.Observed(request=cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet.parse("0,5"))),
    ]
    plan = cp.synchronize(EMPTY, runs)
    assert [str(plan.after[key].cpus) for key in "abu"] == ["0,4", "1-2", "0,5"]
    assert [step.container_id for step in plan.steps] == ["b"]
    assert plan.notes == ("u: not managed, runs on exclusive CPUs 0",)
    apart = cp.synchronize(EMPTY, runs, leave_strangers=True)
    assert [str(apart.after[key].cpus) for key in "abu"] == ["1,4", "2,6", "0,5"] and apart.notes == ()


def test_containers_that_run_everywhere_are_narrowed_one_after_another() -> None:
    """Each only loses CPUs, so nobody has to step aside although all run on what each will own."""
    wishes = cp.Wishes(cores="isolate")
    runs = [cp.Observed(request=cp.ContainerRequest.integer("abc"[n], 1 + (n == 2), wishes=wishes)) for n in range(3)]
    runs.append(cp.Observed(request=cp.ContainerRequest.shared("s")))
    plan = cp.synchronize(cp.HostState.empty(HOST, cp.Policy(min_shared_cpus=0)), runs)
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.NARROW, key) for key in "sabc"]


def test_two_that_hold_the_same_cpu_beside_a_stranger_do_not_both_keep_it() -> None:
    runs = [seen(cp.ContainerRequest.integer(key, 1), "0") for key in "ab"]
    runs.append(cp.Observed(request=cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet([0]))))
    plan = cp.synchronize(EMPTY, runs)
    assert [str(plan.after[key].cpus) for key in "ab"] == ["0", "4"]


def test_who_runs_on_the_pool_for_want_of_cpus_is_not_taken_for_its_owner() -> None:
    poor = cp.HostState.empty(HOST.with_online(cp.CpuSet([3])))
    runs = seen(cp.ContainerRequest.integer("a", 5), "0-1")
    once = cp.synchronize(poor, [runs]).after
    assert (once["a"].kind, str(once["a"].cpus)) == (cp.Kind.SHARED, "3")
    assert cp.synchronize(once, [seen(runs.request, "3")]).is_empty


def test_who_has_no_cpu_of_the_pool_anyway_keeps_nobody_from_the_last_one() -> None:
    """`b` forbids the only CPU there is, so `a` takes nothing from it; and the next look finds nothing to do."""
    here = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=2), cp.Policy(min_shared_cpus=0, usable=cp.CpuSet([1])))
    b = cp.ContainerRequest.integer("b", 1, forbid=cp.CpuSet([1]))
    seen = [
        cp.Observed(request=b, cpus=cp.CpuSet.parse("0-1")),
        cp.Observed(request=cp.ContainerRequest.integer("a", 1), cpus=cp.CpuSet([0])),
    ]
    known = with_owner(here, Assignment(b, cp.CpuSet([0])))
    plan = cp.synchronize(known, seen)
    assert str(plan.after["a"].cpus) == "1" and plan.after["a"].kind is cp.Kind.INTEGER
    now = [evolve(one, cpus=plan.after[one.request.container_id].cpus) for one in seen]
    assert cp.synchronize(plan.after, now).is_empty


def test_what_a_shared_container_left_behind_is_remembered_through_a_restart() -> None:
    whole = cp.ContainerRequest.integer("a", 2)
    state = cp.apply(EMPTY, cp.place(EMPTY, whole).unwrap())
    state = cp.apply(state, cp.resize(state, cp.ContainerRequest.shared("a")).unwrap())
    assert cp.synchronize(state, observed(state)).is_empty and ("a", "a") in state.remembered
