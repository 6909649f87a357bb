"""A search budget given with a request: what a small one says is true, and no trace of it is left in the state."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from laws.worlds import requests, states

PLENTY = 10**7
SMALL = st.one_of(st.integers(1, 30), st.integers(1, 2000))


def check_true(state: cp.HostState, small: cp.Plan | cp.Refusal, plenty: cp.Plan | cp.Refusal) -> None:
    assert not isinstance(plenty, cp.SearchBudgetSpent)
    if isinstance(small, cp.Plan):
        assert isinstance(plenty, cp.Plan)
        assert small.after.ground is state.ground and small.before is state
        assert cp.apply(state, small) is small.after and cp.violations(small.after) == ()
        if small.optimal and not small.stops:  # where others make way, equals may be seated otherwise
            assert small.after == plenty.after
    elif not isinstance(small, cp.SearchBudgetSpent):
        assert type(small) is type(plenty)


@given(states(), st.lists(st.integers(0, 1), min_size=1, max_size=2), SMALL, st.data())
def test_a_small_budget_is_cut_or_right(state: cp.HostState, some: list[int], budget: int, data: st.DataObject) -> None:
    several = [data.draw(requests(f"new{number}", host=state.topology)) for number in range(len(some))]
    one = several[0]
    check_true(state, cp.place(state, one, search_budget=budget), cp.place(state, one, search_budget=PLENTY))
    together = [cp.place_all(state, several, search_budget=nodes) for nodes in (budget, PLENTY)]
    if isinstance(together[0], cp.Refusal) or together[0].optimal:
        check_true(state, *together)


@given(states(), st.integers(1, 6), SMALL, st.data())
def test_resizing_within_a_small_budget(state: cp.HostState, count: int, budget: int, data: st.DataObject) -> None:
    keys = [key for key, one in state.owners.items() if one.kind is cp.Kind.INTEGER]
    if keys:
        request = evolve(state[data.draw(st.sampled_from(keys))].request, count=count, limit=count)
        small, plenty = (cp.resize(state, request, search_budget=nodes) for nodes in (budget, PLENTY))
        check_true(state, small, plenty)


def test_a_budget_is_a_positive_number_and_changes_nothing_else() -> None:
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=4))
    request = cp.ContainerRequest.integer("a", 2)
    with pytest.raises(cp.BadInput, match="at least 1"):
        cp.place(state, request, search_budget=0)
    after = cp.place(state, request, search_budget=1).unwrap().after
    assert cp.place(after, request, search_budget=1).unwrap().is_empty
    assert after.policy.search_budget == cp.Policy().search_budget
