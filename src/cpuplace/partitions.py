"""NumaPlanner: partitions of a storage or stream engine on the NUMA nodes of a host (P1 to P6).

Each partition gets one NUMA node, a CPU for each of its roles, device queues at the CPU of the role that uses them and
a slice of the node's memory. Nodes are chosen one partition after another, so that one more partition never moves
the CPUs or queues of earlier ones; their slices of memory shrink, since a node's budget is shared.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet, NodeSet
from cpuplace.partitions_host import node_specs
from cpuplace.partitions_notes import notes_of
from cpuplace.partitions_pinning import (
    DeviceQueuePin,
    PartitionId,
    PartitionPinning,
    PartitionThreadPins,
    ThreadPinTarget,
)
from cpuplace.partitions_plan import LeftoverQueues, PartitionPlan
from cpuplace.partitions_refusal import NodeWithoutCpus, NoNodes, PartitionRefusal, QueueWantedTwice, TooFewCpus
from cpuplace.partitions_seating import Seating, node_maps
from cpuplace.partitions_seats import Seat
from cpuplace.partitions_spec import DEFAULT_ROLES, DeviceSpec, NumaNodeSpec, PartitionRole
from cpuplace.topology import Topology

DEFAULT_PAGE_BYTES: Final = 4096


@frozen(slots=True, init=False)
class NumaPlanner:
    """Plans partitions on `nodes`; `topology`, when known, tells siblings, L3 groups and distances.

    >>> planner = NumaPlanner(Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2, memory_per_node=2**30))
    >>> plan = planner.plan_partitions(["p0", "p1"]).unwrap()
    >>> [(one.partition_id, one.numa_node, str(one.cpus), one.memory_bytes) for one in plan]
    [('p0', 0, '0-2,8-9', 1073741824), ('p1', 1, '4-6,12-13', 1073741824)]
    """

    nodes: tuple[NumaNodeSpec, ...]
    topology: Topology | None = field(repr=False)

    def __init__(self, nodes: Iterable[NumaNodeSpec] | Topology, *, topology: Topology | None = None) -> None:
        """Take nodes as described, or those of a host (`node_specs` takes less than all of it).

        Raises BadInput when two nodes have one id or a CPU in common, when one device name means two things, or when
        the topology lacks a node or CPU.
        """
        specs = node_specs(nodes) if isinstance(nodes, Topology) else tuple(nodes)
        host = nodes if isinstance(nodes, Topology) else topology
        _check(specs, host)
        self.__attrs_init__(specs, host)

    def plan_partitions(
        self,
        ids: Iterable[PartitionId],
        roles: Sequence[PartitionRole] = DEFAULT_ROLES,
        *,
        page_bytes: int = DEFAULT_PAGE_BYTES,
        oversubscribe: bool = False,
    ) -> PartitionPlan | PartitionRefusal:
        """One pinning for each id, in their order, or why not; O(partitions x nodes x CPUs of a node).

        A node serves a kind of device that it lacks from the nearest node that has one. `oversubscribe=True` shares
        CPUs and queues where a refusal would be, as evenly as the order of partitions lets it, and lists them in the
        plan. Raises BadInput for ids or roles given twice, and for roles or pages of nothing.

        >>> tiny = NumaPlanner([NumaNodeSpec(0, range(4), 2**36), NumaNodeSpec(1, range(4, 8), 2**36)])
        >>> print(tiny.plan_partitions(["p0"]))
        partition p0: wants 5 CPUs of one node, the most free is 4; 0 of 1 partitions fit unshared (TooFewCpus, P2)
        >>> [(one.cpu, one.users) for one in tiny.plan_partitions(["p0"], oversubscribe=True).shared_cpus]
        [(2, ('p0/apply-worker', 'p0/telemetry-worker'))]
        """
        ids, roles = tuple(ids), tuple(roles)
        _check_asked(ids, roles, page_bytes)
        if not self.nodes:
            return NoNodes(rule="P1", sentence="there is no NUMA node to put partitions on")
        empty = NodeSet(node.id for node in self.nodes if not node.cpus)
        if empty:
            return NodeWithoutCpus(rule="P1", sentence=f"no usable CPU on NUMA node {empty}", nodes=empty)
        seating = Seating(node_maps(self.nodes, self.topology, roles), roles, oversubscribe)
        if not all(seating.seat(partition_id) for partition_id in ids):
            return _refusal(seating, ids)
        return self._plan(seating, page_bytes)

    def _plan(self, seating: Seating, page_bytes: int) -> PartitionPlan:
        slices = {
            node.id: iter(_slices(node.memory_bytes, seating.partitions[node.id], page_bytes)) for node in self.nodes
        }
        pinnings = tuple(
            PartitionPinning(
                partition_id=key,
                numa_node=node.id,
                memory_bytes=next(slices[node.id]),
                pins=PartitionThreadPins(tuple((seat.role.name, _target(seat)) for seat in seats)),
            )
            for key, (node, seats) in seating.seated.items()
        )
        return PartitionPlan(
            pinnings=pinnings,
            roles=seating.roles,
            page_bytes=page_bytes,
            left_over=_left_over(self.nodes, seating.roles, pinnings),
            notes=tuple(notes_of(self.nodes, seating, pinnings)),
            host="" if self.topology is None else self.topology.name,
        )


def _target(seat: Seat) -> ThreadPinTarget:
    queues = tuple(DeviceQueuePin(device, queue, seat.cpu) for device, queue in seat.queues)
    return ThreadPinTarget(CpuSet([seat.cpu]), queues)


def _slices(budget: int, count: int, page: int) -> list[int]:
    """The budget in `count` slices of whole pages, the first ones a page more, the last one with the rest (P4).

    >>> _slices(4096 * 5 + 7, 2, 4096)
    [12288, 8199]
    """
    each, more = divmod(budget // page, max(count, 1))
    slices = [(each + (place < more)) * page for place in range(count)]
    return [*slices[:-1], slices[-1] + budget % page] if slices else []


def _left_over(
    nodes: Sequence[NumaNodeSpec], roles: Iterable[PartitionRole], pinnings: Iterable[PartitionPinning]
) -> tuple[LeftoverQueues, ...]:
    """The unused queues of all devices, those of kinds that roles want first."""
    used = {(pin.device, pin.queue) for one in pinnings for pin in one.pins.queues}
    wanted = [kind for role in roles for kind in role.devices]
    kinds = dict.fromkeys([*wanted, *(kind for node in nodes for kind in node.kinds)])
    devices = {device.name: device for kind in kinds for node in nodes for device in node.devices(kind)}
    left = {name: tuple(q for q in device.queue_ids if (name, q) not in used) for name, device in devices.items()}
    return tuple(LeftoverQueues(name, queues) for name, queues in left.items() if queues)


# --- what cannot be planned ----------------------------------------------------------------------


def _refusal(seating: Seating, ids: Sequence[PartitionId]) -> PartitionRefusal:
    """Why the next partition has no seat; it is greedy, so those that are seated are all that fit."""
    fits = len(seating.seated)
    told = f"{fits} of {len(ids)} partitions fit unshared"
    lacking = seating.unserved()
    if lacking is None:
        return _too_few_cpus(seating, ids, told)
    node, (role, kind) = lacking[0], (lacking[1].role.name, lacking[1].kind)
    devices = tuple(device.name for device in node.near[kind])
    total = sum(len(device.queue_ids) for device in node.near[kind])
    where = " or run on other CPUs" if node.is_managed(kind) else ""
    return QueueWantedTwice(
        container_id=str(ids[fits]),
        rule="P2",
        sentence=f"no {kind} queue is left for {role} on node {node.id}: the {total} of {', '.join(devices)} are in use"
        f"{where}; {told}",
        asked=len(ids),
        fits=fits,
        role=role,
        device_kind=kind,
        devices=devices,
        numa_node=node.id,
    )


def _too_few_cpus(seating: Seating, ids: Sequence[PartitionId], told: str) -> TooFewCpus:
    free = [seating.free(node) for node in seating.nodes]
    roles, fits = len(seating.roles), len(seating.seated)
    return TooFewCpus(
        container_id=str(ids[fits]),
        rule="P2",
        sentence=f"wants {roles} CPUs of one node, the most free is {max(map(len, free))}; {told}",
        asked=len(ids),
        fits=fits,
        roles=roles,
        free=CpuSet(cpu for some in free for cpu in some),
    )


def _check_asked(ids: Sequence[PartitionId], roles: Sequence[PartitionRole], page_bytes: int) -> None:
    for what, given in (("partition", map(str, ids)), ("role", (role.name for role in roles))):
        twice = next((one for one, times in Counter(given).items() if times > 1), None)
        if twice is not None:
            raise BadInput(f"the {what} {twice!r} is given twice", source="partitions")
    if not roles:
        raise BadInput("no roles: a partition would have no CPU", source="partitions")
    if page_bytes < 1:
        raise BadInput(f"a page of {page_bytes} bytes", source="partitions")


def _check(nodes: Sequence[NumaNodeSpec], host: Topology | None) -> None:
    devices: dict[str, tuple[str, DeviceSpec]] = {}
    seen = NO_CPUS
    ids: set[int] = set()
    for node in nodes:
        if node.id in ids:
            raise BadInput("given twice", source=f"NUMA node {node.id}")
        if seen & node.cpus:
            raise BadInput(f"CPUs {seen & node.cpus} belong to another node too", source=f"NUMA node {node.id}")
        if host is not None:
            _check_with_host(node, host)
        seen, ids = seen | node.cpus, ids | {node.id}
        for kind, some in node.kinds.items():
            for device in some:
                if devices.setdefault(device.name, (kind, device)) != (kind, device):
                    raise BadInput("described in two ways", source=f"device {device.name}")


def _check_with_host(node: NumaNodeSpec, host: Topology) -> None:
    host.node(node.id)
    absent = node.cpus - host.online
    if absent:
        raise BadInput(f"CPUs {absent} are not online on the host", source=f"NUMA node {node.id}")
