"""Every field of `truth` of every captured machine, against what `read_host` says."""

from collections.abc import Callable
from typing import Any

import pytest

from cpuplace.hardware import CpuGroup
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology
from machines.captured import ABSENT, NAMES, host, truth

if ABSENT:
    pytest.skip(ABSENT, allow_module_level=True)

Truth = dict[str, Any]


def texts(groups: tuple[CpuGroup, ...]) -> list[str]:
    return [str(group.cpus) for group in sorted(groups, key=lambda group: group.cpus.min)]


def place(groups: tuple[CpuGroup, ...], cpu: int) -> int | None:
    """The position of this CPU's group among the groups ordered by lowest CPU."""
    return next((i for i, text in enumerate(texts(groups)) if cpu in CpuSet.parse(text)), None)


def same_online(found: Topology, facts: Truth) -> None:
    assert str(found.online) == facts["online"]


def same_present(found: Topology, facts: Truth) -> None:
    if facts["present"] is not None:
        assert str(found.online | found.offline) == facts["present"]


def same_offline(found: Topology, facts: Truth) -> None:
    assert str(found.offline) == facts["offline_present"]


def same_isolated(found: Topology, facts: Truth) -> None:
    assert str(found.isolated) == (facts["isolated"] or "")


def same_nohz_full(found: Topology, facts: Truth) -> None:
    assert str(found.nohz_full) == (facts["nohz_full"] or "").replace("(null)", "")


def same_groups(field: str) -> Callable[[Topology, Truth], None]:
    def same(found: Topology, facts: Truth) -> None:
        assert texts(getattr(found, field)) == facts[field]

    return same


def same_nodes(found: Topology, facts: Truth) -> None:
    nodes = facts["nodes"]
    made_up = {node.id for node in found.nodes} - {int(one) for one in nodes}
    assert all(found.node(node).memory_bytes is None for node in made_up) or not nodes
    columns = sorted({int(one) for one in nodes} | made_up)  # a row shows the hidden node too
    for one, node in nodes.items():
        ours = found.node(int(one))
        assert str(ours.cpus) == node["cpus_online"]
        assert ours.memory_bytes == node["memory_bytes"]
        assert {f"{size // 1024}kB": pages for size, pages in ours.huge_pages.items()} == node["hugepages"]
        if node["distance"] is not None:
            assert [found.distance(int(one), other) for other in columns] == node["distance"]


def same_fallback(found: Topology, facts: Truth) -> None:
    for one, node in facts["nodes_fallback"].items():
        assert str(found.node(int(one)).cpus) == node["cpus_online"]


def same_cpus(found: Topology, facts: Truth) -> None:
    listed = {int(node) for node in facts["nodes"]}
    rows = {
        str(cpu): [
            place(found.cores, cpu),
            place(found.packages, cpu),
            sorted(set(found.cpu(cpu).nodes) & listed),
            place(found.l3_groups, cpu),
        ]
        for cpu in found.online
    }
    assert rows == facts["cpus"]


def same_ids(found: Topology, facts: Truth) -> None:
    """The kernel's package ids are kept where it has any; core, die and cluster ids restart and are not."""
    for cpu, ids in facts["ids"].items():
        if ids.get("physical_package_id", -1) >= 0:
            assert found.cpu(int(cpu)).package == ids["physical_package_id"]


def same_devices(found: Topology, facts: Truth) -> None:
    names = {entry["name"] for entry in facts["devices"]}
    for entry in facts["devices"]:
        disk = max((name for name in names if name != entry["name"] and entry["name"].startswith(name)), default=None)
        if entry["class"] == "block" and disk and "." not in entry["name"]:
            assert found.device(entry["name"]) is None  # a partition is where its disk is
            continue
        ours = found.device(entry["name"])
        assert ours is not None, entry
        assert ours.pci == (entry["device"] if ":" in entry["device"] else None)
        assert ours.node == (None if entry["numa_node"] == -1 else entry["numa_node"])
        assert str(ours.local_cpus) == (entry["local_cpulist"] or "")


def same_kinds(found: Topology, facts: Truth) -> None:
    seen = set()
    for kind in facts["hwloc_cpukinds"]:
        cpus = [found.cpu(cpu) for cpu in CpuSet.parse(kind["cpus"])]
        ours = {cpu.kind for cpu in cpus}
        assert len(ours) == 1
        seen |= ours
        if "FrequencyMaxMHz" in kind["info"]:  # of kinds that hwloc merged it keeps the lowest
            assert min(cpu.max_khz or 0 for cpu in cpus) // 1000 == int(kind["info"]["FrequencyMaxMHz"])
        if "LinuxCapacity" in kind["info"]:
            assert {cpu.capacity for cpu in cpus} == {int(kind["info"]["LinuxCapacity"])}
    assert len(seen) == len(facts["hwloc_cpukinds"])


def same_hwloc_groups(found: Topology, facts: Truth) -> None:
    """hwloc's clusters, books and drawers; its other groups are guessed from distances.

    hwloc drops clusters that are cores or caches, and calls the nodes of KNL clusters.
    """
    ours = {"Cluster": {*texts(found.clusters), *(str(node.cpus) for node in found.nodes)}}
    ours |= {"Book": set(texts(found.books)), "Drawer": set(texts(found.drawers))}
    for group in facts["hwloc_groups"]:
        assert group["cpus"] in ours.get(group["sub"], {group["cpus"]})
    assert not found.books or len(facts["hwloc_groups"]) == len(found.books) + len(found.drawers)


COMPARED: dict[str, Callable[[Topology, Truth], None]] = {
    "online": same_online,
    "present": same_present,
    "offline_present": same_offline,
    "isolated": same_isolated,
    "nohz_full": same_nohz_full,
    "cores": same_groups("cores"),
    "packages": same_groups("packages"),
    "l2_groups": same_groups("l2_groups"),
    "l3_groups": same_groups("l3_groups"),
    "books": same_groups("books"),
    "drawers": same_groups("drawers"),
    "nodes": same_nodes,
    "nodes_fallback": same_fallback,
    "cpus": same_cpus,
    "ids": same_ids,
    "devices": same_devices,
    "hwloc_cpukinds": same_kinds,
    "hwloc_groups": same_hwloc_groups,
}

NOT_COMPARED = {
    "possible": "room for hot-plug, not hardware: no CPU of it exists beyond `present`",
    "offline_file": "reaches beyond the CPUs that exist; `offline_present` is its real part",
    "cores_from": "which tools agreed on the truth",
    "packages_from": "which tools agreed on the truth",
    "l2_groups_from": "which tools agreed on the truth",
    "l3_groups_from": "which tools agreed on the truth",
    "cpu_columns": "the legend of `cpus`",
    "hwloc_allowed_cpuset": "the cgroup of the process that captured, not the machine",
}
"""In `nodes`, `cpus_listed` names absent CPUs, and `memory_bytes_hwloc` and `hwloc_locality` come from BIOS tables."""


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_truth(name: str) -> None:
    facts = truth(name)
    assert set(facts) <= set(COMPARED) | set(NOT_COMPARED)
    for field, same in COMPARED.items():
        if field in facts:
            same(host(name), facts)


def test_all_machines_are_there() -> None:
    assert len(NAMES) == 21
