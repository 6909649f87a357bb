"""What the kernel refuses, and the odd kinds of groups: one clear sentence each, and nothing left behind."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cpuplace as cp
from cgroup.live import MOUNT, allowed, ask, clear, put, sleepers, tell
from cpuplace_cgroup import CgroupBackend, CgroupFailed, check_host, observed
from cpuplace_cgroup.names import folder_name
from cpuplace_linux import read_host

ROOT = f"{MOUNT}/cpuplace"
HOST = read_host("/")
EMPTY = cp.HostState.empty(HOST)
NOBODY = 65534
Request = cp.ContainerRequest


@pytest.fixture
def backend() -> Iterator[CgroupBackend]:
    clear(ROOT)
    yield CgroupBackend(ROOT, systemd=False)
    clear(ROOT)


def pin(cpus: str, host: cp.Topology = HOST) -> cp.Plan:
    """A plan with one step: a group on these CPUs and their memory."""
    state = cp.HostState.empty(host)
    return cp.place(state, Request.pinned("p", cp.CpuSet.parse(cpus), exclusive=True)).unwrap()


def failed(backend: CgroupBackend, plan: cp.Plan, *words: str) -> None:
    """It fails with these words, and leaves nothing."""
    outcome = backend.carry_out(plan)
    assert not outcome.ok and outcome.not_restored == ()
    for word in words:
        assert word in str(outcome), str(outcome)
    assert not Path(backend.path_of("p")).is_dir()


def test_this_host_can_be_written() -> None:
    check_host(ROOT)
    check_host(MOUNT)


def test_cpus_beyond_the_kernels(backend: CgroupBackend) -> None:
    larger = cp.Topology.uniform(packages=2, cores_per_l3=300)
    failed(backend, pin("599", larger), "ERANGE", '"599"', "cpuset.cpus", "beyond")


def test_memory_nodes_that_are_not(backend: CgroupBackend) -> None:
    larger = cp.Topology.uniform(packages=8, cores_per_l3=2)
    failed(backend, pin("15", larger), "EINVAL", '"7"', "cpuset.mems", "numactl")


def test_a_parent_that_allows_less(backend: CgroupBackend) -> None:
    narrow = CgroupBackend(ROOT, systemd=False, layout={"p": "pod/p"})
    Path(f"{ROOT}/pod").mkdir(parents=True)
    for folder in (MOUNT, ROOT):
        tell(f"{folder}/cgroup.subtree_control", "+cpuset")
    tell(f"{ROOT}/pod/cpuset.cpus", "0-3")
    failed(narrow, pin("8-9"), "none of these CPUs", "0-3")
    failed(narrow, pin("3-4"), "its parent", "may use 0-3 only")
    tell(f"{ROOT}/pod/cpuset.mems", "1")
    failed(narrow, pin("2-3"), "cpuset.mems.effective", "node 1 only")


def test_parents_that_we_may_change_are_widened_and_narrowed(backend: CgroupBackend) -> None:
    del backend
    managing = CgroupBackend(ROOT, systemd=False, layout={"p": "pod/p"}, parents={"pod"})
    Path(f"{ROOT}/pod").mkdir(parents=True)
    for folder in (MOUNT, ROOT):
        tell(f"{folder}/cgroup.subtree_control", "+cpuset")
    tell(f"{ROOT}/pod/cpuset.cpus", "0-3")
    tell(f"{ROOT}/pod/cpuset.mems", "0")
    outcome = managing.carry_out(pin("8-9"))
    assert outcome.ok, str(outcome)
    assert (ask(f"{ROOT}/pod/cpuset.cpus"), ask(f"{ROOT}/pod/cpuset.mems")) == ("8-9", "1")
    assert ask(f"{ROOT}/pod/p/cpuset.cpus.effective") == "8-9"


def test_processes_in_the_way_of_the_controller(backend: CgroupBackend) -> None:
    """A folder whose children and itself have processes: no controller for them."""
    with sleepers(2) as pids:
        Path(f"{ROOT}/child").mkdir(parents=True)
        put(ROOT, pids[0])
        put(f"{ROOT}/child", pids[1])
        failed(backend, pin("8-9"), "EBUSY", "subtree_control", "move them into a child group")
        clear(ROOT)


def test_a_group_of_others_with_processes_gets_what_its_parent_has(backend: CgroupBackend) -> None:
    """The kernel does not empty the list of a group with processes (ENOSPC)."""
    with sleepers(1) as pids:
        assert backend.carry_out(pin("8-9")).ok
        Path(f"{ROOT}/theirs").mkdir()
        put(f"{ROOT}/theirs", pids[0])
        tell(f"{ROOT}/theirs/cpuset.cpus", "4-5")
        with pytest.raises(OSError, match="No space left on device"):
            tell(f"{ROOT}/theirs/cpuset.cpus", "")
        request = Request.pinned("theirs", cp.CpuSet.parse("4-5"), exclusive=False)
        state = cp.apply(EMPTY, cp.place(EMPTY, request).unwrap())
        outcome = backend.carry_out(cp.release(state, "theirs"))
        assert outcome.ok and "still has processes" in str(outcome), str(outcome)
        assert allowed(pids[0]).cpus == HOST.online
        clear(ROOT)


def test_processes_that_have_ended_cannot_enter(backend: CgroupBackend) -> None:
    assert backend.carry_out(pin("8-9")).ok
    with pytest.raises(CgroupFailed, match=r"ESRCH.*the process has ended"):
        backend.enter("p", 4_000_000)


def test_a_read_only_mount(tmp_path: Path) -> None:
    subprocess.run(["mount", "--bind", MOUNT, tmp_path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", tmp_path], check=True)
        with pytest.raises(cp.BadInput, match="mounted read-only"):
            check_host(f"{tmp_path}/cpuplace")
        outcome = CgroupBackend(f"{tmp_path}/cpuplace", systemd=False).carry_out(pin("8-9"))
        assert not outcome.ok and "EROFS" in str(outcome) and "remount" in str(outcome), str(outcome)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def as_nobody(act: Callable[[], bool]) -> bool:
    """What another user's process makes of it."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        good = False
        try:
            good = act()
        finally:
            os._exit(0 if good else 1)
    return os.waitpid(child, 0)[1] == 0


def says(root: str, word: str) -> bool:
    try:
        check_host(root)
    except cp.BadInput as bad:
        return word in str(bad)
    return False


def test_another_user(backend: CgroupBackend) -> None:
    assert backend.carry_out(pin("8-9")).ok
    moved = Request.pinned("p", cp.CpuSet.parse("10-11"), exclusive=True)
    plan = cp.place(EMPTY, moved).unwrap()
    assert as_nobody(lambda: says(ROOT, "not permitted"))
    assert as_nobody(lambda: "EACCES" in str(backend.carry_out(plan)))
    assert ask(f"{ROOT}/p/cpuset.cpus") == "8-9"


def test_a_delegated_folder(backend: CgroupBackend) -> None:
    del backend
    inner = f"{ROOT}/user"
    Path(inner).mkdir(parents=True)
    tell(f"{ROOT}/cgroup.subtree_control", "-cpuset") if "cpuset" in ask(f"{ROOT}/cgroup.subtree_control") else None
    os.chown(inner, NOBODY, NOBODY)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        os.chown(f"{inner}/{name}", NOBODY, NOBODY)
    assert as_nobody(lambda: says(inner, "not delegated"))
    tell(f"{ROOT}/cgroup.subtree_control", "+cpuset")
    theirs = CgroupBackend(inner, systemd=False)

    def carry_out() -> bool:
        check_host(inner)
        return theirs.carry_out(pin("8-9")).ok

    assert as_nobody(carry_out)
    assert ask(f"{inner}/p/cpuset.cpus.effective") == "8-9"


def test_threads(backend: CgroupBackend) -> None:
    """A threaded subtree: a new group in it is made threaded, a thread runs where its group may."""
    del backend
    done, tids = threading.Event(), []

    def run() -> None:
        tids.append(threading.get_native_id())
        done.wait()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        Path(f"{ROOT}/app").mkdir(parents=True)
        put(f"{ROOT}/app", os.getpid())
        threaded = CgroupBackend(ROOT, systemd=False, layout={"p": "app/worker"})
        outcome = threaded.carry_out(pin("8-9"))
        assert outcome.ok, str(outcome)
        tell(f"{ROOT}/app/worker/cgroup.threads", str(tids[0]))
        assert allowed(tids[0]).cpus == cp.CpuSet.parse("8-9")
        assert allowed(os.getpid()).cpus == HOST.online
        (group,) = threaded.observe()
        assert (group.container_id, group.type, group.pids) == ("app/worker", "threaded", (tids[0],))
        moved = Request.pinned("app/worker", cp.CpuSet.parse("10-11"), exclusive=True)
        plan = cp.synchronize(EMPTY, observed(threaded.observe(), {"app/worker": moved}))
        assert threaded.carry_out(plan).ok
        assert allowed(tids[0]).cpus == cp.CpuSet.parse("10-11")
    finally:
        done.set()
        thread.join()
        clear(ROOT)


def test_kubepods_of_both_drivers(backend: CgroupBackend) -> None:
    """Containers that others made, seen by their ids, moved where they are."""
    places = {
        "aaa": "kubepods/burstable/pod1-2/aaa",
        "bbb": "kubepods.slice/kubepods-pod3_4.slice/cri-containerd-bbb.scope",
    }
    with sleepers(2) as pids:
        for (key, place), pid in zip(places.items(), pids, strict=True):
            Path(f"{ROOT}/{place}").mkdir(parents=True)
            put(f"{ROOT}/{place}", pid)
            assert folder_name(key) == key
        seen = backend.observe()
        assert [(one.container_id, one.qos, one.pod, one.pids) for one in seen] == [
            ("aaa", "burstable", "1-2", (pids[0],)),
            ("bbb", "guaranteed", "3-4", (pids[1],)),
        ]
        requests = {"aaa": Request.shared("aaa"), "bbb": Request.integer("bbb", 4)}
        plan = cp.synchronize(EMPTY, observed(seen, requests))
        outcome = backend.carry_out(plan)
        assert outcome.ok, str(outcome)
        assert (str(allowed(pids[1]).cpus), str(allowed(pids[0]).cpus)) == ("0-3", "4-15")
        assert not any(one.made for one in backend.observe())
        clear(ROOT)
