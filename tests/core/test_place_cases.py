"""Incidents as files: a host, a policy, events in order, and who must hold what after each."""

import json
from pathlib import Path
from typing import Any

import pytest

import cpuplace as cp

CASES = sorted((Path(__file__).parent.parent / "cases" / "place").glob("*.json"))


def request_of(event: dict[str, Any]) -> cp.ContainerRequest:
    key, pod = event["place"], event.get("pod", event["place"])
    if "pin" in event:
        return cp.ContainerRequest.pinned(key, cp.CpuSet.parse(event["pin"]), exclusive=True, pod=pod, name=key)
    return cp.ContainerRequest.integer(key, event["count"], pod=pod, name=key, init=event.get("init", False))


def next_state(state: cp.HostState, event: dict[str, Any]) -> cp.HostState:
    if "release" in event:
        return cp.apply(state, cp.release(state, event["release"]))
    if "forget" in event:
        return cp.apply(state, cp.forget_pod(state, event["forget"]))
    answer = cp.place(state, request_of(event))
    if "refused" in event:
        assert isinstance(answer, cp.Refusal) and answer.kind == event["refused"]
        return state
    placed = cp.apply(state, answer.unwrap())
    assert str(placed[event["place"]].cpus) == event["cpus"], event
    return placed


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_case(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    policy = cp.Policy(reserved=cp.CpuSet.parse(case["policy"].get("reserved", "")))
    state = cp.HostState.empty(cp.Topology.uniform(**case["host"]), policy)
    for event in case["events"]:
        state = next_state(state, event)
        assert cp.violations(state) == ()


def test_there_are_cases() -> None:
    assert CASES
