"""HostMap: one topology compiled to int masks, for the search that chooses CPUs (section 5 of the rules).

The search asks the same few questions of a host thousands of times, so they are answered once. Only *counted* CPUs
appear: online ones, each in the lowest NUMA node that lists it (so nodes with equal CPU sets count once). Inside the
search a node, L3 group or package is known by its *rank*, its position among those of the host that have CPUs, in
id order; ids come back at the border.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, combinations
from typing import Any, Final
from weakref import WeakValueDictionary

from attrs import field, frozen

from cpuplace.topology import FAR_DISTANCE, LOCAL_DISTANCE, SAME_PACKAGE_DISTANCE, CoreKind, Topology

_BUILT: Final["WeakValueDictionary[int, HostMap]"] = WeakValueDictionary()


@frozen(slots=True)
class Cell:
    """The CPUs that one L3 group has in one node, and their cores; `l3` None on a host without L3."""

    cpus: int
    l3: int | None
    cores: tuple[int, ...]


@frozen(eq=False)
class HostMap:
    """What the search knows of a host, in masks; get it with `HostMap.of`.

    `node_ids`, `node_cpus`, `packages`, `l3s` are in rank order. A core whose siblings lie in different nodes or L3
    groups counts as one core for each part, and can never be had whole.
    """

    topology: Topology
    online: int
    node_ids: tuple[int, ...]
    node_cpus: tuple[int, ...]
    packages: tuple[int, ...]
    l3s: tuple[int, ...]
    cores: tuple[int, ...]
    torn: int
    core_of: dict[int, int] = field(repr=False)
    ways: dict[tuple[bool, bool], Any] = field(factory=dict, init=False, repr=False)
    """What `straight` compiles from the map, kept with it."""

    @staticmethod
    def of(topology: Topology) -> "HostMap":
        """The map of this topology, made on first use and kept while anybody holds it; under 30 ms for 768 CPUs.

        >>> HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)).node_cpus == (0x33, 0xCC)
        True
        """
        known = _BUILT.get(id(topology))  # the map holds its topology: while it is there, the id is no one else's
        if known is None:
            known = _BUILT[id(topology)] = _compile(topology)
        return known

    @cached_property
    def distances(self) -> tuple[tuple[int, ...], ...]:
        """d(a,b) + d(b,a) of nodes by rank; symmetric by making, so asymmetric hosts cost nothing."""
        between = self._distance_by_id
        return tuple(tuple(between(a, b) + between(b, a) for b in self.node_ids) for a in self.node_ids)

    @cached_property
    def shells(self) -> tuple[tuple[int, ...], ...]:
        """For each node, at j the sum of its j smallest distances to others."""
        rows = (sorted(row[:rank] + row[rank + 1 :]) for rank, row in enumerate(self.distances))
        return tuple(tuple(accumulate(row, initial=0)) for row in rows)

    @cached_property
    def nearest(self) -> tuple[tuple[int, ...], ...]:
        """For each node, all nodes in the order of their distance, itself first."""
        ranks = range(len(self.node_ids))
        return tuple(
            tuple(sorted(ranks, key=lambda other: (other != rank, row[other], other)))
            for rank, row in enumerate(self.distances)
        )

    def _distance_by_id(self, a: int, b: int) -> int:
        known = self._known_distances.get((a, b))
        if known is not None:
            return known
        if a == b:
            return LOCAL_DISTANCE
        return SAME_PACKAGE_DISTANCE if self._sockets[a] & self._sockets[b] else FAR_DISTANCE

    @cached_property
    def _known_distances(self) -> dict[tuple[int, int], int]:
        return {(a, b): distance for a, b, distance in self.topology.distance_rows}

    @cached_property
    def _sockets(self) -> dict[int, frozenset[int]]:
        """The real packages that each NUMA node, with or without CPUs, lists CPUs of."""
        packages = self.topology.packages
        return {
            node.id: frozenset(p.id for p in packages if node.cpus.mask & p.cpus.mask) for node in self.topology.nodes
        }

    @cached_property
    def packages_of(self) -> tuple[int, ...]:
        """For each node, the packages it has CPUs in, as a mask of package ranks."""
        return tuple(ranks_met(self.packages, cpus) for cpus in self.node_cpus)

    @cached_property
    def packages_cross(self) -> bool:
        """Whether some node has CPUs in more than one package (NUMA switched off)."""
        return any(met & (met - 1) for met in self.packages_of)

    @cached_property
    def crossing_l3s(self) -> int:
        """The L3 groups that have CPUs in more than one node, as a mask of ranks."""
        nodes = self.node_cpus
        return sum(1 << rank for rank, cpus in enumerate(self.l3s) if ranks_met(nodes, cpus).bit_count() > 1)

    @cached_property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """For each node its cells, those of low L3 groups first."""
        return tuple(tuple(self._cells_of(cpus)) for cpus in self.node_cpus)

    def _cells_of(self, node: int) -> Iterable[Cell]:
        cores = [core for core in self.cores if core & node]
        if not self.l3s:
            yield Cell(node, None, tuple(cores))
        for rank, l3 in enumerate(self.l3s):
            if l3 & node:
                yield Cell(l3 & node, rank, tuple(core for core in cores if core & l3))

    @cached_property
    def twins(self) -> tuple[int, ...]:
        """For each node the lowest rank among its twins: same packages, equally far from every other node.

        Twins can be swapped without changing nodes, distance or packages, so that the search only counts how many
        of them it takes. All pairs of twins are equally far apart.
        """
        first: list[int] = []
        for rank in range(len(self.node_ids)):
            lower = (other for other in first if first[other] == other and self._are_twins(other, rank))
            first.append(next(lower, rank))
        return tuple(first)

    def _are_twins(self, a: int, b: int) -> bool:
        if self.packages_of[a] != self.packages_of[b]:
            return False
        low, high = min(a, b), max(a, b)
        one, two = self.distances[low], self.distances[high]
        return (
            one[:low] == two[:low] and one[low + 1 : high] == two[low + 1 : high] and one[high + 1 :] == two[high + 1 :]
        )

    @cached_property
    def isolated(self) -> int:
        """CPUs that the kernel isolates from its scheduler."""
        return self.topology.isolated.mask & self.online

    @cached_property
    def _kinds(self) -> dict[CoreKind | None, int]:
        masks: dict[CoreKind | None, int] = {}
        for cpu in self.topology.cpus:
            if cpu.online:
                masks[cpu.kind] = masks.get(cpu.kind, 0) | 1 << cpu.id
        return masks

    def of_kind(self, kind: CoreKind) -> int:
        """The CPUs of that kind; on a host that knows no kinds every CPU is a performance CPU."""
        unsaid = self._kinds.get(None, 0) if kind == "performance" and len(self._kinds) == 1 else 0
        return self._kinds.get(kind, 0) | unsaid

    @cached_property
    def widest_core(self) -> int:
        """The number of threads of the largest core."""
        return max(core.bit_count() for core in self.cores)

    def nodes_met(self, cpus: int) -> int:
        """The nodes that have some of `cpus`, as a mask of ranks."""
        return ranks_met(self.node_cpus, cpus)

    def ids_of(self, ranks: int) -> int:
        """The same nodes as a mask of node ids."""
        return sum(1 << node for rank, node in enumerate(self.node_ids) if ranks >> rank & 1)

    def spread_of(self, ranks: int) -> int:
        """The sum of distances, there and back, over all pairs of these nodes."""
        met = [rank for rank in range(len(self.node_ids)) if ranks >> rank & 1]
        return sum(self.distances[a][b] for a, b in combinations(met, 2))

    def device_nodes(self, name: str) -> int | None:
        """The nodes nearest to a device (ranks), 0 when the host does not say, None without such a device.

        A device at a node without CPUs is nearest to the closest nodes that have some.
        """
        device = self.topology.device(name)
        if device is None:
            return None
        local = device.local_cpus.mask
        if device.node is not None and device.node in self._sockets:
            local = self.topology.node(device.node).cpus.mask or self._closest(device.node)
        return self.nodes_met(local)

    def _closest(self, node: int) -> int:
        far = [self._distance_by_id(node, other) + self._distance_by_id(other, node) for other in self.node_ids]
        return sum(cpus for cpus, distance in zip(self.node_cpus, far, strict=True) if distance == min(far))

    def device_distances(self, name: str) -> tuple[int, ...]:
        """How far each node is from a device, there and back; all 0 when the host does not say where it is."""
        device = self.topology.device(name)
        node = None if device is None else device.node
        if device is not None and node is None:
            near = self.nodes_met(device.local_cpus.mask)
            if near.bit_count() == 1:
                node = self.node_ids[near.bit_length() - 1]
        if node is None or node not in self._sockets:
            return (0,) * len(self.node_ids)
        return tuple(self._distance_by_id(node, other) + self._distance_by_id(other, node) for other in self.node_ids)


def ranks_met(groups: Sequence[int], cpus: int) -> int:
    """The ranks of the groups that have some of `cpus`, as a mask.

    >>> ranks_met((0b0011, 0b1100, 0b110000), 0b100100)
    6
    """
    met = 0
    for rank, group in enumerate(groups):
        if group & cpus:
            met |= 1 << rank
    return met


def _compile(topology: Topology) -> HostMap:
    online = topology.online.mask
    owned: dict[int, int] = {}
    for cpu in topology.cpus:
        if cpu.online:
            owned[cpu.node] = owned.get(cpu.node, 0) | 1 << cpu.id
    nodes = sorted(owned.items())
    node_cpus = tuple(cpus for _, cpus in nodes)
    packages = _with_rest([p.cpus.mask for p in topology.packages], [online], online)
    known_l3s = [l3.cpus.mask for l3 in topology.l3_groups]
    l3s = _with_rest(known_l3s, packages, online) if known_l3s else ()
    whole = [core.cpus.mask for core in topology.cores]
    cores = tuple(
        part for core in whole for node in node_cpus if core & node for part in _parts(core & node, l3s) if part
    )
    parts = set(cores)
    return HostMap(
        topology=topology,
        online=online,
        node_ids=tuple(node for node, _ in nodes),
        node_cpus=node_cpus,
        packages=packages,
        l3s=l3s,
        cores=cores,
        torn=sum(core for core in whole if core not in parts),
        core_of={cpu: core.cpus.mask for core in topology.cores for cpu in core.cpus},
    )


def _with_rest(groups: list[int], homes: Sequence[int], online: int) -> tuple[int, ...]:
    """The groups, and for the CPUs in none of them one group in each home; lowest CPU first."""
    rest = online & ~sum(groups)
    every = groups + [home & rest for home in homes if home & rest]
    return tuple(sorted(every, key=lambda cpus: cpus & -cpus))


def _parts(cpus: int, groups: Sequence[int]) -> list[int]:
    return [cpus & group for group in groups] if groups else [cpus]
