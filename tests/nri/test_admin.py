"""The admin socket: what `cpuplace nri status` and its sisters ask, through a real socket."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.events import Release, Start
from cpuplace.formats import cpuplace_json
from cpuplace.formats import events as events_format
from cpuplace.formats import state as state_format
from cpuplace.replaying import replay
from cpuplace_nri import admin, watching
from cpuplace_nri.admin import Admin
from cpuplace_nri.asking import NotAnswered, ask, ask_many
from cpuplace_nri.decision import Decision
from cpuplace_nri.logs import Log
from cpuplace_nri.tally import Tally
from cpuplace_nri.watching import Watch
from nri.nodes import busy
from nri.serving import Running, running, wait_until


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "run" / "nri.sock", busy()) as made:
        yield made


def test_the_socket_is_its_owners(plugin: Running) -> None:
    assert Path(plugin.path).stat().st_mode & 0o777 == 0o600


def test_status_says_who_has_what_and_why(plugin: Running) -> None:
    plugin.decide(Decision(kind="place", container_id="bbb222", rule="R4", reason="node 0, 2 whole cores"))
    answer = ask(plugin.path, "status")
    found = {one["id"]: one for one in answer["containers"]}
    assert list(found) == ["aaa111", "bbb222", "bbb333"]
    assert found["bbb222"] == {
        "id": "bbb222",
        "container": "default/job/main",
        "kind": "integer",
        "cpus": "1-2,9-10",
        "mems": None,
        "exclusive": True,
        "withheld": "",
        "rule": "R4",
        "reason": "node 0, 2 whole cores",
        "since": "1970-01-01T00:00:00.000Z",
        "degraded": "",
    }
    assert plugin.node is not None
    host = cpuplace_json.parse(json.dumps(answer["host"]))
    assert state_format.parse(json.dumps(answer["state"]), host) == plugin.node.state
    assert answer["pool"] == str(plugin.node.state.pool)


@pytest.mark.parametrize("asked", ["bbb222", "bbb2", "default/job/main", "job/main", "default/job"])
def test_explain_finds_a_container_by_what_people_call_it(plugin: Running, asked: str) -> None:
    plugin.decide(Decision(kind="place", container_id="bbb222", rule="R4", reason="node 0"))
    answer = ask(plugin.path, "explain", container=asked)
    assert (answer["id"], answer["running"], answer["request"]["count"]) == ("bbb222", True, 4)
    assert answer["decision"]["reason"] == "node 0"


def test_explain_remembers_who_was_refused(plugin: Running) -> None:
    refusal = cp.NotEnoughCpus(container_id="big", rule="R4", sentence="no", asked=99, free=cp.CpuSet(), fits=2)
    plugin.decide(Decision(kind="place", container_id="big", refusal=refusal))
    answer = ask(plugin.path, "explain", container="big")
    assert answer["running"] is False
    assert answer["decision"]["refusal"]["fits"] == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"container": "nobody"}, "explain: no container 'nobody' is known (`cpuplace nri status` lists all of them)"),
        ({"container": "bbb"}, "explain: 'bbb' may be 2 containers (default/job/main, default/web-0/web)"),
        ({}, "explain: which container? (its id, or namespace/pod/container)"),
        ({"container": 7}, "which container?"),
    ],
)
def test_explain_says_what_it_cannot_find(plugin: Running, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(NotAnswered) as caught:
        ask(plugin.path, "explain", **fields)
    assert said in str(caught.value)


def test_dump_has_everything(plugin: Running) -> None:
    plugin.decide(Decision(kind="place", container_id="bbb222"))
    answer = ask(plugin.path, "dump")
    assert answer["config"]["name"] == "cpuplace"
    assert answer["counts"] == {"decisions{place}": 1}
    assert [one["id"] for one in answer["last"]] == ["bbb222"]


def test_events_come_as_they_happen_and_end_with_the_client(plugin: Running) -> None:
    answers = ask_many(plugin.path, "events")
    assert next(answers) == {"runtime": {"missing": "no runtime"}, "last": []}
    plugin.decide(Decision(kind="place", container_id="new", cpus=cp.CpuSet([3]), moves=("bbb222",)))
    found = next(answers)
    assert (found["id"], found["cpus"], found["moved"]) == ("new", "3", ["bbb222"])
    answers.close()  # type: ignore[attr-defined]
    wait_until(lambda: plugin.readers() == 0)


def test_a_reader_that_is_too_slow_is_told_so(plugin: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "QUEUED", 2)
    answers = ask_many(plugin.path, "events")
    next(answers)

    def hurry() -> None:
        for number in range(4):
            plugin.watch.decided(Decision(kind="place", container_id=str(number)))

    plugin.do(hurry)
    with pytest.raises(NotAnswered, match="decisions are missing"):
        list(answers)
    assert plugin.watch.tally.counted("recordings_cut") == 1
    assert plugin.readers() == 0


def test_a_recording_is_what_replay_reads(plugin: Running) -> None:
    assert plugin.node is not None
    answers = ask_many(plugin.path, "record")
    lines = [next(answers)["line"] for _ in range(2)]
    request = cp.ContainerRequest.integer("new", 2, pod="u9", name="main")
    placed = cp.place(plugin.node.state, request).unwrap().after
    event = Start(request=request)
    plugin.decide(Decision(kind="place", container_id="new", cpus=placed["new"].cpus, event=event))
    plugin.decide(Decision(kind="validate", container_id="new"))  # nothing to play again
    plugin.decide(Decision(kind="release", container_id="bbb222", event=Release(container_id="bbb222")))
    lines += [next(answers)["line"] for _ in range(2)]
    read = events_format.parse("".join(lines))
    assert isinstance(read.host, cp.Topology)
    outcomes = list(replay(cp.HostState.empty(read.host, read.policy), read.events, one_step_per_container=True))
    assert [one.missed for one in outcomes] == [(), (), ()]
    held = {key: one.held for key, one in plugin.node.state.assignments.items()}
    assert {key: one.held for key, one in outcomes[0].after.assignments.items()} == held
    assert outcomes[-1].after["new"].cpus == placed["new"].cpus


def test_before_a_runtime_told_its_containers(tmp_path: Path) -> None:
    node = busy()
    node.synchronized = False
    for known in (None, node):
        with running(tmp_path / "nri.sock", known) as plugin:
            with pytest.raises(NotAnswered, match=r"no runtime has told its containers yet.*\(no runtime\)"):
                ask(plugin.path, "status")
            assert ask(plugin.path, "ping") == {"runtime": {"missing": "no runtime"}}


def raw(path: str, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (b"hello\n", b"a request is one line of JSON"),
        (b"", b"a request is one line of JSON"),
        (b"[]\n", b"a request names what it wants"),
        (b'{"cmd": 1}\n', b"a request names what it wants"),
        (b'{"cmd": "sing"}\n', b"unknown request 'sing' (one of status, explain"),
        (b"x" * 200_000, b"error"),
        (b"[" * 60_000 + b"\n", b"a request is one line of JSON"),
    ],
)
def test_a_request_that_is_none(plugin: Running, request_: bytes, said: bytes) -> None:
    try:
        answer = raw(plugin.path, request_)
    except (BrokenPipeError, ConnectionResetError):
        answer = b"error"  # hung up on while it still sent
    assert said in answer


@given(st.binary(max_size=80))
def test_no_request_raises_anything_else(line: bytes) -> None:
    with suppress(cp.BadInput):
        assert isinstance(admin._request(line), dict)


def test_one_client_too_many(plugin: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MOST", 0)
    with pytest.raises(NotAnswered, match="clients are connected already"):
        ask(plugin.path, "ping")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(cp.BadInput, match=r"no plugin is running here \(`cpuplace nri run` starts one"):
        ask(str(tmp_path / "nri.sock"), "status")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    with pytest.raises(cp.BadInput, match="no plugin is running here"):
        ask(str(tmp_path / "left"), "status")
    with pytest.raises(cp.BadInput, match="cannot be asked"):
        ask("x" * 200, "status")


def test_a_socket_that_was_left_is_replaced_and_one_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "nri.sock"))
    with running(tmp_path / "nri.sock", busy()) as plugin:
        assert ask(plugin.path, "ping")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(cp.BadInput, match="the admin socket cannot be made"):
            asyncio.run(Admin(lambda _request: {}).serve(path))


def test_another_program_listens_there(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "nri.sock"))
        server.listen()

        def answer() -> None:
            for said in (b"HTTP/1.1 200 OK\n", b""):
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotAnswered, match="is another program listening there"):
            ask(str(tmp_path / "nri.sock"), "status")
        with pytest.raises(NotAnswered, match="ended before it answered"):
            ask(str(tmp_path / "nri.sock"), "status")
        thread.join()


def test_what_was_last_decided_is_kept_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REMEMBERED", 2)
    watch = Watch(Log(), Tally())
    for key in ("a", "b", "a", "c"):
        watch.decided(Decision(kind="place", container_id=key))
    watch.decided(Decision(kind="synchronize"))
    assert [watch.last(key) is not None for key in ("a", "b", "c")] == [True, False, True]
