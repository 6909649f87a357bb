"""Logs: a line a decision, in the order they were said, never in the way of who says them."""

import json
import socket
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import CpuSet, NodeSet, NotEnoughCpus
from cpuplace_nri import logs
from cpuplace_nri.decision import Decision
from cpuplace_nri.logs import Level, Log, find_sink, rendered

PLACED = Decision(
    kind="place",
    container_id="0123456789abcdef",
    name="ns/pod/main",
    cpus=CpuSet([0, 1]),
    mems=NodeSet([0]),
    rule="R4",
    reason="node 0",
    moves=("other",),
    seconds=0.0012346,
)
REFUSED = Decision(
    kind="place",
    container_id="c",
    name="ns/pod/big",
    refusal=NotEnoughCpus(container_id="c", rule="R4", sentence="2 are free", asked=9, free=CpuSet(), fits=2),
)


def written(log: Log) -> list[tuple[Level, str]]:
    """All lines of a log, which is closed by it."""
    lines: list[tuple[Level, str]] = []
    log.open(lambda text, level: lines.append((level, text)))
    log.close()
    return lines


def test_a_decision_is_one_line_with_rule_and_reason() -> None:
    log = Log()
    log.decided(PLACED)
    log.decided(REFUSED)
    [(_, first), (level, second)] = written(log)
    assert first.partition(" ")[2] == (
        'level=info event=place container=ns/pod/main id=0123456789ab cpus=0-1 mems=0 rule=R4 reason="node 0" '
        "moved=other ms=1.235"
    )
    assert level == "warning"
    assert 'event="place refused"' in second
    assert 'rule=R4 reason="2 are free (NotEnoughCpus)"' in second


def test_json_lines() -> None:
    log = Log()
    log.configure("debug", "json")
    log.decided(PLACED)
    log.say("debug", "more", count=0, nothing=None)
    values = [json.loads(text) for _, text in written(log)]
    assert values[0] | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "place",
        "container": "ns/pod/main",
        "id": "0123456789ab",
        "cpus": "0-1",
        "mems": "0",
        "rule": "R4",
        "reason": "node 0",
        "moved": "other",
        "ms": 1.235,
    }
    assert {"count": 0}.items() <= values[1].items()
    assert "nothing" not in values[1]


def test_what_was_said_before_and_after_opening_comes_in_order() -> None:
    log, lines = Log(), list[str]()
    log.say("info", "one")
    log.open(lambda text, _level: lines.append(text))
    for word in ("two", "three"):
        log.say("info", word)
    log.close()
    assert [line.rpartition("=")[2] for line in lines] == ["one", "two", "three"]


def test_a_reader_that_stalls_holds_up_nobody_and_what_is_dropped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEPT", 5)
    dropped: list[None] = []
    log, go, begun = Log(dropped=lambda: dropped.append(None)), threading.Event(), threading.Event()

    def stall(_text: str, _level: Level) -> None:
        begun.set()
        go.wait()

    log.open(stall)
    log.say("info", "first")
    assert begun.wait(30)
    for number in range(9):
        log.say("info", str(number))  # returns though nobody reads
    assert (log.waiting, len(dropped)) == (5, 4)
    go.set()
    log.close()
    assert log.waiting == 0


@given(st.text(), st.sampled_from(["json", "keyvalue"]))
def test_no_name_breaks_a_line_or_reaches_a_terminal(text: str, form: str) -> None:
    line = rendered({"event": "place", "container": text}, form)
    assert line.isprintable()
    assert form != "json" or "container" in json.loads(line)


def test_where_standard_error_leads_nowhere_the_system_log_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system, Path("/dev/null").open("w") as nowhere:
        system.bind(str(tmp_path / "log"))
        monkeypatch.setattr(logs, "_SYSLOG", str(tmp_path / "log"))
        monkeypatch.setattr(sys, "stderr", nowhere)
        find_sink()("hello", "error")
        assert system.recv(1000).startswith(b"<27>cpuplace-nri[")
        monkeypatch.setattr(logs, "_SYSLOG", str(tmp_path / "gone"))
        find_sink()("nobody hears", "info")


def test_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    find_sink()("hello", "info")
    assert capsys.readouterr().err == "hello\n"


def test_a_closed_standard_error_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logs._to_stderr("nobody hears", "info")
