"""What is worth saying about a plan of partitions: devices that are missing or far away, memory that is."""

from collections.abc import Iterator, Sequence

from cpuplace.idset import NodeSet
from cpuplace.partitions_pinning import PartitionPinning
from cpuplace.partitions_seating import Seating
from cpuplace.partitions_spec import NumaNodeSpec


def notes_of(nodes: Sequence[NumaNodeSpec], seating: Seating, pinnings: Sequence[PartitionPinning]) -> Iterator[str]:
    """The notes of a plan, one fact each."""
    yield from _missing_devices(seating)
    yield from _unknown_queues(nodes, seating)
    yield from _far_devices(nodes, seating)
    yield from _unserved(seating)
    yield from _without_memory(pinnings)


def _missing_devices(seating: Seating) -> Iterator[str]:
    """A device serves all nodes or none, so that the first node speaks for all."""
    for kind in _kinds(seating):
        if not seating.nodes[0].near[kind]:
            roles = ", ".join(role.name for role in seating.roles if kind in role.devices)
            yield f"no {kind} device with queues is known: {roles} without one"


def _kinds(seating: Seating) -> list[str]:
    """The kinds of device that roles want, in their order."""
    return list(dict.fromkeys(kind for role in seating.roles for kind in role.devices))


def _unknown_queues(nodes: Sequence[NumaNodeSpec], seating: Seating) -> Iterator[str]:
    wanted = (device for kind in _kinds(seating) for node in nodes for device in node.devices(kind))
    names = dict.fromkeys(device.name for device in wanted if not device.queue_ids)
    yield from (f"{name} is not used: how many queues it has is not known" for name in names)


def _far_devices(nodes: Sequence[NumaNodeSpec], seating: Seating) -> Iterator[str]:
    """The nodes with partitions that the same devices of others serve, together."""
    served: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for kind in _kinds(seating):
        for spec, node in zip(nodes, seating.nodes, strict=True):
            far = tuple(device.name for device in node.near[kind] if device not in spec.devices(kind))
            if far and seating.partitions[node.id]:
                served.setdefault((kind, far), []).append(node.id)
    for (kind, far), ids in served.items():
        there = f"{'node' if len(ids) == 1 else 'nodes'} {NodeSet(ids)}"
        yield f"no {kind} of its own at {there}: served by {', '.join(far)} elsewhere"


def _unserved(seating: Seating) -> Iterator[str]:
    for partition_id, (_, seats) in seating.seated.items():
        for seat in seats:
            for kind in seat.unserved:
                yield f"{partition_id}/{seat.role.name}: no {kind} queue runs on CPU {seat.cpu}"


def _without_memory(pinnings: Sequence[PartitionPinning]) -> Iterator[str]:
    without = [str(one.partition_id) for one in pinnings if not one.memory_bytes]
    if without:
        yield f"no memory for {', '.join(without)}: their nodes have none, none is known, or it is below a page each"
