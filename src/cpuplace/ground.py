"""Ground: what stays the same while containers come and go: one topology under one policy, as masks."""

from functools import cached_property

from attrs import evolve, frozen

from cpuplace.errors import BadInput
from cpuplace.hostmap import HostMap
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.policy import Policy
from cpuplace.topology import Topology


@frozen(slots=True, kw_only=True)
class Ground:
    """A topology and a policy that fit each other. Raises BadInput when they do not.

    `usable` CPUs may be managed; `isolated` are the usable kernel-isolated ones that are set aside until
    somebody owns them; `pool_base` and `free_base` are pool and free of the empty state.
    """

    topology: Topology
    policy: Policy

    def __attrs_post_init__(self) -> None:
        """Refuse a policy that names what the host lacks."""
        _check(self.topology, self.policy)
        if not self.usable:
            raise BadInput("leaves no CPU that may be used", source="policy", position="usable")

    @cached_property
    def host_map(self) -> HostMap:
        """The topology compiled for the search; built once."""
        return HostMap.of(self.topology)

    @cached_property
    def usable(self) -> int:
        """Online CPUs that may be managed."""
        online, policy = self.topology.online.mask, self.policy
        usable = online if policy.usable is None else online & policy.usable.mask
        return usable & ~self.topology.isolated.mask if policy.isolated_cpus == "unusable" else usable

    @cached_property
    def reserved(self) -> int:
        """Usable CPUs that nobody is given exclusively by choice."""
        return self.usable & self.policy.reserved.mask

    @cached_property
    def isolated(self) -> int:
        """Usable kernel-isolated CPUs that are kept out of the pool."""
        aside = self.policy.isolated_cpus == "exclusive-only"
        return self.usable & self.topology.isolated.mask if aside else 0

    @cached_property
    def pool_base(self) -> int:
        """The pool when nothing is placed."""
        pool = self.usable & ~self.isolated
        return pool & ~self.reserved if self.policy.strict_reservation else pool

    @cached_property
    def free_base(self) -> int:
        """What integer containers can be given when nothing is placed."""
        return self.usable & ~self.reserved & ~self.isolated

    @cached_property
    def binds_integer(self) -> bool:
        """True when the policy says anything about the memory of integer containers."""
        return self.policy.memory_policy != "none" and self.policy.memory_scope == "exclusive"

    @cached_property
    def node_masks(self) -> tuple[tuple[int, int], ...]:
        """(node id, CPUs that count for it) of every node with CPUs, in id order."""
        masks: dict[int, int] = {}
        for cpu in self.topology.cpus:
            masks[cpu.node] = masks.get(cpu.node, 0) | 1 << cpu.id
        return tuple(sorted(masks.items()))

    @cached_property
    def memory_home(self) -> dict[int, int]:
        """Node id -> itself when it has memory, else the nearest node that has (R12).

        A node with CPUs whose memory is not known is taken to have some.
        """
        host = self.topology
        rich = [n.id for n in host.nodes if n.memory_bytes or (n.memory_bytes is None and n.cpus)]
        both_ways = {(a.id, b): host.distance(a.id, b) + host.distance(b, a.id) for a in host.nodes for b in rich}
        return {
            node.id: node.id
            if node.id in rich or not rich
            else min(rich, key=lambda other: (both_ways[node.id, other], other))
            for node in host.nodes
        }

    def with_budget(self, search_budget: int) -> "Ground":
        """The same with another search budget; the compiled topology is shared. BadInput when it is below 1."""
        other = evolve(self, policy=evolve(self.policy, search_budget=search_budget))
        object.__setattr__(other, "host_map", self.host_map)  # where the property keeps it
        return other

    def memory_nodes(self, cpus: int, asked: NodeSet | None = None) -> NodeSet:
        """The memory nodes of these CPUs; memory-only nodes in `asked` join."""
        home = self.memory_home
        met = {home[node] for node, mask in self.node_masks if mask & cpus}
        with_cpus = dict(self.node_masks)
        joined = {node for node in asked or () if home.get(node) == node and node not in with_cpus}
        return NodeSet(met | joined)


def _check(host: Topology, policy: Policy) -> None:
    known = CpuSet(cpu.id for cpu in host.cpus)
    for name in ("usable", "reserved"):
        cpus: CpuSet | None = getattr(policy, name)
        absent = known - known if cpus is None else cpus - known
        if absent:
            raise BadInput(
                f"names CPUs the host does not have: {absent}",
                source="policy",
                position=name,
                hint=f"the host has {known}",
            )
    nodes = {node.id for node in host.nodes}
    for node in policy.reserved_memory:
        if node not in nodes:
            raise BadInput(
                f"names NUMA node {node}, which the host does not have",
                source="policy",
                position="reserved_memory",
                hint=f"the host has {NodeSet(nodes)}",
            )
