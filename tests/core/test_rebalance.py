"""Rebalancing, case by case: who makes room for whom, wishes, memory, budgets."""

import pytest

import cpuplace as cp
from cpuplace.rebalance_sum import COUNTED, tuple_sum

make = cp.ContainerRequest
NOBODY_SHARES = cp.Policy(min_shared_cpus=0)
NAMES = [element.name for element in COUNTED]


def state_of(host: cp.Topology, *requests: cp.ContainerRequest, policy: cp.Policy = NOBODY_SHARES) -> cp.HostState:
    state = cp.HostState.empty(host, policy)
    for request in requests:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def without(state: cp.HostState, *ids: str) -> cp.HostState:
    for key in ids:
        state = cp.apply(state, cp.release(state, key))
    return state


def lie(state: cp.HostState) -> dict[str, str]:
    return {key: str(one.cpus) for key, one in state.owners.items()}


def measured(state: cp.HostState) -> dict[str, int]:
    return dict(zip(NAMES, tuple_sum(state), strict=True))


TWO_NODES = cp.Topology.uniform(packages=2, cores_per_l3=4)


def test_what_is_counted() -> None:
    assert NAMES[-3:] == ["packages", "l3_groups", "broken_cores"]
    assert "others_remembered" not in NAMES


def found(host: cp.Topology, policy: cp.Policy = NOBODY_SHARES, **cpus: tuple[int, ...]) -> cp.HostState:
    """Integer containers on these CPUs; the name of one that never moves begins with `still`."""
    observed = [
        cp.Observed(
            request=make.integer(key, len(some), wishes=cp.Wishes(move="never" if key.startswith("still") else None)),
            cpus=cp.CpuSet(some),
        )
        for key, some in cpus.items()
    ]
    return cp.synchronize(cp.HostState.empty(host, policy), observed).after


def host_of(*nodes: int, memory_bytes: dict[int, int] | None = None) -> cp.Topology:
    """A host with a node for each of these numbers of CPUs, each in a package of its own."""
    places = [node for node, count in enumerate(nodes) for _ in range(count)]
    rows = [cp.CpuRow(cpu, cpu, node, node, node) for cpu, node in enumerate(places)]
    return cp.Topology.from_rows(rows, memory_bytes=memory_bytes or {})


def test_one_makes_room_for_another() -> None:
    """Nobody gains by one move: `big` needs the CPU of `small`, which gains nothing itself."""
    state = found(host_of(3, 3, 1), still=(0,), small=(1,), big=(2, 5), still_too=(3, 4))
    assert cp.rebalance(state, max_moves=1).is_empty
    assert lie(cp.rebalance(state, max_moves=2).after)["small"] == "5"  # by way of 6: lower ids before fewer steps
    plan = cp.rebalance(state, max_moves=2, one_step_per_container=True)
    assert lie(plan.after) == {"still": "0", "small": "6", "big": "1-2", "still_too": "3-4"}
    assert plan.notes == (
        "small: moves from 1 to 6, so that others gain",
        "big: moves from 2,5 to 1-2, nodes 2 -> 1, distance 80 -> 0, packages 2 -> 1, l3_groups 2 -> 1",
    )
    assert [step.container_id for step in plan.steps] == ["small", "big"]


def test_a_swap_without_a_spare_cpu_is_not_legal() -> None:
    plan = cp.rebalance(found(host_of(2, 2), a=(0, 2), b=(1, 3)), max_moves=2)
    assert plan.is_empty and plan.optimal


def test_a_swap_through_a_spare_cpu_takes_two_moves_and_three_steps() -> None:
    state = found(host_of(2, 2, 2), a=(0, 2), b=(1, 3), still=(4,))
    assert cp.rebalance(state, max_moves=1).is_empty
    plan = cp.rebalance(state, max_moves=2)
    assert (measured(plan.after)["nodes"], len(plan.steps)) == (3, 3)
    once = cp.rebalance(state, max_moves=2, one_step_per_container=True)
    assert (measured(once.after)["nodes"], len(once.steps)) == (4, 2)


def test_who_fills_a_core_moves_for_others() -> None:
    """Two orphans' neighbours: one container alone on a core joins another."""
    host = cp.Topology.uniform(cores_per_l3=2, threads_per_core=2)
    state = found(host, a=(0,), b=(1,))
    plan = cp.rebalance(state, max_moves=5)
    assert (measured(state)["broken_cores"], measured(plan.after)["broken_cores"]) == (2, 0)
    assert lie(plan.after) == {"a": "3", "b": "1"}
    assert plan.notes == ("a: moves from 0 to 3, broken_cores 1 -> 0",)
    assert "a: moves from 0 to 3" in str(plan.explain())
    assert plan.after["a"].rule == "R4"


def test_all_pairs_are_looked_at_before_nothing_is_said() -> None:
    """Each is alone on a core, and forbids all others."""
    host = cp.Topology.uniform(cores_per_l3=5, threads_per_core=2)
    state = cp.HostState.empty(host, NOBODY_SHARES)
    for core in host.cores:
        request = make.integer(f"c{core.id}", 1, forbid=host.online - core.cpus)
        state = cp.apply(state, cp.place(state, request).unwrap())
    assert measured(state)["broken_cores"] == 5
    plan = cp.rebalance(state, max_moves=2)
    assert plan.is_empty and plan.optimal


def test_devices_draw_their_containers() -> None:
    rows = [cp.CpuRow(cpu, cpu, cpu // 4, cpu // 4, cpu // 4) for cpu in range(8)]
    host = cp.Topology.from_rows(rows, devices=[cp.Device(name="nic", kind="nic", node=1)])
    wishes = cp.Wishes(devices=("nic",))
    state = state_of(host, make.integer("x", 4, wishes=wishes), make.integer("a", 2, wishes=wishes))
    state = without(state, "x")
    assert lie(state) == {"a": "0-1"}
    plan = cp.rebalance(state, max_moves=1)
    assert lie(plan.after) == {"a": "4-5"}
    assert measured(plan.after)["device_distance"] < measured(state)["device_distance"]


def bound() -> cp.HostState:
    """`c` spans two nodes with its memory, `a` left room for it, and memory for one of the two."""
    host = host_of(4, 4, memory_bytes={0: 1000, 1: 1000})
    policy = cp.Policy(min_shared_cpus=0, memory_scope="exclusive")
    state = state_of(
        host,
        make.integer("a", 3, memory_bytes=100),
        make.integer("b", 3, memory_bytes=600),
        make.integer("c", 2, memory_bytes=600),
        policy=policy,
    )
    return without(state, "a")


def test_bound_memory_stays_unless_told() -> None:
    state = bound()
    assert str(state["c"].cpus) == "3,7" and state["c"].mems == cp.NodeSet([0, 1])
    assert cp.rebalance(state, max_moves=2).is_empty
    plan = cp.rebalance(state, max_moves=2, move_memory=True)
    assert (str(plan.after["c"].cpus), plan.after["c"].mems) == ("0,3", cp.NodeSet([0]))


@pytest.mark.parametrize("one_step", [False, True])
def test_memory_of_all_who_move_must_fit_together(one_step: bool) -> None:
    """Both would like the node that is free; it has memory for one."""
    host = host_of(4, 4, memory_bytes={0: 1000, 1: 1000})
    observed = [
        cp.Observed(request=make.integer("a", 2, memory_bytes=700), cpus=cp.CpuSet([0, 4]), mems=cp.NodeSet([0, 1])),
        cp.Observed(request=make.integer("b", 2, memory_bytes=700), cpus=cp.CpuSet([1, 5]), mems=cp.NodeSet([0, 1])),
        cp.Observed(
            request=make.integer("c", 2, wishes=cp.Wishes(move="never")), cpus=cp.CpuSet([6, 7]), mems=cp.NodeSet([1])
        ),
    ]
    policy = cp.Policy(min_shared_cpus=0, memory_scope="exclusive")
    state = cp.synchronize(cp.HostState.empty(host, policy), observed).after
    plan = cp.rebalance(state, max_moves=2, move_memory=True, one_step_per_container=one_step)
    assert plan.optimal
    assert {plan.after["a"].mems, plan.after["b"].mems} == {cp.NodeSet([0]), cp.NodeSet([1])}


def test_a_shared_container_keeps_its_last_cpu() -> None:
    state = found(host_of(3, 3), c=(2, 5))
    assert lie(cp.rebalance(state, max_moves=1).after) == {"c": "0,2"}
    picky = make.shared("s", forbid=cp.CpuSet([1, 3, 4, 5]))
    state = cp.apply(state, cp.place(state, picky).unwrap())
    plan = cp.rebalance(state, max_moves=1)
    assert lie(plan.after) == {"c": "1-2"} and str(plan.after["s"].cpus) == "0"


TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)


def test_whole_cores_stay_whole() -> None:
    wishes = cp.Wishes(cores="require-full")
    runs = [cp.Observed(request=make.integer("a", 4, wishes=wishes), cpus=cp.CpuSet([1, 5, 3, 7]))]
    state = cp.synchronize(cp.HostState.empty(TINY, NOBODY_SHARES), runs).after
    assert lie(cp.rebalance(state, max_moves=1).after) == {"a": "0-1,4-5"}


def test_isolated_siblings_stay_idle_for_all_who_move() -> None:
    wishes = cp.Wishes(cores="isolate")
    runs = [
        cp.Observed(request=make.integer("a", 2, wishes=wishes), cpus=cp.CpuSet([0, 2])),
        cp.Observed(request=make.integer("b", 2), cpus=cp.CpuSet([1, 3])),
    ]
    state = cp.synchronize(cp.HostState.empty(TINY, NOBODY_SHARES), runs).after
    plan = cp.rebalance(state, max_moves=2)
    assert plan.optimal and cp.violations(plan.after) == ()
    assert lie(plan.after) == {"a": "0-1", "b": "3,7"}
    assert str(plan.after.withheld) == "4-5"


def test_degraded_containers_are_left_to_hotplug() -> None:
    host = cp.Topology.uniform(packages=2, cores_per_l3=4)
    state = state_of(host, make.integer("a", 4), make.integer("b", 4))
    state = cp.apply(state, cp.change_topology(state, host.with_online(host.online - cp.CpuSet([0]))))
    assert state["a"].degraded
    assert cp.rebalance(state, max_moves=3).is_empty


def test_nothing_may_move() -> None:
    state = without(state_of(TWO_NODES, make.integer("a", 3), make.integer("b", 3), make.integer("c", 2)), "a")
    assert not cp.rebalance(state, max_moves=1).is_empty
    assert cp.rebalance(state, max_moves=0).is_empty
    never = cp.HostState.empty(TWO_NODES, cp.Policy(min_shared_cpus=0, reassign="never"))
    for request in (make.integer("a", 3), make.integer("b", 3), make.integer("c", 2)):
        never = cp.apply(never, cp.place(never, request).unwrap())
    plan = cp.rebalance(without(never, "a"), max_moves=3)
    assert plan.is_empty and plan.optimal


def test_no_budget_is_no_move_and_no_claim() -> None:
    state = without(state_of(TWO_NODES, make.integer("a", 3), make.integer("b", 3), make.integer("c", 2)), "a")
    for most in (1, 2):
        plan = cp.rebalance(state, max_moves=most, search_budget=0)
        assert plan.is_empty and not plan.optimal
    few = [cp.rebalance(state, max_moves=1, search_budget=budget) for budget in range(20)]
    assert few[-1].optimal and not few[-1].is_empty


@pytest.mark.parametrize(("name", "most", "budget"), [("max_moves", -1, 0), ("search_budget", 1, -5)])
def test_negative_numbers_are_bad_input(name: str, most: int, budget: int) -> None:
    with pytest.raises(cp.BadInput, match=f"rebalance.*{name}"):
        cp.rebalance(cp.HostState.empty(TWO_NODES), max_moves=most, search_budget=budget)
