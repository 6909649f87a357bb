"""The state directory: whole or not at all, one at a time, and who runs is known from a lock, not from a number."""

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cpuplace as cp
from cgroup.commands import forking
from cpuplace_cgroup.lockfile import Locked, locked
from cpuplace_cgroup.statedir import DEFAULT, VARIABLE, StateDir, default_path
from cpuplace_cgroup.statefile import Kept, body_of, parse, render
from laws.worlds import states

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


def some_state() -> cp.HostState:
    state = cp.HostState.empty(HOST)
    for request in (cp.ContainerRequest.integer("a", 4), cp.ContainerRequest.shared("web")):
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


# --- the text ------------------------------------------------------------------------------------


@given(states(), st.text(max_size=9))
def test_what_is_kept_is_read_back(state: cp.HostState, root: str) -> None:
    text = render(Kept(root, state)).encode()
    assert parse(text, source="s") == Kept(root, state)


@given(st.data())
def test_a_torn_text_is_never_taken_for_whole(data: st.DataObject) -> None:
    text = render(Kept("/g", some_state())).encode()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        torn = text[:at]
    else:
        at = data.draw(st.integers(0, len(text) - 1))
        torn = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1 :]
    with pytest.raises(cp.BadInput) as raised:
        parse(torn, source="/run/x/state")
    assert raised.value.source == "/run/x/state"
    assert raised.value.hint


def test_the_state_in_it_is_one_that_other_commands_read() -> None:
    from cpuplace.formats import state as state_format

    state = some_state()
    body = body_of(render(Kept("/g", state)).encode(), source="s")
    assert state_format.parse(body, HOST) == state


def test_the_host_is_kept_as_it_was() -> None:
    state = some_state()
    kept = parse(render(Kept("/g", state)).encode(), source="s")
    assert kept.state.topology == HOST
    now = HOST.with_online(HOST.online - cp.CpuSet([0]))
    after = cp.apply(kept.state, cp.change_topology(kept.state, now))
    assert after["a"].cpus == cp.CpuSet.parse("1-2,8-9")
    assert parse(render(Kept("/g", after)).encode(), source="s").state == after


# --- the folder ----------------------------------------------------------------------------------


def test_nothing_is_kept_at_first_and_nothing_is_made_by_looking(tmp_path: Path) -> None:
    there = StateDir(tmp_path / "new")
    assert there.read() is None
    assert there.runs() == {}
    assert not there.path.exists()


def test_write_and_read(tmp_path: Path) -> None:
    there = StateDir(tmp_path / "deep" / "er")
    there.write(Kept("/g", some_state()))
    assert there.read() == Kept("/g", some_state())
    assert [path.name for path in there.path.iterdir()] == ["state"]
    assert stat.S_IMODE(there.file.stat().st_mode) == 0o644
    there.forget()
    there.forget()
    assert there.read() is None


def test_a_write_that_fails_leaves_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = StateDir(tmp_path)
    there.write(Kept("/old", some_state()))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(cp.BadInput, match="cannot be written: No space left"):
        there.write(Kept("/new", some_state()))
    kept = there.read()
    assert kept is not None
    assert kept.root == "/old"
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_torn_file_says_which_and_what_to_do(tmp_path: Path) -> None:
    there = StateDir(tmp_path)
    there.write(Kept("/g", some_state()))
    there.file.write_bytes(there.file.read_bytes()[:-20])
    with pytest.raises(cp.BadInput) as raised:
        there.read()
    said = "its checksum is wrong: torn, or edited by hand (cpuplace ps --repair makes it anew from what runs)"
    assert str(raised.value) == f"{there.file}: {said}"


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert default_path() == Path(DEFAULT)
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    assert StateDir().path == Path("/elsewhere")


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(cp.BadInput, match="cannot be made"), StateDir(tmp_path / "file" / "x").locked():
        pass


# --- the lock ------------------------------------------------------------------------------------


def test_a_lock_says_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, wait=1):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        with pytest.raises(Locked) as raised, locked(path, wait=0):
            pass
    assert f"process {os.getpid()} (" in str(raised.value)
    assert path.read_text() == ""
    with locked(path, wait=0):
        pass


def test_a_lock_in_a_folder_that_was_removed_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, wait=0):
        path.unlink()
        with locked(path, wait=0):
            assert path.exists()


def add_one(path: Path, rounds: int) -> None:
    """Read, decide, write: what two commands at once must not do at once."""
    there = StateDir(path)
    for _ in range(rounds):
        with there.locked(wait=60):
            kept = there.read()
            state = kept.state if kept else cp.HostState.empty(HOST)
            request = cp.ContainerRequest.integer(f"{os.getpid()}-{len(state.assignments)}", 1)
            there.write(Kept("/g", cp.apply(state, cp.place(state, request).unwrap())))


def test_two_processes_never_hand_out_the_same_cpu(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    racers = [spawn.Process(target=add_one, args=(tmp_path, 7)) for _ in range(2)]
    for racer in racers:
        with forking():
            racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0, 0]
    kept = StateDir(tmp_path).read()
    assert kept is not None
    assert len(kept.state.assignments) == 14  # none was lost
    assert len(kept.state.exclusive) == 14
    assert {key.split("-")[0] for key in kept.state.assignments} == {str(racer.pid) for racer in racers}


# --- who runs ------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from cpuplace_cgroup.statedir import StateDir
with StateDir(sys.argv[1]).running("web/1"):
    print("here", flush=True)
    time.sleep(600)
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable()))
def test_who_runs_is_known_by_its_id(tmp_path: Path, container_id: str) -> None:
    there = StateDir(tmp_path)
    with there.running(container_id):
        assert there.runs() == {container_id: os.getpid()}
    assert there.runs() == {container_id: 0}
    there.ended(container_id)
    there.ended(container_id)
    assert there.runs() == {}


def test_a_killed_process_runs_nothing_any_more(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"here\n"
        assert StateDir(tmp_path).runs() == {"web/1": holder.pid}
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert StateDir(tmp_path).runs() == {"web/1": 0}
