"""What a container holds after it made way: siblings, memory nodes, the CPUs of its creation."""

import pytest

import cpuplace as cp
from cpuplace.reassign import Cleared, clear
from cpuplace.topology import CoreKind, CpuRow

TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
ONE_NODE = cp.Wishes(numa="require-one")


def put(*wanted: cp.ContainerRequest, **policy: object) -> cp.HostState:
    state = cp.HostState.empty(TINY, cp.Policy(**policy))  # type: ignore[arg-type]
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def seat(state: cp.HostState, cpus: str) -> cp.Assignment:
    """The one who made way for a pin."""
    answer = clear(state, cp.ContainerRequest.pinned("p", cp.CpuSet.parse(cpus), exclusive=True))
    assert isinstance(answer, Cleared), answer
    (one,) = answer.movers
    assert one.rule == "R3" and one.request == state[one.container_id].request
    return one


def test_siblings_of_new_cores_are_withheld() -> None:
    moved = seat(put(cp.ContainerRequest.integer("a", 2, wishes=cp.Wishes(cores="isolate"))), "4")
    assert (str(moved.cpus), str(moved.withheld)) == ("1-2", "5-6")


def test_memory_follows_strictly_or_as_a_preference() -> None:
    request = cp.ContainerRequest.integer("a", 2)
    strict = seat(put(request, memory_scope="exclusive"), "0-1,4-5")
    assert (strict.mems, strict.preferred) == (cp.NodeSet([1]), None)
    preferred = seat(put(request, memory_scope="exclusive", memory_policy="preferred"), "0-1,4-5")
    assert (preferred.mems, preferred.preferred) == (None, cp.NodeSet([1]))


def test_a_baseline_keeps_its_size_and_what_is_kept_of_it() -> None:
    state = put(cp.ContainerRequest.integer("a", 2))
    state = cp.apply(state, cp.resize(state, cp.ContainerRequest.integer("a", 3)).unwrap())
    assert (str(state["a"].cpus), str(state["a"].baseline)) == ("0-1,4", "0,4")
    moved = seat(state, "0")
    assert (str(moved.cpus), str(moved.baseline)) == ("1,4-5", "4-5")
    elsewhere = seat(state, "0-1,4-5")
    assert (str(elsewhere.cpus), str(elsewhere.baseline)) == ("2-3,6", "2-3")


def test_a_pool_may_become_as_small_as_its_floor() -> None:
    assert str(seat(put(cp.ContainerRequest.integer("a", 2), min_shared_cpus=5), "0").cpus) == "1,4"


def test_memory_that_the_pin_needs_makes_a_container_leave_the_node() -> None:
    host = cp.Topology.uniform(packages=2, cores_per_l3=4, memory_per_node=100)
    state = cp.HostState.empty(host, cp.Policy(memory_scope="exclusive"))
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("a", 1, memory_bytes=50)).unwrap())
    for asked, goes in ((50, "1"), (60, "4")):
        pin = cp.ContainerRequest.pinned("p", state["a"].cpus, exclusive=True, memory_bytes=asked)
        answer = clear(state, pin)
        assert isinstance(answer, Cleared) and [str(one.cpus) for one in answer.movers] == [goes]


def test_of_two_others_that_could_move_one_does() -> None:
    home = cp.ContainerRequest.integer("a", 2, forbid=cp.CpuSet.parse("2-3,6-7"))
    state = put(home, cp.ContainerRequest.integer("b", 1), cp.ContainerRequest.integer("c", 1), min_shared_cpus=0)
    assert [str(state[key].cpus) for key in "abc"] == ["0,4", "1", "5"]
    answer = clear(state, cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True))
    assert isinstance(answer, Cleared)
    assert {one.container_id: str(one.cpus) for one in answer.movers} == {"a": "1,4", "b": "2"}


def test_a_better_cpu_behind_a_forbidden_one_is_seen() -> None:
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=5, threads_per_core=2), cp.Policy(min_shared_cpus=0))
    for request in (
        cp.ContainerRequest.pinned("other", cp.CpuSet([9]), exclusive=True),
        cp.ContainerRequest.integer("a", 2, forbid=cp.CpuSet([3])),
        cp.ContainerRequest.integer("b", 2, forbid=cp.CpuSet([4])),
    ):
        state = cp.apply(state, cp.place(state, request).unwrap())
    assert [str(state[key].cpus) for key in "ab"] == ["0,5", "1,6"]
    answer = clear(state, cp.ContainerRequest.pinned("p", cp.CpuSet([0, 1]), exclusive=True))
    assert isinstance(answer, Cleared)
    assert {one.container_id: str(one.cpus) for one in answer.movers} == {"a": "4-5", "b": "2,6"}


def test_one_l3_group_stays_one() -> None:
    for cores, goes in ((2, "2-3"), (3, "1-2")):
        state = cp.HostState.empty(cp.Topology.uniform(l3_per_node=2, cores_per_l3=cores))
        wishes = cp.Wishes(l3="require-one")
        state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("a", 2, wishes=wishes)).unwrap())
        assert str(seat(state, "0").cpus) == goes


@pytest.mark.parametrize(
    ("wished", "kinds", "goes"),
    [("efficiency", "E.E", "2"), ("performance", "PEEPE", "3"), ("efficiency", "EPPEP", "3")],
)
def test_who_loses_a_cpu_finds_another_of_the_kind_it_wishes(wished: CoreKind, kinds: str, goes: str) -> None:
    words: dict[str, CoreKind | None] = {"P": "performance", "E": "efficiency", ".": None}
    host = cp.Topology.from_rows([CpuRow(cpu, cpu, 0, 0, 0, kind=words[kind]) for cpu, kind in enumerate(kinds)])
    state = cp.HostState.empty(host)
    request = cp.ContainerRequest.integer("a", 1, wishes=cp.Wishes(core_kind=wished))
    state = cp.apply(state, cp.place(state, request).unwrap())
    assert str(seat(state, "0").cpus) == goes


def test_where_whole_cores_do_not_add_up_what_is_kept_may_lie_in_two_nodes() -> None:
    """To take a core of 4 threads a container gives up one of 2 besides the lost one: one that saves an L3 group."""
    cores = {0: ("0-1", 0, 0), 1: ("10-11", 1, 1), 2: ("20-21", 2, 1), 3: ("30-31", 1, 1), 4: ("40-43", 0, 0)}
    rows = [CpuRow(cpu, core, l3, node, 0) for core, (cpus, l3, node) in cores.items() for cpu in cp.CpuSet.parse(cpus)]
    state = cp.HostState.empty(cp.Topology.from_rows(rows), cp.Policy(min_shared_cpus=0))
    wishes = cp.Wishes(numa="require-fewest", cores="require-full")
    for request in (
        cp.ContainerRequest.pinned("big", cp.CpuSet.parse("40-43"), exclusive=True),
        cp.ContainerRequest.integer("a", 8, wishes=wishes),
    ):
        state = cp.apply(state, cp.place(state, request).unwrap())
    state = cp.apply(state, cp.release(state, "big"))
    assert str(state["a"].cpus) == "0-1,10-11,20-21,30-31"
    assert str(seat(state, "30").cpus) == "0-1,10-11,40-43"


def test_with_more_budget_an_answer_is_found_and_then_proved() -> None:
    """A good answer comes long before it is known to be the best, and is not lost on the way."""
    host = cp.Topology.uniform(nodes_per_package=2, cores_per_l3=4, threads_per_core=2)
    found = []
    for budget in range(10, 300, 10):
        state = cp.HostState.empty(host, cp.Policy(min_shared_cpus=0, search_budget=budget))
        for key, count in (("a", 3), ("b", 2), ("c", 1)):
            request = cp.ContainerRequest.integer(key, count, wishes=ONE_NODE)
            state = cp.apply(state, cp.place(state, request).unwrap())
        answer = clear(state, cp.ContainerRequest.pinned("p", cp.CpuSet([0, 2, 8]), exclusive=True))
        assert isinstance(answer, Cleared | cp.SearchBudgetSpent)
        found.append(1 + answer.optimal if isinstance(answer, Cleared) else 0)
    assert found == sorted(found) and found.count(1) > 5 and found[-1] == 2
