"""`cpuplace replay`: a line an event, counts, the final map, and an exit code that tells surprises."""

import io
import json
import sys
from pathlib import Path

import pytest

from cli.commands import Run
from cli.manifests import EXAMPLES
from cpuplace import catalogue
from cpuplace.formats import events as events_format
from cpuplace.formats.events import Recording

DAY = str(EXAMPLES / "events.jsonl")
SMALL = "synthetic:pack:2 [numa] l3:1 core:4 pu:1"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_the_example(run: Run) -> None:
    code, out, err = run("replay", DAY)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "LINE  EVENT             RESULT"
    assert "6     place db          2-5 on node 0 (R4)" in lines
    assert "10    offline 2         move db from 2-3 to 1,3" in lines
    assert "A storage (pinned): 2 CPUs 14-15" in lines
    assert lines[-1] == "12 events: 1 refused, 1 move, 0 grants on more than one node"


def test_json(run: Run) -> None:
    code, out, _ = run("replay", DAY, "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["host"]) == (0, 1, "synthetic")
    assert data["counts"] == {"events": 12, "refusals": 1, "moves": 1, "spans": 0}
    refused = data["events"][3]
    assert (refused["about"], refused["refusal"]["kind"], refused["cpus"]) == ("big", "NotEnoughCpus", None)
    offline = data["events"][5]
    assert (offline["event"], offline["moved"]) == ("offline", [{"id": "db", "before": "2-3", "after": "1,3"}])
    assert [one["id"] for one in data["containers"]] == ["storage", "web"]


def test_a_rebalance_says_who_moved(run: Run, events: Path) -> None:
    events.write_text(
        '{"schema": 1, "policy": {"min_shared_cpus": 0}}\n'
        '{"event": "place", "id": "a", "count": 3}\n{"event": "place", "id": "b", "count": 3}\n'
        '{"event": "place", "id": "c", "count": 2}\n{"event": "release", "id": "a"}\n'
        '{"event": "rebalance", "max_moves": 1, "expect": {"holds": {"c": "0,3"}}}\n'
    )
    code, out, err = run("replay", str(events), "--host", SMALL, "--width", "160")
    assert (code, err) == (0, "")
    assert "6     rebalance up to 1  move c from 3,7 to 0,3; c: moves from 3,7 to 0,3, nodes 2 -> 1, " in out
    events.write_text('{"event": "rebalance", "max_moves": -1}\n')
    code, _, err = run("replay", str(events), "--host", SMALL)
    assert code == 2 and "line 1" in err and "max_moves" in err


def test_another_host_and_policy_than_recorded(run: Run, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("{min_shared_cpus: 14}")
    code, out, _ = run("replay", DAY, "--policy", str(policy))
    assert code == 1
    assert "not as expected\n✗ line 6: expected no refusal, was the refusal PoolExhausted\n" in out
    assert " not as expected; 12 events: " in out
    assert run("replay", DAY, "--host", "intel-i7-1370p", "-o", "json").code == 1


def test_grants_on_two_nodes_are_counted(run: Run, events: Path) -> None:
    events.write_text('{"event": "place", "id": "a", "count": 6}\n{"event": "release", "id": "b"}\n')
    code, out, _ = run("replay", str(events), "--host", SMALL)
    assert code == 0
    assert "1     place a    0-5 on nodes 0, 1 (R4)\n2     release b  was not there\n" in out
    assert out.endswith("\n2 events: 0 refused, 0 moves, 1 grant on more than one node\n")


def test_a_restart_tells_its_repair(run: Run, events: Path) -> None:
    events.write_text(
        '{"event": "place", "id": "web"}\n{"event": "place", "id": "a", "count": 2}\n'
        '{"event": "restart", "observed": [{"id": "web", "cpus": "0-7"}, {"id": "a", "cpus": "0-1"}]}\n'
        '{"event": "restart"}\n{"event": "release", "id": "a"}\n{"event": "forget", "pod": "a"}\n'
    )
    code, out, _ = run("replay", str(events), "--host", SMALL)
    assert code == 0
    assert "\n3     restart    narrow web from 0-7 to 2-7\n4     restart    nothing changes\n" in out
    assert "\n6     forget a   forgotten\n" in out
    data = json.loads(run("replay", str(events), "--host", SMALL, "-o", "json").out)
    assert [[step["op"] for step in one["repair"]] for one in data["events"]] == [[], [], ["narrow"], [], [], []]


def test_no_events_are_fine(run: Run, events: Path) -> None:
    events.write_text("")
    code, out, _ = run("replay", str(events), "--host", SMALL)
    assert (code, out.splitlines()[-1]) == (0, "0 events: 0 refused, 0 moves, 0 grants on more than one node")


def test_the_host_may_be_in_the_recording(run: Run, events: Path) -> None:
    events.write_text(events_format.render(Recording(events=(), host=catalogue.host("vm-2cpu"))))
    assert json.loads(run("replay", str(events), "-o", "json").out)["host"] == "vm-2cpu"


def test_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"event": "release"}\n'))
    code, out, err = run("replay", "-", "--host", "vm-2cpu")
    assert (code, out) == (2, "")
    assert err == "cpuplace: error: standard input, at line 1: the field 'id' is missing\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\xff\xfe", "not text"),
        (b"{", "at line 1 column 2"),
        (b'{"event": "offline", "cpus": "9"}', "events.jsonl, at line 1: the host has no CPU 9"),
        (b'{"schema": 1, "host": "no-such-host"}', "no-such-host"),
        (b'{"schema": 1, "host": "vm-2cpu", "policy": {"reserved": "7"}}', "events.jsonl, at reserved: names CPUs"),
    ],
)
def test_bad_input_is_one_line(run: Run, events: Path, text: bytes, words: str) -> None:
    events.write_bytes(text)
    host = () if b"schema" in text else ("--host", SMALL)
    code, out, err = run("replay", str(events), *host)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert run("replay", str(events) + "x", "--host", SMALL).code == 2


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_the_text_keeps_to_the_width(run: Run, width: str) -> None:
    assert max(map(len, run("replay", DAY, "--width", width).out.splitlines())) <= int(width)


def test_steps_in_their_order(run: Run) -> None:
    """A swap through a spare CPU is two steps of one container."""
    code, out, _ = run("replay", str(EXAMPLES / "walk-swap.jsonl"), "--steps")
    assert code == 0
    steps = [line.split("step", 1)[1].split(None, 1)[1] for line in out.splitlines() if "  step " in line]
    assert steps[-4:-1] == ["move db from 0,4 to 4-5", "move log from 1 to 0", "move db from 4-5 to 1,5"]


def test_steps_of_a_restart_and_refusals_have_none(run: Run, events: Path) -> None:
    events.write_text('{"event": "place", "id": "a", "count": 99}\n{"event": "restart", "observed": []}\n')
    code, out, _ = run("replay", str(events), "--host", SMALL, "--steps")
    assert (code, "step" in out, "nothing changes" in out) == (0, False, True)
    assert "restart    repaired\n" in run("replay", str(EXAMPLES / "walk-restart.jsonl"), "--steps").out
