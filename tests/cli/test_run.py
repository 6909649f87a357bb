"""`cpuplace run` on an imitated host: CPUs given, kept apart and given back, whatever ends the command or cpuplace."""

import os
import pty
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import cpuplace as cp
from cgroup.commands import forking, ran
from cgroup.imitation import FolderFiles
from cli.imitated import HOST, Imitated
from cli.imitated import host as host
from cpuplace_cgroup.lockfile import locked
from cpuplace_cli import managed
from cpuplace_cli.main import main

HOST_WITHOUT = HOST.with_online(cp.CpuSet.parse("0-14"))
ECHO = "echo $CPUPLACE_CPUS / $OMP_PLACES / $OMP_NUM_THREADS"
WAIT = "echo $CPUPLACE_CPUS $$; exec sleep 600"


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal() -> Iterator[None]:
    """Run in the background (`&`, nohup) tests ignore some, and what is ignored is inherited and cannot be trapped."""
    usual: dict[signal.Signals, Callable[[int, FrameType | None], Any] | signal.Handlers] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGQUIT: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, was in before.items():
        signal.signal(number, was)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        time.sleep(0.01)


def test_it_runs_in_its_group_on_its_cpus_and_gives_them_back(host: Imitated) -> None:
    script = f"{ECHO}; cat {host.group('sh')}/cpuset.cpus; echo; cat {host.group('sh')}/cgroup.procs; echo $$; exit 7"
    code, out = host.ran("run", "--cpus", "4", "--", "sh", "-c", script)
    told, cpus, inside, pid = out.splitlines()
    assert code == 7
    assert told == "0-1,8-9 / {0}:2,{8}:2 / 4"
    assert cpus == "0-1,8-9"
    assert inside == pid
    assert not host.group("sh").exists()
    assert dict(host.state().assignments) == {}
    assert host.state().remembered == {}
    assert host.kept.runs() == {}


def test_what_the_caller_said_of_threads_stays(host: Imitated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert host.ran("run", "--cpus", "1", "--", "sh", "-c", ECHO) == (0, "0 / {0} / 2\n")


def test_a_shared_one_is_told_of_the_pool_and_binds_no_thread(host: Imitated) -> None:
    with host.begin("run", "--pin", "1-3", "--", "sh", "-c", WAIT) as own:
        assert own.line().split()[0] == "1-3"
        assert host.ran("run", "--shared", "--", "sh", "-c", ECHO) == (0, "0,4-15 / /\n")


@pytest.mark.parametrize(
    ("options", "cpus"),
    [
        (("--cpus", "2", "--numa", "1"), "4,12"),
        (("--cpus", "4", "--numa", "spread"), "0,4,8,12"),
        (("--cpus", "2", "--cores", "isolate"), "0-1"),
        (("--cpus", "2", "--forbid", "0-3"), "4,12"),
        (("--pin", "5,7"), "5,7"),
        (("--pin", "5,7", "--shared"), "5,7"),
    ],
)
def test_options_are_wishes(host: Imitated, options: tuple[str, ...], cpus: str) -> None:
    code, out = host.ran("run", *options, "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert (code, out) == (0, f"{cpus}\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "no command given"),
        (("--", "true"), "not said which CPUs"),
        (("--cpus", "0", "--", "true"), "must be at least 1"),
        (("--cpus", "1", "--shared", "--", "true"), "a number of CPUs of its own"),
        (("--cpus", "1", "--pin", "1", "--", "true"), "a number of CPUs of its own"),
        (("--pin", "1-x", "--", "true"), "--pin, at 1"),
        (("--pin", "1", "--forbid", "2", "--", "true"), "a pin is taken as it is"),
        (("--shared", "--numa", "0", "--", "true"), "wishes are about --cpus"),
        (("--cpus", "1", "--numa", "near", "--", "true"), "wish numa"),
        (("--cpsu", "1", "--", "true"), "--cpsu"),
    ],
)
def test_what_cannot_be_meant_is_bad_input(host: Imitated, arguments: tuple[str, ...], problem: str) -> None:
    code, out, err = host("run", *arguments)
    assert (code, out) == (2, "")
    assert problem in err
    assert not host.kept.path.exists()


def test_a_refusal_says_what_would_fit(host: Imitated) -> None:
    code, out, err = host("run", "--cpus", "12", "--numa", "require-one", "--", "true")
    assert (code, out) == (1, "")
    assert err.startswith("cpuplace: error: true: ")
    assert "8 CPUs would fit (WishUnmet" in err
    assert host.kept.runs() == {}


def test_a_name_is_taken_once(host: Imitated) -> None:
    with host.begin("run", "--cpus", "1", "--name", "web", "--", "sh", "-c", WAIT) as first:
        first.line()
        code, _, err = host("run", "--cpus", "1", "--name", "web", "--", "true")
        assert code == 1
        assert "something of this name runs already" in err
        with host.begin("run", "--cpus", "1", "--", "sleep", "600") as second:
            del second
            while "sleep" not in host.state():
                time.sleep(0.01)
            _, out = host.ran("run", "--cpus", "1", "--", "sleep", "0")
            assert out == ""
    assert dict(host.state().assignments) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on_and_the_status_comes_back(host: Imitated, number: signal.Signals) -> None:
    script = f"trap 'echo told; exit 9' {int(number)}; echo here; while :; do sleep 0.05; done"
    with host.begin("run", "--cpus", "1", "--", "sh", "-c", script) as process:
        assert process.line() == "here"
        process.send(number)
        assert process.line() == "told"
        assert process.wait() == 9
    assert dict(host.state().assignments) == {}


def test_a_caller_that_ignores_the_end_of_its_children(host: Imitated) -> None:
    """That is inherited, and the kernel would neither tell of the end nor keep the status; the command inherits it."""

    def ignoring() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.alarm(30)  # ends what waits for ever

    code = "import signal, sys; sys.exit(7 if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN else 8)"
    arguments = host.arguments("run", "--cpus", "1", "--", sys.executable, "-c", code)
    assert ran(*arguments, before=ignoring) == (7, "")


def test_who_is_killed_has_128_more(host: Imitated) -> None:
    assert host.ran("run", "--cpus", "1", "--", "sh", "-c", "kill -9 $$")[0] == 137
    assert dict(host.state().assignments) == {}


@pytest.mark.parametrize(("command", "code"), [("/no/such", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_started_holds_nothing(host: Imitated, command: str, code: int) -> None:
    found, said = host.ran("run", "--cpus", "1", "--", command)
    assert found == code
    assert said.startswith(f"cpuplace: error: {command}: ")
    assert dict(host.state().assignments) == {}


def test_several_at_once_never_share_a_cpu(host: Imitated, stack: ExitStack) -> None:
    several = [stack.enter_context(host.begin("run", "--cpus", "3", "--", "sh", "-c", WAIT)) for _ in range(5)]
    sets = [cp.CpuSet.parse(one.line().split()[0]) for one in several]
    union = cp.CpuSet(cpu for one in sets for cpu in one)
    assert len(union) == 15
    code, said = host.ran("run", "--cpus", "1", "--", "true")
    assert code == 1
    assert "PoolExhausted" in said
    for one in several:
        one.send(signal.SIGTERM)
    assert [one.wait() for one in several] == [128 + signal.SIGTERM] * 5
    assert dict(host.state().assignments) == {}


def test_a_killed_cpuplace_is_tidied_up_after(host: Imitated) -> None:
    with host.begin("run", "--cpus", "6", "--name", "gone", "--", "sh", "-c", WAIT) as process:
        cpus, pid = process.line().split()
        process.send(signal.SIGKILL)
        process.wait()
    data = host.data("ps")
    assert [(one["id"], one["run_by"], one["group"]["pids"]) for one in data["containers"]] == [("gone", 0, [int(pid)])]
    _, out = host.ran("run", "--cpus", "6", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert not cp.CpuSet.parse(out.strip()) & cp.CpuSet.parse(cpus)  # the command itself lives on
    end(int(pid))
    assert host.data("ps")["notes"] == ["gone: its cpuplace run has gone, its CPUs are given back"]
    code, out = host.ran("run", "--cpus", "15", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert code == 0
    assert out == "cpuplace: note: gone: its cpuplace run was killed, its CPUs are given back\n0-14\n"
    assert host.kept.runs() == {}


def test_a_kill_before_the_state_was_written_leaves_an_empty_group_for_the_next(host: Imitated) -> None:
    host.ran("run", "--cpus", "1", "--", "true")
    FolderFiles().make(str(host.group("half")))
    assert host.ran("run", "--cpus", "1", "--name", "half", "--", "true") == (0, "")
    assert not host.group("half").exists()


def test_processes_that_stay_keep_their_cpus(host: Imitated) -> None:
    inside = f"sleep 600 >/dev/null 2>&1 & echo $! >> {host.group('sh')}/cgroup.procs; echo $!"
    code, out = host.ran("run", "--cpus", "2", "--", "sh", "-c", inside)
    pid = int(out.splitlines()[0])
    assert code == 0
    assert "cpuplace: note: sh: kept, " in out
    assert "processes still run in it" in out
    assert str(host.state()["sh"].cpus) == "0,8"
    end(pid)
    assert host.ran("run", "--cpus", "1", "--", "true")[0] == 0
    assert dict(host.state().assignments) == {}


def test_groups_of_others_with_cpus_of_their_own_are_respected(host: Imitated) -> None:
    files = FolderFiles()
    host.ran("run", "--cpus", "1", "--", "true")
    theirs = host.group("theirs")
    files.make(str(theirs))
    files.write(f"{theirs}/cpuset.cpus", "0-1,8")
    files.write(f"{theirs}/cgroup.procs", str(os.getpid()))
    _, out = host.ran("run", "--cpus", "8", "--", "sh", "-c", "echo $CPUPLACE_CPUS")
    assert not cp.CpuSet.parse(out.strip()) & cp.CpuSet.parse("0-1,8")
    assert [one["kind"] for one in host.data("ps")["containers"]] == ["unmanaged"]


def test_cpus_that_go_offline_are_followed(host: Imitated) -> None:
    with host.begin("run", "--shared", "--", "sh", "-c", WAIT) as pool:
        pool.line()
        host.be(HOST_WITHOUT)
        (host.root.parent / "cpuset.cpus.effective").write_text("0-14")
        assert host.ran("run", "--cpus", "15", "--", "true")[0] == 1
        assert (host.group("sh") / "cpuset.cpus").read_text() == "0-14"
        assert host.state().topology.online == HOST_WITHOUT.online


def test_one_waits_for_the_other_and_says_for_whom(host: Imitated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "PATIENCE", 0.05)
    host.kept.path.mkdir()
    with locked(host.kept.path / "lock", wait=0):
        code, out, err = host("run", "--cpus", "1", "--", "true")
    assert (code, out) == (1, "")
    assert f"lock: another command is at work, process {os.getpid()} (" in err


ALOOF = """
import os, signal
os.setpgid(0, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
print("told" if signal.sigtimedwait([signal.SIGINT], 1) else "not told", flush=True)
"""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("sh", "-c", "trap 'echo told; exit 4' INT; echo ready; while :; do sleep 0.05; done"), b"told"),
        ((sys.executable, "-c", ALOOF), b"not told"),
    ],
)
def test_what_the_terminal_sends_is_not_sent_twice(host: Imitated, command: tuple[str, ...], said: bytes) -> None:
    """Ctrl-C reaches the whole process group, the command among it; one that left it is not meant."""
    with forking():
        pid, terminal = pty.fork()
    if not pid:
        os._exit(main(host.arguments("run", "--cpus", "1", "--", *command)))
    with os.fdopen(terminal, "r+b", buffering=0) as there:
        assert there.readline().strip() == b"ready"
        there.write(b"\x03")
        line = there.readline().strip().removeprefix(b"^C")
        assert (line or there.readline().strip()) == said
        os.waitpid(pid, 0)
    assert dict(host.state().assignments) == {}
