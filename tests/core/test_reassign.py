"""Reassignment by example: what is kept, who else moves, what a budget that ends early leaves."""

from attrs import evolve

import cpuplace as cp
from cpuplace.ordering import ordered
from cpuplace.reassign import Cleared, clear
from cpuplace.transitions import replaced

TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
ONE_NODE = cp.Wishes(numa="require-one")


def integer(key: str, count: int, wishes: cp.Wishes | None = None, **more: object) -> cp.ContainerRequest:
    return cp.ContainerRequest.integer(key, count, wishes=wishes or cp.Wishes(), **more)  # type: ignore[arg-type]


def pin(cpus: str, **more: object) -> cp.ContainerRequest:
    return cp.ContainerRequest.pinned("p", cp.CpuSet.parse(cpus), exclusive=True, **more)  # type: ignore[arg-type]


def put(*wanted: cp.ContainerRequest, host: cp.Topology = TINY, **policy: object) -> cp.HostState:
    state = cp.HostState.empty(host, cp.Policy(**policy))  # type: ignore[arg-type]
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def moved(answer: Cleared | cp.Refusal) -> dict[str, str]:
    assert isinstance(answer, Cleared), answer
    return {one.container_id: str(one.cpus) for one in answer.movers}


def test_a_node_that_is_full_is_left_as_a_whole_where_one_node_is_required() -> None:
    state = put(integer("a", 3, ONE_NODE), integer("b", 1))
    assert moved(clear(state, pin("0"))) == {"a": "2-3,6"}


def test_whole_cores_go_and_whole_cores_stay() -> None:
    state = put(integer("a", 4, cp.Wishes(cores="require-full")))
    assert moved(clear(state, pin("4"))) == {"a": "1-2,5-6"}


def test_whole_cores_of_one_node_leave_it_together() -> None:
    both = cp.Wishes(cores="require-full", numa="require-one")
    state = put(integer("a", 4, both))
    assert moved(clear(state, pin("4"))) == {"a": "2-3,6-7"}
    two = cp.Topology.uniform(packages=2, cores_per_l3=3, threads_per_core=2)
    state = put(integer("a", 6, both), host=two)
    assert moved(clear(state, pin("0"))) == {"a": "3-5,9-11"}


def test_others_move_only_when_there_is_no_answer_without_it() -> None:
    only = cp.CpuSet.parse("2-3,6-7")
    state = put(integer("a", 2, forbid=only), integer("b", 2), min_shared_cpus=0)
    assert (str(state["a"].cpus), str(state["b"].cpus)) == ("0,4", "1,5")
    assert moved(clear(state, pin("0"))) == {"a": "1,4", "b": "2,5"}


def test_containers_stay_on_their_memory_when_they_can() -> None:
    state = put(integer("a", 5), min_shared_cpus=0, memory_scope="exclusive")
    assert state["a"].mems == cp.NodeSet([0, 1])
    assert moved(clear(state, pin("2"))) == {"a": "0-1,4-6"}
    assert moved(clear(put(integer("a", 2), memory_scope="exclusive"), pin("0"))) == {"a": "1,4"}


def test_memory_that_all_movers_need_at_once() -> None:
    host = cp.Topology.uniform(packages=2, cores_per_l3=4, memory_per_node=100)
    state = put(integer("a", 2, memory_bytes=90), integer("c", 2, memory_bytes=90), host=host, memory_scope="exclusive")
    assert state["a"].mems != state["c"].mems
    pinned = cp.ContainerRequest.pinned("p", state["a"].cpus, exclusive=True, memory_bytes=5)
    assert moved(clear(state, pinned)) == {"a": "2-3"}
    each = [integer("a", 1, memory_bytes=50), integer("b", 1, memory_bytes=50), integer("c", 1, memory_bytes=40)]
    state = put(*each, host=host, memory_scope="exclusive")
    assert [str(state[key].mems) for key in "abc"] == ["0", "0", "1"]
    refusal = clear(state, pin("0-3", memory_bytes=60))
    assert isinstance(refusal, cp.NoLegalMove) and refusal.missing.startswith("every way would leave too little")
    assert isinstance(cp.place(state, pin("0-3", memory_bytes=102)), cp.NotEnoughMemory)


def test_a_budget_that_ends_leaves_the_best_so_far() -> None:
    state = put(*(integer(f"c{n}", 2) for n in range(3)), min_shared_cpus=0, host=cp.Topology.uniform(cores_per_l3=12))
    wide = pin("0-5")
    for budget in range(1, 200, 7):
        tight = cp.HostState.empty(state.topology, cp.Policy(min_shared_cpus=0, search_budget=budget))
        for number in range(3):
            tight = cp.apply(tight, cp.place(tight, integer(f"c{number}", 2)).unwrap())
        answer = clear(tight, wide)
        assert isinstance(answer, cp.SearchBudgetSpent) or set(moved(answer)) == {"c0", "c1", "c2"}


def test_a_part_of_what_is_held_is_given_up_with_the_rest() -> None:
    host = cp.Topology.uniform(packages=3, cores_per_l3=3)
    state = put(integer("a", 4, cp.Wishes(numa="require-fewest")), integer("b", 2), host=host)
    assert (str(state["a"].cpus), str(state["b"].cpus)) == ("0-3", "4-5")
    assert moved(clear(state, pin("0"))) == {"a": "1-2,6-7"}


def test_a_plan_without_a_safe_order_goes_through_the_common_part_or_straight() -> None:
    full = put(integer("a", 3), integer("b", 3), integer("c", 2), min_shared_cpus=0)
    around = replaced(full, *_swapped(full["a"], full["b"]))
    assert ordered(full, around, allow_dip=True) is None
    assert [step.op.value for step in cp.Plan(before=full, after=around).steps] == ["move", "move"]
    a, c = full["a"], full["c"]
    two = cp.CpuSet([a.cpus.min, c.cpus.min])
    dipped = cp.Plan(before=full, after=replaced(full, evolve(a, cpus=a.cpus ^ two), evolve(c, cpus=c.cpus ^ two)))
    assert ordered(full, dipped.after) is None
    assert [step.op.value for step in dipped.steps] == ["narrow", "move", "widen"]


def test_one_cycle_without_a_way_is_no_order_whichever_other_is_solved_first() -> None:
    before = put(integer("c", 2), integer("d", 2), *(integer(key, 1) for key in "abe"))
    one, two = _swapped(before["a"], before["b"]), _swapped(before["c"], before["d"])
    assert len(before.free) == 1 and ordered(before, replaced(before, *one)) is not None
    assert ordered(before, replaced(before, *one, *two)) is None


def test_a_swap_goes_through_a_spare_cpu_or_is_no_legal_order() -> None:
    before = put(integer("a", 3), integer("b", 3))
    a, b = before["a"], before["b"]
    after = replaced(before, *_swapped(a, b))
    steps = ordered(before, after)
    assert steps is None  # two spare CPUs are too few for three
    assert ordered(before, after, one_step_per_container=True) is None
    small = put(integer("a", 2), integer("b", 2), cp.ContainerRequest.shared("s"))
    swapped = replaced(small, *_swapped(small["a"], small["b"]))
    steps = ordered(small, swapped)
    assert steps is not None
    assert [(step.op.value, step.container_id) for step in steps] == [
        ("narrow", "s"), ("move", "a"), ("move", "b"), ("move", "a"), ("widen", "s"),
    ]  # fmt: skip
    plan = cp.Plan(before=small, after=swapped)
    assert [step.op.value for step in plan.undo(2).steps] == ["move", "widen"]


def _swapped(a: cp.Assignment, b: cp.Assignment) -> tuple[cp.Assignment, cp.Assignment]:
    return evolve(a, cpus=b.cpus), evolve(b, cpus=a.cpus)


def test_memory_on_two_nodes_stays_on_both() -> None:
    state = put(integer("b", 3), integer("c", 3), integer("a", 2), min_shared_cpus=0, memory_scope="exclusive")
    assert str(state["a"].cpus) == "5,7"
    for key in "bc":
        state = cp.apply(state, cp.forget_pod(state, key))
    assert moved(clear(state, pin("7"))) == {"a": "3,5"}


def test_impossible_names_only_who_matters() -> None:
    state = put(integer("a", 4, ONE_NODE), integer("b", 1))
    refusal = clear(state, pin("0,3"))
    assert isinstance(refusal, cp.Impossible) and refusal.holders == ("a",)


def test_movers_that_forbid_different_cpus_or_stay_in_one_package() -> None:
    wishes = cp.Wishes(package="require-one")
    state = put(integer("a", 2, wishes, forbid=cp.CpuSet([2])), integer("b", 1, forbid=cp.CpuSet([3, 6])))
    assert (str(state["a"].cpus), str(state["b"].cpus)) == ("3,7", "2")
    assert moved(clear(state, pin("2,7"))) == {"a": "3,6", "b": "0"}


def test_a_last_cpu_that_cannot_be_kept_is_given_up() -> None:
    state = put(integer("a", 2, ONE_NODE), integer("b", 2), min_shared_cpus=0)
    assert moved(clear(state, pin("0"))) == {"a": "2,6"}
    state = put(integer("a", 3, ONE_NODE), integer("b", 1), search_budget=25)
    assert isinstance(clear(state, pin("0")), (Cleared, cp.SearchBudgetSpent))


def test_the_pool_keeps_a_cpu_for_everybody() -> None:
    state = put(integer("a", 1, cp.Wishes(cores="isolate")), integer("b", 1), min_shared_cpus=5)
    refusal = clear(state, cp.ContainerRequest.pinned("p", state["b"].cpus, exclusive=True))
    assert isinstance(refusal, cp.NoLegalMove) and refusal.holders == ("b",)
    picky = cp.ContainerRequest.shared("s", forbid=cp.CpuSet.parse("0-2,4-7"))
    state = put(integer("a", 2), picky)
    assert moved(clear(state, pin("0,4"))) == {"a": "1,5"}
    assert isinstance(cp.place(state, pin("0-1,4-5")), cp.Plan)
    assert isinstance(cp.place(state, pin("0-2,4-6")), cp.Refusal)


def test_impossible_is_not_said_when_there_is_room_but_no_legal_way_there() -> None:
    shared = cp.ContainerRequest.shared("s")
    host = cp.Topology.uniform(cores_per_l3=3)
    state = put(integer("a", 1, forbid=cp.CpuSet([2])), integer("b", 1), shared, host=host, min_shared_cpus=0)
    refusal = clear(state, pin("0"))  # "a" could go to 1 and "b" to 2, but then "s" has no CPU
    assert isinstance(refusal, cp.NoLegalMove) and refusal.holders == ("a",)


def test_a_budget_given_with_the_request_is_the_one_that_is_spent() -> None:
    apart = [integer(key, 2, forbid=cp.CpuSet.parse("6-9")) for key in "ab"]
    state = put(*apart, integer("c", 2), host=cp.Topology.uniform(cores_per_l3=12), min_shared_cpus=0)
    spent = cp.place(state, pin("0-5"), search_budget=1)
    assert isinstance(spent, cp.SearchBudgetSpent) and spent.budget == 1 and "budget of 1 " in spent.sentence
    proved = cp.place(state, pin("0-5"))
    assert isinstance(proved, cp.Impossible) and proved.holders == ("a", "b")
