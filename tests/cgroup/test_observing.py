"""What is seen of a subtree, what synchronize is told of it, and what differs from what should be."""

import errno

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cgroup.fake import MOUNT, FakeKernel
from cgroup.worlds import ROOT, World, backend, worlds
from cpuplace_cgroup import CgroupBackend, drift, intruders, observed, watch
from cpuplace_cgroup.drift import Drift
from cpuplace_cgroup.restoring import restoring

HOST = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
EMPTY = cp.HostState.empty(HOST)
Request = cp.ContainerRequest


def whole(kernel: FakeKernel) -> CgroupBackend:
    return CgroupBackend(MOUNT, files=kernel, systemd=False)


def test_who_counts_as_one_container() -> None:
    kernel = FakeKernel.of(HOST)
    for path, pids in {
        "kubepods/burstable/pod1/aaa": (1,),
        "kubepods/burstable/pod1/bbb/inner": (2,),
        "kubepods/besteffort": (),
        "system.slice/web.service/worker": (3,),
        "system.slice/docker-ccc.scope": (4,),
        "user.slice": (),
        "batch/a": (5,),
        "batch/b": (6,),
    }.items():
        kernel.add(path, pids=pids)
    seen = whole(kernel).observe()
    assert {one.container_id: one.pids for one in seen} == {
        "batch/a": (5,),
        "batch/b": (6,),
        "aaa": (1,),
        "bbb": (2,),
        "ccc": (4,),
        "system.slice/web.service": (3,),
    }
    assert seen.get("nobody") is None and "aaa" in seen and len(seen) == 6
    assert seen["aaa"].pod == "1" and not seen["aaa"].cpus and seen["aaa"].effective_cpus == HOST.online


def test_two_of_one_name_are_two() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("kubepods/pod1/abc", pids=(1,))
    kernel.add("kubepods/pod2/abc", pids=(2,))
    assert {one.container_id: one.pids for one in whole(kernel).observe()} == {"abc": (1,), "kubepods/pod2/abc": (2,)}


def test_threads_where_processes_cannot_be_told() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("app/t", pids=(7,))
    kernel.tree["app/t"].type = "threaded"
    (group,) = whole(kernel).observe()
    assert (group.type, group.pids) == ("threaded", (7,))


def test_a_group_that_goes_away_meanwhile_is_not_seen() -> None:
    class Fading(FakeKernel):
        def read(self, path: str) -> str:
            if path.endswith("b/cgroup.procs"):
                raise FileNotFoundError(errno.ENOENT, "")
            return super().read(path)

    kernel = Fading.of(HOST)
    kernel.add("a", pids=(1,))
    kernel.add("b", pids=(2,))
    assert [one.container_id for one in whole(kernel).observe()] == ["a"]


def test_a_root_that_is_not_there_has_no_groups_and_its_parents_cpus() -> None:
    seen = backend(FakeKernel.of(HOST)).observe()
    assert len(seen) == 0 and seen.cpus == HOST.online


def test_without_the_controller_groups_have_what_is_above() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("a/b", pids=(1,))
    kernel.tree["a"].control.clear()
    kernel.tree["a"].cpus = 0b11
    (group,) = whole(kernel).observe()
    assert not group.cpus and str(group.effective_cpus) == "0-1" and group.partition == ""


def test_what_synchronize_is_told() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("known", cpus="0-1", mems="0", pids=(1,))
    kernel.add("stranger", cpus="2", pids=(2,))
    kernel.add("roamer", pids=(3,))
    kernel.add("leftover", cpus="3", ours=True)
    requests = {"known": Request.integer("known", 2), "gone": Request.integer("gone", 1)}
    told = observed(whole(kernel).observe(), requests)
    assert [(one.request.container_id, one.request.kind, str(one.cpus)) for one in told] == [
        ("known", cp.Kind.INTEGER, "0-1"),
        ("stranger", cp.Kind.UNMANAGED, "2"),
    ]
    assert whole(kernel).sweep(requests) == ("leftover",)


@given(worlds(), st.data())
def test_drift_is_found_wherever_somebody_wrote_and_repaired(world: World, data: st.DataObject) -> None:
    kernel, state = evolve(world, plan=cp.release(world.state, "nobody"), born=()).kernel(), world.state
    ours = backend(kernel)
    assert drift(state, ours.observe()) == ()
    keys = sorted(state.assignments)
    if not keys or state.told != state.pool_mask:
        return
    groups = {key: ours.observe()[key] for key in keys}
    touched = set()
    for key in data.draw(st.sets(st.sampled_from(keys))):
        node = kernel.tree[f"cpuplace/{key}"]
        node.cpus = data.draw(st.sampled_from([0, state.topology.online.mask]))
        if ours.observe()[key].effective_cpus != groups[key].effective_cpus:
            touched.add(key)
    assert {one.container_id for one in drift(state, ours.observe())} == touched
    plan, outcome = ours.repair(state)
    assert outcome.ok, str(outcome)
    assert plan.after.assignments == state.assignments
    assert drift(state, ours.observe()) == ()


def placed(*requests: cp.ContainerRequest) -> tuple[cp.HostState, FakeKernel]:
    state, kernel = EMPTY, FakeKernel.of(HOST)
    for request in requests:
        plan = cp.place(state, request).unwrap()
        assert backend(kernel).carry_out(plan).ok
        state = cp.apply(state, plan)
    return state, kernel


def only(found: tuple[Drift, ...]) -> Drift:
    (one,) = found
    return one


def test_each_drift_says_why() -> None:
    state, kernel = placed(Request.pinned("p", cp.CpuSet.parse("2-3"), exclusive=True))
    ours, node = backend(kernel), kernel.tree["cpuplace/p"]
    found = only(drift(state, ours.observe(), partition="root"))
    assert (found.file, found.now, found.why) == ("p/cpuset.cpus.partition", "member", "it is none")
    node.cpus = 1
    assert str(only(drift(state, ours.observe()))) == (
        'p: p/cpuset.cpus is "0", should be "2-3": somebody else wrote it'
    )
    node.cpus = 0
    assert "it was emptied, or never written" in str(drift(state, ours.observe()))
    node.cpus, kernel.online = 0b1100, 0b11110111
    assert "CPUs 3 are offline" in str(drift(state, ours.observe()))
    kernel.online = 0b11110011
    assert "none of its CPUs can be used" in str(drift(state, ours.observe()))
    kernel.online, kernel.tree["cpuplace"].cpus = 0xFF, 0b0111
    assert "not allowed to the root of these groups" in str(drift(state, ours.observe()))
    kernel.tree["cpuplace"].cpus, node.mems = 0, 0b01
    assert "p/cpuset.mems" in str(drift(state, ours.observe()))
    node.mems, kernel.tree["cpuplace"].mems = 0b10, 0b01
    assert "its parent may use other memory nodes only" in str(drift(state, ours.observe()))
    kernel.drop("cpuplace/p")
    gone = only(drift(state, ours.observe()))
    assert str(gone) == "p: its group is gone" and gone.to_dict()["file"] == ""


def test_a_pool_that_went_offline_is_no_drift() -> None:
    """A shared container whose last CPU is gone runs wherever the kernel lets it; the state knows that."""
    state, kernel = placed(Request.pinned("p", cp.CpuSet.parse("0-6"), exclusive=True), Request.shared("s"))
    kernel.online = 0b01111111
    assert [one.container_id for one in drift(state, backend(kernel).observe())] == ["s"]
    state = cp.change_topology(state, state.topology.with_online(cp.CpuSet.parse("0-6"))).after
    assert drift(state, backend(kernel).observe()) == ()
    kernel.tree["cpuplace/s"].cpus = 0b11
    plan = restoring(state, backend(kernel).observe())
    outcome = backend(kernel).carry_out(plan)
    assert outcome.ok, str(outcome)
    assert outcome.notes == ("s: none of CPUs 7 can be used now, it runs on 0-6",)
    assert drift(state, backend(kernel).observe()) == ()


def test_systemd_is_named_where_it_resets() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("job.scope", cpus="", pids=(1,))
    state = cp.apply(EMPTY, cp.place(EMPTY, Request.integer("job.scope", 2)).unwrap())
    assert "daemon-reload" in only(drift(state, whole(kernel).observe())).why


def test_a_folder_between_that_allows_less_is_said() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("pod/a", cpus="0-1", pids=(1,))
    kernel.tree["pod"].cpus = 0b1
    state = cp.apply(EMPTY, cp.place(EMPTY, Request.pinned("pod/a", cp.CpuSet.parse("0-1"), exclusive=False)).unwrap())
    (cpus, *_) = drift(state, whole(kernel).observe())
    assert "a folder between allows less" in cpus.why


def test_who_may_be_on_exclusive_cpus() -> None:
    state, kernel = placed(Request.integer("a", 2))
    kernel.add("cpuplace/roamer", pids=(9,))
    kernel.add("cpuplace/away", cpus="2-3", pids=(8,))
    assert [one.container_id for one in intruders(state, backend(kernel).observe())] == ["roamer"]


def test_watching_tells_changes_only() -> None:
    state, kernel = placed(Request.integer("a", 2))
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 3:
            kernel.tree["cpuplace/a"].cpus = 0xFF

    seen = watch(backend(kernel), lambda: state, 0.5, sleep=sleep)
    assert next(seen) == ()
    assert [one.container_id for one in next(seen)] == ["a"]
    assert rounds == [0.5, 0.5, 0.5]


def test_watching_to_mend_tells_whatever_came_back_or_stayed() -> None:
    state, kernel = placed(Request.integer("a", 2))
    mended = kernel.tree["cpuplace/a"].cpus
    seen = watch(backend(kernel), lambda: state, 0.5, mending=True, sleep=lambda _seconds: None)
    assert next(seen) == ()
    kernel.tree["cpuplace/a"].cpus = 0xFF
    first = next(seen)
    assert first and next(seen) == first, "it could not be mended"
    kernel.tree["cpuplace/a"].cpus = mended
    assert next(seen) == ()


def test_observing_reads_seven_files_a_group() -> None:
    class Counting(FakeKernel):
        reads = 0

        def read(self, path: str) -> str:
            self.reads += 1
            return super().read(path)

    kernel = Counting.of(HOST)
    for number in range(20):
        kernel.add(f"cpuplace/c{number}", cpus="0-1", pids=(number + 1,))
    CgroupBackend(ROOT, files=kernel, systemd=False).observe()
    assert kernel.reads <= 7 * 20 + 10
