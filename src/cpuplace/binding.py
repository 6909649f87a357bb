"""Binding: to which memory nodes a container is bound, and whether they hold what it asks for (R12)."""

from collections.abc import Mapping
from typing import NamedTuple

from cpuplace.idset import NodeSet
from cpuplace.memory import Demand, room, sized
from cpuplace.refusal import NotEnoughMemory
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import HostState
from cpuplace.wishes import ResolvedWishes

UNKNOWN_MEMORY = 1 << 62
"""Stands for the memory of a node whose size the host does not say: no limit."""


def in_scope(state: HostState, request: ContainerRequest) -> bool:
    """True when the policy says anything about this container's memory."""
    if request.kind is Kind.INTEGER:
        return state.ground.binds_integer
    return request.kind in (Kind.PINNED, Kind.PINNED_SHARED) and state.policy.memory_policy != "none"


def bound_nodes(
    state: HostState, request: ContainerRequest, cpus: int, wishes: ResolvedWishes
) -> tuple[NodeSet | None, NodeSet | None]:
    """(nodes enforced, nodes preferred) for a container on these CPUs; None = left alone."""
    if not in_scope(state, request):
        return None, None
    nodes = state.ground.memory_nodes(cpus, wishes.nodes)
    return (nodes, None) if state.policy.memory_policy == "strict" else (None, nodes)


class _Budget(NamedTuple):
    """One kind of memory that is asked for: huge pages of a size, or plain memory (`page` 0)."""

    page: int
    asked: int
    capacity: Mapping[int, int]
    demands: list[Demand]

    def free(self, nodes: NodeSet) -> int:
        """How many more bytes of it can be bound to these nodes."""
        return room(self.capacity, self.demands, nodes)

    def sentence(self, nodes: NodeSet) -> str:
        """Why it does not fit on these nodes, or on none of them that may be had, in sizes that differ as written."""
        left = self.free(nodes)
        asked, free = sized(self.asked), sized(left)
        if asked == free:
            asked, free = f"{self.asked} bytes", str(left)
        what = f"in huge pages of {sized(self.page)}" if self.page else "of memory"
        if left >= self.asked:
            nowhere = "but none that its wishes and the free CPUs allow"
            return f"asks for {asked} {what}: NUMA nodes {nodes} have that together, {nowhere}"
        slack = "" if self.page else ", 1 % slack included"
        return f"asks for {asked} {what} on NUMA nodes {nodes}, where {free} can still be bound{slack}"


class MemoryLimit:
    """What a request may bind beside what is bound already: plain memory, and huge pages of each size.

    A node whose size the host does not say is no limit; huge pages are one only where the host
    says anything about them.
    """

    def __init__(self, state: HostState, request: ContainerRequest, wishes: ResolvedWishes) -> None:
        self._ground, self._asked_nodes = state.ground, wishes.nodes
        bound = [(one.mems, one.request) for one in state.owners.values() if one.mems]
        self._budgets: list[_Budget] = []
        if request.memory_bytes:
            demands = [(mems, one.memory_bytes) for mems, one in bound]
            self._budgets.append(_Budget(0, request.memory_bytes, _bytes(state), demands))
        if any(node.huge_pages for node in state.topology.nodes):
            for size, amount in request.huge_pages.items():
                demands = [(mems, one.huge_pages.get(size, 0)) for mems, one in bound]
                self._budgets.append(_Budget(size, amount, _pages(state, size), demands))

    def allows(self, nodes: NodeSet) -> bool:
        """True when all that is asked for fits on these memory nodes."""
        return all(one.free(nodes) >= one.asked for one in self._budgets)

    def allows_grant(self, met: int) -> bool:
        """The same for a grant that meets these NUMA nodes (a mask of ids), as the search asks it."""
        masks = dict(self._ground.node_masks)
        cpus = 0
        for node in NodeSet.from_mask(met):
            cpus |= masks[node]
        return self.allows(self._ground.memory_nodes(cpus, self._asked_nodes))

    def refusal(self, request: ContainerRequest, nodes: NodeSet) -> NotEnoughMemory:
        """Why it does not fit: the budget that is missed by most on these nodes."""
        budget = max(self._budgets, key=lambda one: one.asked - one.free(nodes))
        return NotEnoughMemory(
            container_id=request.container_id,
            rule="R12",
            sentence=budget.sentence(nodes),
            asked_bytes=budget.asked,
            free_bytes=budget.free(nodes),
            nodes=nodes,
        )


def memory_limit(state: HostState, request: ContainerRequest, wishes: ResolvedWishes) -> MemoryLimit | None:
    """The limit a request meets, or None when nothing of it is bound strictly."""
    if not (request.memory_bytes or request.huge_pages):
        return None
    if state.policy.memory_policy != "strict" or not in_scope(state, request):
        return None
    return MemoryLimit(state, request, wishes)


def _bytes(state: HostState) -> dict[int, int]:
    """Memory of each node without what the operator reserved, plus 1 % slack for drift."""
    reserved = state.policy.reserved_memory
    return {
        node.id: UNKNOWN_MEMORY
        if node.memory_bytes is None
        else max(0, node.memory_bytes - reserved.get(node.id, 0)) * 101 // 100
        for node in state.topology.nodes
    }


def _pages(state: HostState, size: int) -> dict[int, int]:
    return {node.id: node.huge_pages.get(size, 0) * size for node in state.topology.nodes}
