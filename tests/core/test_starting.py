"""Starting a pod: init containers one after another, then the rest, all or none."""

from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.starting import PodStart, start_pod
from laws.worlds import requests, states

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)  # 16 CPUs, 8 a node
EMPTY = cp.HostState.empty(HOST)


def integer(name: str, count: int, *, init: bool = False) -> cp.ContainerRequest:
    return cp.ContainerRequest.integer(f"p/{name}", count, pod="p", name=name, init=init)


def shared(name: str, *, init: bool = False) -> cp.ContainerRequest:
    return cp.ContainerRequest.shared(f"p/{name}", pod="p", name=name, init=init)


def started(state: cp.HostState, *pod: cp.ContainerRequest) -> PodStart:
    answer = start_pod(state, pod)
    assert isinstance(answer, PodStart)
    return answer


@st.composite
def pods(draw: st.DrawFn) -> list[cp.ContainerRequest]:
    count = draw(st.integers(0, 4))
    return [draw(requests(f"new{number}", most=4)) for number in range(count)]


@given(states(), pods())
def test_a_pod_without_init_containers_starts_as_place_all_places_it(
    state: cp.HostState, pod: list[cp.ContainerRequest]
) -> None:
    answer, plain = start_pod(state, pod), cp.place_all(state, pod)
    if isinstance(answer, cp.Refusal):
        assert answer == plain
    else:
        assert answer.init == ()
        assert answer.plan.after == plain.unwrap().after
        assert answer.plan.steps == plain.unwrap().steps


@given(states(), st.integers(1, 6), st.integers(1, 6))
def test_an_init_container_leaves_its_cpus_to_its_pod(state: cp.HostState, setup: int, main: int) -> None:
    answer = start_pod(state, [integer("setup", setup, init=True), integer("main", main)])
    alone = [cp.place(state, integer("only", count)) for count in (setup, main)]
    if isinstance(answer, cp.Refusal):
        assert any(isinstance(one, cp.Refusal) for one in alone)
    else:
        assert "p/setup" not in answer.plan.after
        assert len(answer.plan.after["p/main"].cpus) == main
        assert [len(one.cpus) for one in answer.init] == [setup]
        assert cp.violations(answer.plan.after) == ()


def test_init_containers_may_each_need_what_only_one_can_have() -> None:
    one = started(EMPTY, integer("a", 15, init=True), integer("b", 14, init=True), integer("main", 12))
    assert [str(held.cpus) for held in one.init] == ["0-14", "0-6,8-14"]
    assert [step.container_id for step in one.plan.steps] == ["p/main"]


def test_a_sidecar_keeps_its_cpus_while_later_init_containers_run() -> None:
    one = started(EMPTY, integer("sidecar", 2), integer("setup", 12, init=True), integer("main", 4))
    sidecar = one.plan.after["p/sidecar"].cpus
    assert one.init[0].cpus.isdisjoint(sidecar)
    assert one.plan.after["p/main"].cpus.isdisjoint(sidecar)


def test_a_shared_init_container_shares_the_pool() -> None:
    one = started(EMPTY, shared("setup", init=True), shared("main"))
    assert one.init[0].cpus == HOST.online
    assert [step.container_id for step in one.plan.steps] == ["p/main"]


def test_all_or_none() -> None:
    answer = start_pod(EMPTY, [integer("a", 8), integer("b", 9)])
    assert isinstance(answer, cp.NotEnoughCpus)
    assert (answer.container_id, answer.fits) == ("p/b", 7)


def test_a_pod_that_is_there_starts_nothing_again() -> None:
    pod = (integer("setup", 15, init=True), integer("main", 15))
    there = started(EMPTY, *pod).plan.after
    again = started(there, *pod)
    assert again.plan.is_empty
    assert again.init == ()


def test_a_pod_of_nothing_but_init_containers_runs_them() -> None:
    assert [str(one.cpus) for one in started(EMPTY, integer("setup", 2, init=True)).init] == ["0,8"]


def test_scope_pod_divides_one_grant() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(scope="pod"))
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("other", 4)).unwrap())
    after = started(state, integer("setup", 1, init=True), integer("a", 4), integer("b", 4)).plan.after
    together = after["p/a"].cpus | after["p/b"].cpus
    assert {HOST.cpu(cpu).node for cpu in together} == {1}


def test_notes_and_reasons_of_all_containers_are_joined() -> None:
    pin = cp.ContainerRequest.pinned("p/pin", cp.CpuSet([3]), exclusive=True, pod="p", name="pin", limit=2)
    one = started(EMPTY, integer("setup", 2, init=True), pin, integer("main", 2))
    assert [reason.container_id for reason in one.plan.explain().reasons] == ["p/setup", "p/pin", "p/main"]
    assert one.plan.notes == ("p/pin: the pin has 1 CPU, the CPU limit is 2",)
    assert one.plan.optimal
