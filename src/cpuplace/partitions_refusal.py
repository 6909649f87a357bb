"""Why partitions cannot be planned: frozen values with a rule (P1 to P6), fields and a sentence."""

from attrs import frozen

from cpuplace.idset import CpuSet, NodeSet
from cpuplace.refusal import Refusal


@frozen(slots=True, kw_only=True)
class PartitionRefusal(Refusal):
    """A "no" about partitions; `container_id` is the partition it is about, empty for all of them."""

    container_id: str = ""

    def __str__(self) -> str:
        about = f"partition {self.container_id}: " if self.container_id else ""
        return f"{about}{self.sentence} ({self.kind}, {self.rule})"


@frozen(slots=True, kw_only=True)
class NoNodes(PartitionRefusal):
    """P1: there is no NUMA node to put partitions on."""


@frozen(slots=True, kw_only=True)
class NodeWithoutCpus(PartitionRefusal):
    """P1: these nodes have no usable CPU."""

    nodes: NodeSet


@frozen(slots=True, kw_only=True)
class TooFewCpus(PartitionRefusal):
    """P2: no node has a free CPU for each of the `roles`; `fits` partitions of the `asked` fit. `free`: of any node."""

    asked: int
    fits: int
    roles: int
    free: CpuSet


@frozen(slots=True, kw_only=True)
class QueueWantedTwice(PartitionRefusal):
    """P2: the queues of these devices are all in use when `role` wants one; `fits` partitions of the `asked` fit."""

    asked: int
    fits: int
    role: str
    device_kind: str
    devices: tuple[str, ...]
    numa_node: int
