"""A `Topology` as the sysfs tree that a kernel on such a host would show, as far as sysfs can say it."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cpuplace.formats.sysfs_fields import CPU, NODE
from cpuplace.formats.tree import Link
from cpuplace.hardware import Cpu, CpuGroup, Device, NumaNode
from cpuplace.topology import Topology

File = tuple[str, "str | Link"]
"""A path and what it holds."""

_KINDS: Final = {
    "nic": ("net", "0x020000"),
    "ib": ("infiniband", "0x020700"),
    "nvme": ("nvme", "0x010802"),
    "gpu": ("drm", "0x030200"),
    "block": ("block", "0x010601"),
}
"""Kind -> its sys/class folder and a PCI class code."""

_CONTROLLER: Final = re.compile(r"nvme[0-9]+", re.ASCII)


def render(host: Topology) -> dict[str, str | Link]:
    r"""Path -> content or `Link`, such that reading it again gives the same host as far as sysfs can say.

    Lost: labels of groups that the kernel does not number, groups of offline CPUs, distances of a node
    that does not know all of them, devices of kind "other", names of graphics cards that are not like card0.

    >>> render(Topology.uniform(cores_per_l3=2))["sys/devices/system/cpu/online"]
    '0-1\n'
    """
    return {path: text if isinstance(text, Link) else f"{text}\n" for path, text in _files(host)}


def _files(host: Topology) -> Iterator[File]:
    yield from _cpu_lists(host)
    for cpu in host.cpus:
        yield from _cpu_files(cpu)
    for groups, stem, id_file in _groups(host):
        yield from _group_files(groups, stem, id_file)
    for level, caches in ((2, host.l2_groups), (3, host.l3_groups)):
        yield from _cache_files(level, caches)
    yield f"{NODE}/possible", ",".join(str(node.id) for node in host.nodes)
    for node in host.nodes:
        yield from _node_files(host, node)
    for device in host.devices:
        yield from _device_files(device)


def _cpu_lists(host: Topology) -> Iterator[File]:
    yield f"{CPU}/online", str(host.online)
    yield f"{CPU}/isolated", str(host.isolated)
    yield f"{CPU}/nohz_full", str(host.nohz_full)
    if any(cpu.kind for cpu in host.cpus):
        for kind, unit in (("performance", "cpu_core"), ("efficiency", "cpu_atom")):
            yield f"sys/devices/{unit}/cpus", ",".join(str(cpu.id) for cpu in host.cpus if cpu.kind == kind)


def _cpu_files(cpu: Cpu) -> Iterator[File]:
    folder = f"{CPU}/cpu{cpu.id}"
    yield f"{folder}/online", "1" if cpu.online else "0"
    for node in cpu.nodes:
        yield f"{folder}/node{node}", Link(f"../../node/node{node}")
    if cpu.capacity is not None:
        yield f"{folder}/cpu_capacity", str(cpu.capacity)
    if cpu.max_khz is not None:
        yield f"{folder}/cpufreq/cpuinfo_max_freq", str(cpu.max_khz)


def _groups(host: Topology) -> tuple[tuple[Sequence[CpuGroup], str, str], ...]:
    return (
        (host.cores, "core_cpus_list", ""),
        (host.packages, "package_cpus_list", "physical_package_id"),
        (host.dies, "die_cpus_list", "die_id"),
        (host.clusters, "cluster_cpus_list", "cluster_id"),
        (host.books, "book_siblings_list", "book_id"),
        (host.drawers, "drawer_siblings_list", "drawer_id"),
    )


def _group_files(groups: Sequence[CpuGroup], list_file: str, id_file: str) -> Iterator[File]:
    for group in groups:
        for cpu in group.cpus:
            folder = f"{CPU}/cpu{cpu}/topology"
            yield f"{folder}/{list_file}", str(group.cpus)
            if id_file:
                yield f"{folder}/{id_file}", str(group.id)


def _cache_files(level: int, caches: Sequence[CpuGroup]) -> Iterator[File]:
    for cache in caches:
        for cpu in cache.cpus:
            folder = f"{CPU}/cpu{cpu}/cache/index{level}"
            yield f"{folder}/level", str(level)
            yield f"{folder}/type", "Unified"
            yield f"{folder}/shared_cpu_list", str(cache.cpus)


def _node_files(host: Topology, node: NumaNode) -> Iterator[File]:
    folder = f"{NODE}/node{node.id}"
    yield f"{folder}/cpulist", str(node.cpus)
    known = {b: distance for a, b, distance in host.distance_rows if a == node.id}
    if len(known) == len(host.nodes):
        yield f"{folder}/distance", " ".join(str(known[other.id]) for other in host.nodes)
    if node.memory_bytes is not None:
        yield f"{folder}/meminfo", f"Node {node.id} MemTotal: {node.memory_bytes // 1024} kB"
    for size, pages in node.huge_pages.items():
        yield f"{folder}/hugepages/hugepages-{size // 1024}kB/nr_hugepages", str(pages)


def _device_files(device: Device) -> Iterator[File]:
    """The device below the PCI function (or a platform folder) that says where it is, and the links to both."""
    if device.kind not in _KINDS:
        return
    folder, code = _KINDS[device.kind]
    if folder == "nvme" and not _CONTROLLER.fullmatch(device.name):
        folder = "block"  # a namespace that stands for its controller
    parent = f"sys/devices/platform/{folder}-{device.name}"
    if device.pci:
        parent = f"sys/devices/pci{device.pci[: device.pci.rfind(':')]}/{device.pci}"
        yield f"sys/bus/pci/devices/{device.pci}", Link(f"../../../{parent.removeprefix('sys/')}")
        yield f"{parent}/class", code
    yield f"{parent}/numa_node", str(-1 if device.node is None else device.node)
    if device.local_cpus:
        yield f"{parent}/local_cpulist", str(device.local_cpus)
    if device.name != device.pci:
        real = f"{parent}/{folder}/{device.name}"
        yield f"sys/class/{folder}/{device.name}", Link(f"../../{real.removeprefix('sys/')}")
        yield from _queue_files(device, real)


def _queue_files(device: Device, real: str) -> Iterator[File]:
    if device.kind == "nvme" and device.queues is not None:
        yield f"{real}/queue_count", str(device.queues + 1)  # with the admin queue
    elif device.kind in ("nic", "block"):
        where, file = ("queues/rx-", "rps_cpus") if device.kind == "nic" else ("mq/", "cpu_list")
        for queue in range(device.queues or 0):
            yield f"{real}/{where}{queue}/{file}", "0"
