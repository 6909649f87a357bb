"""Why a container got its CPUs, in a few words: what a plan's table says beside the rule."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from cpuplace.formats import policy as policy_format
from cpuplace.idset import NO_CPUS, NodeSet
from cpuplace.policy import Policy
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState
from cpuplace.topology import Topology


def why_of(state: HostState, held: Assignment) -> str:
    """How the CPUs of a container lie on the host, or what else there is to say about them."""
    words = _WHY[held.kind](state, held)
    return f"its CPUs of before: {words}" if held.rule == "R8" else words


def why_of_many(state: HostState, held: Sequence[Assignment]) -> str:
    """The same for containers that have as many CPUs each, but not the same ones."""
    shapes = [shape_of(state.topology, one) for one in held]
    nodes = _count([len(shape.nodes) for shape in shapes], "node")
    places = [f"on {nodes}", *_cores_text(shapes, threads=_threaded(state.topology))]
    return f"each {', '.join(places)}{_asked(held[0])}"


def memory_text(mems: NodeSet | None, preferred: NodeSet | None) -> str:
    """Memory nodes in words; "-" when they are left alone.

    >>> memory_text(NodeSet([1]), None), memory_text(None, NodeSet([0, 1])), memory_text(None, None)
    ('node 1', 'nodes 0-1 preferred', '-')
    """
    if preferred:
        return f"{_node_text(preferred)} preferred"
    return _node_text(mems) if mems else "-"


def _node_text(nodes: NodeSet) -> str:
    return f"node {nodes}" if len(nodes) == 1 else f"nodes {nodes}"


class Shape(NamedTuple):
    """How a set of CPUs lies on a host: nodes, L3 groups, whole cores, cores of which it has a part."""

    nodes: NodeSet
    l3s: int
    whole: int
    parts: int


def shape_of(host: Topology, held: Assignment) -> Shape:
    """The shape of what a container holds; `l3s` is 0 where nodes and L3 groups are the same."""
    taken = held.cpus | held.withheld
    cores = [core.cpus for core in host.cores if core.cpus & taken]
    l3s = {host.cpu(cpu).l3 for cpu in held.cpus}
    finer = len(host.l3_groups) > sum(1 for node in host.nodes if node.cpus)
    whole = sum(1 for core in cores if core <= taken)
    nodes = NodeSet(host.cpu(cpu).node for cpu in held.cpus)
    return Shape(nodes, len(l3s) if finer else 0, whole, len(cores) - whole)


def _why_integer(state: HostState, held: Assignment) -> str:
    shape = shape_of(state.topology, held)
    alone = f", siblings {held.withheld} withheld" if held.withheld else ""
    places = [_node_text(shape.nodes), *_cores_text([shape], threads=_threaded(state.topology))]
    return f"{', '.join(places)}{alone}{_asked(held)}"


def _threaded(host: Topology) -> bool:
    return any(len(core.cpus) > 1 for core in host.cores)


def _cores_text(shapes: Sequence[Shape], *, threads: bool) -> list[str]:
    """L3 groups and cores in words, over all shapes."""
    groups = [shape.l3s for shape in shapes]
    whole, parts = [shape.whole for shape in shapes], [shape.parts for shape in shapes]
    said = [_count(groups, "L3")] if any(groups) else []
    if not threads:
        return [*said, _count(whole, "core")]
    said += [_count(whole, "whole core")] if any(whole) else []
    return said + ([_count(parts, "core in part", "cores in part")] if any(parts) else [])


def _count(values: Sequence[int], one: str, more: str = "") -> str:
    low, high = min(values), max(values)
    return f"{low if low == high else f'{low}-{high}'} {one if high == 1 else more or one + 's'}"


def _asked(held: Assignment) -> str:
    """The wishes of the container itself."""
    said = policy_format.render(Policy(wishes=held.request.wishes))["wishes"]
    words = [
        f"{name.replace('_', '-')} {', '.join(one) if isinstance(one, list) else one}" for name, one in said.items()
    ]
    return f"; asked for {', '.join(words)}" if words else ""


def _why_pinned(state: HostState, held: Assignment) -> str:
    siblings = NO_CPUS
    for core in state.topology.cores:
        siblings |= core.cpus if core.cpus & held.cpus else NO_CPUS
    beside = (siblings - held.cpus) & state.pool
    return "pinned as written" + (f"; siblings {beside} stay in the pool" if beside and held.exclusive else "")


def _why_shared(state: HostState, held: Assignment) -> str:
    forbidden = held.request.forbid & state.pool
    return f"shares the pool, but for {forbidden}" if forbidden else "shares the pool"


def _why_unmanaged(_state: HostState, _held: Assignment) -> str:
    return "not managed, never touched"


_WHY: Final[Mapping[Kind, Callable[[HostState, Assignment], str]]] = {
    Kind.INTEGER: _why_integer,
    Kind.PINNED: _why_pinned,
    Kind.PINNED_SHARED: _why_pinned,
    Kind.SHARED: _why_shared,
    Kind.UNMANAGED: _why_unmanaged,
}
