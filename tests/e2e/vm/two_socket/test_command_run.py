"""`cpuplace run` on a real kernel: where the command really runs, what comes back from it, and what is left of it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpuplace as cp
from cgroup.commands import Command, ran
from cpuplace_cgroup.statedir import StateDir

ROOT = Path("/sys/fs/cgroup/cpuplace")
TELL = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status; echo $CPUPLACE_CPUS / $OMP_PLACES / $OMP_NUM_THREADS"
WAIT = "echo $CPUPLACE_CPUS $$; exec sleep 600"


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test ends with nothing placed, after one more command."""
    yield
    for procs in ROOT.glob("*/cgroup.procs"):
        for pid in procs.read_text().split():
            end(int(pid))
    assert run("--cpus", "1", "--", "true")[0] == 0
    assert [path.name for path in ROOT.iterdir() if path.is_dir()] == []
    kept = StateDir().read()
    assert kept is not None
    assert dict(kept.state.assignments) == {}


def run(*arguments: str) -> tuple[int, str]:
    return ran("run", *arguments)


def begin(*arguments: str) -> Command:
    return Command("run", *arguments)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.02)


def allowed(pid: int) -> cp.CpuSet:
    """Where the kernel lets this process run."""
    status = Path(f"/proc/{pid}/status").read_text()
    return cp.CpuSet.parse(next(row.split()[1] for row in status.splitlines() if row.startswith("Cpus_allowed_list")))


def test_the_kernel_keeps_it_on_its_cpus_from_the_first_instruction() -> None:
    code, out = run("--cpus", "4", "--numa", "1", "--", "sh", "-c", f"{TELL}; exit 7")
    cpus, _mems, told = out.splitlines()
    assert code == 7
    assert cpus.split()[1] == "8-11"
    assert told == "8-11 / {8},{10},{9},{11} / 4"


def test_a_pin_is_bound_to_its_memory() -> None:
    code, out = run("--pin", "9,12-13", "--", "sh", "-c", TELL)
    cpus, mems, told = out.splitlines()
    assert (code, cpus.split()[1], mems.split()[1]) == (0, "9,12-13", "1")
    assert told.startswith("9,12-13 / ")


def test_a_shared_one_runs_on_what_others_leave() -> None:
    with begin("--cpus", "4", "--", "sh", "-c", WAIT) as own:
        taken = cp.CpuSet.parse(own.line().split()[0])
        _, out = run("--shared", "--", "sh", "-c", TELL)
    cpus, _mems, told = out.splitlines()
    pool = cp.CpuSet.parse(cpus.split()[1])
    assert not pool & taken
    assert len(pool) == 12
    assert told.split() == [str(pool), "/", "/"]


def test_signals_reach_it_and_its_status_comes_back() -> None:
    script = "trap 'echo told; exit 9' TERM; echo here; while :; do sleep 0.1; done"
    with begin("--cpus", "1", "--", "sh", "-c", script) as process:
        assert process.line() == "here"
        process.send(signal.SIGTERM)
        assert process.line() == "told"
        assert process.wait() == 9
    with begin("--cpus", "1", "--", "sh", "-c", WAIT) as process:
        os.kill(int(process.line().split()[1]), signal.SIGKILL)
        assert process.wait() == 128 + signal.SIGKILL
    assert run("--cpus", "1", "--", "/no/such/command")[0] == 127
    assert run("--cpus", "1", "--", "/etc/hostname")[0] == 126


def test_several_at_once_never_share_a_cpu() -> None:
    several = [begin("--cpus", "5", "--", "sh", "-c", WAIT) for _ in range(3)]
    told = [one.line().split() for one in several]
    sets = [cp.CpuSet.parse(cpus) for cpus, _ in told]
    assert [len(one) for one in sets] == [5, 5, 5]
    assert len(sets[0] | sets[1] | sets[2]) == 15
    assert [allowed(int(pid)) for _, pid in told] == sets
    code, said = run("--cpus", "1", "--", "true")
    assert code == 1
    assert "PoolExhausted" in said
    for one in several:
        one.send(signal.SIGTERM)
    assert [one.wait() for one in several] == [128 + signal.SIGTERM] * 3
    for one in several:
        one.close()


def test_a_killed_cpuplace_leaves_nothing_for_long() -> None:
    with begin("--cpus", "6", "--", "sh", "-c", WAIT) as process:
        cpus, pid = process.line().split()
        process.send(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    taken = cp.CpuSet.parse(cpus)
    assert allowed(int(pid)) == taken  # the command itself lives on, and keeps its CPUs
    _, out = run("--cpus", "6", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert not cp.CpuSet.parse(out.strip()) & taken
    end(int(pid))
    _, out = run("--cpus", "15", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert "killed, its CPUs are given back" in out
    assert len(cp.CpuSet.parse(out.splitlines()[-1])) == 15


def test_what_is_left_in_the_group_keeps_its_cpus_until_it_ends() -> None:
    code, out = run("--cpus", "6", "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $CPUPLACE_CPUS $!")
    (cpus, pid), said = out.splitlines()[0].split(), out
    assert code == 0
    assert "processes still run in it" in said
    assert allowed(int(pid)) == cp.CpuSet.parse(cpus)
    _, out = run("--cpus", "6", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert not cp.CpuSet.parse(out.strip()) & cp.CpuSet.parse(cpus)


def test_commands_follow_a_cpu_that_goes_offline() -> None:
    switch = Path("/sys/devices/system/cpu/cpu15/online")
    with begin("--shared", "--", "sh", "-c", WAIT) as pool:
        pid = int(pool.line().split()[1])
        assert 15 in allowed(pid)
        switch.write_text("0")
        try:
            assert run("--cpus", "15", "--", "true")[0] == 1
            code, out = run("--cpus", "3", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
            assert (code, len(cp.CpuSet.parse(out.strip()))) == (0, 3)
        finally:
            switch.write_text("1")
        assert run("--cpus", "1", "--", "true")[0] == 0
        assert 15 in allowed(pid)
