"""Roles as threads and processes on this machine's CPUs: confirmed by the kernel, reported, restarted, ended."""

import os
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pytest

import cpuplace as cp
from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet
from cpuplace.partitions_pinning import PartitionPinning, PartitionThreadPins, ThreadPinTarget
from cpuplace_linux import (
    KernelRefused,
    PartitionThreadLayout,
    PartitionThreadLayoutBuilder,
    RoleActivity,
    RoleEnded,
    RoleSeat,
    allowed_cpus,
    current_memory_policy,
    pin,
    set_memory_policy,
)
from cpuplace_linux.role_activity import ActivityLog
from cpuplace_linux.role_runner import RoleProcess

CPUS = sorted(allowed_cpus())
FIRST, LAST = CpuSet([CPUS[0]]), CpuSet([CPUS[-1]])
PINNING = PartitionPinning(
    partition_id="orders",
    numa_node=0,
    memory_bytes=0,
    pins=PartitionThreadPins((("reactor", ThreadPinTarget(FIRST)), ("writer", ThreadPinTarget(LAST)))),
)
BUILDER = PartitionThreadLayoutBuilder(PINNING)
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    end = monotonic() + 10
    for thread in set(threading.enumerate()) - before:
        thread.join(max(end - monotonic(), 0))
    assert set(threading.enumerate()) <= before


def kinds(layout: PartitionThreadLayout, role: str) -> list[str]:
    return [type(one).__name__ for one in layout.activities if one.role == role]


def hold_on(busy: threading.Event, hold: threading.Event, done: list[int] | None = None) -> None:
    """Work that begins when it says so, and lasts until it is let go."""
    if done is not None:
        done.append(0)
    busy.set()
    hold.wait(30)


def status_cpus(tid: int, pid: int | str = "self") -> CpuSet:
    """What the kernel says of a thread in /proc."""
    with open(f"/proc/{pid}/task/{tid}/status") as file:
        line = next(line for line in file if line.startswith("Cpus_allowed_list"))
    return CpuSet.parse(line.split(":")[1].strip())


def test_every_role_runs_where_the_plan_says_and_says_so() -> None:
    with PartitionThreadLayoutBuilder("orders").with_thread_pins(PINNING.pins).build() as layout:
        pinned = {one.role: one for one in layout.activities if isinstance(one, RoleActivity.Pinned)}
        assert {role: one.cpus for role, one in pinned.items()} == {"reactor": FIRST, "writer": LAST}
        for role, target in PINNING.pins.items():
            assert pinned[role].tid == layout.tids[role]
            assert status_cpus(layout.tids[role]) == target.cpus
    assert kinds(layout, "reactor") == ["Stopped"]
    assert allowed_cpus() == CpuSet(CPUS), "the thread that started them stays where it was"


def test_a_plan_of_this_very_machine() -> None:
    host = cp.Topology.from_rows([cp.CpuRow(cpu, None, None, 0, 0) for cpu in CPUS])
    plan = cp.NumaPlanner(host).plan_partitions(["p0"], oversubscribe=True).unwrap()
    with PartitionThreadLayoutBuilder(plan["p0"]).build() as layout:
        for role, target in plan["p0"].pins.items():
            assert status_cpus(layout.tids[role]) == target.cpus
        assert layout.roles == tuple(role.name for role in cp.DEFAULT_ROLES)


def test_a_factory_makes_what_handles_the_items_in_its_own_thread() -> None:
    seen: queue.Queue[tuple[object, int, CpuSet]] = queue.Queue()

    def factory(seat: RoleSeat) -> object:
        def handle(item: object) -> None:
            seen.put((item, threading.get_native_id(), CpuSet(os.sched_getaffinity(0))))
            if item == "pass it on":
                seat.send("writer", lambda: seen.put(("passed", threading.get_native_id(), CpuSet())))

        return handle

    layout = BUILDER.with_factory(cp.PartitionRole("reactor"), factory).build()  # type: ignore[arg-type]
    with layout:
        layout.send("reactor", 1)
        layout.send(cp.PartitionRole("reactor"), "pass it on")
        assert seen.get(timeout=10) == (1, layout.tids["reactor"], FIRST)
        assert seen.get(timeout=10)[0] == "pass it on"
        assert seen.get(timeout=10)[:2] == ("passed", layout.tids["writer"])


def test_what_waits_is_worked_on_before_the_end_or_dropped() -> None:
    for drop, expected in ((False, [0, 1, 2, 3]), (True, [0])):
        done: list[int] = []
        hold, busy = threading.Event(), threading.Event()
        layout = BUILDER.build().start()
        layout.send("writer", partial(hold_on, busy, hold, done))
        assert busy.wait(10)
        for number in (1, 2, 3):
            layout.send("writer", partial(done.append, number))
        threading.Timer(0.05, hold.set).start()
        assert layout.stop(drop=drop) == ()
        assert done == expected
        with pytest.raises(RoleEnded):
            layout.send("writer", print)


def test_a_full_queue_makes_senders_wait_and_a_dead_role_wakes_them() -> None:
    hold, busy = threading.Event(), threading.Event()
    with BUILDER.with_queue_size(2).build() as layout:
        layout.send("writer", partial(hold_on, busy, hold))
        assert busy.wait(10)
        for _ in range(2):
            layout.send("writer", lambda: None, timeout=0)
        with pytest.raises(queue.Full):
            layout.send("writer", lambda: None, timeout=0.01)
        threading.Timer(0.05, hold.set).start()
        layout.send("writer", lambda: 1 // 0)  # waits for room
        assert layout.activities.until(RoleActivity.Died, timeout=10) is not None
        with pytest.raises(RoleEnded):
            layout.send("writer", print)


def test_a_death_is_reported_and_ends_nobody_else() -> None:
    with BUILDER.build() as layout:
        layout.send("writer", lambda: sys.exit(3))
        died = layout.activities.until(RoleActivity.Died, timeout=10)
        assert died == RoleActivity.Died(role="writer", tid=layout.tids["writer"], error="SystemExit: 3")
        answer: queue.Queue[int] = queue.Queue()
        layout.send("reactor", lambda: answer.put(1))
        assert answer.get(timeout=10) == 1


def test_a_role_that_dies_is_restarted_as_often_as_said() -> None:
    starts: list[CpuSet] = []

    def factory(seat: RoleSeat) -> None:
        starts.append(seat.cpus)
        seat.receive(10)
        raise ValueError("broken")

    layout = BUILDER.with_factory("writer", factory).with_restarts(2).build().start()
    for _ in range(3):
        layout.send("writer", "go")
    for times in (1, 2):
        assert layout.activities.until(RoleActivity.Died, role="writer") is not None
        again = layout.activities.until(RoleActivity.Restarted)
        assert again == RoleActivity.Restarted(role="writer", tid=layout.tids["writer"], times=times)
        pinned = layout.activities.until(RoleActivity.Pinned)
        assert isinstance(pinned, RoleActivity.Pinned)
        assert pinned.cpus == LAST
    assert layout.activities.until(RoleActivity.Died) is not None
    layout.stop()
    assert starts == [LAST] * 3
    assert kinds(layout, "writer") == []


def test_a_body_that_works_on_its_own_sees_the_end() -> None:
    rounds: list[int] = []

    def factory(seat: RoleSeat) -> None:
        while not seat.pause(0.001):
            rounds.append(1)
        assert seat.stopping

    with BUILDER.with_factory("reactor", factory).build() as layout:
        while not rounds:
            pass
    assert kinds(layout, "reactor") == ["Started", "Pinned", "Stopped"]


def test_one_that_does_not_end_is_named() -> None:
    hold, busy = threading.Event(), threading.Event()
    layout = BUILDER.build().start()
    layout.send("writer", partial(hold_on, busy, hold))
    assert busy.wait(10)
    assert layout.stop(timeout=0.05) == ("writer",)
    assert [one.role for one in layout.activities if isinstance(one, RoleActivity.Stuck)] == ["writer"]
    hold.set()


def test_a_cpu_that_is_not_there_stops_the_start() -> None:
    absent = max(CPUS) + 40_000
    pins = {"reactor": ThreadPinTarget(FIRST), "writer": ThreadPinTarget(CpuSet([absent]))}
    layout = BUILDER.with_thread_pins(pins).build()
    with pytest.raises(KernelRefused, match=rf"sched_setaffinity\(0\): wrote '{absent}', the kernel said EINVAL"):
        layout.start()
    assert kinds(layout, "writer") == ["Started", "NotPinned"] or kinds(layout, "writer") == []
    assert kinds(layout, "reactor") in (["Started", "Pinned", "Stopped"], [])


def test_cpus_that_only_partly_exist_are_refused_and_taken_back() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(KernelRefused, match=f"the kernel said nothing, but shows '{FIRST}'"):
        pin(0, FIRST | CpuSet([max(CPUS) + 40_000]))
    assert os.sched_getaffinity(0) == before
    with pytest.raises(KernelRefused, match="ESRCH"):
        pin(4_000_000, FIRST)


def test_a_foreign_thread_is_attached() -> None:
    ready: queue.Queue[int] = queue.Queue()
    end = threading.Event()

    def foreigner() -> None:
        ready.put(threading.get_native_id())
        end.wait(10)

    foreign = threading.Thread(target=foreigner)
    foreign.start()
    tid = ready.get(timeout=10)
    layout = BUILDER.build()
    assert layout.attach("writer", tid) == LAST == status_cpus(tid)
    assert list(layout.activities) == [RoleActivity.Pinned(role="writer", tid=tid, cpus=LAST)]
    end.set()
    foreign.join()
    with pytest.raises(KernelRefused, match="ESRCH"):
        layout.attach("writer", 4_000_000)


def test_a_process_starts_where_its_role_runs_and_ends_with_the_layout() -> None:
    with BUILDER.build() as layout:
        pid = layout.launch("writer", SLEEP)
        assert status_cpus(pid, pid) == LAST
    found = [one for one in layout.activities if one.tid == pid]
    assert found == [
        RoleActivity.Started(role="writer", tid=pid),
        RoleActivity.Pinned(role="writer", tid=pid, cpus=LAST),
        RoleActivity.Stopped(role="writer", tid=pid),
    ]


def test_a_process_that_fails_is_restarted_and_one_that_cannot_start_is_an_error() -> None:
    layout = BUILDER.with_restarts(1).build()
    layout.launch("writer", [sys.executable, "-c", "raise SystemExit(7)"])
    for times in (0, 1):
        died = layout.activities.until(RoleActivity.Died, timeout=30)
        assert isinstance(died, RoleActivity.Died)
        assert died.error == "exit status 7"
        if not times:
            assert layout.activities.until(RoleActivity.Restarted, timeout=30) is not None
    with pytest.raises(KernelRefused, match=r"exec of /no/such/program.*ENOENT"):
        layout.launch("writer", ["/no/such/program"])
    layout.stop()


def test_a_process_that_cannot_be_where_its_role_runs_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = CpuSet([max(CPUS) + 40_000])
    layout = BUILDER.with_thread_pins({"writer": ThreadPinTarget(absent)}).build()
    with pytest.raises(KernelRefused, match="EINVAL"):
        layout.launch("writer", SLEEP)
    assert kinds(layout, "writer") == ["NotPinned"]
    seen: list[int] = []

    def refusing(tid: int, cpus: CpuSet) -> CpuSet:
        if tid:
            seen.append(tid)
            raise KernelRefused(f"sched_setaffinity({tid})", str(cpus), 22)
        return pin(tid, cpus)

    monkeypatch.setattr("cpuplace_linux.role_runner.pin", refusing)
    layout = BUILDER.build()
    with pytest.raises(KernelRefused, match="EINVAL"):
        layout.launch("writer", SLEEP)
    layout.stop()
    assert kinds(layout, "writer") == ["Started", "NotPinned"]
    assert not Path(f"/proc/{seen[0]}").exists()


def test_a_process_that_is_told_to_stop_before_it_is_there(tmp_path: Path) -> None:
    process = RoleProcess(
        partition_id="p0",
        name="writer",
        target=ThreadPinTarget(FIRST),
        log=ActivityLog(),
        restarts=5,
        memory=None,
        argv=SLEEP,
    )
    process.tell_to_stop(drop=True)
    process.start()
    assert process.has_ended(30)
    assert [type(one).__name__ for one in process.log] == ["Started", "Pinned", "Stopped"]


def test_a_start_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()

    def slow(tid: int, cpus: CpuSet) -> CpuSet:
        hold.wait(30)
        return pin(tid, cpus)

    monkeypatch.setattr("cpuplace_linux.role_runner.pin", slow)
    threading.Timer(0.2, hold.set).start()
    with pytest.raises(TimeoutError, match="reactor was not pinned in time"):
        BUILDER.build().start(timeout=0.01)
    hold.clear()
    threading.Timer(0.2, hold.set).start()
    layout = BUILDER.build()
    with pytest.raises(TimeoutError, match="writer was not pinned in time"):
        layout.launch("writer", SLEEP, timeout=0.01)
    assert layout.activities.until(RoleActivity.Stopped, timeout=30) is not None


def test_a_process_whose_layout_is_stopped_while_it_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, hold = threading.Event(), threading.Event()

    def slow(tid: int, cpus: CpuSet) -> CpuSet:
        if tid:  # the process, not the thread that starts it
            begun.set()
            hold.wait(30)
        return pin(tid, cpus)

    monkeypatch.setattr("cpuplace_linux.role_runner.pin", slow)
    layout = BUILDER.build()
    with ThreadPoolExecutor(1) as beside:
        launched = beside.submit(layout.launch, "writer", SLEEP)
        assert begun.wait(30)
        threading.Timer(0.2, hold.set).start()
        assert layout.stop() == ()
        assert isinstance(launched.exception(), RoleEnded)
    (started,) = [one for one in layout.activities if isinstance(one, RoleActivity.Started)]
    assert not Path(f"/proc/{started.tid}").exists()


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    layout = BUILDER.build()
    code = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w'); time.sleep(600)"
    deaf = tmp_path / "deaf"
    pid = layout.launch("writer", [sys.executable, "-c", code, deaf])
    end = monotonic() + 30
    while not deaf.exists() and monotonic() < end:
        sleep(0.01)
    assert deaf.exists()
    assert layout.stop(timeout=0.2) == ()
    assert not Path(f"/proc/{pid}").exists()


def test_a_listener_hears_everything_and_cannot_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[RoleActivity] = []
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def listener(activity: RoleActivity) -> None:
        heard.append(activity)
        raise ValueError("a listener's mistake")

    with BUILDER.with_listener(listener).build():
        pass
    assert sorted(type(one).__name__ for one in heard) == [
        "Pinned",
        "Pinned",
        "Started",
        "Started",
        "Stopped",
        "Stopped",
    ]
    assert len(told) == len(heard)


def test_the_log_keeps_the_latest_and_counts_the_rest() -> None:
    layout = BUILDER.build()
    for tid in range(2000):
        layout.activities.publish(RoleActivity.Started(role="x", tid=tid))
    assert layout.activities.missed == 2000 - 1024
    assert [one.tid for one in layout.activities] == list(range(976, 2000))
    assert layout.activities.take(timeout=0.001) is None
    assert layout.activities.until(RoleActivity.Died, timeout=0.001) is None


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        (PartitionThreadLayoutBuilder("p0"), "no role has a pin"),
        (BUILDER.with_factory("sweeper", lambda seat: None), "a factory for 'sweeper'"),
        (BUILDER.with_thread_pins({"idle": ThreadPinTarget(CpuSet())}), "the role 'idle' has no CPU"),
        (BUILDER.with_queue_size(0), "queues of 0"),
        (BUILDER.with_restarts(-1), "-1 restarts"),
    ],
)
def test_what_cannot_be_built(builder: PartitionThreadLayoutBuilder, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        builder.build()


def test_a_role_may_stop_the_layout_it_belongs_to() -> None:
    layout = BUILDER.build().start()
    answer: queue.Queue[tuple[str, ...]] = queue.Queue()
    layout.send("writer", lambda: answer.put(layout.stop()))
    assert answer.get(timeout=20) == ()
    with pytest.raises(RoleEnded, match="was stopped"):
        layout.launch("writer", SLEEP)
    with pytest.raises(BadInput, match="started or stopped before"):
        layout.start()


def test_a_machine_whose_calls_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(KernelRefused, match=r"ENOSYS.*on pdp11 is not known"):
        BUILDER.with_memory_policy("bind").build().start()


def test_misuse_is_said() -> None:
    with BUILDER.build() as layout:
        with pytest.raises(BadInput, match="no role 'sweeper'"):
            layout.send("sweeper", 1)
        with pytest.raises(BadInput, match="started or stopped before"):
            layout.start()
    with pytest.raises(BadInput, match="which NUMA node"):
        PartitionThreadLayoutBuilder("p0").with_memory_policy("bind")
    nodes = cp.NodeSet([0, 1])
    assert PartitionThreadLayoutBuilder("p0").with_memory_policy("interleave", nodes).memory == ("interleave", nodes)
    assert BUILDER.with_memory_policy("preferred").memory == ("preferred", cp.NodeSet([0]))
    assert BUILDER.with_memory_policy("default").memory == ("default", cp.NodeSet())


def refused_memory_policy() -> KernelRefused | None:
    """What this machine says to the call, None = it does it."""
    try:
        set_memory_policy("default")
    except KernelRefused as refused:
        return refused
    return None


def test_the_memory_policy_of_a_role_and_its_processes() -> None:
    """Some sandboxes forbid the call; then the start says so, and nothing runs."""
    seen: queue.Queue[object] = queue.Queue()
    layout = BUILDER.with_memory_policy("bind").build()
    if (refused := refused_memory_policy()) is not None:
        assert refused.code in (1, 38), refused
        with pytest.raises(KernelRefused, match="set_mempolicy"):
            layout.start()
        return
    with layout:
        layout.send("writer", lambda: seen.put(current_memory_policy()))
        assert seen.get(timeout=10) == ("bind", cp.NodeSet([0]))
        assert current_memory_policy() == ("default", cp.NodeSet())
        pid = layout.launch("writer", SLEEP)
        with open(f"/proc/{pid}/numa_maps") as file:
            assert any(" bind:0 " in line for line in file)
    with pytest.raises(KernelRefused, match="set_mempolicy: wrote 'bind 900', the kernel said EINVAL"):
        set_memory_policy("bind", cp.NodeSet([900]))
    for mode, nodes in (("default", [0]), ("preferred", [0, 1]), ("bind", [])):
        with pytest.raises(BadInput, match=f"{mode} with nodes"):
            set_memory_policy(mode, cp.NodeSet(nodes))  # type: ignore[arg-type]
