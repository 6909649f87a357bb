"""`violations` finds what is wrong: every promise is broken once on purpose, and named."""

import pytest
from attrs import evolve

import cpuplace as cp

HOST = evolve(
    cp.Topology.from_rows(
        [
            cp.CpuRow(
                cpu,
                cpu % 4,
                cpu % 4 // 2,
                cpu % 4 // 2,
                cpu % 4 // 2,
                kind="performance" if cpu % 4 < 2 else "efficiency",
            )
            for cpu in range(8)
        ]
    ),
    isolated=cp.CpuSet([7]),
)
EMPTY = cp.HostState.empty(HOST, cp.Policy(reserved=cp.CpuSet([3]), strict_reservation=True))


def wrong(state: cp.HostState) -> set[str]:
    return {violation.invariant for violation in cp.violations(state)}


def said(state: cp.HostState, invariant: str) -> list[tuple[str, tuple[str, ...]]]:
    """(sentence, whom it concerns) of what is wrong by one promise."""
    return [(one.sentence, one.containers) for one in cp.violations(state) if one.invariant == invariant]


def put(*requests: cp.ContainerRequest) -> cp.HostState:
    state = EMPTY
    for request in requests:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


def holding(state: cp.HostState, key: str, cpus: str, **more: object) -> cp.HostState:
    """The state with other CPUs in one assignment, its sums as wrong as it gets."""
    one = evolve(state.owners[key], cpus=cp.CpuSet.parse(cpus), **more)  # type: ignore[arg-type]
    return evolve(state, owners=state.owners | {key: one})


def test_nothing_is_wrong_with_what_the_planner_makes() -> None:
    pins = [cp.ContainerRequest.pinned(key, cp.CpuSet([0]), exclusive=True, pod="p") for key in "xy"]
    assert wrong(put(*pins, cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("s"))) == set()


def test_i1_two_owners() -> None:
    state = put(cp.ContainerRequest.integer("a", 1), cp.ContainerRequest.integer("b", 1))
    both = holding(state, "b", str(state["a"].cpus))
    assert said(both, "I1") == [(f"CPUs {state['a'].cpus} belong to two owners", ("a", "b"))]


def test_i2_unusable_cpus() -> None:
    state = holding(put(cp.ContainerRequest.integer("a", 1)), "a", "12")
    assert said(state, "I2") == [("holds unusable CPUs 12", ("a",))]


def test_i3_an_empty_set() -> None:
    state = put(cp.ContainerRequest.integer("a", 1))
    assert said(holding(state, "a", ""), "I3") == [("holds no CPU", ("a",))]
    assert "I5" in wrong(holding(state, "a", ""))


def test_i4_the_pool() -> None:
    state = put(cp.ContainerRequest.integer("a", 1), cp.ContainerRequest.shared("s"))
    assert wrong(evolve(state, integer=0)) == {"I4", "I9"}
    assert wrong(evolve(state, told=1 << 3)) == {"I4"}
    assert said(evolve(state, told=1 << 3), "I4") == [("runs on 3 outside the pool", ("s",))]
    everything = holding(put(cp.ContainerRequest.integer("a", 1)), "a", "0-2,4-6")
    assert said(everything, "I4") == [
        ("the pool is 0-1,4-6, by its definition it is ", ()),
        ("the pool has 0 CPUs, the floor is 1", ()),
    ]


def test_i4_a_small_pool_excuses_only_who_finds_no_cpu_there() -> None:
    picky = cp.ContainerRequest.shared("picky", forbid=EMPTY.pool - cp.CpuSet([0]))
    low = evolve(put(cp.ContainerRequest.shared("s"), picky), low_pool=True, integer=1)
    taken = evolve(low, owners={"a": cp.Assignment(cp.ContainerRequest.integer("a", 1), cp.CpuSet([0]))})
    assert said(taken, "I4") == [("runs on 0 outside the pool", ("s",))]


def test_i5_and_i6_exact_numbers_and_lists() -> None:
    two = holding(put(cp.ContainerRequest.integer("a", 1)), "a", "0-1")
    assert said(two, "I5") == [("holds 2 CPUs, asked for 1", ("a",))]
    state = put(cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True))
    assert said(holding(state, "p", "0-1"), "I6") == [("holds 0-1, its pin is 0", ("p",))]


def test_i7_forbidden_and_reserved_cpus() -> None:
    state = put(cp.ContainerRequest.integer("a", 1, forbid=cp.CpuSet([1])))
    assert said(holding(state, "a", "1"), "I7") == [("holds forbidden CPUs 1", ("a",))]
    assert said(holding(state, "a", "3"), "I7") == [("owns reserved CPUs 3", ("a",))]
    pin = holding(put(cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True)), "p", "3")
    assert said(pin, "I7") == [("owns reserved CPUs 3", ("p",))]
    allowed = evolve(EMPTY.policy, allow_reserved_pins=True)
    assert "I7" not in wrong(evolve(pin, ground=evolve(pin.ground, policy=allowed)))
    of_integer = holding(state, "a", "3")
    assert "I7" in wrong(evolve(of_integer, ground=evolve(of_integer.ground, policy=allowed)))


@pytest.mark.parametrize(
    ("wishes", "cpus", "wish"),
    [
        (cp.Wishes(numa="require-one"), "0,2", "numa require-one"),
        (cp.Wishes(numa="1"), "0,4", "numa 1"),
        (cp.Wishes(cores="require-full"), "0-1", "cores require-full"),
        (cp.Wishes(cores="isolate"), "0-1", "cores isolate"),
        (cp.Wishes(l3="require-one"), "0,2", "l3 require-one"),
        (cp.Wishes(package="require-one"), "0,2", "package require-one"),
        (cp.Wishes(core_kind="performance!"), "2,6", "core_kind performance"),
        (cp.Wishes(isolated="require"), "0,4", "isolated require"),
        (cp.Wishes(isolated="avoid"), "6-7", "isolated avoid"),
    ],
)
def test_i8_hard_wishes(wishes: cp.Wishes, cpus: str, wish: str) -> None:
    request = cp.ContainerRequest.integer("a", 2, wishes=wishes)
    state = put(cp.ContainerRequest.integer("a", 2))
    wrongs = said(holding(state, "a", cpus, request=request), "I8")
    assert (f"does not have its wish: {wish}", ("a",)) in wrongs


def test_i9_every_cpu_has_one_place() -> None:
    state = put(cp.ContainerRequest.integer("a", 2))
    assert said(evolve(state, withheld_mask=1), "I9") == [("CPUs 0 have no place", ())]
    has = state["a"].cpus
    doubled = holding(state, "a", str(has), withheld=has)
    assert said(doubled, "I9") == [(f"CPUs {has} count as exclusive and as withheld", ())]
    assert said(evolve(state, integer=0), "I9") == [(f"CPUs {has} count as exclusive and as pool", ())]
    relaxed = evolve(state, ground=evolve(state.ground, policy=cp.Policy(reserved=cp.CpuSet([3]))), told=0x7F)
    assert wrong(relaxed) == set()
