"""Whether a host is the made-up machine that was asked for: the same question to the VM and to its capture."""

from collections.abc import Iterable

from cpuplace import Topology
from cpuplace.hardware import CpuGroup
from cpuplace.idset import NO_CPUS, CpuSet

from .bed.beds import Bed


def sets(groups: Iterable[CpuGroup]) -> list[CpuSet]:
    return [group.cpus for group in groups]


def same_cpus(bed: Bed, host: Topology) -> None:
    """Cores with their siblings, caches and sockets."""
    assert (host.online, host.offline) == (CpuSet(range(bed.cpus)), NO_CPUS)
    assert sets(host.cores) == sets(host.l2_groups) == bed.blocks(bed.threads)
    assert sets(host.l3_groups) == sets(host.dies) == bed.blocks(bed.cores * bed.threads)
    assert sets(host.packages) == bed.blocks(bed.dies * bed.cores * bed.threads)


def same_nodes(bed: Bed, host: Topology) -> None:
    """CPUs of each node, none past the dies; distances; memory, of which the kernel takes a share first."""
    with_cpus = bed.blocks(bed.cores * bed.threads)
    only_memory = [NO_CPUS] * (len(bed.distances) - len(with_cpus))
    assert [node.id for node in host.nodes] == list(range(len(bed.distances)))
    assert [node.cpus for node in host.nodes] == with_cpus + only_memory
    assert tuple(tuple(host.distance(a.id, b.id) for b in host.nodes) for a in host.nodes) == bed.distances
    for node in host.nodes:
        assert bed.memory // 2 < (node.memory_bytes or 0) >> 20 <= bed.memory


def same_devices(bed: Bed, host: Topology) -> None:
    """Each device with its node and its queues, (node, queues)."""
    real = {device.name: (device.node, device.queues) for device in host.devices if device.pci}
    disks = {"nvme0": (1, bed.cpus), "nvme0n1": (1, bed.cpus), "vda": (1, 8)}
    cards = {"eth0": (0, 1), "eth1": (0, 8)}
    assert real == ({**disks, **cards} if bed.devices else {})
    node = {0: host.node(0).cpus, 1: host.node(1).cpus}
    assert all(device.local_cpus == node[device.node or 0] for device in host.devices if device.pci)
