"""Hosts whose cores are all alike: every label is a count of cores, taken in the order of the cores.

`Topology.uniform` knows a few round shapes; real machines also have nodes of unequal size, caches that span
several nodes, sparse node and package ids, and devices.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.topology import CpuRow, Device, Numbering, Topology

GIB: Final = 1 << 30
"""One GiB in bytes."""

Distances = Mapping[tuple[int, int], int]
DeviceRow = tuple[str, str, str, int, int]
"""Name, kind, PCI address, NUMA node, queues."""


def regular(
    name: str,
    *,
    nodes: Mapping[int, int],
    package_cores: int,
    l3_cores: int | None,
    threads: int = 1,
    numbering: Numbering = "blocks",
    l2_cores: int = 1,
    cluster_cores: int | None = None,
    package_ids: Sequence[int] = (),
    memory: Mapping[int, int],
    distances: Distances,
    devices: Iterable[DeviceRow] = (),
    max_mhz: int | None = None,
) -> Topology:
    """A host of like cores; `nodes` = node id -> its number of cores, in core order; `memory` in GiB.

    `package_cores`, `l3_cores`, `l2_cores`, `cluster_cores` = how many consecutive cores share one; None = the
    kernel reports none. Thread t of core c is CPU c + t * cores ("blocks") or c * threads + t ("adjacent").
    """
    cores = sum(nodes.values())
    rows = []
    for core in range(cores):
        package = core // package_cores
        for thread in range(threads):
            rows.append(
                CpuRow(
                    core * threads + thread if numbering == "adjacent" else core + thread * cores,
                    core,
                    l3=label(core, l3_cores),
                    node=_node_of(core, nodes),
                    package=package_ids[package] if package_ids else package,
                    l2=label(core, l2_cores),
                    cluster=label(core, cluster_cores),
                    max_khz=None if max_mhz is None else max_mhz * 1000,
                )
            )
    return Topology.from_rows(
        rows,
        memory_bytes={node: gib * GIB for node, gib in memory.items()},
        distances=distances,
        devices=placed(devices, rows),
        name=name,
    )


def label(core: int, shared_by: int | None) -> int | None:
    """The label of what `shared_by` consecutive cores share; None when there is no such thing.

    >>> label(5, 4), label(5, None)
    (1, None)
    """
    return None if shared_by is None else core // shared_by


def placed(devices: Iterable[DeviceRow], rows: Iterable[CpuRow]) -> tuple[Device, ...]:
    """The devices with the CPUs of their node as local CPUs (none for a node without CPUs)."""
    masks: dict[object, int] = {}
    for row in rows:
        masks[row.node] = masks.get(row.node, 0) | 1 << row.cpu
    return tuple(
        Device(
            name=name,
            kind=kind,
            pci=pci,
            node=node,
            local_cpus=CpuSet.from_mask(masks[node]) if node in masks else NO_CPUS,
            queues=queues or None,
        )
        for name, kind, pci, node, queues in devices
    )


def by_package(nodes: Sequence[Sequence[int]], *, near: int, far: int) -> dict[tuple[int, int], int]:
    """Distances 10 to itself, `near` within a package, `far` between; `nodes` = the node ids of each package.

    >>> by_package([[0], [8]], near=20, far=40)[(0, 8)]
    40
    """
    package_of = {node: package for package, members in enumerate(nodes) for node in members}
    return table(package_of, lambda a, b: near if package_of[a] == package_of[b] else far)


def table(ids: Iterable[int], between: Callable[[int, int], int]) -> dict[tuple[int, int], int]:
    """Distances between all pairs of ids: 10 to itself, else what `between` says."""
    every = tuple(ids)
    return {(a, b): 10 if a == b else between(a, b) for a in every for b in every}


def _node_of(core: int, nodes: Mapping[int, int]) -> int:
    ends = accumulate(nodes.values())
    return next(node for node, end in zip(nodes, ends, strict=True) if core < end)
