"""What runs while a plan is carried out, what makes that safe, and crowded hosts to try it on."""

from itertools import combinations

from hypothesis import strategies as st

import cpuplace as cp
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts
from laws.worlds import few_cpus, requests

View = dict[str, cp.Held]


def view_of(state: cp.HostState) -> View:
    """Who holds what, of those that plans are about."""
    return {key: one.held for key, one in state.assignments.items() if one.kind is not cp.Kind.UNMANAGED}


def carried_out(view: View, step: cp.Step) -> View:
    """The running view after one step, which starts from what runs."""
    assert view.get(step.container_id) == step.before, step
    after = {key: held for key, held in view.items() if key != step.container_id}
    return after if step.after is None else after | {step.container_id: step.after}


def op_of(before: cp.Held | None, after: cp.Held | None) -> cp.Op:
    """What a step is called that changes this to that."""
    if before is None or after is None:
        return cp.Op.GRANT if before is None else cp.Op.RELEASE
    less, more = after.cpus < before.cpus, before.cpus < after.cpus
    return cp.Op.NARROW if less else cp.Op.WIDEN if more else cp.Op.MOVE


def check_safe(view: View, before: cp.HostState, after: cp.HostState, *, dip: bool = False) -> None:
    """No CPU of two owners, nobody shared on an exclusive CPU, no empty set, nobody below N, nor above."""
    kinds = {key: one.kind for state in (before, after) for key, one in state.assignments.items()}
    counts = {key: len(one.cpus) for key, one in after.owners.items() if key in before.owners}
    owned = {key: held.cpus for key, held in view.items() if kinds[key] in (cp.Kind.INTEGER, cp.Kind.PINNED)}
    for (one, a), (two, b) in combinations(owned.items(), 2):
        assert not a & b or {kinds[one], kinds[two]} == {cp.Kind.PINNED}, (one, two)
    for key, held in view.items():
        assert held.cpus
        if kinds[key] is cp.Kind.SHARED:
            assert all(held.cpus.isdisjoint(cpus) for cpus in owned.values()), key
        if key in counts:
            least, most = sorted((counts[key], len(before[key].cpus)))
            assert (1 if dip else least) <= len(held.cpus) <= most


@st.composite
def crowds(draw: st.DrawFn) -> cp.HostState:
    """A host with some integer containers on it, most of it taken, and perhaps a few others."""
    host = draw(hosts(max_cpus=10))
    memory = {"memory_policy": draw(sampled_from(["strict", "preferred"]))}
    scope = {"memory_scope": draw(sampled_from(["pinned", "exclusive"]))}
    policy = cp.Policy(min_shared_cpus=0, isolated_cpus="ignore", **memory, **scope)  # type: ignore[arg-type]
    state = cp.HostState.empty(host, policy)
    for number in range(draw(integers(2, 5))):
        forbid = draw(few_cpus) if draw(integers(0, 2)) == 0 else cp.CpuSet()
        wishes = cp.Wishes(cores="isolate") if draw(integers(0, 7)) == 0 else cp.Wishes()
        count = draw(integers(1, 3))
        one = cp.ContainerRequest.integer(f"i{number}", count, wishes=wishes, forbid=forbid)
        state = taken_over(state, one)
    for number in range(draw(integers(0, 3))):
        state = taken_over(state, draw(requests(f"c{number}", most=2, host=host)))
    return taken_over(state, cp.ContainerRequest.shared("s")) if draw(booleans()) else state


def taken_over(state: cp.HostState, request: cp.ContainerRequest) -> cp.HostState:
    answer = cp.place(state, request)
    return cp.apply(state, answer) if isinstance(answer, cp.Plan) else state
