"""How many more pods fit: as many as start one after another, and the next one is refused."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.capacity import Fit, fit
from cpuplace.starting import PodStart, start_pod
from laws.worlds import requests, states

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)
EMPTY = cp.HostState.empty(HOST)


def copies_by_hand(state: cp.HostState, pod: list[cp.ContainerRequest]) -> int | None:
    """The same count without cleverness; None when thirty fit (no host of the laws has so many CPUs)."""
    for number in range(30):
        copy = [evolve(one, container_id=f"{one.container_id}:{number}", pod=f"{one.pod}:{number}") for one in pod]
        answer = start_pod(state, copy)
        if not isinstance(answer, PodStart):
            return number
        state = answer.plan.after
    return None


@given(states(), st.lists(st.integers(0, 9), max_size=3), st.data())
def test_as_many_fit_as_start_one_after_another(state: cp.HostState, shape: list[int], data: st.DataObject) -> None:
    pod = [data.draw(requests(f"new{number}", most=4, host=state.topology)) for number in shape]
    pod = [evolve(one, container_id=f"x{at}", name=f"x{at}", pod="x") for at, one in enumerate(pod)]
    found = fit(state, pod)
    assert found.count == copies_by_hand(state, pod)
    assert (found.stopped_by is None) == (found.count is None)
    assert cp.violations(found.after) == ()
    if found.stopped_by is not None:
        assert found.stopped_by.container_id in {one.container_id for one in pod}


def test_the_limit_ends_the_search() -> None:
    heard: list[int] = []
    found = fit(EMPTY, [cp.ContainerRequest.integer("c", 1)], limit=3, told=heard.append)
    assert (found.count, found.stopped_by, heard) == (3, None, [1, 2, 3])
    assert len(found.after.assignments) == 3


def test_a_second_question_does_not_meet_the_names_of_the_first() -> None:
    pod = [cp.ContainerRequest.integer("c", 4)]
    first = fit(EMPTY, pod, limit=1)
    second = fit(first.after, pod)
    assert second.count == 2
    assert len(second.after.assignments) == 3


def test_memory_ends_what_cpus_would_not() -> None:
    pod = [cp.ContainerRequest.pinned("c", cp.CpuSet([0]), exclusive=False, memory_bytes=2**28)]
    rows = [cp.CpuRow(cpu, cpu, None, 0, 0) for cpu in range(4)]
    host = cp.Topology.from_rows(rows, memory_bytes={0: 2**30})
    found = fit(cp.HostState.empty(host), pod)
    assert found.count == 4
    assert isinstance(found.stopped_by, cp.NotEnoughMemory)
    free = fit(cp.HostState.empty(host, cp.Policy(memory_policy="none")), pod)
    assert (free.count, free.stopped_by) == (None, None)


def test_nothing_fits_where_the_first_is_refused() -> None:
    found = fit(EMPTY, [cp.ContainerRequest.integer("c", 99)])
    assert found.count == 0
    assert found.after is EMPTY
    assert isinstance(found, Fit)
