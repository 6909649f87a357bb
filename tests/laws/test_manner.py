"""How plans may be carried out: one step per container where that is asked for, and no dip that nobody allowed."""

from collections import Counter

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from laws.made_once import booleans, integers, sampled_from
from laws.running import carried_out, check_safe, crowds, view_of
from laws.worlds import requests, states

worlds = st.one_of(states(), crowds())


@st.composite
def wanted(draw: st.DrawFn, state: cp.HostState, key: str) -> cp.ContainerRequest:
    """A request, mostly a pin that meets somebody; sometimes it takes the place of a running container."""
    request = draw(requests(key, host=state.topology))
    held = sorted(state.exclusive)
    if draw(integers(0, 2)) and held:
        cpus = draw(st.sets(sampled_from(held), min_size=1, max_size=3))
        request = cp.ContainerRequest.pinned(key, cp.CpuSet(cpus), exclusive=draw(booleans()), name=key)
    former = draw(sampled_from([*state.by_name, None])) if draw(integers(0, 3)) == 0 else None
    return request if former is None else evolve(request, pod=former[0], name=former[1])


@st.composite
def conflicts(draw: st.DrawFn, *, most: int = 1) -> tuple[cp.HostState, list[cp.ContainerRequest]]:
    state = draw(worlds)
    return state, [draw(wanted(state, f"new{number}")) for number in range(draw(integers(1, most)))]


def check_carried_out(plan: cp.Plan, *, dip: bool = False) -> None:
    view = view_of(plan.before)
    for step in plan.steps:
        view = carried_out(view, step)
        check_safe(view, plan.before, plan.after, dip=dip)
    assert view == view_of(plan.after)
    assert cp.violations(plan.after) == ()


def steps_each(plan: cp.Plan) -> int:
    """The most steps that a container has."""
    return max(Counter(step.container_id for step in plan.steps).values(), default=0)


@given(conflicts(), booleans())
def test_one_step_each_is_safe_and_refused_only_where_two_are_needed(
    conflict: tuple[cp.HostState, list[cp.ContainerRequest]], together: bool
) -> None:
    state, (request,) = conflict
    plain = cp.place(state, request)
    once = (
        cp.place_all(state, [request], one_step_per_container=True)
        if together
        else cp.place(state, request, one_step_per_container=True)
    )
    if isinstance(once, cp.Plan):
        assert once.one_step_per_container and steps_each(once) <= 1
        assert once.undo().one_step_per_container and steps_each(once.undo()) <= 1
        check_carried_out(once)
    if isinstance(plain, cp.SearchBudgetSpent):  # which says nothing of what the other search meets
        return
    if isinstance(plain, cp.Refusal) or steps_each(plain) <= 1:
        assert isinstance(once, cp.Plan) == isinstance(plain, cp.Plan)
        assert isinstance(once, cp.Refusal) or isinstance(plain, cp.Refusal) or once.after == plain.after
    elif isinstance(once, cp.Refusal):
        assert isinstance(once, cp.NoLegalMove | cp.SearchBudgetSpent), once


@given(conflicts(most=3))
def test_one_step_each_over_several_containers(conflict: tuple[cp.HostState, list[cp.ContainerRequest]]) -> None:
    state, several = conflict
    once = cp.place_all(state, several, one_step_per_container=True)
    if isinstance(once, cp.Plan):
        assert steps_each(once) <= 1
        check_carried_out(once)


@given(conflicts(most=4), booleans())
def test_nobody_has_too_few_cpus_unless_that_is_allowed(
    conflict: tuple[cp.HostState, list[cp.ContainerRequest]], allow: bool
) -> None:
    state, several = conflict
    plan = cp.place_all(state, several, allow_dip=allow)
    if isinstance(plan, cp.Plan):
        check_carried_out(plan, dip=allow)
    elif not allow:
        return
    if len(several) == 1 and isinstance(cp.place(state, several[0]), cp.Plan):
        assert isinstance(plan, cp.Plan)


@given(worlds, integers(1, 6), st.data())
def test_resizing_needs_one_step_each(state: cp.HostState, count: int, data: st.DataObject) -> None:
    keys = [key for key, one in state.assignments.items() if one.kind in (cp.Kind.INTEGER, cp.Kind.SHARED)]
    if not keys:
        return
    was = state[data.draw(sampled_from(keys))].request
    request = evolve(was, kind=cp.Kind.INTEGER, count=count, limit=count)
    plain, once = cp.resize(state, request), cp.resize(state, request, one_step_per_container=True)
    assert isinstance(plain, cp.Plan) == isinstance(once, cp.Plan)
    if isinstance(plain, cp.Plan) and isinstance(once, cp.Plan):
        assert once.after == plain.after and steps_each(once) <= 1
        if was.kind is cp.Kind.INTEGER:
            check_carried_out(once)


@given(conflicts())
def test_what_was_not_widened_can_be_widened_later(
    conflict: tuple[cp.HostState, list[cp.ContainerRequest]],
) -> None:
    state, (request,) = conflict
    lazy = cp.place(cp.release(state, next(iter(state.assignments), "")).after, request, one_step_per_container=True)
    if isinstance(lazy, cp.Refusal):
        return
    plan = cp.widen(lazy.after)
    assert {step.op for step in plan.steps} <= {cp.Op.WIDEN} and steps_each(plan) <= 1
    check_carried_out(plan)
    for request in plan.after.shared.values():
        assert plan.after[request.container_id].cpus == plan.after.pool - request.forbid
    assert cp.widen(plan.after).is_empty


def check_repair(plain: cp.Plan, once: cp.Plan) -> None:
    """What cannot be refused leads to the same state (widening may wait), and says so when somebody needs two steps."""
    assert once.after.owners == plain.after.owners and once.is_empty == plain.is_empty
    if steps_each(plain) <= 1:
        assert once.after == plain.after
    twice = [key for key, number in Counter(step.container_id for step in once.steps).items() if number > 1]
    said = [note for note in once.notes if note not in plain.notes]
    assert [note.split(":")[0] for note in said] == twice
    if steps_each(plain) <= 1:
        assert not twice
    view = view_of(once.world or once.before)
    for step in once.steps:
        view = carried_out(view, step)
    assert view == view_of(once.after)


@given(worlds, st.data())
def test_what_never_refuses_notes_who_needs_two_steps(state: cp.HostState, data: st.DataObject) -> None:
    for key in state.assignments:
        check_repair(cp.release(state, key), cp.release(state, key, one_step_per_container=True))
    for pod in {one.request.pod for one in state.assignments.values()}:
        check_repair(cp.forget_pod(state, pod), cp.forget_pod(state, pod, one_step_per_container=True))
    ids = [cpu.id for cpu in state.topology.cpus]
    online = state.topology.with_online(cp.CpuSet(data.draw(st.sets(sampled_from(ids), min_size=1))))
    check_repair(cp.change_topology(state, online), cp.change_topology(state, online, one_step_per_container=True))
    runs = [
        cp.Observed(request=one.request, cpus=cp.CpuSet(data.draw(st.sets(sampled_from(ids)))), mems=one.mems)
        for one in state.assignments.values()
    ]
    check_repair(cp.synchronize(state, runs), cp.synchronize(state, runs, one_step_per_container=True))
