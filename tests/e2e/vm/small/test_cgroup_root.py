"""cgroup v2 is there, alone, and hands out cpuset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cpuplace import CpuSet, NodeSet, Topology

ROOT = Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    folder = ROOT / "seen"
    folder.mkdir()
    yield folder
    folder.rmdir()


def test_the_controllers_are_handed_out(group: Path) -> None:
    assert {"cpuset", "cpu", "memory"} <= set((ROOT / "cgroup.controllers").read_text().split())
    assert {"cpuset", "cpu", "memory"} <= set((group / "cgroup.controllers").read_text().split())


def test_a_new_group_may_use_the_whole_host(group: Path, host: Topology) -> None:
    assert CpuSet.parse((group / "cpuset.cpus.effective").read_text().strip()) == host.online
    mems = NodeSet.parse((group / "cpuset.mems.effective").read_text().strip())
    assert mems == NodeSet(node.id for node in host.nodes)


def test_the_last_cpu_and_the_last_node_can_be_given(group: Path, host: Topology) -> None:
    cpu, node = host.online.max, host.nodes[-1].id
    (group / "cpuset.cpus").write_text(str(cpu))
    (group / "cpuset.mems").write_text(str(node))
    assert (group / "cpuset.cpus.effective").read_text().split() == [str(cpu)]
    assert (group / "cpuset.mems.effective").read_text().split() == [str(node)]
