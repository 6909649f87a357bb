"""Restoring: the plan that sets groups back to what a state says, whatever others wrote; pure.

`cpuplace.synchronize` takes what it finds for the truth where that is legal; this takes the state for it.
"""

from cpuplace import HostState, Plan, apply, release, synchronize
from cpuplace_cgroup.group import Observation, observed


def restoring(state: HostState, observation: Observation) -> Plan:
    """From the groups as observed to the state, every prefix safe; containers whose group is gone are released.

    >>> from cpuplace import ContainerRequest, CpuSet, NodeSet, Topology, place
    >>> state = place(HostState.empty(Topology.uniform()), ContainerRequest.shared("web")).unwrap().after
    >>> seen = Observation(root="/g", groups=(), cpus=CpuSet([0]), mems=NodeSet())
    >>> [str(step.op) for step in restoring(state, seen).steps]
    []
    """
    requests = {key: one.request for key, one in state.assignments.items() if key in observation}
    seen = [one for one in observed(observation, requests) if one.request.container_id in state]
    target = state
    for key in state.assignments:
        if key not in observation:
            target = apply(target, release(target, key))
    return Plan(before=state, after=target, world=synchronize(state, seen).world)
