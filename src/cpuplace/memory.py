"""Memory as a budget (R12): how many more bytes can be bound to a set of NUMA nodes.

Containers bound to several nodes may take their memory from any of them, so "for every set S of nodes,
bytes bound inside S <= memory of S" holds exactly when all bytes can be routed to nodes at once (Hall's
theorem): a maximum flow from containers to nodes. There are few distinct sets of nodes on one host.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from cpuplace.idset import NodeSet

Demand = tuple[NodeSet, int]


def sized(size: int) -> str:
    """A number of bytes with three digits at most.

    >>> sized(1536 << 20), sized(4 << 30), sized(3 << 40)
    ('1.5 GiB', '4 GiB', '3 TiB')
    """
    value, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"


def room(capacity: Mapping[int, int], demands: Iterable[Demand], nodes: NodeSet) -> int:
    """How many more bytes can be bound to `nodes` beside `demands`, all of them within `capacity`.

    Cost: O(demands * nodes^2) in the worst case. Nodes missing in `capacity` hold nothing.

    >>> room({0: 10, 1: 10}, [(NodeSet([0, 1]), 12)], NodeSet([0]))
    8
    """
    left = dict(capacity)
    routed: list[tuple[NodeSet, dict[int, int]]] = []
    for allowed, amount in demands:
        routed.append((allowed, {}))
        _route(len(routed) - 1, amount, left, routed)
    routed.append((nodes, {}))
    return _route(len(routed) - 1, sum(left.values()), left, routed)


def _route(source: int, amount: int, left: dict[int, int], routed: list[tuple[NodeSet, dict[int, int]]]) -> int:
    """Route up to `amount` for one demand, moving others aside where that helps; the bytes routed."""
    sent = 0
    while sent < amount:
        path = _path(source, left, routed)
        if path is None:
            break
        step = min(amount - sent, left[path[-1][1]], *(routed[d][1][n] for d, n in _shifts(path)))
        left[path[-1][1]] -= step
        for demand, node in path:
            routed[demand][1][node] = routed[demand][1].get(node, 0) + step
        for demand, node in _shifts(path):
            routed[demand][1][node] -= step
        sent += step
    return sent


def _shifts(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The routes a path takes bytes from: each later demand gives up the node that the one before gets."""
    return [(later[0], earlier[1]) for earlier, later in pairwise(path)]


def _path(
    source: int, left: dict[int, int], routed: list[tuple[NodeSet, dict[int, int]]]
) -> list[tuple[int, int]] | None:
    """A shortest chain of (demand, node to use) that ends at a node with room; breadth first."""
    chains: list[list[tuple[int, int]]] = [[(source, node)] for node in routed[source][0] if node in left]
    seen = {chain[-1][1] for chain in chains}
    for chain in chains:  # grows while it is walked
        node = chain[-1][1]
        if left[node] > 0:
            return chain
        for demand, (allowed, used) in enumerate(routed):
            if used.get(node):
                fresh = [other for other in allowed if other in left and other not in seen]
                seen.update(fresh)
                chains += [[*chain, (demand, other)] for other in fresh]
    return None
