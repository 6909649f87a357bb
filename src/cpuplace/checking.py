"""Is this host possible? One pass over a `Topology` when it is made; everything later relies on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput

if TYPE_CHECKING:
    from cpuplace.hardware import Cpu
    from cpuplace.idset import CpuSet
    from cpuplace.topology import Topology


def check(host: Topology) -> None:
    """Nothing when the host is possible, else BadInput with the first contradiction. O(CPUs + node pairs)."""
    source = host.name or "topology"
    try:
        _check_cpus(host)
        _check_nesting(host.cpus)
        _check_nodes(host)
        _check_devices(host)
    except BadInput as bad:
        raise BadInput(bad.problem, source=source, position=bad.position, hint=bad.hint) from None


def _check_cpus(host: Topology) -> None:
    ids = [cpu.id for cpu in host.cpus]
    for one in ids:
        if not 0 <= one <= MAX_ID:
            raise BadInput(f"CPU {one} is not an id from 0 to {MAX_ID}")
    for a, b in pairwise(ids):
        if a >= b:
            raise BadInput(f"CPU {b} is described twice" if a == b else f"CPU {b} comes after {a}: ids must ascend")
    if not host.online:
        raise BadInput("a host needs at least one online CPU")
    exist = host.online | host.offline
    for what, cpus in (("isolated", host.isolated), ("nohz_full", host.nohz_full)):
        if not cpus <= exist:
            raise BadInput(f"{what} CPUs {cpus - exist} do not exist on this host")


def _check_nesting(cpus: Iterable[Cpu]) -> None:
    """The siblings of one core share their caches, die and package; a die lies in one package."""
    owners: dict[tuple[str, str, int], int | None] = {}
    for cpu in cpus:
        if not cpu.online:
            continue
        whole = (("package", cpu.package), ("die", cpu.die), ("L3 group", cpu.l3), ("L2 group", cpu.l2))
        pairs = [("core", cpu.core, what, label) for what, label in whole]
        if cpu.die is not None:
            pairs.append(("die", cpu.die, "package", cpu.package))
        for inner, inner_id, outer, outer_id in pairs:
            before = owners.setdefault((inner, outer, inner_id), outer_id)
            if before != outer_id:
                raise BadInput(f"{inner} {inner_id} lies in more than one {outer}: {before} and {outer_id}")


def _check_nodes(host: Topology) -> None:
    for node, memory in host.memory_bytes.items():
        if not 0 <= node <= MAX_ID:
            raise BadInput(f"NUMA node {node} is not an id from 0 to {MAX_ID}")
        if memory is not None and memory < 0:
            raise BadInput(f"NUMA node {node} with {memory} bytes cannot be")
    for cpu in host.cpus:
        if not cpu.nodes or not host.memory_bytes.keys() >= set(cpu.nodes):
            raise BadInput(f"CPU {cpu.id} lies in NUMA nodes {cpu.nodes}: none, or ones that the host lacks")
    for a, b, distance in host.distance_rows:
        if distance < 0 or a not in host.memory_bytes or b not in host.memory_bytes:
            raise BadInput(f"distance {a} -> {b} = {distance} is negative or names a node the host lacks")
    for one, two in pairwise(host.distance_rows):
        if one[:2] >= two[:2]:
            raise BadInput(f"distance {two[0]} -> {two[1]} is given twice, or out of order")
    for node, pages in host.huge_pages.items():
        _check_huge_pages(host, node, pages)


def _check_huge_pages(host: Topology, node: int, pages: Mapping[int, int]) -> None:
    if node not in host.memory_bytes or any(size < 1 or count < 0 for size, count in pages.items()):
        raise BadInput(f"huge pages {dict(pages)} of NUMA node {node} cannot be, or the host lacks that node")


def _check_devices(host: Topology) -> None:
    exist = host.online | host.offline
    seen = set()
    for device in host.devices:
        if not device.name or (device.kind, device.name) in seen:
            raise BadInput(f"{device.kind} device {device.name!r} has no name or is described twice")
        seen.add((device.kind, device.name))
        _check_place(device.name, device.node, device.local_cpus - exist, host.memory_bytes)
        if device.queues is not None and device.queues < 0:
            raise BadInput(f"device {device.name} cannot have {device.queues} queues")


def _check_place(name: str, node: int | None, strangers: CpuSet, nodes: Mapping[int, object]) -> None:
    if node is not None and node not in nodes:
        raise BadInput(f"device {name} is at NUMA node {node}, which the host lacks")
    if strangers:
        raise BadInput(f"device {name} names CPUs {strangers} that do not exist on this host")
