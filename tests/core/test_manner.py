"""The manner of a plan by example: pin by pin where no other order is safe, one step each, a dip that is allowed."""

from attrs import evolve

import cpuplace as cp
from cpuplace.ordering import ordered

ROW = cp.Topology.uniform(cores_per_l3=4)
integer, shared = cp.ContainerRequest.integer, cp.ContainerRequest.shared


def pin(key: str, cpus: str, *, exclusive: bool = True) -> cp.ContainerRequest:
    return cp.ContainerRequest.pinned(key, cp.CpuSet.parse(cpus), exclusive=exclusive)


def put(host: cp.Topology, *wanted: cp.ContainerRequest) -> cp.HostState:
    state = cp.HostState.empty(host, cp.Policy(min_shared_cpus=0))
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def said(steps: tuple[cp.Step, ...]) -> list[str]:
    return [f"{step.op} {step.container_id} {step.after.cpus if step.after else '-'}" for step in steps]


def test_two_pins_go_one_after_the_other_where_there_is_no_order_for_both_at_once() -> None:
    state = put(ROW, integer("a", 1), integer("b", 1), shared("s", forbid=cp.CpuSet([0])))
    two = [pin("p", "1", exclusive=False), pin("q", "0")]
    plan = cp.place_all(state, two).unwrap()
    assert ordered(state, plan.after) is None and ordered(state, plan.after, allow_dip=True) is None
    way = ["narrow s 3", "move b 2", "grant p 1", "widen s 1,3", "narrow s 1", "move a 3", "grant q 0"]
    assert said(plan.steps) == way
    assert plan.path == (state, *plan.stops, plan.after)
    started = cp.start_pod(state, two)
    assert isinstance(started, cp.PodStart) and said(started.plan.steps) == way
    for together in (two, [evolve(one, pod="both") for one in two]):
        refusal = cp.place_all(state, together, scope="pod", one_step_per_container=True)
        assert isinstance(refusal, cp.NoLegalMove) and refusal.missing.endswith("with one step per container")


def test_one_step_each_is_asked_across_pods_too() -> None:
    state = put(ROW, integer("i", 2), shared("s"))
    for scope in ("container", "pod"):
        together = [pin("pin", "0", exclusive=False), integer("n", 1)]  # "s" would make way for each of them
        refusal = cp.place_all(state, together, scope=scope, one_step_per_container=True)
        assert isinstance(refusal, cp.NoLegalMove) and refusal.container_id == "n"


def test_one_step_each_is_asked_of_all_steps_together() -> None:
    one_node = cp.Wishes(numa="require-one")
    host = cp.Topology.uniform(packages=2, cores_per_l3=3)
    state = put(host, integer("a", 2, wishes=one_node), integer("b", 1, wishes=one_node), shared("s"))
    several = [pin("p", "0,2"), shared("again", pod="b", name="b")]
    assert said(cp.place(state, several[0], one_step_per_container=True).unwrap().steps) == [
        "narrow s 5", "move a 3-4", "move b 1", "grant p 0,2",
    ]  # fmt: skip
    plan = cp.place_all(state, several, one_step_per_container=True).unwrap()  # "s" may win 1 later, so it waits
    assert said(plan.steps) == ["release b -", "narrow s 5", "move a 3-4", "grant p 0,2", "grant again 5"]
    assert said(cp.widen(plan.after).steps) == ["widen s 1,5", "widen again 1,5"]
    several.append(pin("q", "5"))  # now "s" would have to win 1 and lose all that it has
    refusal = cp.place_all(state, several, one_step_per_container=True)
    assert isinstance(refusal, cp.NoLegalMove) and refusal.container_id == "q"
    assert (refusal.rule, refusal.missing) == ("R3", "no order of all steps has one step per container")
    assert refusal.sentence == f"cannot be placed together with those before it: {refusal.missing}"
    assert isinstance(cp.place_all(state, several), cp.Plan)


def test_widening_waits_where_one_step_each_has_no_room_for_it() -> None:
    """The pin moves an integer container into the pool, which gets that one's former CPU in exchange."""
    state = put(cp.Topology.uniform(cores_per_l3=6), integer("a", 2), shared("s"))
    plan = cp.place(state, pin("p", "0"), one_step_per_container=True).unwrap()
    assert said(plan.steps) == ["narrow s 3-5", "move a 1-2", "grant p 0"]
    state = put(
        cp.Topology.uniform(cores_per_l3=6), integer("a", 1), shared("s"), shared("t", forbid=cp.CpuSet([2, 5]))
    )
    plan = cp.place(state, pin("p", "0", exclusive=False), one_step_per_container=True).unwrap()
    assert said(plan.steps) == ["narrow s 2-5", "narrow t 3-4", "move a 1", "grant p 0"]
    assert cp.violations(plan.after) == ()
    assert said(cp.widen(plan.after).steps) == ["widen s 0,2-5", "widen t 0,3-4"]
    assert cp.widen(cp.widen(plan.after).after).is_empty


def test_the_next_best_way_is_taken_when_the_best_needs_two_steps_for_one() -> None:
    a = integer("a", 2, wishes=cp.Wishes(numa="require-one"), forbid=cp.CpuSet([2, 4]))
    state, request = put(cp.Topology.uniform(packages=2, cores_per_l3=3), a, integer("b", 2)), pin("p", "1")
    assert said(cp.place(state, request).unwrap().steps) == ["move a 1,5", "move b 0,4", "move a 3,5", "grant p 1"]
    once = cp.place(state, request, one_step_per_container=True).unwrap()
    assert said(once.steps) == ["move b 2,4", "move a 3,5", "grant p 1"]
    assert said(once.undo().steps) == ["release p -", "move a 0-1", "move b 3-4"]


def test_idle_siblings_are_given_up_without_a_step() -> None:
    host = cp.Topology.uniform(cores_per_l3=3, threads_per_core=2, numbering="adjacent")
    alone = cp.Wishes(cores="isolate")
    state = put(host, integer("a", 1, wishes=alone), integer("b", 1, wishes=alone), shared("s"))
    way = ["move s 1", "move a 4", "grant p 0"]
    for once in (False, True):
        assert said(cp.place(state, pin("p", "0"), one_step_per_container=once).unwrap().steps) == way


def test_a_container_may_have_fewer_cpus_for_a_moment_when_that_is_allowed() -> None:
    state = put(ROW, integer("a", 3), shared("s"))
    request = pin("p", "0", exclusive=False)
    assert isinstance(cp.place(state, request), cp.NoLegalMove)
    dip = cp.place(state, request, allow_dip=True).unwrap()
    assert said(dip.steps) == ["narrow a 1-2", "move s 0", "widen a 1-3", "grant p 0"]
    assert cp.place_all(state, [request], allow_dip=True).unwrap().after == dip.after


def test_a_choice_that_was_cut_says_so() -> None:
    one_node = cp.Wishes(numa="require-one")
    state = put(cp.Topology.uniform(packages=2, cores_per_l3=2), integer("a", 2, wishes=one_node))
    assert not cp.place(state, pin("p", "0-1"), search_budget=5).unwrap().optimal
    assert cp.place(state, pin("p", "0-1")).unwrap().optimal


def test_what_never_refuses_takes_two_steps_where_it_must_and_says_so() -> None:
    one_node = cp.Wishes(numa="require-one")
    host = cp.Topology.uniform(packages=2, cores_per_l3=3)
    state = put(host, integer("a", 2, wishes=one_node), integer("b", 1), shared("s"))
    less = host.with_online(host.online - cp.CpuSet([0]))
    plan = cp.change_topology(state, less, one_step_per_container=True)
    assert said(plan.steps) == ["narrow s 5", "move a 3-4"] and plan.notes == ()
    assert said(cp.change_topology(state, less).steps) == ["narrow s 5", "move a 3-4", "widen s 1,5"]
    runs = {integer("a", 2, forbid=cp.CpuSet([3])): "0,3", shared("s"): "1"}
    seen = [cp.Observed(request=request, cpus=cp.CpuSet.parse(cpus)) for request, cpus in runs.items()]
    plan = cp.synchronize(cp.HostState.empty(ROW), seen, one_step_per_container=True)
    assert said(plan.steps) == ["move s 2", "move a 0-1", "widen s 2-3"]
    assert plan.notes == ("s: needs 2 steps, no order with one step per container is safe",)
    freed = cp.release(state, "a", one_step_per_container=True)
    assert said(freed.steps) == ["release a -", "widen s 0-1,3-5"] and freed.notes == ()
