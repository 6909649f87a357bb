"""R10: growing keeps what is held, shrinking keeps the baseline longest, nothing else moves."""

from collections.abc import Iterator
from itertools import combinations, product

from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.strangers import cpus_of_strangers
from cpuplace.wishes import PLAIN_WISHES
from laws.made_once import integers, sampled_from
from laws.oracle import Oracle, Question
from laws.worlds import requests, states


def others(state: cp.HostState, key: str) -> object:
    return {one.container_id: one.held for one in state.owners.values() if one.container_id != key}


@st.composite
def running(draw: st.DrawFn) -> tuple[cp.HostState, str]:
    """A state, and an integer container in it."""
    state = draw(states())
    answer = cp.place(state, draw(requests("new", host=state.topology)))
    state = cp.apply(state, answer) if isinstance(answer, cp.Plan) else state
    keys = [key for key, one in state.owners.items() if one.kind is cp.Kind.INTEGER]
    assume(keys)
    return state, draw(sampled_from(keys))


@given(running(), st.lists(integers(1, 8), min_size=1, max_size=3), sampled_from(["give-back", "refuse"]))
def test_resizing(world: tuple[cp.HostState, str], counts: list[int], below: str) -> None:
    state, key = world
    policy = evolve(state.policy, resize_below_baseline=below)  # type: ignore[arg-type]
    state = evolve(state, ground=evolve(state.ground, policy=policy))
    for count in counts:
        was = state[key]
        answer = cp.resize(state, evolve(was.request, count=count, limit=count))
        if isinstance(answer, cp.Refusal):
            check_refused(state, was, count, answer)
            continue
        now = answer.after[key]
        assert len(now.cpus) == count and others(answer.after, key) == others(state, key)
        assert now.baseline == was.baseline and cp.violations(answer.after) == ()
        kept = was.cpus & was.baseline
        if count >= len(was.cpus):
            assert was.cpus <= now.cpus
        elif count >= len(kept):
            assert kept <= now.cpus <= was.cpus
        else:
            assert below == "give-back" and now.cpus <= kept
        state = cp.apply(state, answer)


def check_refused(state: cp.HostState, was: cp.Assignment, count: int, answer: cp.Refusal) -> None:
    """A refusal tells what would do; only hard wishes refuse a container that wants less."""
    fits = getattr(answer, "fits", 0)
    if fits:
        assert isinstance(cp.resize(state, evolve(was.request, count=fits, limit=fits)), cp.Plan)
    if count < len(was.cpus):
        assert answer.rule in ("R10", "section 5")


@given(running())
def test_fractional_and_whole_again(world: tuple[cp.HostState, str]) -> None:
    state, key = world
    was = state[key]
    shared = cp.ContainerRequest.shared(key, pod=was.request.pod, name=was.request.name)
    assume(not was.cpus <= cp.CpuSet.from_mask(state.ground.isolated) or state.pool)  # set aside again, not shared
    assume(not was.cpus.mask & cpus_of_strangers(one.request for one in state.owners.values()))  # given to nobody again
    fractional = cp.resize(state, shared)
    if isinstance(fractional, cp.Refusal):  # kernel-isolated CPUs it gives back do not join the pool
        assert fractional.rule == "R5" and not state.pool
        return
    steps = [step for step in fractional.steps if step.container_id == key]
    now = fractional.after[key].held
    assert steps == ([] if now == was.held else [cp.Step(cp.Op.MOVE, key, was.held, now)])
    assert fractional.after[key].kind is cp.Kind.SHARED and cp.violations(fractional.after) == ()
    whole = cp.resize(fractional.after, was.request).unwrap()
    assert whole.after[key].cpus == was.cpus and cp.violations(whole.after) == ()


ROW = cp.Topology.uniform(cores_per_l3=4)
SETS = [cp.CpuSet.from_mask(mask) for mask in range(1, 1 << 4)]


def starving() -> Iterator[cp.HostState]:
    """Every way in which, beside b, s may lose all its CPUs to hardware."""
    for count, forbids, dislikes in product((2, 3), SETS, SETS):
        b, s = cp.ContainerRequest.integer("b", count, forbid=forbids), cp.ContainerRequest.shared("s", forbid=dislikes)
        both = cp.place_all(cp.HostState.empty(ROW), [b, s])
        if isinstance(both, cp.Plan):
            yield cp.change_topology(both.after, ROW.with_online(ROW.online - both.after["s"].cpus)).after


def test_who_starves_is_sent_to_nobodys_own_cpus() -> None:
    shrunk = [(one, cp.resize(one, evolve(one["b"].request, count=1, limit=1)).unwrap().after) for one in starving()]
    grown = [(one, cp.resize(one, evolve(one["b"].request, count=3, limit=3))) for one in starving()]
    both = [*shrunk, *((one, answer.after) for one, answer in grown if isinstance(answer, cp.Plan))]
    assert len(both) > 50
    for before, after in both:
        assert not (after["s"].cpus - before["s"].cpus) & after["b"].cpus, (before.assignments, after.assignments)
        assert cp.violations(after) == ()


def test_shrinking_leaves_the_best_by_what_is_free() -> None:
    """What it gives back is free then, and so is what it never held; beyond the baseline and below it."""
    host = cp.Topology.uniform(cores_per_l3=3, threads_per_core=2)
    sets = [cp.CpuSet(some) for size in (2, 3) for some in combinations(range(6), size)]
    for cpus, other, kept in product(sets, range(6), (1, 3)):
        baseline = cp.CpuSet(sorted(cpus)[:kept])
        x, y = cp.ContainerRequest.integer("x", len(cpus)), cp.ContainerRequest.integer("y", 1)
        seen = [
            cp.Observed(request=x, cpus=cpus, baseline=baseline),
            cp.Observed(request=y, cpus=cp.CpuSet([other]) - cpus),
        ]
        state = cp.synchronize(cp.HostState.empty(host), seen).after
        for count in range(1, len(cpus)):
            least = baseline if count >= len(baseline) else cp.CpuSet()
            most = cpus if least else baseline
            free = frozenset(host.online - state["y"].cpus)
            question = Question(host, free, count, PLAIN_WISHES, base=frozenset(least), barred=free - {*most})
            best = Oracle(question).best()
            now = cp.resize(state, evolve(x, count=count, limit=count)).unwrap().after["x"].cpus
            assert best is not None and set(now) == best[1], (cpus, baseline, other, count, now)


TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)


def put(*wanted: cp.ContainerRequest, **policy: object) -> cp.HostState:
    state = cp.HostState.empty(TINY, cp.Policy(**policy))  # type: ignore[arg-type]
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def test_steps_of_growing_and_shrinking() -> None:
    state = put(cp.ContainerRequest.shared("s"), cp.ContainerRequest.integer("a", 2))
    grown = cp.resize(state, cp.ContainerRequest.integer("a", 4)).unwrap()
    assert [(step.op, step.container_id) for step in grown.steps] == [(cp.Op.NARROW, "s"), (cp.Op.WIDEN, "a")]
    assert str(grown.after["a"].cpus) == "0-1,4-5" and grown.after["a"].rule == "R10"
    assert [(reason.container_id, reason.rule, reason.sentence) for reason in grown.explain().reasons] == [
        ("a", "R10", "resized from 0,4 to 0-1,4-5")
    ]
    shrunk = cp.resize(grown.after, cp.ContainerRequest.integer("a", 3)).unwrap()
    assert [(step.op, step.container_id) for step in shrunk.steps] == [(cp.Op.NARROW, "a"), (cp.Op.WIDEN, "s")]
    assert cp.CpuSet.parse("0,4") <= shrunk.after["a"].cpus


def test_what_cannot_be_resized() -> None:
    state = put(cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True), cp.ContainerRequest.shared("s"))
    assert cp.resize(state, cp.ContainerRequest.integer("p", 2)).unwrap().is_empty
    assert cp.resize(state, cp.ContainerRequest.shared("s", forbid=cp.CpuSet([7]))).unwrap().is_empty
    unknown = cp.resize(state, cp.ContainerRequest.integer("x", 2))
    assert isinstance(unknown, cp.UnknownContainer) and (unknown.container_id, unknown.rule) == ("x", "R15")
    pin = cp.resize(state, cp.ContainerRequest.pinned("s", cp.CpuSet([1]), exclusive=True))
    assert isinstance(pin, cp.AlreadyPlaced) and "cannot become pinned" in pin.sentence
    assert (pin.container_id, pin.rule) == ("s", "R15")


def test_too_much_is_refused_with_what_fits() -> None:
    refusal = cp.resize(put(cp.ContainerRequest.integer("a", 2)), cp.ContainerRequest.integer("a", 9))
    assert isinstance(refusal, cp.NotEnoughCpus) and refusal.fits == 7
    full = put(cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.integer("b", 5))
    stuck = cp.resize(full, cp.ContainerRequest.integer("a", 3))
    assert isinstance(stuck, cp.PoolExhausted) and stuck.fits == 2


def test_notes_of_the_new_request_are_notes_of_the_plan() -> None:
    request = evolve(cp.ContainerRequest.integer("a", 3), notes=("a: said twice",))
    assert cp.resize(put(cp.ContainerRequest.integer("a", 2)), request).unwrap().notes == ("a: said twice",)


def test_who_runs_on_kernel_isolated_cpus_shrinks_on_them_and_nobody_else_to_them() -> None:
    host = evolve(TINY, isolated=cp.CpuSet.parse("2-3"))
    state = cp.HostState.empty(host)
    for count, wish in ((2, "require"), (3, "prefer")):
        request = cp.ContainerRequest.integer(wish, count, wishes=cp.Wishes(isolated=wish))  # type: ignore[arg-type]
        state = cp.apply(state, cp.place(state, request).unwrap())
    assert [str(state[key].cpus) for key in ("require", "prefer")] == ["2-3", "0-1,4"]
    for key, count, cpus in (("require", 1, "2"), ("prefer", 2, "0,4")):
        request = evolve(state[key].request, count=count)
        assert str(cp.resize(state, request).unwrap().after[key].cpus) == cpus
    first, second = cp.ContainerRequest.integer("o", 1), cp.ContainerRequest.integer("b", 2)
    wishing = evolve(second, wishes=cp.Wishes(isolated="prefer", cores="any"))
    beside = put(first, wishing)
    assert cp.resize(beside, evolve(wishing, count=1)).unwrap().after["b"].cpus < beside["b"].cpus


def test_the_policy_may_keep_the_baseline() -> None:
    state = put(cp.ContainerRequest.integer("a", 4), resize_below_baseline="refuse")
    grown = cp.resize(state, cp.ContainerRequest.integer("a", 5)).unwrap().after
    assert cp.resize(grown, cp.ContainerRequest.integer("a", 4)).unwrap().after["a"].cpus == state["a"].cpus
    refusal = cp.resize(state, cp.ContainerRequest.integer("a", 2))
    assert isinstance(refusal, cp.WishUnmet) and (refusal.rule, refusal.asked, refusal.fits) == ("R10", 2, 4)
    assert (refusal.container_id, refusal.wish) == ("a", "resize_below_baseline")
    assert refusal.missing == "the policy keeps what a container was created with"


def test_a_core_whose_other_thread_was_free_all_along_is_given_back_first() -> None:
    x, y = cp.ContainerRequest.integer("x", 2), cp.ContainerRequest.integer("y", 1)
    runs = [(x, "0-1"), (y, "4")]
    host = cp.Topology.uniform(cores_per_l3=3, threads_per_core=2)
    seen = [cp.Observed(request=request, cpus=cp.CpuSet.parse(cpus)) for request, cpus in runs]
    state = cp.synchronize(cp.HostState.empty(host), seen).after
    assert str(cp.resize(state, evolve(x, count=1, limit=1)).unwrap().after["x"].cpus) == "1"


def test_isolated_cores_shrink_by_whole_cores() -> None:
    wishes = cp.Wishes(cores="isolate")
    state = put(cp.ContainerRequest.integer("a", 2, wishes=wishes))
    grown = cp.resize(state, cp.ContainerRequest.integer("a", 3, wishes=wishes)).unwrap().after
    assert (str(grown["a"].cpus), str(grown["a"].withheld)) == ("0-2", "4-6")
    less = cp.resize(grown, cp.ContainerRequest.integer("a", 1, wishes=wishes)).unwrap().after
    assert (str(less["a"].cpus), str(less["a"].withheld)) == ("0", "4")


def test_no_step_when_the_pool_becomes_its_own() -> None:
    state = put(cp.ContainerRequest.shared("a"), min_shared_cpus=0)
    plan = cp.resize(state, cp.ContainerRequest.integer("a", 8)).unwrap()
    assert plan.steps == () and plan.after["a"].exclusive and not plan.after.pool


def test_who_starves_is_not_told_of_cpus_that_another_only_gives_back_on_paper() -> None:
    first, state = cp.CpuSet([0]), cp.HostState.empty(ROW)
    for request in (
        cp.ContainerRequest.integer("b", 3, forbid=first),
        cp.ContainerRequest.shared("s", forbid=cp.CpuSet([3])),
    ):
        state = cp.apply(state, cp.place(state, request).unwrap())
    state = cp.change_topology(state, ROW.with_online(ROW.online - first)).after
    plan = cp.resize(state, cp.ContainerRequest.integer("b", 2, forbid=first)).unwrap()
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.NARROW, "b")]
    assert (str(plan.after["b"].cpus), plan.after.pool, plan.after["s"].cpus) == ("1-2", cp.CpuSet([3]), first)
