"""Seating partitions one after another on the nodes of a host (P1), and the nodes as seating sees them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from attrs import field, mutable

from cpuplace.partitions_host import nearest
from cpuplace.partitions_pinning import PartitionId
from cpuplace.partitions_seats import NodeMap, Seat, Taken, Unserved, find_seats, share_seats
from cpuplace.partitions_spec import DeviceSpec, NumaNodeSpec, PartitionRole
from cpuplace.topology import Topology

Label = TypeVar("Label")


@mutable(slots=True)
class Seating:
    """The partitions seated so far; `partitions` counts them by node."""

    nodes: tuple[NodeMap, ...]
    roles: tuple[PartitionRole, ...]
    oversubscribe: bool
    taken: Taken = field(factory=Taken)
    seated: dict[PartitionId, tuple[NodeMap, tuple[Seat, ...]]] = field(factory=dict)
    partitions: Counter[int] = field(factory=Counter)

    def seat(self, partition_id: PartitionId) -> bool:
        """Seat one more partition on the node with the most unassigned CPUs that holds all roles; False when none does.

        With `oversubscribe` the first of them shares.
        """
        for node in self.by_room():
            seats = find_seats(node, self.roles, self.taken)
            if isinstance(seats, tuple):
                self._take(partition_id, node, seats)
                return True
        if self.oversubscribe:
            node = self.by_room()[0]
            self._take(partition_id, node, share_seats(node, self.roles, self.taken))
        return self.oversubscribe

    def by_room(self) -> list[NodeMap]:
        """The nodes, those with the most unassigned CPUs first, ties in their order (P1).

        Where CPUs are shared a role more is a CPU less, below zero too, so that partitions spread evenly.
        """
        return sorted(self.nodes, key=lambda node: self.partitions[node.id] * len(self.roles) - len(node.cpus))

    def unserved(self) -> tuple[NodeMap, Unserved] | None:
        """Which node has the CPUs for one more partition, and what it lacks; None when CPUs are what is lacking."""
        answers = ((node, find_seats(node, self.roles, self.taken)) for node in self.by_room())
        return next(((node, answer) for node, answer in answers if isinstance(answer, Unserved)), None)

    def free(self, node: NodeMap) -> list[int]:
        """The CPUs of a node that have no role."""
        return [cpu for cpu in node.cpus if not self.taken.cpus[cpu]]

    def _take(self, partition_id: PartitionId, node: NodeMap, seats: tuple[Seat, ...]) -> None:
        for seat in seats:
            self.taken.take(seat, node.core_of[seat.cpu])
        self.seated[partition_id] = node, seats
        self.partitions[node.id] += 1


def node_maps(
    nodes: Sequence[NumaNodeSpec], host: Topology | None, roles: Iterable[PartitionRole]
) -> tuple[NodeMap, ...]:
    """The nodes with their cores, L3 groups and the devices that serve each kind the roles ask for."""
    core_of = {cpu.id: cpu.core for cpu in host.cpus} if host else {cpu: cpu for node in nodes for cpu in node.cpus}
    l3_of = {cpu.id: cpu.l3 for cpu in host.cpus} if host else {}
    kinds = {kind for role in roles for kind in role.devices}
    return tuple(
        NodeMap(
            id=node.id,
            cpus=tuple(node.cpus),
            core_of=core_of,
            l3_groups=_grouped(node.cpus, l3_of),
            near={kind: near_devices(nodes, host, node, kind) for kind in kinds},
            by_cpu={device.name: _by_cpu(device) for other in nodes for device in other.all_devices},
        )
        for node in nodes
    )


def _grouped(cpus: Iterable[int], label_of: Mapping[int, Label]) -> tuple[tuple[int, ...], ...]:
    """The CPUs by their label, the unlabelled together."""
    groups: dict[Label | None, list[int]] = {}
    for cpu in cpus:
        groups.setdefault(label_of.get(cpu), []).append(cpu)
    return tuple(map(tuple, groups.values()))


def near_devices(
    nodes: Sequence[NumaNodeSpec], host: Topology | None, node: NumaNodeSpec, kind: str
) -> tuple[DeviceSpec, ...]:
    """The devices with queues that serve a node: its own, else those of the nearest nodes that have some."""
    devices = {other.id: [one for one in other.devices(kind) if one.queue_ids] for other in nodes}
    near = nearest(host, node.id, [other for other, some in devices.items() if some])
    return tuple({device.name: device for other in nodes if other.id in near for device in devices[other.id]}.values())


def _by_cpu(device: DeviceSpec) -> dict[int, tuple[int, ...]]:
    served: dict[int, tuple[int, ...]] = {}
    for queue, cpus in sorted(device.queue_cpus.items()):
        for cpu in cpus:
            served[cpu] = (*served.get(cpu, ()), queue)
    return served
