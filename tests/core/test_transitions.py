"""Every transition is the next version, and its sums follow from what everybody holds."""

import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace import transitions
from cpuplace.ground import Ground

ROW = cp.Topology.uniform(cores_per_l3=8)
integer, shared = cp.ContainerRequest.integer, cp.ContainerRequest.shared


def pin(key: str, cpus: str) -> cp.ContainerRequest:
    return cp.ContainerRequest.pinned(key, cp.CpuSet.parse(cpus), exclusive=True)


def put(*wanted: cp.ContainerRequest, **policy: object) -> cp.HostState:
    state = cp.HostState.empty(ROW, cp.Policy(**policy))  # type: ignore[arg-type]
    for request in wanted:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


BUSY = put(pin("p", "0-1"), integer("a", 2), shared("s"), shared("picky", forbid=cp.CpuSet([7])))


def moved(state: cp.HostState, key: str, cpus: str) -> cp.HostState:
    return transitions.replaced(state, evolve(state.owners[key], cpus=cp.CpuSet.parse(cpus)))


def test_every_transition_is_one_version() -> None:
    gone = transitions.without(BUSY, "a")
    nexts = [
        transitions.with_owner(gone, BUSY.owners["a"]),
        transitions.with_shared(BUSY, shared("t")),
        moved(BUSY, "a", "4-5"),
        gone,
        transitions.without(BUSY, "s"),
        transitions.regrounded(BUSY, Ground(topology=ROW.with_online(cp.CpuSet.parse("0-6")), policy=BUSY.policy)),
    ]
    assert [state.version - before.version for state, before in zip(nexts, (gone, *[BUSY] * 5), strict=True)] == [1] * 6
    forgotten = transitions.without_memory_of(gone, BUSY["a"].request.pod)
    assert forgotten.version == gone.version + 1 and not forgotten.remembered


def test_who_moved_leaves_the_pool_alone_with_what_pins_and_others_hold() -> None:
    after = moved(BUSY, "a", "4-5")
    assert list(map(str, (after.pool, after["s"].cpus, after["picky"].cpus))) == ["2-3,6-7", "2-3,6-7", "2-3,6"]
    isolate = put(integer("a", 1), shared("s"))
    aside = transitions.replaced(isolate, evolve(isolate.owners["a"], withheld=cp.CpuSet([3])))
    assert (aside.withheld, aside["s"].cpus) == (cp.CpuSet([3]), cp.CpuSet.parse("1-2,4-7"))


def test_another_ground_tells_shared_containers_of_its_pool() -> None:
    ground = Ground(topology=ROW.with_online(cp.CpuSet.parse("0-5")), policy=BUSY.policy)
    after = transitions.regrounded(BUSY, ground)
    assert after.ground is ground and not after.low_pool
    assert (after["s"].cpus, after["picky"].cpus) == (cp.CpuSet.parse("4-5"), cp.CpuSet.parse("4-5"))
    assert after.owners == BUSY.owners


@pytest.mark.parametrize(
    ("online", "low"), [("0-7", False), ("0-5", False), ("0-4", True), ("0-3", True), ("0", False)]
)
def test_the_pool_is_low_below_the_floor_that_the_host_has(online: str, low: bool) -> None:
    state = put(*(integer(key, 2) for key in "ab" if online != "0"), min_shared_cpus=2)
    host = ROW.with_online(cp.CpuSet.parse(online))
    assert transitions.regrounded(state, Ground(topology=host, policy=state.policy)).low_pool is low


def test_all_are_told_of_the_whole_pool_at_once() -> None:
    assert transitions.told_all(BUSY) is BUSY
    lazy = put(integer("a", 2), shared("s"), widen="lazy")
    freed = transitions.without(lazy, "a")
    assert freed["s"].cpus == cp.CpuSet.parse("2-7")
    assert transitions.told_all(freed)["s"].cpus == ROW.online
    alone = transitions.without(put(integer("a", 2), widen="lazy"), "a")
    assert transitions.told_all(alone) is alone


def test_a_digest_is_the_same_number_in_every_version() -> None:
    """Saved states and plans name digests."""
    state = cp.HostState.empty(cp.Topology.uniform(cores_per_l3=4))
    for request in (cp.ContainerRequest.integer("a", 2, pod="p"), cp.ContainerRequest.shared("s")):
        state = cp.apply(state, cp.place(state, request).unwrap())
    assert state.digest == 1_871_598_727_571_342_226
    assert cp.release(state, "a").after.digest == 894_245_433_006_539_226, "with what is remembered"
