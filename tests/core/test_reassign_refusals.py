"""What a pin that cannot be cleared says: the rule, who is in the way, what they wish, and how much would do."""

import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace.reassign import clear

TINY = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
MOST_OF_IT = cp.CpuSet.parse("1-3,5-7")


def put(*wanted: cp.ContainerRequest, host: cp.Topology = TINY, **policy: object) -> cp.HostState:
    state = cp.HostState.empty(host, cp.Policy(**policy))  # type: ignore[arg-type]
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def pin(cpus: str) -> cp.ContainerRequest:
    return cp.ContainerRequest.pinned("p", cp.CpuSet.parse(cpus), exclusive=True)


def told(refusal: object) -> tuple[object, ...]:
    assert isinstance(refusal, cp.Refusal)
    return refusal.container_id, refusal.rule, refusal.sentence


@pytest.mark.parametrize(
    ("count", "wishes", "pinned", "words"),
    [
        (3, cp.Wishes(numa="require-one"), "0,2,4,6", "3 CPUs, numa require-one"),
        (3, cp.Wishes(numa="require-fewest"), "0,2,4,6", "3 CPUs, numa require-fewest"),
        (2, cp.Wishes(numa="0"), "0-1,4", "2 CPUs, numa 0"),
        (2, cp.Wishes(cores="require-full"), "0-3", "2 CPUs, cores require-full"),
        (2, cp.Wishes(cores="isolate"), "0-3", "2 CPUs, cores isolate"),
        (3, cp.Wishes(l3="require-one"), "0,2,4,6", "3 CPUs, l3 require-one"),
        (3, cp.Wishes(package="require-one"), "0,2,4,6", "3 CPUs, package require-one"),
    ],
)
def test_who_has_no_room_is_named_with_its_hard_wishes(count: int, wishes: cp.Wishes, pinned: str, words: str) -> None:
    state = put(cp.ContainerRequest.integer("a", count, wishes=wishes), min_shared_cpus=0)
    refusal = clear(state, pin(pinned))
    assert isinstance(refusal, cp.Impossible) and refusal.holders == ("a",)
    assert told(refusal) == ("p", "R3", f"beside the pin {pin(pinned).pin} there is no room for a ({words})")


def test_two_without_room_are_named_together() -> None:
    two = [cp.ContainerRequest.integer(key, 1, forbid=MOST_OF_IT) for key in "ab"]
    refusal = clear(put(*two), pin("4"))
    assert isinstance(refusal, cp.Impossible) and refusal.holders == ("b", "a")
    assert refusal.sentence.endswith("no room for b (1 CPU, forbids 1-3,5-7), a (1 CPU, forbids 1-3,5-7)")


def test_nobody_is_named_who_makes_no_difference_to_memory() -> None:
    """Of two nodes each holds one of two who bind 60; whoever makes way on the one finds no memory on the other."""
    host = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2, memory_per_node=100)
    homes = [
        cp.ContainerRequest.integer("a", 1, memory_bytes=60),
        cp.ContainerRequest.integer("stays", 1, memory_bytes=60, wishes=cp.Wishes(move="never")),
        cp.ContainerRequest.integer("b", 1),
    ]
    state = put(*homes, host=host, memory_scope="exclusive", min_shared_cpus=0)
    assert [str(state[key].cpus) for key in ("a", "stays", "b")] == ["0", "2", "4"]
    refusal = clear(state, pin("0-1,4-5"))
    assert isinstance(refusal, cp.Impossible) and refusal.holders == ("a",)


def test_too_small_a_pool_says_how_much_would_do() -> None:
    state = put(cp.ContainerRequest.integer("a", 4), min_shared_cpus=2)
    refusal = clear(state, pin("0,2-3"))
    assert isinstance(refusal, cp.PoolExhausted) and (refusal.asked, refusal.fits) == (3, 2)
    said = "the pin 0,2-3, and a that would make way for it, would leave fewer than 2 CPUs in the pool"
    assert told(refusal) == ("p", "R6", said)
    full = put(cp.ContainerRequest.integer("a", 6), min_shared_cpus=2)
    nothing = clear(full, pin("0"))
    assert isinstance(nothing, cp.PoolExhausted) and (nothing.asked, nothing.fits) == (1, 0)


def test_without_a_floor_it_says_how_many_cpus_are_missing() -> None:
    refusal = clear(put(cp.ContainerRequest.integer("a", 7), min_shared_cpus=0), pin("0,4"))
    assert told(refusal) == ("p", "R6", "the pin 0,4, and a that would make way for it, need 1 CPU more than there are")


def test_who_may_not_move_is_said() -> None:
    stays = cp.ContainerRequest.integer("a", 2, wishes=cp.Wishes(move="never"))
    refusal = clear(put(stays, cp.ContainerRequest.integer("b", 2)), pin("0-1"))
    assert isinstance(refusal, cp.NoLegalMove)
    assert (refusal.cpus, refusal.holders, refusal.missing) == (cp.CpuSet([0]), ("a",), "they may not be moved")
    assert told(refusal) == ("p", "R3", "the pin 0-1 meets CPUs 0 of a: they may not be moved")


def test_a_budget_that_is_too_small_is_said() -> None:
    wide = [cp.ContainerRequest.integer("a", 3, wishes=cp.Wishes(numa="require-one")), *_ones("bc")]
    state = put(*wide, min_shared_cpus=0)
    poor = evolve(state, ground=evolve(state.ground, policy=evolve(state.policy, search_budget=1)))
    refusal = clear(poor, pin("0"))
    assert isinstance(refusal, cp.SearchBudgetSpent) and refusal.budget == 1
    assert told(refusal)[:2] == ("p", "R3")


def _ones(keys: str) -> list[cp.ContainerRequest]:
    return [cp.ContainerRequest.integer(key, 1) for key in keys]
