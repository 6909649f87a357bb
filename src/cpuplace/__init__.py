"""cpuplace decides which CPUs and which memory a container, process or thread runs on.

Facts come in as values (`Topology`, `Policy`, `ContainerRequest`), a `Plan` or a `Refusal` comes out:

>>> import cpuplace as cp
>>> host = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)
>>> state = cp.HostState.empty(host, cp.Policy(reserved=cp.CpuSet.parse("0,8")))
>>> answer = cp.place(state, cp.ContainerRequest.integer("db", 4))
>>> state = cp.apply(state, answer.unwrap())
>>> state["db"].cpus, state.pool
(CpuSet('1-2,9-10'), CpuSet('0,3-8,11-15'))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cpuplace.errors import BadInput, BrokenInvariant, CpuplaceError, StalePlan

if TYPE_CHECKING:
    from cpuplace.capacity import Fit, fit
    from cpuplace.explanation import Considered, Explanation, Reason
    from cpuplace.facts import ContainerFacts, PodFacts
    from cpuplace.idset import CpuSet, NodeSet
    from cpuplace.invariants import Violation, violations
    from cpuplace.irq_plan import IrqPlan
    from cpuplace.irq_planning import plan_interrupts
    from cpuplace.kinds import read_pod
    from cpuplace.partitions import NumaPlanner
    from cpuplace.partitions_host import node_specs
    from cpuplace.partitions_pinning import DeviceQueuePin, PartitionPinning, PartitionThreadPins, ThreadPinTarget
    from cpuplace.partitions_plan import LeftoverQueues, PartitionChange, PartitionPlan, SharedCpu, SharedQueue
    from cpuplace.partitions_refusal import NodeWithoutCpus, NoNodes, PartitionRefusal, QueueWantedTwice, TooFewCpus
    from cpuplace.partitions_spec import DEFAULT_ROLES, DeviceSpec, NumaNodeSpec, PartitionRole
    from cpuplace.plan import Plan, apply
    from cpuplace.planner import (
        change_topology,
        forget_pod,
        place,
        place_all,
        rebalance,
        release,
        resize,
        synchronize,
        widen,
    )
    from cpuplace.policy import Policy
    from cpuplace.refusal import (
        AlreadyPlaced,
        BadAnnotation,
        BadPin,
        Impossible,
        NoLegalMove,
        NotEnoughCpus,
        NotEnoughMemory,
        PinOverlap,
        PoolExhausted,
        Refusal,
        Refused,
        SearchBudgetSpent,
        UnknownContainer,
        WishUnmet,
    )
    from cpuplace.request import ContainerRequest, Kind
    from cpuplace.splitting import split_cpus
    from cpuplace.starting import PodStart, start_pod
    from cpuplace.state import Assignment, Held, HostState
    from cpuplace.step import Op, Step
    from cpuplace.synchronizing import Observed
    from cpuplace.topology import (
        Core,
        Cpu,
        CpuRow,
        Device,
        L2Group,
        L3Group,
        NumaNode,
        Package,
        Topology,
    )
    from cpuplace.wishes import Wishes

__all__ = [
    "DEFAULT_ROLES",
    "AlreadyPlaced",
    "Assignment",
    "BadAnnotation",
    "BadInput",
    "BadPin",
    "BrokenInvariant",
    "Considered",
    "ContainerFacts",
    "ContainerRequest",
    "Core",
    "Cpu",
    "CpuRow",
    "CpuSet",
    "CpuplaceError",
    "Device",
    "DeviceQueuePin",
    "DeviceSpec",
    "Explanation",
    "Fit",
    "Held",
    "HostState",
    "Impossible",
    "IrqPlan",
    "Kind",
    "L2Group",
    "L3Group",
    "LeftoverQueues",
    "NoLegalMove",
    "NoNodes",
    "NodeSet",
    "NodeWithoutCpus",
    "NotEnoughCpus",
    "NotEnoughMemory",
    "NumaNode",
    "NumaNodeSpec",
    "NumaPlanner",
    "Observed",
    "Op",
    "Package",
    "PartitionChange",
    "PartitionPinning",
    "PartitionPlan",
    "PartitionRefusal",
    "PartitionRole",
    "PartitionThreadPins",
    "PinOverlap",
    "Plan",
    "PodFacts",
    "PodStart",
    "Policy",
    "PoolExhausted",
    "QueueWantedTwice",
    "Reason",
    "Refusal",
    "Refused",
    "SearchBudgetSpent",
    "SharedCpu",
    "SharedQueue",
    "StalePlan",
    "Step",
    "ThreadPinTarget",
    "TooFewCpus",
    "Topology",
    "UnknownContainer",
    "Violation",
    "WishUnmet",
    "Wishes",
    "apply",
    "change_topology",
    "fit",
    "forget_pod",
    "node_specs",
    "place",
    "place_all",
    "plan_interrupts",
    "read_pod",
    "rebalance",
    "release",
    "resize",
    "split_cpus",
    "start_pod",
    "synchronize",
    "violations",
    "widen",
]

_LATER = {
    "AlreadyPlaced": "cpuplace.refusal",
    "Assignment": "cpuplace.state",
    "BadAnnotation": "cpuplace.refusal",
    "BadPin": "cpuplace.refusal",
    "Considered": "cpuplace.explanation",
    "ContainerFacts": "cpuplace.facts",
    "ContainerRequest": "cpuplace.request",
    "Core": "cpuplace.topology",
    "Cpu": "cpuplace.topology",
    "CpuRow": "cpuplace.topology",
    "CpuSet": "cpuplace.idset",
    "DEFAULT_ROLES": "cpuplace.partitions_spec",
    "Device": "cpuplace.topology",
    "DeviceQueuePin": "cpuplace.partitions_pinning",
    "DeviceSpec": "cpuplace.partitions_spec",
    "Explanation": "cpuplace.explanation",
    "Fit": "cpuplace.capacity",
    "Held": "cpuplace.state",
    "HostState": "cpuplace.state",
    "Impossible": "cpuplace.refusal",
    "IrqPlan": "cpuplace.irq_plan",
    "Kind": "cpuplace.request",
    "L2Group": "cpuplace.topology",
    "L3Group": "cpuplace.topology",
    "LeftoverQueues": "cpuplace.partitions_plan",
    "NoLegalMove": "cpuplace.refusal",
    "NoNodes": "cpuplace.partitions_refusal",
    "NodeSet": "cpuplace.idset",
    "NodeWithoutCpus": "cpuplace.partitions_refusal",
    "NotEnoughCpus": "cpuplace.refusal",
    "NotEnoughMemory": "cpuplace.refusal",
    "NumaNode": "cpuplace.topology",
    "NumaNodeSpec": "cpuplace.partitions_spec",
    "NumaPlanner": "cpuplace.partitions",
    "Observed": "cpuplace.synchronizing",
    "Op": "cpuplace.step",
    "Package": "cpuplace.topology",
    "PartitionChange": "cpuplace.partitions_plan",
    "PartitionPinning": "cpuplace.partitions_pinning",
    "PartitionPlan": "cpuplace.partitions_plan",
    "PartitionRefusal": "cpuplace.partitions_refusal",
    "PartitionRole": "cpuplace.partitions_spec",
    "PartitionThreadPins": "cpuplace.partitions_pinning",
    "PinOverlap": "cpuplace.refusal",
    "Plan": "cpuplace.plan",
    "PodFacts": "cpuplace.facts",
    "PodStart": "cpuplace.starting",
    "Policy": "cpuplace.policy",
    "PoolExhausted": "cpuplace.refusal",
    "QueueWantedTwice": "cpuplace.partitions_refusal",
    "Reason": "cpuplace.explanation",
    "Refusal": "cpuplace.refusal",
    "Refused": "cpuplace.refusal",
    "SearchBudgetSpent": "cpuplace.refusal",
    "SharedCpu": "cpuplace.partitions_plan",
    "SharedQueue": "cpuplace.partitions_plan",
    "Step": "cpuplace.step",
    "ThreadPinTarget": "cpuplace.partitions_pinning",
    "TooFewCpus": "cpuplace.partitions_refusal",
    "Topology": "cpuplace.topology",
    "UnknownContainer": "cpuplace.refusal",
    "Violation": "cpuplace.invariants",
    "WishUnmet": "cpuplace.refusal",
    "Wishes": "cpuplace.wishes",
    "apply": "cpuplace.plan",
    "change_topology": "cpuplace.planner",
    "fit": "cpuplace.capacity",
    "forget_pod": "cpuplace.planner",
    "node_specs": "cpuplace.partitions_host",
    "place": "cpuplace.planner",
    "place_all": "cpuplace.planner",
    "plan_interrupts": "cpuplace.irq_planning",
    "read_pod": "cpuplace.kinds",
    "rebalance": "cpuplace.planner",
    "release": "cpuplace.planner",
    "resize": "cpuplace.planner",
    "split_cpus": "cpuplace.splitting",
    "start_pod": "cpuplace.starting",
    "synchronize": "cpuplace.planner",
    "violations": "cpuplace.invariants",
    "widen": "cpuplace.planner",
}
"""Names whose modules are imported when first asked for (PEP 562): a plugin that starts has no time to lose."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'cpuplace' has no attribute {name!r}")
    found: object = getattr(import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
