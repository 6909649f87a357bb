"""Groups of others in the state: known while they are there, gone when they are, never in anybody's way of existing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.request import Kind
from cpuplace_cgroup import Group, Observation
from cpuplace_cgroup.strangers import acquainted, check_agreement
from laws.worlds import states


def seen(*groups: tuple[str, str, tuple[int, ...]]) -> Observation:
    return Observation(
        root="/g",
        groups=tuple(
            Group(
                container_id=key,
                path=key,
                cpus=cp.CpuSet.parse(cpus),
                mems=cp.NodeSet(),
                effective_cpus=cp.CpuSet.parse(cpus),
                effective_mems=cp.NodeSet([0]),
                pids=pids,
            )
            for key, cpus, pids in groups
        ),
        cpus=cp.CpuSet.parse("0-15"),
        mems=cp.NodeSet([0]),
    )


lists = st.sets(st.integers(0, 9), max_size=3).map(lambda ids: str(cp.CpuSet(ids)))
observations = st.dictionaries(st.sampled_from("uvw"), lists, max_size=3).map(
    lambda found: seen(*((key, cpus, (1,)) for key, cpus in found.items()))
)


@given(states(strangers=False), observations, observations)
def test_the_state_knows_exactly_the_strangers_with_cpus_of_their_own(
    state: cp.HostState, before: Observation, now: Observation
) -> None:
    after = acquainted(acquainted(state, before), now)
    strangers = {key: one.cpus for key, one in after.owners.items() if one.kind is Kind.UNMANAGED}
    assert strangers == {group.container_id: group.cpus for group in now if group.cpus}
    assert {key: one for key, one in after.owners.items() if key not in strangers} == state.owners
    assert acquainted(after, now) is after
    assert not any(after.free & cpus for cpus in strangers.values())


def test_a_group_without_cpus_of_its_own_runs_anywhere_and_is_nobody() -> None:
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=16))
    assert acquainted(state, seen(("plain", "", (1,)))) is state


def test_policies_agree_field_by_field() -> None:
    narrowed = cp.Policy(usable=cp.CpuSet.parse("0-7"), reserved=cp.CpuSet([0]))
    check_agreement(narrowed, cp.Policy(reserved=cp.CpuSet([0])), source="s")
    with pytest.raises(cp.BadInput, match="reserved was '0', now it is ''") as raised:
        check_agreement(narrowed, cp.Policy(), source="s")
    assert raised.value.position == "policy.reserved"
    with pytest.raises(cp.BadInput, match="usable was"):
        check_agreement(narrowed, cp.Policy(reserved=cp.CpuSet([0]), usable=cp.CpuSet.parse("0-3")), source="s")
