"""Incidents of the field as files: each says a host, what is free, what is asked for, and which CPUs are right.

A file in `cases/choose` is one incident: `host` as arguments of `Topology.uniform` or as `rows` (cpu, core, l3, node,
package), `free` and other sets as CPU lists, `count`, `wishes` as in `Wishes`, and `expected`: the CPUs, or `refused`:
the wish in the way. Adding a case needs no code.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cpuplace.candidates import Choice, Shortfall, choose
from cpuplace.hostmap import HostMap
from cpuplace.idset import CpuSet
from cpuplace.preference import elements, measure
from cpuplace.resolving import resolve
from cpuplace.topology import CpuRow, Topology
from cpuplace.wishes import PLAIN_WISHES, CoresWish, Wishes

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


@pytest.mark.parametrize(
    ("cores", "cpus", "expected"),
    [
        ("prefer-full", "0,4", {"nodes_off": 0, "split_cores": 0, "broken_cores": 0, "cores": 1}),
        ("prefer-full", "0,2", {"nodes_off": 1, "split_cores": 1, "broken_cores": 2, "cores": 2}),
        ("prefer-full", "0-1,4", {"nodes_off": 1, "split_cores": 1, "broken_cores": 1, "cores": 2}),
        ("isolate", "0-1", {"nodes_off": 1, "split_cores": None, "broken_cores": None, "cores": None}),
        ("any", "0,4", {"nodes_off": 0, "split_cores": None, "broken_cores": None, "cores": None}),
    ],
)
def test_what_a_spread_counts(cores: CoresWish, cpus: str, expected: dict[str, int | None]) -> None:
    """A spread aims at one node a core, of two threads here; cores count unless any CPU, or one of each, is wanted."""
    host = HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    wishes = evolve(PLAIN_WISHES, spread=0, cores=cores)
    values = measure(host, CpuSet.parse(cpus).mask, free=0x0F if cores == "isolate" else 0xFF, wishes=wishes)
    named = dict(zip([one.name for one in elements(wishes)], values, strict=True))
    assert {name: named.get(name) for name in expected} == expected
