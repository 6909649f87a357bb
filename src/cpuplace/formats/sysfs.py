"""A sysfs (and proc) tree of small files to and from `Topology`; the files are read by others.

Kernel documentation: ABI/stable/sysfs-devices-system-cpu, ABI/stable/sysfs-devices-node,
Documentation/admin-guide/cputopology.rst. Fields that kernels leave out are filled in from others, or left unsaid;
a field that is there and cannot be read is `BadInput` with its path.
"""

import re
from typing import Final

from cpuplace.formats.sysfs_cpus import existing_and_online, read_rows
from cpuplace.formats.sysfs_devices import read_devices
from cpuplace.formats.sysfs_fields import CPU, Fields
from cpuplace.formats.sysfs_nodes import read_nodes
from cpuplace.formats.sysfs_render import render as render
from cpuplace.formats.tree import Files, Link, MappingTree, Tree
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology

__all__ = ["Files", "Link", "parse", "read", "render", "wanted"]

_TOPOLOGY: Final = (
    r"(?:(?:core_cpus|thread_siblings|package_cpus|core_siblings|die_cpus|cluster_cpus|book_siblings|drawer_siblings)"
    r"(?:_list)?|physical_package_id|die_id|cluster_id|book_id|drawer_id)"
)
_WANTED: Final = re.compile(
    r"proc/meminfo"
    r"|sys/kernel/mm/hugepages/hugepages-[0-9]+kB/nr_hugepages"
    r"|sys/devices/cpu_(?:core|atom)/cpus"
    r"|sys/devices/system/cpu/(?:online|isolated|nohz_full|cpufreq/policy[0-9]+/cpuinfo_max_freq"
    rf"|cpu[0-9]+/(?:|online|cpu_capacity|cpufreq|cpufreq/cpuinfo_max_freq|node[0-9]+|topology/{_TOPOLOGY}"
    r"|cache/[^/]+/(?:level|type|shared_cpu_list|shared_cpu_map)))"
    r"|sys/devices/system/node/(?:possible"
    r"|node[0-9]+/(?:|cpulist|cpumap|distance|meminfo|hugepages/hugepages-[0-9]+kB/nr_hugepages))"
    r"|sys/class/(?:net|infiniband|nvme|block|drm|mic)/(?!enx[0-9a-f]{12}\b)[^/]+(?:/device)?"
    r"|sys/bus/pci/devices/[^/]+"
    r"|sys/(?:devices|class|bus/pci/devices)/(?:[^/]+/)*(?:numa_node|local_cpulist|local_cpus|class|vendor|queue_count"
    r"|queues/rx-[0-9]+/rps_cpus|mq/[0-9]+/cpu_list)"
)


def wanted(path: str) -> bool:
    """Whether reading a host may look at this file or link: nothing with a serial number, MAC address or name.

    The folders of CPUs and nodes, with a "/" at the end, are wanted too.

    >>> wanted("sys/devices/system/cpu/online"), wanted("sys/class/dmi/id/product_serial")
    (True, False)
    """
    return _WANTED.fullmatch(path) is not None


def parse(files: Files, *, name: str = "") -> Topology:
    """The host that a mapping of path -> content (bytes or text) or `Link` describes; paths begin with sys/ or proc/.

    15 ms for 256 CPUs. Raises BadInput with the path of the file that cannot be read.

    >>> parse({"sys/devices/system/cpu/online": "0-1\\n"}).online
    CpuSet('0-1')
    """
    return read(MappingTree(files), name=name)


def read(tree: Tree, *, name: str = "") -> Topology:
    """The host that any `Tree` shows; asks only for what `wanted` names, and only until it knows."""
    fields = Fields(tree)
    exist, online = existing_and_online(fields)
    nodes = read_nodes(fields, exist, online)
    return Topology.from_rows(
        read_rows(fields, nodes.of_cpu, exist, online),
        distances=nodes.distances,
        memory_bytes=nodes.memory,
        huge_pages={node: pages for node, pages in nodes.huge_pages.items() if pages},
        isolated=_listed(fields, "isolated", exist),
        nohz_full=_listed(fields, "nohz_full", exist),
        devices=read_devices(fields, exist, nodes.memory),
        name=name,
    )


def _listed(fields: Fields, name: str, exist: int) -> CpuSet:
    """What the kernel was told to isolate, cut to the CPUs there are: boot parameters may name more."""
    return CpuSet.from_mask((fields.list_of(f"{CPU}/{name}") or 0) & exist)
