"""Topology: what the builders make, what it answers, and which hosts cannot be."""

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from core.formats.full_hosts import full_hosts
from cpuplace.building import NUMBERINGS
from cpuplace.errors import BadInput
from cpuplace.hardware import CpuRow, Device
from cpuplace.idset import CpuSet
from cpuplace.topology import Numbering, Topology

HOST = Topology.uniform(packages=2, nodes_per_package=2, cores_per_l3=2, threads_per_core=2, distances=(10, 12, 32))
counts = st.integers(1, 3)


@given(counts, counts, counts, counts, counts, st.sampled_from(NUMBERINGS))
def test_a_uniform_host_is_regular(
    packages: int, nodes: int, l3s: int, cores: int, threads: int, numbering: Numbering
) -> None:
    host = Topology.uniform(
        packages=packages,
        nodes_per_package=nodes,
        l3_per_node=l3s,
        cores_per_l3=cores,
        threads_per_core=threads,
        numbering=numbering,
    )
    total = packages * nodes * l3s * cores * threads
    assert host.online == CpuSet(range(total))
    for groups, count in (
        (host.packages, packages),
        (host.nodes, packages * nodes),
        (host.l3_groups, packages * nodes * l3s),
        (host.cores, total // threads),
    ):
        assert [len(group.cpus) for group in groups] == [total // count] * count
        assert sum(group.cpus.mask for group in groups) == host.online.mask


@pytest.mark.parametrize(
    ("numbering", "cores", "package"),
    [
        ("blocks", ["0,4", "1,5", "2,6", "3,7"], "0-1,4-5"),
        ("adjacent", ["0-1", "2-3", "4-5", "6-7"], "0-3"),
        ("interleaved", ["0,4", "1,5", "2,6", "3,7"], "0,2,4,6"),
    ],
)
def test_numberings(numbering: Numbering, cores: list[str], package: str) -> None:
    host = Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2, numbering=numbering)
    assert [str(core.cpus) for core in host.cores] == cores
    assert str(host.packages[0].cpus) == package


def test_distances_as_given_or_by_rule() -> None:
    assert [HOST.distance(0, node) for node in range(4)] == [10, 12, 32, 32]
    silent = evolve(HOST, distance_rows=())
    assert [silent.distance(0, node) for node in range(4)] == [10, 20, 40, 40]
    oneway = Topology.from_rows([CpuRow(0, node=0), CpuRow(1, node=5)], distances={(5, 0): 17})
    assert (oneway.distance(0, 5), oneway.distance(5, 0)) == (17, 17)


def test_rows_may_say_little() -> None:
    host = Topology.from_rows([CpuRow(7), CpuRow(3, core=9, node=(4, 2)), CpuRow(5, online=False)], nodes=[8])
    assert [(core.id, str(core.cpus)) for core in host.cores] == [(9, "3"), (11, "7")]
    assert [(node.id, str(node.cpus)) for node in host.nodes] == [(0, "7"), (2, "3"), (4, "3"), (8, "")]
    assert (host.cpu(3).node, host.cpu(3).cpus) == (2, CpuSet([3]))
    assert (host.packages, host.clusters, host.offline) == ((), (), CpuSet([5]))


@given(full_hosts(), st.data())
def test_offline_and_online_again(host: Topology, data: st.DataObject) -> None:
    everyone = host.online | host.offline
    some = CpuSet(data.draw(st.sets(st.sampled_from(list(everyone)), min_size=1)))
    changed = host.with_online(some)
    assert (changed.online, changed.offline) == (some, everyone - some)
    assert changed.with_online(host.online) == host


@given(full_hosts())
def test_groups_are_made_of_online_cpus(host: Topology) -> None:
    assert CpuSet(cpu for core in host.cores for cpu in core.cpus) == host.online
    for groups in (host.l2_groups, host.l3_groups, host.dies, host.clusters, host.packages, host.books, host.drawers):
        assert sum(len(group.cpus) for group in groups) == len(CpuSet(cpu for group in groups for cpu in group.cpus))
        assert all(group.cpus <= host.online for group in groups)
        assert [group.id for group in groups] == sorted({group.id for group in groups})


@given(full_hosts())
def test_a_host_is_a_value(host: Topology) -> None:
    again = pickle.loads(pickle.dumps(host))
    assert again == host
    assert hash(again) == hash(host)
    assert f"{len(host.online)} CPUs online" in repr(host)


def test_looking_up() -> None:
    nic = Device(name="eth0", kind="nic", pci="0000:01:00.0", node=1)
    host = evolve(HOST, devices=(nic,), name="mine")
    assert host.device("eth0") == host.device("0000:01:00.0") == nic
    assert host.device("eth9") is None
    assert host.node(3).cpus == CpuSet.parse("6-7,14-15")
    for ask in (host.cpu, host.node):
        with pytest.raises(BadInput, match="mine: the host has no"):
            ask(99)
    with pytest.raises(BadInput, match="the host has no CPU 99"):
        host.with_online(CpuSet([99]))


def rows(*found: CpuRow, **facts: Any) -> Callable[[], Topology]:
    return lambda: Topology.from_rows(found, **facts)


def device(**facts: Any) -> Mapping[str, Any]:
    return {"devices": [Device(**{"name": "d", "kind": "nic"} | facts)]}


ONE = CpuRow(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (rows(), "at least one online CPU"),
        (rows(CpuRow(0, online=False)), "at least one online CPU"),
        (rows(ONE, ONE), "CPU 0 is described twice"),
        (rows(CpuRow(-1)), "CPU -1 is not an id"),
        (rows(CpuRow(65537)), "CPU 65537 is not an id"),
        (lambda: evolve(HOST, cpus=HOST.cpus[::-1]), "ids must ascend"),
        (lambda: evolve(HOST, cpus=(evolve(HOST.cpus[0], nodes=()),)), "none, or ones that the host lacks"),
        (lambda: evolve(HOST, cpus=(evolve(HOST.cpus[0], nodes=(9,)),)), "none, or ones that the host lacks"),
        (rows(CpuRow(0, 0, package=0), CpuRow(1, 0, package=1)), "core 0 lies in more than one package: 0 and 1"),
        (rows(CpuRow(0, 0, 0), CpuRow(1, 0, 1)), "core 0 lies in more than one L3 group"),
        (rows(CpuRow(0, 0, l2=0), CpuRow(1, 0)), "core 0 lies in more than one L2 group"),
        (rows(CpuRow(0, 0, die=0), CpuRow(1, 0, die=1)), "core 0 lies in more than one die"),
        (rows(CpuRow(0, package=0, die=1), CpuRow(1, package=1, die=1)), "die 1 lies in more than one package"),
        (rows(ONE, memory_bytes={-1: 0}), "NUMA node -1 is not an id"),
        (rows(ONE, memory_bytes={0: -5}), "NUMA node 0 with -5 bytes"),
        (rows(ONE, distances={(0, 0): -1}), "negative or names a node"),
        (rows(ONE, distances={(0, 3): 20}), "negative or names a node"),
        (lambda: evolve(HOST, distance_rows=((0, 1, 5), (0, 1, 6))), "given twice, or out of order"),
        (rows(ONE, huge_pages={3: {4096: 1}}), "huge pages"),
        (rows(ONE, huge_pages={0: {0: 1}}), "huge pages"),
        (rows(ONE, huge_pages={0: {4096: -1}}), "huge pages"),
        (rows(ONE, isolated=CpuSet([1])), "isolated CPUs 1 do not exist"),
        (rows(ONE, nohz_full=CpuSet([1])), "nohz_full CPUs 1 do not exist"),
        (rows(ONE, **device(name="")), "has no name or is described twice"),
        (rows(ONE, devices=[Device(name="d", kind="nic")] * 2), "has no name or is described twice"),
        (rows(ONE, **device(node=7)), "NUMA node 7, which the host lacks"),
        (rows(ONE, **device(local_cpus=CpuSet([8]))), "names CPUs 8 that do not exist"),
        (rows(ONE, **device(queues=-1)), "cannot have -1 queues"),
        (lambda: Topology.uniform(packages=0), "packages must be at least 1, not 0"),
        (lambda: Topology.uniform(packages=10**9), "more than 65537"),
        (lambda: Topology.uniform(numbering="spiral"), "unknown numbering"),  # type: ignore[arg-type]
    ],
)
def test_impossible_hosts(make: Callable[[], Topology], problem: str) -> None:
    with pytest.raises(BadInput, match="opology") as caught:
        make()
    assert problem in str(caught.value)


def test_errors_travel_between_processes() -> None:
    bad = BadInput("what", source="where", position=3, hint="how")
    again = pickle.loads(pickle.dumps(bad))
    assert (str(again), again.position) == (str(bad), 3)
