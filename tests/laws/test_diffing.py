"""Differences: none against itself, the mirror image the other way round, and exactly what one plan changes."""

from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.diffing import Snapshot, difference, snapshot
from laws.worlds import requests, states


@given(states())
def test_nothing_differs_from_itself(state: cp.HostState) -> None:
    assert difference(snapshot(state), snapshot(state)).is_empty


@given(states(), states())
def test_the_other_way_round_is_the_mirror_image(a: cp.HostState, b: cp.HostState) -> None:
    there, back = difference(snapshot(a), snapshot(b)), difference(snapshot(b), snapshot(a))
    assert {(one.pod, one.container, one.before, one.after) for one in there.changes} == {
        (one.pod, one.container, one.after, one.before) for one in back.changes
    }
    assert (there.pool_before, there.pool_after) == (back.pool_after, back.pool_before)
    assert there.is_empty == back.is_empty


def patched(before: Snapshot, after: Snapshot) -> dict[tuple[str, str], cp.CpuSet]:
    """The first snapshot with every change carried out: the CPUs of all that hold their own."""
    held = dict(before.holdings)
    for one in difference(before, after).changes:
        if one.after is None:
            del held[one.pod, one.container]
        else:
            held[one.pod, one.container] = one.after
    return {name: one.cpus for name, one in held.items() if one.kind is not cp.Kind.SHARED}


@given(states(), st.data())
def test_changes_lead_from_one_to_the_other(state: cp.HostState, data: st.DataObject) -> None:
    answer = cp.place(state, data.draw(requests("new", host=state.topology)))
    after = answer.after if isinstance(answer, cp.Plan) else state
    was, now = snapshot(state), snapshot(after)
    own = {name: one.cpus for name, one in now.holdings.items() if one.kind is not cp.Kind.SHARED}
    assert patched(was, now) == own
    assert difference(was, now).is_empty == isinstance(answer, cp.Refusal)
    if isinstance(answer, cp.Plan):
        assert "new" in {one.container for one in difference(was, now).changes if one.before is None}
