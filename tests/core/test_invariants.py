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
    (found,) = [one for one in cp.violations(both) if one.invariant == "I1"]
    assert found.containers == ("a", "b") and found.sentence == f"CPUs {state['a'].cpus} belong to two owners"


def test_i2_unusable_cpus() -> None:
    assert "I2" in wrong(holding(put(cp.ContainerRequest.integer("a", 1)), "a", "12"))


def test_i3_an_empty_set() -> None:
    state = put(cp.ContainerRequest.integer("a", 1))
    assert {"I3", "I5"} <= wrong(holding(state, "a", ""))


def test_i4_the_pool() -> None:
    state = put(cp.ContainerRequest.integer("a", 1), cp.ContainerRequest.shared("s"))
    assert wrong(evolve(state, integer=0)) == {"I4", "I9"}
    assert wrong(evolve(state, told=1 << 3)) == {"I4"}
    everything = holding(put(cp.ContainerRequest.integer("a", 1)), "a", "0-2,4-6")
    assert any("the floor is 1" in one.sentence for one in cp.violations(everything))


def test_i5_and_i6_exact_numbers_and_lists() -> None:
    assert "I5" in wrong(holding(put(cp.ContainerRequest.integer("a", 1)), "a", "0-1"))
    state = put(cp.ContainerRequest.pinned("p", cp.CpuSet([0]), exclusive=True))
    assert "I6" in wrong(holding(state, "p", "0-1"))


def test_i7_forbidden_and_reserved_cpus() -> None:
    state = put(cp.ContainerRequest.integer("a", 1, forbid=cp.CpuSet([1])))
    assert "I7" in wrong(holding(state, "a", "1"))
    assert "I7" in wrong(holding(state, "a", "3"))


@pytest.mark.parametrize(
    ("wishes", "cpus"),
    [
        (cp.Wishes(numa="require-one"), "0,2"),
        (cp.Wishes(numa="1"), "0,4"),
        (cp.Wishes(cores="require-full"), "0-1"),
        (cp.Wishes(cores="isolate"), "0-1"),
        (cp.Wishes(l3="require-one"), "0,2"),
        (cp.Wishes(package="require-one"), "0,2"),
        (cp.Wishes(core_kind="performance!"), "2,6"),
        (cp.Wishes(isolated="require"), "0,4"),
        (cp.Wishes(isolated="avoid"), "6-7"),
    ],
)
def test_i8_hard_wishes(wishes: cp.Wishes, cpus: str) -> None:
    request = cp.ContainerRequest.integer("a", 2, wishes=wishes)
    state = put(cp.ContainerRequest.integer("a", 2))
    assert "I8" in wrong(holding(state, "a", cpus, request=request))


def test_i9_every_cpu_has_one_place() -> None:
    state = put(cp.ContainerRequest.integer("a", 2))
    leaked = [one.sentence for one in cp.violations(evolve(state, withheld_mask=1)) if one.invariant == "I9"]
    assert leaked == ["CPUs 0 have no place"]
    doubled = holding(state, "a", str(state["a"].cpus), withheld=state["a"].cpus)
    assert any("count as exclusive and as withheld" in one.sentence for one in cp.violations(doubled))
    relaxed = evolve(state, ground=evolve(state.ground, policy=cp.Policy(reserved=cp.CpuSet([3]))), told=0x7F)
    assert wrong(relaxed) == set()
