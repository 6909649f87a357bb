"""The NUMA nodes of a host as partitions see them, and which devices are near to a node that has none."""

from collections.abc import Iterable, Mapping, Sequence

from cpuplace.errors import BadInput
from cpuplace.hardware import Device
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.partitions_spec import DeviceSpec, NumaNodeSpec
from cpuplace.topology import FAR_DISTANCE, Topology


def node_specs(
    host: Topology,
    *,
    usable: CpuSet | None = None,
    managed: Mapping[str, Mapping[int, CpuSet]] | None = None,
) -> tuple[NumaNodeSpec, ...]:
    """The nodes of a host that have usable CPUs, with the devices nearest to them. O(CPUs + devices x nodes).

    A CPU of several nodes belongs to the lowest. A device of a node without CPUs is near to the closest nodes that
    have some, one whose place the host does not tell to all. `managed`: device -> queue -> CPUs, for devices whose
    interrupts the kernel manages. Raises BadInput when `managed` names a device that the host lacks.

    >>> [(node.id, str(node.cpus)) for node in node_specs(Topology.uniform(packages=2, cores_per_l3=2))]
    [(0, '0-1'), (1, '2-3')]
    """
    managed = managed or {}
    absent = sorted(set(managed) - {device.name for device in host.devices})
    if absent:
        raise BadInput(f"the host has no device {absent[0]!r}", source=host.name or "topology")
    allowed = host.online if usable is None else host.online & usable
    cpus: dict[int, CpuSet] = {}
    for cpu in host.cpus:
        if cpu.id in allowed:
            cpus[cpu.node] = cpus.get(cpu.node, NO_CPUS) | cpu.cpus
    near = {device.name: _near(host, device, sorted(cpus)) for device in host.devices}
    return tuple(
        _node_spec(host, node, cpus[node], managed, [one for one in host.devices if node in near[one.name]])
        for node in sorted(cpus)
    )


def _node_spec(
    host: Topology,
    node: int,
    cpus: CpuSet,
    managed: Mapping[str, Mapping[int, CpuSet]],
    devices: Iterable[Device],
) -> NumaNodeSpec:
    kinds: dict[str, tuple[DeviceSpec, ...]] = {}
    for device in devices:
        kinds[device.kind] = (*kinds.get(device.kind, ()), _device_spec(device, managed.get(device.name)))
    nvme, nic = kinds.pop("nvme", ()), kinds.pop("nic", ())
    return NumaNodeSpec(node, cpus, host.node(node).memory_bytes or 0, nvme=nvme, nic=nic, other=kinds)


def _device_spec(device: Device, queue_cpus: Mapping[int, CpuSet] | None) -> DeviceSpec:
    if queue_cpus is not None:
        return DeviceSpec(device.name, steerable=False, queue_cpus=queue_cpus)
    return DeviceSpec(device.name, device.queues or 0)


def _near(host: Topology, device: Device, nodes: Sequence[int]) -> set[int]:
    """The nodes, of those with usable CPUs, that a device is nearest to."""
    if device.node is not None and device.node in host.memory_bytes:
        return nearest(host, device.node, nodes)
    local = {host.cpu(cpu).node for cpu in device.local_cpus & host.online} & set(nodes)
    return local or set(nodes)


def nearest(host: Topology | None, node: int, others: Sequence[int]) -> set[int]:
    """Those of the other nodes that are nearest to `node` (itself, when it is among them).

    >>> sorted(nearest(Topology.uniform(packages=2, nodes_per_package=2), 1, [0, 2, 3]))
    [0]
    """
    far = {other: _distance(host, node, other) for other in others}
    return {other for other, distance in far.items() if distance == min(far.values())}


def _distance(host: Topology | None, a: int, b: int) -> int:
    """There and back; a node is nearer to itself than any other, whatever the host says."""
    if a == b:
        return 0
    if host is None:
        return 2 * FAR_DISTANCE
    return host.distance(a, b) + host.distance(b, a)
