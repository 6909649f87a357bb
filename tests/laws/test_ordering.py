"""Ordering: from any legal state to any other, every prefix is safe, and "no order" is said only when there is none."""

from itertools import combinations

from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.binding import bound_nodes
from cpuplace.ordering import forced, ordered
from cpuplace.transit import Hop, Road, hopped, travel
from cpuplace.transitions import replaced
from cpuplace.wishes import PLAIN_WISHES
from laws.made_once import booleans, integers, sampled_from
from laws.running import carried_out, check_safe, crowds, op_of, taken_over, view_of
from laws.worlds import requests


@st.composite
def changes(draw: st.DrawFn) -> tuple[cp.HostState, cp.HostState]:
    """Two legal states of one host: integer containers hold other CPUs, some containers went, one came."""
    before = after = draw(crowds())
    gone = [key for key in after.assignments if draw(integers(0, 4)) == 0]
    for key in gone:
        after = cp.apply(after, cp.release(after, key))
    movers = [one for one in after.owners.values() if one.kind is cp.Kind.INTEGER and draw(integers(0, 3))]
    for one in movers:
        after = replaced(after, evolve(one, cpus=cp.CpuSet(), withheld=cp.CpuSet()))
    for one in movers:
        wide = sorted(set(after.free) - set(one.request.forbid))
        assume(len(wide) >= len(one.cpus))
        chosen = cp.CpuSet(draw(st.permutations(wide))[: len(one.cpus)])
        mems, preferred = bound_nodes(after, one.request, chosen.mask, PLAIN_WISHES)
        after = replaced(after, evolve(one, cpus=chosen, withheld=cp.CpuSet(), mems=mems, preferred=preferred))
    after = taken_over(after, draw(requests("new", most=2, host=after.topology))) if draw(booleans()) else after
    assume(all(one.cpus for one in after.assignments.values() if one.kind is cp.Kind.SHARED))
    assume(not after.apart)
    return before, after


@given(changes(), booleans(), booleans())
def test_every_prefix_is_safe_and_the_end_is_the_plan(
    change: tuple[cp.HostState, cp.HostState], once: bool, dip: bool
) -> None:
    before, after = change
    steps = ordered(before, after, one_step_per_container=once, allow_dip=dip)
    if steps is None:
        return
    view = view_of(before)
    for step in steps:
        assert step.before != step.after and step.op is op_of(step.before, step.after)
        view = carried_out(view, step)
        check_safe(view, before, after, dip=dip)
    assert view == view_of(after)
    each = [step.container_id for step in steps]
    movers = [key for key in each if key in before.owners and key in after.owners]
    assert all(each.count(key) <= (1 if once else 2) for key in (each if once else movers))
    bound = [key for _, key, was, will in steps if was and will and was[1:] != will[1:]]
    assert len(bound) == len(set(bound))


PLENTY = cp.Topology.uniform(cores_per_l3=6)


def put(*wanted: cp.ContainerRequest) -> cp.HostState:
    state = cp.HostState.empty(PLENTY, cp.Policy(min_shared_cpus=0))
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def moved(state: cp.HostState, **to: str) -> cp.HostState:
    return replaced(state, *(evolve(state[key], cpus=cp.CpuSet.parse(cpus)) for key, cpus in to.items()))


@given(st.sets(integers(0, 5), min_size=1, max_size=4), st.data())
def test_shared_containers_change_in_one_step_where_there_is_one(old: set[int], data: st.DataObject) -> None:
    new = data.draw(st.sets(sampled_from(sorted({*range(6)} - old)), min_size=1, max_size=5 - len(old)))
    before = put(cp.ContainerRequest.pinned("old", cp.CpuSet(old), exclusive=True), cp.ContainerRequest.shared("s"))
    gone = cp.apply(before, cp.release(before, "old"))
    pin = cp.ContainerRequest.pinned("new", cp.CpuSet(new), exclusive=True)
    after = cp.apply(gone, cp.place(gone, pin).unwrap())
    two, one = ordered(before, after), ordered(before, after, one_step_per_container=True)
    assert one is not None and two is not None
    assert [step.op.value for step in one] == ["release", "move", "grant"]
    assert [step.op.value for step in two] == ["release", "narrow", "grant", "widen"]
    assert cp.Plan(before=before, after=after, one_step_per_container=True).steps == one


def test_in_one_step_nobody_changes_places_with_shared_containers() -> None:
    before = put(cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("s"))
    after = moved(before, a="2-3")
    assert ordered(before, after) is not None
    assert ordered(before, after, one_step_per_container=True) is None


def test_who_steps_aside_leaves_every_shared_container_a_cpu() -> None:
    pair = (cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.integer("b", 2))
    assert ordered(put(*pair), moved(put(*pair), a="2-3", b="0-1")) is not None
    crowded = put(*pair, cp.ContainerRequest.shared("s"))
    assert ordered(crowded, moved(crowded, a="2-3", b="0-1")) is None


def test_who_steps_aside_may_do_so_onto_cpus_that_it_is_to_get() -> None:
    """So that others can use what it leaves: here "b" goes to 2 and 6-7 first, and CPU 3 is free for "a"."""
    before = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=8), cp.Policy(min_shared_cpus=0))
    for key, count in (("a", 1), ("b", 3), ("c", 2)):
        before = cp.apply(before, cp.place(before, cp.ContainerRequest.integer(key, count)).unwrap())
    steps = ordered(before, moved(before, a="4", b="5-7", c="0-1"))
    assert steps is not None
    assert [(step.container_id, str(step.after.cpus)) for step in steps if step.after] == [
        ("b", "2,6-7"),
        ("a", "3"),
        ("c", "0-1"),
        ("a", "4"),
        ("b", "5-7"),
    ]


@given(st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=2, max_size=5, unique=True))
def test_who_comes_or_goes_together_does_so_in_order(names: list[str]) -> None:
    empty = put()
    plan = cp.place_all(empty, [cp.ContainerRequest.integer(name, 1, pod="p") for name in names]).unwrap()
    assert [step.container_id for step in plan.steps] == names
    gone = ordered(plan.after, empty)
    assert gone is not None and [step.container_id for step in gone] == names


@given(changes())
def test_a_plan_takes_the_strictest_order_there_is(change: tuple[cp.HostState, cp.HostState]) -> None:
    before, after = change
    strict, dipping = ordered(before, after), ordered(before, after, allow_dip=True)
    once = ordered(before, after, one_step_per_container=True)
    steps = next(order for order in (strict, dipping, forced(before, after)) if order is not None)
    assert cp.Plan(before=before, after=after).steps == steps
    assert cp.Plan(before=before, after=after, one_step_per_container=True).steps == (steps if once is None else once)


def naive_order(before: cp.HostState, after: cp.HostState, *, dip: bool = False) -> bool:
    """Whether movers can get to their places one by one, each directly or, once, by CPUs that no one else is to get."""
    movers = [key for key, one in after.owners.items() if key in before.owners and before.owners[key].held != one.held]
    fixed = {c for key, one in before.owners.items() if key in after.owners and key not in movers for c in one.cpus}
    fixed |= {c for one in before.owners.values() for c in one.withheld}
    spare = set(cp.CpuSet.from_mask(before.ground.free_base)) - fixed
    todo = [({key: set(before[key].cpus) for key in movers}, frozenset[str]())]
    seen = []
    while todo:
        place, aside = todo.pop()
        if (place, aside) in seen:
            continue
        seen.append((place, aside))
        left = [key for key in movers if place[key] != set(after[key].cpus)]
        if not left:
            return True
        for key in left:
            others = {c for other, cpus in place.items() if other != key for c in cpus}
            wanted = {c for other in left if other != key for c in after[other].cpus}
            goal = set(after[key].cpus)
            if not goal & others:
                todo.append((place | {key: goal}, aside))
            elif key not in aside:
                room = (spare | place[key]) - others - wanted - (set(before[key].request.forbid) - place[key])
                sizes = range(1 if dip else len(goal), len(goal) + 1)
                ways = [set(some) for size in sizes for some in combinations(sorted(room), size)]
                ways = [way for way in ways if len(way) == len(goal) or way == place[key] & goal]
                todo += [(place | {key: way}, aside | {key}) for way in ways[:200]]
    return False


@given(changes(), booleans())
def test_no_order_is_said_only_when_there_is_none(change: tuple[cp.HostState, cp.HostState], dip: bool) -> None:
    """Where no shared container runs, so that only movers are in each other's way."""
    before, after = change
    for key in list(before.shared):
        before = cp.apply(before, cp.release(before, key))
        after = cp.apply(after, cp.release(after, key))
    if any(one.withheld for one in (*before.owners.values(), *after.owners.values())):
        return
    assert (ordered(before, after, allow_dip=dip) is None) == (not naive_order(before, after, dip=dip))


@given(changes())
def test_undo_from_every_prefix_leads_back(change: tuple[cp.HostState, cp.HostState]) -> None:
    before, after = change
    plan = cp.Plan(before=before, after=after)
    view = view_of(before)
    for done, step in enumerate(plan.steps):
        view = carried_out(view, step)
        back = view
        for undone in plan.undo(done + 1).steps:
            back = carried_out(back, undone)
        assert back == view_of(before)
    assert cp.apply(plan.after, plan.undo()) == before
    assert plan.undo().undo().steps == plan.steps


@given(changes())
def test_going_straight_arrives_whoever_is_in_the_way(change: tuple[cp.HostState, cp.HostState]) -> None:
    before, after = change
    view = view_of(before)
    for step in forced(before, after):
        assert step.op is op_of(step.before, step.after)
        view = carried_out(view, step)
    assert view == view_of(after)


def test_going_straight_to_quite_other_cpus_is_a_move() -> None:
    before = put(
        cp.ContainerRequest.pinned("old", cp.CpuSet([3, 4, 5]), exclusive=True), cp.ContainerRequest.shared("s")
    )
    gone = cp.apply(before, cp.release(before, "old"))
    after = cp.apply(
        gone, cp.place(gone, cp.ContainerRequest.pinned("new", cp.CpuSet([0, 1, 2]), exclusive=True)).unwrap()
    )
    assert [step.op.value for step in forced(before, after)] == ["release", "move", "grant"]


@given(st.lists(st.tuples(integers(1, 15), integers(0, 15), booleans()), max_size=4), booleans())
def test_hops_of_shared_containers_alone_are_what_the_walk_finds(ways: list[tuple[int, int, bool]], once: bool) -> None:
    hops = {f"h{at}": Hop((f"s{at}", f"t{at}"), *way) for at, way in enumerate(ways)}
    assert hopped(hops) == travel(Road(movers={}, hops=hops, spare=0, standing=()), one_step=once)
