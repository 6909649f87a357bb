"""Shortage: of whom a state says itself that hardware took its CPUs, so that the kernel lets it run elsewhere; pure."""

from cpuplace import HostState
from cpuplace.request import Kind


def is_short(state: HostState, container_id: str) -> bool:
    """True when the state knows that CPUs of it are offline; of a shared one when hardware left it no pool (R11).

    >>> from cpuplace import ContainerRequest, Topology, place
    >>> state = place(HostState.empty(Topology.uniform()), ContainerRequest.shared("web")).unwrap().after
    >>> is_short(state, "web"), is_short(state, "gone")
    (False, False)
    """
    if container_id not in state:
        return False
    one = state[container_id]
    return bool(one.degraded) or (state.low_pool and one.kind is Kind.SHARED)
