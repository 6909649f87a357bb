"""Incidents as recordings: each is replayed, and everything it expects holds."""

import json
from pathlib import Path

import jsonschema
import pytest

import cpuplace as cp
from cpuplace.formats import events as events_format
from cpuplace.formats import events_schema, hwloc_synthetic
from cpuplace.replaying import replay

CASES = sorted((Path(__file__).parent.parent / "cases" / "replay").glob("*.jsonl"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_case(path: Path) -> None:
    recording = events_format.parse(path.read_text(encoding="utf-8"), source=path.name)
    assert isinstance(recording.host, str)
    assert recording.source and recording.why
    host = hwloc_synthetic.parse(recording.host.removeprefix("synthetic:"), name="synthetic")
    start = cp.HostState.empty(host, recording.policy)
    assert [(one.event.line, one.missed) for one in replay(start, recording.events) if one.missed] == []
    assert any(event.expect.holds or event.expect.cpus for event in recording.events)


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_every_line_is_within_the_schema(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            jsonschema.validate(json.loads(line), events_schema.SCHEMA)
