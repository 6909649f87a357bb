"""The command on the live host."""

import json

import pytest

from cpuplace import CpuSet, Topology
from cpuplace_cli.main import main
from e2e.bed.beds import Bed


def test_topology_draws_this_host(bed: Bed, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", "--host", "live"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert f"{bed.cpus} CPUs" in first
    assert f"{len(bed.distances)} nodes" in first


def test_plan_places_what_there_is_memory_for(host: Topology, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "examples/mixed-workload.yaml", "--host", "live", "-o", "json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert [(no["container"], no["kind"]) for no in plan["refusals"]] == [("postgres", "NotEnoughMemory")]
    cpus = {container["container"]: CpuSet.parse(container["cpus"]) for container in plan["containers"]}
    assert len(cpus["trainer"]) == 8
    assert cpus["nginx"] == CpuSet.parse(plan["pool"]) == host.online - cpus["trainer"]
