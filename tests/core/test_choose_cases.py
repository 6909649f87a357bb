"""Incidents of the field as files: each says a host, what is free, what is asked for, and which CPUs are right.

A file in `cases/choose` is one incident: `host` as arguments of `Topology.uniform` or as `rows` (cpu, core, l3, node,
package), `free` and other sets as CPU lists, `count`, `wishes` as in `Wishes`, and `expected`: the CPUs, or `refused`:
the wish in the way. Adding a case needs no code.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cpuplace.candidates import Choice, Shortfall, choose
from cpuplace.hostmap import HostMap
from cpuplace.idset import CpuSet
from cpuplace.resolving import resolve
from cpuplace.topology import CpuRow, Topology
from cpuplace.wishes import Wishes

CASES = sorted((Path(__file__).parent.parent / "cases" / "choose").glob("*.json"))


def _host(facts: dict[str, Any]) -> Topology:
    if "rows" not in facts:
        return Topology.uniform(**facts)
    return Topology.from_rows([CpuRow(*row) for row in facts["rows"]], nodes=facts.get("nodes", ()))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_incident(path: Path) -> None:
    case = json.loads(path.read_text())
    host = HostMap.of(_host(case["host"]))
    answer = choose(
        host,
        CpuSet.parse(case["free"]).mask if "free" in case else host.online,
        case["count"],
        wishes=resolve(Wishes(**case.get("wishes", {}))),
        others=CpuSet.parse(case.get("others", "")).mask,
    )
    if "refused" in case:
        assert isinstance(answer, Shortfall)
        assert answer.wish == case["refused"]
    else:
        assert isinstance(answer, Choice)
        assert str(CpuSet.from_mask(answer.mask)) == case["expected"]
        assert str(CpuSet.from_mask(answer.withheld)) == case.get("withheld", "")


def test_there_are_cases_and_each_says_where_it_comes_from() -> None:
    assert CASES
    for path in CASES:
        assert json.loads(path.read_text())["source"]
