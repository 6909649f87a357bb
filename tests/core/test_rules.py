"""The rules one by one on the tiny host: siblings (0,4) (1,5) | (2,6) (3,7), node 0 = 0-1,4-5, node 1 = 2-3,6-7."""

import re
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace.rules import RULES, SECTIONS

TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2, memory_per_node=1000)


def empty(**policy: object) -> cp.HostState:
    return cp.HostState.empty(TINY, cp.Policy(**policy))  # type: ignore[arg-type]


def put(state: cp.HostState, *requests: cp.ContainerRequest) -> cp.HostState:
    for request in requests:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def integer(key: str, count: int, **more: object) -> cp.ContainerRequest:
    return cp.ContainerRequest.integer(key, count, **more)  # type: ignore[arg-type]


def pin(key: str, cpus: str, *, exclusive: bool = True, **more: object) -> cp.ContainerRequest:
    return cp.ContainerRequest.pinned(key, cp.CpuSet.parse(cpus), exclusive=exclusive, **more)  # type: ignore[arg-type]


def shared(key: str, forbid: str = "", **more: object) -> cp.ContainerRequest:
    return cp.ContainerRequest.shared(key, forbid=cp.CpuSet.parse(forbid), **more)  # type: ignore[arg-type]


def refused(state: cp.HostState, request: cp.ContainerRequest) -> cp.Refusal:
    answer = cp.place(state, request)
    assert isinstance(answer, cp.Refusal), answer
    with pytest.raises(cp.Refused) as raised:
        answer.unwrap()
    assert raised.value.refusal is answer
    return answer


def test_the_examples_of_section_5() -> None:
    state = empty()
    assert [str(put(state, integer("c", n))["c"].cpus) for n in (2, 3)] == ["0,4", "0-1,4"]
    assert str(put(state, integer("c", 3), integer("d", 1))["d"].cpus) == "5"
    orphans = put(state, pin("p", "4-5"))
    assert [str(put(orphans, integer("c", n))["c"].cpus) for n in (2, 1)] == ["2,6", "0"]


@pytest.mark.parametrize(
    ("cpus", "policy", "words"),
    [
        ("", {}, "names no CPU"),
        ("3,9", {}, "does not have: 9"),
        ("0-1", {"usable": cp.CpuSet.parse("0-3")}, None),
        ("4", {"usable": cp.CpuSet.parse("0-3")}, "may not be used here: 4"),
        ("0-1", {"reserved": cp.CpuSet.parse("1")}, "reserved: 1"),
        ("0-1", {"reserved": cp.CpuSet.parse("1"), "allow_reserved_pins": True}, None),
        ("0-1", {"pin_namespaces": frozenset({"db"})}, "namespace default may not pin (allowed: db)"),
        ("0-1", {"pin_namespaces": frozenset()}, "(allowed: none)"),
        ("0-1", {"pin_namespaces": frozenset({"default"})}, None),
        ("0-1", {"pin_size": "match"}, "the CPU limit is not a whole number"),
    ],
)
def test_r1_a_pin_is_had_verbatim_or_refused(cpus: str, policy: dict[str, object], words: str | None) -> None:
    state = empty(**policy)
    if words is None:
        assert str(put(state, pin("p", cpus))["p"].cpus) == cpus
    else:
        refusal = refused(state, pin("p", cpus))
        assert (refusal.kind, refusal.rule) == ("BadPin", "R1") and words in refusal.sentence


def test_r1_offline_cpus_cannot_be_pinned() -> None:
    state = cp.HostState.empty(TINY.with_online(cp.CpuSet.parse("0-6")))
    assert "offline: 7" in refused(state, pin("p", "6-7")).sentence


def test_r1_the_size_of_a_pin_is_noted_or_has_to_match() -> None:
    (note,) = cp.place(empty(), pin("p", "0-1", limit=4)).unwrap().notes
    assert note == "p: the pin has 2 CPUs, the CPU limit is 4"
    assert cp.place(empty(), pin("p", "0-1", limit=2)).unwrap().notes == ()
    assert "the CPU limit is 4" in refused(empty(pin_size="match"), pin("p", "0-1", limit=4)).sentence
    held = put(empty(pin_size="match"), pin("p", "0-1", limit=2))["p"]
    assert held.rule == "R1" and held.baseline == held.cpus == cp.CpuSet([0, 1])


@pytest.mark.parametrize(
    ("numa", "noted"), [("1", True), ("0-1", False), ("0", False), ("spread", False), (None, False)]
)
def test_r1_a_pin_outside_the_nodes_wished_for_is_noted(numa: str | None, noted: bool) -> None:
    request = evolve(pin("p", "0-1", limit=2), wishes=cp.Wishes(numa=numa))
    note = f"p: the pin has CPUs of NUMA nodes 0, its numa wish names {numa}: a pin is taken as it is"
    assert cp.place(empty(), request).unwrap().notes == ((note,) if noted else ())


def test_r2_pins_overlap_only_when_shared_or_of_one_pod() -> None:
    state = put(empty(), pin("a", "0-1"), pin("b", "2-3", exclusive=False))
    assert put(state, pin("c", "0", pod="a"))["c"].cpus == cp.CpuSet([0])
    assert put(state, pin("c", "2", exclusive=False))["c"].cpus == cp.CpuSet([2])
    for wanted in (pin("c", "1,4"), pin("c", "1,4", exclusive=False), pin("c", "3")):
        refusal = refused(state, wanted)
        assert isinstance(refusal, cp.PinOverlap) and refusal.rule == "R2"
        assert refusal.holders == ("a",) if 1 in wanted.pin else ("b",)
    weka = put(cp.HostState.empty(TINY, cp.Policy.weka()), pin("a", "0-1"), pin("b", "1-2"))
    assert cp.violations(weka) == () and str(weka.exclusive) == "0-2"
    assert str(cp.release(weka, "a").after.exclusive) == "1-2"


def test_r3_integer_containers_and_their_withheld_siblings_make_way() -> None:
    state = put(empty(), integer("a", 2), integer("b", 1, wishes=cp.Wishes(cores="isolate")), shared("s"))
    assert (str(state["a"].cpus), str(state["b"].cpus), str(state["b"].withheld)) == ("0,4", "1", "5")
    plan = cp.place(state, pin("p", "4-5")).unwrap()
    after = plan.after
    assert (str(after["a"].cpus), str(after["b"].cpus), str(after["b"].withheld)) == ("0-1", "2", "6")
    assert [(step.op.value, step.container_id) for step in plan.steps] == [
        ("narrow", "s"), ("move", "b"), ("move", "a"), ("grant", "p"),
    ]  # fmt: skip
    assert plan.notes[0] == "a: moves from 0,4 to 0-1 to make way for p" and plan.optimal
    assert [(reason.container_id, reason.rule, reason.sentence) for reason in plan.explain().reasons] == [
        ("p", "R1", "pinned to 4-5, verbatim"),
        ("a", "R3", "moves from 0,4 to 0-1 to make way for p"),
        ("b", "R3", "moves from 1 to 2 to make way for p"),
    ]
    assert after["a"].rule == "R3" and after["a"].baseline == after["a"].cpus
    assert cp.violations(after) == ()


def test_r3_who_may_not_move_is_named() -> None:
    stays = put(empty(), integer("a", 2, wishes=cp.Wishes(move="never")), integer("b", 2))
    refusal = refused(stays, pin("p", "0-1"))
    assert isinstance(refusal, cp.NoLegalMove) and refusal.holders == ("a",) and refusal.cpus == cp.CpuSet([0])
    assert refusal.missing == "they may not be moved"
    refusal = refused(put(empty(reassign="never"), integer("a", 2)), pin("p", "4"))
    assert isinstance(refusal, cp.NoLegalMove) and refusal.rule == "R3"


def test_r3_what_is_impossible_is_proved_and_named() -> None:
    one_node = cp.Wishes(numa="require-one")
    state = put(empty(), integer("a", 4, wishes=one_node), integer("b", 1))
    refusal = refused(state, pin("p", "0,2"))
    assert isinstance(refusal, cp.Impossible) and refusal.holders == ("a",)
    assert refusal.sentence == "beside the pin 0,2 there is no room for a (4 CPUs, numa require-one)"
    assert refused(put(empty(), integer("a", 6)), pin("p", "0-1")).kind == "PoolExhausted"


def test_r3_a_budget_that_is_spent_is_not_a_proof() -> None:
    state = put(empty(search_budget=1, min_shared_cpus=0), integer("a", 2), integer("b", 2))
    refusal = refused(state, pin("p", "0-1,4-5"))
    assert isinstance(refusal, cp.SearchBudgetSpent) and refusal.budget == 1


def test_r4_forbidden_cpus_are_not_given_and_absent_ids_in_them_ignored() -> None:
    assert str(put(empty(), integer("c", 2, forbid=cp.CpuSet.parse("0,99")))["c"].cpus) == "1,5"
    refusal = refused(empty(), integer("c", 9))
    assert isinstance(refusal, cp.NotEnoughCpus)
    assert (refusal.rule, refusal.asked, refusal.fits, str(refusal.free)) == ("R4", 9, 7, "0-7")
    assert refusal.sentence == "asks for 9 CPUs, 8 free ones may be used; 7 CPUs would fit"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "asks for 1 CPU with cores: whole cores of 2 CPUs each asked for, so only a multiple of 2 can be had"),
        (3, "whole cores of 2 CPUs each asked for, so only a multiple of 2 can be had; 2 CPUs would fit"),
        (6, "asks for 6 CPUs with cores: 6 CPUs of whole cores asked for, 4 free; 4 CPUs would fit"),
    ],
)
def test_whole_cores_come_in_multiples_and_the_refusal_says_so(count: int, words: str) -> None:
    state, whole = put(empty(), pin("a", "0-1")), cp.Wishes(cores="require-full")
    refusal = refused(state, integer("c", count, wishes=whole))
    assert refusal.kind == "WishUnmet" and refusal.sentence.endswith(words)
    assert str(put(state, integer("c", 4, wishes=whole))["c"].cpus) == "2-3,6-7"


def test_a_refusal_of_which_nothing_smaller_fits_says_so_of_the_smaller_only() -> None:
    state = put(empty(), integer("a", 7))
    two, one = refused(state, integer("c", 2)), refused(state, integer("c", 1))
    assert two.sentence == "asks for 2 CPUs, 1 free ones may be used; nothing less would fit"
    assert one.sentence == "asks for 1 CPU, but the pool has 1 and must keep 1"


@pytest.mark.parametrize(
    ("operator", "own", "why"),
    [
        ({"numa": "0"}, {"numa": "1"}, "the operator allows NUMA nodes 0 and the container asks for 1"),
        ({"isolated": "avoid"}, {"isolated": "require"}, "for kernel-isolated CPUs the operator says avoid and"),
        ({"core_kind": "performance!"}, {"core_kind": "efficiency!"}, "the operator requires performance! cores and"),
    ],
)
def test_hard_wishes_that_exclude_each_other_are_refused(
    operator: dict[str, str], own: dict[str, str], why: str
) -> None:
    state = empty(wishes=cp.Wishes(**operator))  # type: ignore[arg-type]
    refusal = refused(state, integer("c", 2, wishes=cp.Wishes(**own)))  # type: ignore[arg-type]
    assert isinstance(refusal, cp.WishUnmet) and (refusal.rule, refusal.fits) == ("section 5", 0)
    assert refusal.sentence.startswith("asks for 2 CPUs with wishes that cannot hold together: " + why)


def test_a_device_or_node_that_the_host_lacks_is_noted_when_it_is_only_preferred() -> None:
    host = evolve(TINY, devices=(cp.Device(name="eth0", kind="nic", node=1),))
    state = cp.HostState.empty(host, cp.Policy(wishes=cp.Wishes(devices=("eth7",))))
    own = cp.place(state, integer("c", 2, wishes=cp.Wishes(devices=("eth0", "eth8"), numa="0-1,9"))).unwrap()
    assert own.notes == ("c: no device eth8 on this host", "c: no node 9 on this host (it has 0-1)")
    assert cp.place(state, integer("c", 2)).unwrap().notes == ("policy: no device eth7 on this host",)
    assert cp.place(state, shared("s")).unwrap().notes == ()


def test_r5_a_shared_container_gets_the_pool_without_what_it_forbids() -> None:
    state = put(empty(), integer("c", 4), shared("s", "2"))
    assert str(state["s"].cpus) == "3,6-7"
    refusal = refused(state, shared("t", "2-3,6-7"))
    assert (refusal.kind, refusal.rule) == ("PoolExhausted", "R5")


def test_r6_the_pool_keeps_its_floor() -> None:
    refusal = refused(empty(min_shared_cpus=3), integer("c", 6))
    assert isinstance(refusal, cp.PoolExhausted) and (refusal.rule, refusal.fits) == ("R6", 5)
    assert put(empty(min_shared_cpus=0), integer("c", 8)).pool == cp.CpuSet()
    assert refused(put(empty(min_shared_cpus=0), shared("s")), integer("c", 8)).rule == "R6"
    pinned = refused(empty(min_shared_cpus=3), pin("p", "0-5"))
    assert isinstance(pinned, cp.PoolExhausted) and (pinned.rule, pinned.fits) == ("R6", 5)
    assert str(put(empty(min_shared_cpus=3), pin("p", "0-5", exclusive=False)).pool) == "0-7"


def test_r6_a_refusal_counts_the_siblings_that_isolation_withholds() -> None:
    alone = cp.Wishes(cores="isolate")
    assert refused(empty(), integer("c", 4, wishes=alone)).sentence == (
        "asks for 4 CPUs and 4 idle siblings, but the pool has 8 and must keep 1; 3 CPUs would fit"
    )
    starving = refused(put(empty(min_shared_cpus=0), shared("s")), integer("c", 4, wishes=alone))
    assert "asks for 4 CPUs and 4 idle siblings, but shared containers would" in starving.sentence
    one = refused(empty(min_shared_cpus=7), integer("c", 1, wishes=alone))
    assert one.sentence == "asks for 1 CPU and 1 idle sibling, but the pool has 8 and must keep 7"


def test_r6_reserved_cpus_count_for_the_pool_unless_strict() -> None:
    reserved = cp.CpuSet.parse("0")
    assert str(put(empty(reserved=reserved), integer("c", 7)).pool) == "0"
    assert refused(empty(reserved=reserved, strict_reservation=True), integer("c", 7)).kind == "PoolExhausted"


def test_r6_a_choice_that_would_starve_somebody_makes_way_for_the_next_best() -> None:
    state = put(empty(), shared("s", "1-7"))
    assert str(put(state, integer("c", 2))["c"].cpus) == "1,5"
    both = put(state, shared("t", "0,2-7"))
    plan = cp.place(both, integer("c", 4)).unwrap()
    assert str(plan.after["c"].cpus) == "2-3,6-7"
    refusal = refused(both, integer("c", 7))
    assert isinstance(refusal, cp.PoolExhausted) and (refusal.rule, refusal.fits) == ("R6", 6)


def test_r6_what_has_to_stay_in_the_pool_counts_as_free_all_the_same() -> None:
    host = cp.Topology.uniform(cores_per_l3=3, threads_per_core=2, numbering="adjacent")
    state = put(cp.HostState.empty(host), pin("p", "5"), shared("s", "1-5"))
    plan = cp.place(state, integer("x", 3)).unwrap()
    assert (str(plan.after["x"].cpus), plan.optimal) == ("2-4", True)


def test_r6_explains_why_the_best_was_not_taken() -> None:
    state = put(empty(), shared("s", "1-7"))
    explanation = cp.place(state, integer("c", 2)).unwrap().explain()
    assert "better ones would leave a shared container without a CPU" in str(explanation)


def test_r6_looks_at_no_alternative_twice() -> None:
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=8))
    for key, pair in (("s", [0, 1]), ("t", [1, 2]), ("u", [0, 3])):
        state = put(state, cp.ContainerRequest.shared(key, forbid=state.topology.online - cp.CpuSet(pair)))
    assert str(put(state, integer("c", 4))["c"].cpus) == "0,2,4-5"


def test_r6_looks_at_alternatives_within_the_budget() -> None:
    big = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=10), cp.Policy(min_shared_cpus=0))
    for number in range(5):
        pair = cp.CpuSet([2 * number, 2 * number + 1])
        big = put(big, cp.ContainerRequest.shared(f"s{number}", forbid=big.topology.online - pair))
    plan = cp.place(big, integer("c", 5)).unwrap()
    assert plan.optimal and str(plan.after["c"].cpus) == "0,2,4,6,8"
    refusal = refused(big, integer("c", 6))
    assert isinstance(refusal, cp.PoolExhausted) and refusal.fits == 5 and refusal.holders
    hasty = evolve(big, ground=evolve(big.ground, policy=cp.Policy(min_shared_cpus=0, search_budget=100)))
    spent = refused(hasty, integer("c", 6))
    assert isinstance(spent, cp.SearchBudgetSpent) and spent.budget == 100 and "raise search_budget" in spent.sentence
    assert not cp.place(hasty, integer("c", 5)).unwrap().optimal


def test_r6_says_who_would_starve() -> None:
    state = put(empty(), shared("s", "1-7"))
    refusal = refused(state, integer("c", 8, forbid=cp.CpuSet()))
    assert isinstance(refusal, cp.PoolExhausted)
    only = refused(state, pin("p", "0"))
    assert isinstance(only, cp.PoolExhausted) and only.holders == ("s",) and "leave s without" in only.sentence
    assert (only.asked, only.fits) == (1, 0)


def test_r7_narrowing_comes_before_and_widening_after_the_grant() -> None:
    state = put(empty(), shared("s"), shared("t", "0-1"))
    plan = cp.place(state, integer("c", 2)).unwrap()
    assert [(step.op, step.container_id) for step in plan.steps] == [
        (cp.Op.NARROW, "s"),
        (cp.Op.NARROW, "t"),
        (cp.Op.GRANT, "c"),
    ]
    back = cp.release(plan.after, "c")
    assert [(step.op, step.container_id) for step in back.steps] == [
        (cp.Op.RELEASE, "c"),
        (cp.Op.WIDEN, "s"),
        (cp.Op.WIDEN, "t"),
    ]
    assert back.steps[1].before == plan.steps[0].after


def test_r7_who_keeps_its_cpus_gets_no_step() -> None:
    state = put(empty(), shared("s", "0-1,4-5"))
    assert [step.op for step in cp.place(state, integer("c", 2)).unwrap().steps] == [cp.Op.GRANT]


def test_r7_lazy_widening_rides_along_with_the_next_narrowing() -> None:
    state = put(empty(widen="lazy"), shared("s"), integer("c", 2))
    freed = cp.release(state, "c")
    assert [step.op for step in freed.steps] == [cp.Op.RELEASE]
    assert str(freed.after["s"].cpus) == "1-3,5-7" and str(freed.after.pool) == "0-7"
    later = put(freed.after, shared("t"))
    assert str(later["t"].cpus) == "0-7" and str(later["s"].cpus) == "1-3,5-7"
    plan = cp.place(cp.forget_pod(later, "c").after, integer("d", 2, forbid=cp.CpuSet.parse("0"))).unwrap()
    assert str(plan.after["d"].cpus) == "1,5" and str(plan.after["s"].cpus) == "0,2-4,6-7"
    assert [(step.op, step.container_id) for step in plan.steps] == [
        (cp.Op.NARROW, "s"),
        (cp.Op.NARROW, "t"),
        (cp.Op.GRANT, "d"),
        (cp.Op.WIDEN, "s"),
    ]
    gone = cp.release(plan.after, "t").after
    assert "t" not in gone and cp.violations(gone) == ()


def test_r7_only_those_held_apart_are_outside_the_pool() -> None:
    state = put(empty(widen="lazy"), shared("s"), integer("c", 2))
    wide = put(cp.forget_pod(cp.release(state, "c").after, "c").after, shared("t"))
    narrowed = cp.place(wide, pin("p", "0")).unwrap()
    assert [(step.op, step.container_id) for step in narrowed.steps] == [
        (cp.Op.NARROW, "t"),
        (cp.Op.GRANT, "p"),
        (cp.Op.WIDEN, "s"),
    ]
    assert cp.violations(narrowed.after) == ()


def test_r7_a_container_moves_when_nothing_of_its_set_stays() -> None:
    state = put(empty(min_shared_cpus=1), shared("s", "1-7"))
    state = put(state, pin("a", "1"))
    assert str(state["s"].cpus) == "0"
    replaced = put(empty(), pin("x", "0", pod="x", name="m"), shared("s", "2-7"))
    assert str(replaced["s"].cpus) == "1"
    plan = cp.place(replaced, pin("y", "1", pod="x", name="m")).unwrap()
    assert [(step.op, step.container_id) for step in plan.steps] == [
        (cp.Op.RELEASE, "x"),
        (cp.Op.MOVE, "s"),
        (cp.Op.GRANT, "y"),
    ]


def test_r8_a_container_that_comes_back_finds_its_cpus() -> None:
    state = put(empty(), integer("a", 2), integer("b", 2, pod="pb", name="m"))
    assert str(state["b"].cpus) == "1,5"
    gone = cp.release(state, "b").after
    assert gone.remembered and str(put(gone, integer("c", 2))["c"].cpus) == "2,6"
    back = cp.place(cp.release(gone, "a").after, integer("b2", 2, pod="pb", name="m")).unwrap()
    assert str(back.after["b2"].cpus) == "1,5" and back.after["b2"].rule == "R8"
    assert "remembered" in str(back.explain())
    other = cp.place(gone, integer("b2", 1, pod="pb", name="m")).unwrap()
    assert other.after["b2"].rule == "R4" and ("pb", "m") not in other.after.remembered


def test_r8_remembered_cpus_taken_by_others_are_gone() -> None:
    state = cp.release(put(empty(), integer("b", 2, pod="pb", name="m")), "b").after
    taken = put(state, pin("p", "0"))
    assert put(taken, integer("b2", 2, pod="pb", name="m"))["b2"].rule == "R4"


def test_r8_the_same_name_replaces_whose_stop_was_not_told() -> None:
    state = put(empty(), integer("b", 2, pod="pb", name="m"))
    plan = cp.place(state, integer("b2", 2, pod="pb", name="m")).unwrap()
    assert [(step.op, step.container_id) for step in plan.steps] == [(cp.Op.RELEASE, "b"), (cp.Op.GRANT, "b2")]
    assert plan.after["b2"].cpus == state["b"].cpus and plan.notes == ("b2 replaces b",)
    assert refused(state, integer("b2", 9, pod="pb", name="m")).kind == "NotEnoughCpus"
    assert put(put(empty(), shared("s", pod="x", name="m")), shared("t", pod="x", name="m")).shared.keys() == {"t"}


def test_r8_what_init_containers_leave_is_free_for_their_pod_only() -> None:
    state = put(empty(), integer("i", 2, pod="p", name="init", init=True))
    state = cp.release(state, "i").after
    assert str(put(state, integer("m", 2, pod="p", name="main"))["m"].cpus) == "0,4"
    assert str(put(state, integer("m", 2, pod="q", name="main"))["m"].cpus) == "1,5"
    beside = cp.release(put(empty(), integer("i", 2, pod="p", name="side")), "i").after  # who may come back
    assert str(put(beside, integer("m", 2, pod="p", name="main"))["m"].cpus) == "1,5"


def test_r12_memory_of_pins_follows_their_cpus_and_is_a_budget() -> None:
    state = put(empty(), pin("p", "0-1", memory_bytes=900))
    assert state["p"].mems == cp.NodeSet([0]) and put(empty(), integer("i", 2))["i"].mems is None
    refusal = refused(state, pin("q", "4", memory_bytes=200))
    assert isinstance(refusal, cp.NotEnoughMemory) and (refusal.asked_bytes, refusal.free_bytes) == (200, 110)
    both = put(state, pin("q", "4,6", memory_bytes=200))
    assert str(both["q"].mems) == "0-1"
    assert refused(empty(reserved_memory={0: 500}), pin("p", "0", memory_bytes=600)).rule == "R12"


def test_r12_integer_containers_span_another_node_when_memory_needs_it() -> None:
    state = empty(memory_scope="exclusive")
    assert str(put(state, integer("i", 2, memory_bytes=900))["i"].mems) == "0"
    assert str(put(state, integer("i", 2, memory_bytes=1500))["i"].cpus) == "0,2"
    assert refused(state, integer("i", 2, memory_bytes=2500)).kind == "NotEnoughMemory"
    one = refused(state, integer("i", 2, memory_bytes=1500, wishes=cp.Wishes(numa="require-one")))
    assert one.kind == "NotEnoughMemory"
    assert refused(state, integer("i", 9, memory_bytes=1)).kind == "NotEnoughCpus"


GIB = 1 << 30


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (5_000 << 20, "asks for 4.9 GiB of memory on NUMA nodes 0, where 4 GiB can still be bound, 1 % slack included"),
        (
            4_337_916_969,
            "asks for 4337916969 bytes of memory on NUMA nodes 0, where 4337916968 can still be bound, 1 % ",
        ),
    ],
)
def test_r12_a_refusal_has_sizes_to_read_and_tells_of_the_slack(asked: int, words: str) -> None:
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=4, memory_per_node=4 * GIB))
    refusal = refused(state, pin("p", "0", memory_bytes=asked))
    assert isinstance(refusal, cp.NotEnoughMemory) and refusal.sentence.startswith(words)
    assert (refusal.asked_bytes, refusal.free_bytes) == (asked, 4_337_916_968)


def test_r12_a_refusal_does_not_name_room_that_wishes_keep_out_of_reach() -> None:
    one = integer("i", 2, memory_bytes=1500, wishes=cp.Wishes(numa="require-one"))
    assert refused(empty(memory_scope="exclusive"), one).sentence == (
        "asks for 1.5 KiB of memory: NUMA nodes 0-1 have that together, "
        "but none that its wishes and the free CPUs allow"
    )


def test_r12_a_search_that_is_cut_does_not_claim_that_there_is_no_answer() -> None:
    random = Random(9)
    host = cp.Topology.from_rows(
        [cp.CpuRow(cpu, cpu, None, cpu // 4, 0) for cpu in range(160)],
        distances={(a, b): random.randint(11, 90) for a in range(40) for b in range(a)},
        memory_bytes=dict.fromkeys(range(40), 1),
    )
    state = cp.HostState.empty(host, cp.Policy(memory_scope="exclusive", search_budget=50))
    assert refused(state, integer("c", 20, memory_bytes=1000)).kind == "SearchBudgetSpent"


def test_r12_preferred_and_none_enforce_nothing() -> None:
    preferred = put(empty(memory_policy="preferred"), pin("p", "0", memory_bytes=5000))["p"]
    assert (preferred.mems, preferred.preferred) == (None, cp.NodeSet([0]))
    assert put(empty(memory_policy="none"), pin("p", "0"))["p"].held == cp.Held(cp.CpuSet([0]))


def test_r12_huge_pages_are_a_budget_where_the_host_has_any() -> None:
    host = cp.Topology.from_rows(
        [cp.CpuRow(0, 0, None, 0, 0), cp.CpuRow(1, 1, None, 1, 0)], huge_pages={0: {2048: 4}, 1: {2048: 1}}
    )
    state = cp.HostState.empty(host, cp.Policy(min_shared_cpus=0))
    assert str(put(state, pin("p", "0", huge_pages={2048: 8192}))["p"].mems) == "0"
    refusal = refused(state, pin("p", "1", huge_pages={2048: 4096}, memory_bytes=1))
    assert refusal.kind == "NotEnoughMemory" and refusal.sentence == (
        "asks for 4 KiB in huge pages of 2 KiB on NUMA nodes 1, where 2 KiB can still be bound"
    )
    assert put(empty(), pin("p", "0", huge_pages={2048: 4096}))["p"].cpus == cp.CpuSet([0])


def test_r12_a_node_without_memory_uses_its_nearest_and_memory_only_nodes_join_when_named() -> None:
    host = cp.Topology.from_rows(
        [cp.CpuRow(0, 0, None, 0, 0), cp.CpuRow(1, 1, None, 1, 0)],
        memory_bytes={0: 0, 1: 100, 2: 100, 5: 100},
        distances={(0, 1): 30, (0, 2): 15, (0, 5): 15},
    )
    state = cp.HostState.empty(host, cp.Policy(memory_scope="exclusive"))
    assert str(put(state, integer("i", 1))["i"].mems) == "2"
    named = put(state, integer("i", 1, wishes=cp.Wishes(numa="1,5")))["i"]
    assert (str(named.cpus), str(named.mems)) == ("1", "1,5")


def test_r14_a_pod_as_one_grant_that_cannot_be_divided_is_placed_one_by_one() -> None:
    whole = cp.Wishes(cores="require-full")
    pod = [integer("a", 2, pod="p", name="a", wishes=whole), integer("b", 2, pod="p", name="b", wishes=whole)]
    assert {str(cp.place_all(empty(), pod, scope="pod").unwrap().after[k].cpus) for k in "ab"} == {"0,4", "1,5"}
    one_node = cp.Wishes(numa="require-one")
    wide = [integer("a", 3, pod="p", name="a", wishes=one_node), integer("b", 3, pod="p", name="b", wishes=one_node)]
    plan = cp.place_all(empty(scope="pod"), wide).unwrap()
    assert (str(plan.after["a"].cpus), str(plan.after["b"].cpus)) == ("0-1,4", "2-3,6")
    odd = [integer("a", 1, pod="p", name="a"), integer("b", 1, pod="p", name="b", wishes=one_node)]
    assert str(cp.place_all(empty(), odd, scope="pod").unwrap().after.exclusive) == "0,4"


def test_r14_a_common_grant_that_suits_nobody_gives_way() -> None:
    host = cp.Topology.uniform(packages=2, cores_per_l3=3, threads_per_core=2)
    orphans = put(cp.HostState.empty(host), pin("p", "6-8"))
    pod = [
        integer("a", 2, pod="p", name="a", wishes=cp.Wishes(cores="require-full")),
        integer("b", 1, pod="p", name="b"),
    ]
    plan = cp.place_all(orphans, pod, scope="pod").unwrap()
    assert (str(plan.after["a"].cpus), str(plan.after["b"].cpus)) == ("3,9", "0")
    assert plan.notes == ("pod p: one grant for all its containers cannot be divided, each was placed alone",)
    neither = cp.place_all(orphans, [*pod, pin("c", "99", pod="p")], scope="pod")
    assert isinstance(neither, cp.BadPin)


def test_r14_all_or_none() -> None:
    refusal = cp.place_all(empty(), [integer("a", 2, pod="p"), integer("b", 9, pod="p")], scope="pod")
    assert isinstance(refusal, cp.NotEnoughCpus) and refusal.container_id == "b"
    assert cp.place_all(empty(), []).unwrap().is_empty


def test_r15_repeats() -> None:
    state = put(empty(), integer("a", 2), shared("s"))
    assert cp.place(state, integer("a", 2)).unwrap().is_empty and cp.place(state, shared("s")).unwrap().is_empty
    refusal = refused(state, integer("a", 3))
    assert (refusal.kind, refusal.rule) == ("AlreadyPlaced", "R15")


def test_r15_says_both_things_that_are_refused_by_it() -> None:
    unknown = cp.resize(empty(), integer("a", 2))
    assert isinstance(unknown, cp.Refusal) and unknown.rule == "R15"
    [text] = [rule.text for rule in RULES if rule.number == "R15"]
    assert "Placing an id that is there" in text and "Resizing an id that is not there" in text


def test_unmanaged_containers_are_recorded_and_never_touched() -> None:
    state = put(empty(), integer("a", 2))
    plan = cp.place(state, cp.ContainerRequest.unmanaged("u", cpus=cp.CpuSet.parse("0,7"))).unwrap()
    assert plan.notes == ("u: not managed, runs on exclusive CPUs 0",) and "never touched" in str(plan.explain())
    assert [(reason.container_id, reason.rule) for reason in plan.explain().reasons] == [("u", "K0")]
    assert str(plan.after.free) == "1-3,5-6" and cp.violations(plan.after) == ()
    assert refused(plan.after, pin("p", "7")).kind == "PinOverlap"
    assert cp.place(empty(), cp.ContainerRequest.unmanaged("u")).unwrap().notes == ()


def test_forgetting_a_pod_releases_what_was_never_told_to_stop() -> None:
    state = put(empty(), integer("a", 2, pod="p"), shared("s", pod="p"), integer("b", 2, pod="q"))
    plan = cp.forget_pod(state, "p")
    assert len(plan.notes) == 2 and set(plan.after.assignments) == {"b"} and not plan.after.remembered
    assert cp.forget_pod(plan.after, "p").is_empty


def test_isolated_cpus_are_set_aside_for_who_wishes_them() -> None:
    host = evolve(TINY, isolated=cp.CpuSet.parse("2-3"))
    state = cp.HostState.empty(host)
    assert (str(state.set_aside), str(state.pool), str(state.free)) == ("2-3", "0-1,4-7", "0-1,4-7")
    wished = put(state, integer("c", 1, wishes=cp.Wishes(isolated="require")))
    assert str(wished["c"].cpus) in ("2", "3") and len(wished.set_aside) == 1
    unmet = refused(state, integer("c", 3, wishes=cp.Wishes(isolated="require")))
    assert (unmet.kind, unmet.rule) == ("WishUnmet", "section 5")
    assert cp.HostState.empty(host, cp.Policy(isolated_cpus="ignore")).free == host.online
    assert str(cp.HostState.empty(host, cp.Policy(isolated_cpus="unusable")).usable) == "0-1,4-7"


def test_a_policy_that_does_not_fit_the_host_is_bad_input() -> None:
    for policy in (
        cp.Policy(usable=cp.CpuSet.parse("0-9")),
        cp.Policy(reserved=cp.CpuSet.parse("9")),
        cp.Policy(reserved_memory={7: 1}),
        cp.Policy(usable=cp.CpuSet()),
    ):
        with pytest.raises(cp.BadInput, match="policy"):
            cp.HostState.empty(TINY, policy)


def test_a_plan_has_no_truth_value_and_a_short_repr() -> None:
    plan = cp.place(empty(), integer("a", 2)).unwrap()
    with pytest.raises(
        TypeError, match=r"^a plan has no truth value: ask plan\.is_empty, or isinstance\(answer, Plan\)$"
    ):
        bool(plan)
    assert len(repr(plan)) < 300 and "free='0-7'" in repr(plan.before) and not plan.is_empty
    assert plan.before.assignments == {} and repr(plan.after.assignments).startswith("Assignments({'a'")


def test_a_stale_plan_is_not_applied() -> None:
    state = empty()
    plan, other = cp.place(state, integer("a", 2)).unwrap(), cp.place(state, integer("b", 2)).unwrap()
    with pytest.raises(cp.StalePlan, match="plan again"):
        cp.apply(cp.apply(state, other), plan)
    assert cp.apply(empty(), plan) == plan.after


def test_a_plan_for_something_else_says_for_what() -> None:
    plan = cp.place(empty(), integer("a", 2)).unwrap()
    away = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=8))
    with pytest.raises(cp.StalePlan, match=r"^the plan was made for another host: plan again$"):
        cp.apply(away, plan)
    with pytest.raises(cp.StalePlan, match="for another policy: plan again"):
        cp.apply(empty(reserved=cp.CpuSet([7])), plan)
    later = cp.place(plan.after, integer("b", 2)).unwrap()
    with pytest.raises(cp.StalePlan, match="for version 1, the state has version 0: plan again"):
        cp.apply(empty(), later)
    with pytest.raises(cp.StalePlan, match="for other containers than the state has: plan again"):
        cp.apply(cp.place(empty(), integer("c", 3)).unwrap().after, later)


def test_the_rules_table_names_every_rule_that_is_used() -> None:
    numbers = [rule.number for rule in RULES]
    assert {"R1", "R2", "R3", "R4", "R5", "R6", "R8", "R12", "R15"} <= set(numbers)
    assert numbers == sorted(numbers, key=lambda number: int(number[1:]))


def test_the_sections_that_refusals_and_docstrings_cite_are_told() -> None:
    core = Path(cp.__file__).parent
    cited = {
        found.lower() for file in core.rglob("*.py") for found in re.findall(r"(?i)\bsection \d", file.read_text())
    }
    assert {"section 2", "section 4", "section 5"} <= cited <= {section.number for section in SECTIONS}


def test_isolated_cores_take_smaller_ones_when_the_pool_must_keep_its_floor() -> None:
    """Cores of 2, 2, 1 and 1 threads: two whole ones would leave the pool too small, one of each kind does not."""
    rows = [cp.CpuRow(cpu, core, 0, 0, 0) for cpu, core in enumerate([0, 0, 1, 1, 2, 3])]
    state = cp.HostState.empty(cp.Topology.from_rows(rows), cp.Policy(min_shared_cpus=3))
    asks = [cp.ContainerRequest.integer("i", count, wishes=cp.Wishes(cores="isolate")) for count in (2, 3)]
    placed = cp.place(state, asks[0]).unwrap().after
    assert len(placed.pool) >= 3 and cp.violations(placed) == ()
    assert isinstance(cp.place(state, asks[1]), cp.PoolExhausted)
