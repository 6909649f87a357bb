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
from cpuplace.explanation import Considered, Explanation, Reason
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.plan import Op, Plan, Step, apply
from cpuplace.planner import change_topology, forget_pod, place, place_all, release, resize
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
from cpuplace.state import Assignment, Held, HostState
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

if TYPE_CHECKING:
    from cpuplace.capacity import Fit, fit
    from cpuplace.facts import ContainerFacts, PodFacts
    from cpuplace.invariants import Violation, violations
    from cpuplace.kinds import read_pod
    from cpuplace.starting import PodStart, start_pod

__all__ = [
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
    "Explanation",
    "Fit",
    "Held",
    "HostState",
    "Impossible",
    "Kind",
    "L2Group",
    "L3Group",
    "NoLegalMove",
    "NodeSet",
    "NotEnoughCpus",
    "NotEnoughMemory",
    "NumaNode",
    "Op",
    "Package",
    "PinOverlap",
    "Plan",
    "PodFacts",
    "PodStart",
    "Policy",
    "PoolExhausted",
    "Reason",
    "Refusal",
    "Refused",
    "SearchBudgetSpent",
    "StalePlan",
    "Step",
    "Topology",
    "UnknownContainer",
    "Violation",
    "WishUnmet",
    "Wishes",
    "apply",
    "change_topology",
    "fit",
    "forget_pod",
    "place",
    "place_all",
    "read_pod",
    "release",
    "resize",
    "start_pod",
    "violations",
]

_LATER = {
    "ContainerFacts": "cpuplace.facts",
    "Fit": "cpuplace.capacity",
    "PodFacts": "cpuplace.facts",
    "PodStart": "cpuplace.starting",
    "Violation": "cpuplace.invariants",
    "fit": "cpuplace.capacity",
    "read_pod": "cpuplace.kinds",
    "start_pod": "cpuplace.starting",
    "violations": "cpuplace.invariants",
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
