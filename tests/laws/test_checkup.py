"""The doctor: sound states are healthy, whatever is broken is found, and a repair is a state that can be read again."""

import json
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.checkup import check_up
from cpuplace.formats import kubelet_state
from cpuplace.formats import state as state_format
from cpuplace.state import HostState, Remembered
from laws.strategies import hosts
from laws.worlds import few_cpus, states


@given(states())
def test_a_sound_state_is_healthy(state: cp.HostState) -> None:
    text = state_format.render(state)
    assert state_format.parse_unchecked(text, state.topology) == state
    assert check_up(state).healthy
    assert check_up(state, pool=state.pool).healthy


@st.composite
def broken(draw: st.DrawFn) -> HostState:
    """A state of which some assignments say something else than the planner said."""
    state = draw(states())
    values: dict[str, Any] = state_format.to_dict(state)
    for one in values["containers"]:
        if "cpus" in one and draw(st.booleans()):
            one["cpus"] = str(draw(few_cpus))
        if one["kind"] == "integer" and draw(st.integers(0, 3)) == 0:
            one["withheld"] = str(draw(few_cpus))
    if draw(st.booleans()):
        values["told"] = str(draw(few_cpus))
    if draw(st.booleans()):
        values["remembered"] = [{"pod": "r", "name": "n", "cpus": str(draw(few_cpus))}]
    return state_format.parse_unchecked(json.dumps(values), state.topology)


@given(broken())
def test_what_is_broken_is_found_and_mended(state: HostState) -> None:
    checkup = check_up(state)
    if cp.violations(state):
        assert not checkup.healthy
    after = checkup.repair.after
    assert cp.violations(after) == ()
    assert set(after.assignments) == set(state.assignments)
    assert state_format.parse(state_format.render(after), state.topology) == after
    told = {one.rule for one in checkup.findings}
    for one in cp.violations(state):
        assert one.invariant in told or one.invariant == "I2"
    assert check_up(after).healthy or any(one.degraded for one in after.owners.values())


@given(states(), st.data())
def test_cpus_that_went_offline_are_found(state: cp.HostState, data: st.DataObject) -> None:
    gone = cp.CpuSet([data.draw(st.sampled_from(sorted(state.usable)))])
    left = state.topology.online - gone
    if not left & state.usable or (state.policy.isolated_cpus == "unusable" and not left - state.topology.isolated):
        return
    host = state.topology.with_online(left)
    again = state_format.parse_unchecked(state_format.render(state), host)
    kinds = {one.kind for one in check_up(again).findings}
    held = any((one.cpus | one.withheld) & gone for one in state.owners.values())
    assert ("offline" in kinds) == held
    assert cp.violations(check_up(again).repair.after) == ()


@given(states())
def test_remembered_cpus_that_cannot_be_used(state: cp.HostState) -> None:
    state = evolve(state, remembered={("r", "n"): Remembered(1 << 999, False)})
    checkup = check_up(state)
    assert [one.cpus for one in checkup.findings] == [cp.CpuSet([999])]
    assert not checkup.repair.after.remembered["r", "n"].cpus


entries = st.dictionaries(
    st.sampled_from(["u", "v"]),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), few_cpus.map(str), max_size=3),
    max_size=2,
)


@given(hosts(), entries, few_cpus)
def test_any_file_of_kubelet_is_mended(host: cp.Topology, said: dict[str, dict[str, str]], pool: cp.CpuSet) -> None:
    text = json.dumps({"policyName": "static", "defaultCpuSet": str(pool), "entries": said, "checksum": 7})
    saved = kubelet_state.parse(text)
    state, _ = kubelet_state.to_state(saved, host)
    checkup = check_up(state, pool=saved.default)
    taken = cp.CpuSet(cpu for one in saved.entries for cpu in one.cpus)
    assert state.exclusive == taken
    twice = sum(len(one.cpus) for one in state.owners.values()) > len(state.exclusive)
    exact = not twice and not taken & pool and taken | pool == host.online
    assert not exact or all(one.rule in ("I3", "I4", "I5") for one in checkup.findings)
    assert exact or not checkup.healthy
    assert not checkup.healthy or checkup.repair.after.exclusive == taken
    assert cp.violations(checkup.repair.after) == ()
    assert state_format.parse(state_format.render(checkup.repair.after), host) == checkup.repair.after


@given(entries)
def test_entries_of_one_pod_are_never_two_owners(said: dict[str, dict[str, str]]) -> None:
    saved = kubelet_state.parse(json.dumps({"policyName": "static", "defaultCpuSet": "", "entries": said}))
    state, notes = kubelet_state.to_state(saved, cp.Topology.uniform(cores_per_l3=15))
    for pod in said:
        own = [one.cpus for one in state.owners.values() if one.request.pod == pod]
        assert sum(map(len, own)) == len(cp.CpuSet(cpu for cpus in own for cpu in cpus))
    whole = [one for one in saved.entries if one.key in state.owners and state[one.key].cpus == one.cpus]
    assert len(notes) == len(saved.entries) - len(whole)
