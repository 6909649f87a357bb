"""Topology: what a host is, as one frozen value that is checked once.

One fact is kept once: every CPU says where it belongs (core, L2, L3, cluster, die, package, NUMA nodes), and
the groups are computed from that. Ids are names, never positions: they may have holes, cores may differ in
size, NUMA nodes may lack CPUs or memory. Groups hold *online* CPUs only; an offline CPU is in `cpus` and in
no group, so taking a CPU offline and online again is `with_online` there and back.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from attrs import evolve, field, frozen

from cpuplace.building import Numbering, both_ways, cpus_of, flat_distances, memory_of, uniform_rows
from cpuplace.checking import check
from cpuplace.errors import BadInput
from cpuplace.hardware import (
    Book,
    Cluster,
    Core,
    CoreKind,
    Cpu,
    CpuGroup,
    CpuRow,
    Device,
    Die,
    Drawer,
    L2Group,
    L3Group,
    NumaNode,
    Package,
)
from cpuplace.idset import NO_CPUS, CpuSet, NodeSet

__all__ = [
    "Book",
    "Cluster",
    "Core",
    "CoreKind",
    "Cpu",
    "CpuGroup",
    "CpuRow",
    "Device",
    "Die",
    "Drawer",
    "L2Group",
    "L3Group",
    "NumaNode",
    "Numbering",
    "Package",
    "Topology",
]

LOCAL_DISTANCE, SAME_PACKAGE_DISTANCE, FAR_DISTANCE = 10, 20, 40
"""What `distance` answers where the host says nothing (section 5 of the rules): own node, same package, else."""

G = TypeVar("G", bound=CpuGroup)


@frozen(slots=True, kw_only=True, repr=False)
class Topology:
    """What a host is. Build it with `uniform`, `from_rows` or a format; equal facts make equal values.

    `distance_rows` holds (from, to, distance) in id order, as given (asymmetric allowed); `offline` CPUs are
    those in `cpus` that are not `online`.
    """

    cpus: tuple[Cpu, ...]
    memory_bytes: Mapping[int, int | None] = field(hash=False)
    huge_pages: Mapping[int, Mapping[int, int]] = field(factory=dict, hash=False)
    distance_rows: tuple[tuple[int, int, int], ...] = ()
    isolated: CpuSet = NO_CPUS
    nohz_full: CpuSet = NO_CPUS
    devices: tuple[Device, ...] = ()
    name: str = ""

    @staticmethod
    def uniform(
        *,
        packages: int = 1,
        nodes_per_package: int = 1,
        l3_per_node: int = 1,
        cores_per_l3: int = 1,
        threads_per_core: int = 1,
        numbering: Numbering = "blocks",
        memory_per_node: int | None = None,
        distances: tuple[int, int, int] | None = None,
        name: str = "",
    ) -> "Topology":
        """A regular host; CPU ids 0..n-1 are dealt out by `numbering`.

        blocks: thread t of core c is c + t * cores, cores counted node by node. adjacent: c * threads + t.
        interleaved: like blocks, core c in package c mod packages. `distances` = (own node, same package,
        other package). O(CPUs).

        >>> host = Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
        >>> [str(core.cpus) for core in host.cores]
        ['0,4', '1,5', '2,6', '3,7']
        """
        rows = uniform_rows(
            packages=packages,
            nodes_per_package=nodes_per_package,
            l3_per_node=l3_per_node,
            cores_per_l3=cores_per_l3,
            threads_per_core=threads_per_core,
            numbering=numbering,
        )
        nodes = packages * nodes_per_package
        return Topology.from_rows(
            rows,
            distances={} if distances is None else flat_distances(nodes, nodes_per_package, distances),
            memory_bytes={} if memory_per_node is None else dict.fromkeys(range(nodes), memory_per_node),
            name=name,
        )

    @staticmethod
    def from_rows(
        rows: Iterable[CpuRow],
        *,
        distances: Mapping[tuple[int, int], int] | None = None,
        memory_bytes: Mapping[int, int | None] | None = None,
        huge_pages: Mapping[int, Mapping[int, int]] | None = None,
        nodes: Iterable[int] = (),
        isolated: CpuSet = NO_CPUS,
        nohz_full: CpuSet = NO_CPUS,
        devices: Iterable[Device] = (),
        name: str = "",
    ) -> "Topology":
        """A host from one row a CPU; raises BadInput when the rows contradict each other. O(CPUs log CPUs).

        A distance given one way only holds both ways. NUMA nodes are those of the rows, of `memory_bytes`
        and of `nodes` (for ones with neither CPUs nor known memory). A host whose rows name no node has node 0.

        >>> Topology.from_rows([CpuRow(0, 0, None, 0, 0), CpuRow(7, 0, None, 0, 0)]).cores
        (Core(id=0, cpus=CpuSet('0,7')),)
        """
        cpus = cpus_of(rows)
        return Topology(
            cpus=cpus,
            memory_bytes=memory_of(cpus, nodes, memory_bytes or {}),
            huge_pages={n: dict(sorted(p.items())) for n, p in sorted((huge_pages or {}).items())},
            distance_rows=both_ways(distances or {}),
            isolated=isolated,
            nohz_full=nohz_full,
            devices=tuple(sorted(devices, key=lambda device: (device.kind, device.name))),
            name=name,
        )

    def __attrs_post_init__(self) -> None:
        """Refuse an impossible host once, here, so that nothing later needs to ask."""
        check(self)

    def __repr__(self) -> str:
        """Short: hosts have hundreds of CPUs."""
        return f"Topology({self.name!r}, {len(self.online)} CPUs online, {len(self.nodes)} NUMA nodes)"

    @cached_property
    def online(self) -> CpuSet:
        """The CPUs that are online."""
        return CpuSet(cpu.id for cpu in self.cpus if cpu.online)

    @cached_property
    def offline(self) -> CpuSet:
        """The CPUs that exist and are offline."""
        return CpuSet(cpu.id for cpu in self.cpus if not cpu.online)

    @cached_property
    def cores(self) -> tuple[Core, ...]:
        """Cores in id order."""
        return self._groups(Core, lambda cpu: cpu.core)

    @cached_property
    def l2_groups(self) -> tuple[L2Group, ...]:
        """Level-2 caches in id order."""
        return self._groups(L2Group, lambda cpu: cpu.l2)

    @cached_property
    def l3_groups(self) -> tuple[L3Group, ...]:
        """Last-level caches in id order."""
        return self._groups(L3Group, lambda cpu: cpu.l3)

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Clusters in id order."""
        return self._groups(Cluster, lambda cpu: cpu.cluster)

    @cached_property
    def dies(self) -> tuple[Die, ...]:
        """Dies in id order."""
        return self._groups(Die, lambda cpu: cpu.die)

    @cached_property
    def books(self) -> tuple[Book, ...]:
        """s390 books in id order."""
        return self._groups(Book, lambda cpu: cpu.book)

    @cached_property
    def drawers(self) -> tuple[Drawer, ...]:
        """s390 drawers in id order."""
        return self._groups(Drawer, lambda cpu: cpu.drawer)

    @cached_property
    def packages(self) -> tuple[Package, ...]:
        """Packages in id order."""
        return self._groups(Package, lambda cpu: cpu.package)

    @cached_property
    def nodes(self) -> tuple[NumaNode, ...]:
        """NUMA nodes in id order, those without CPUs or memory included."""
        masks = dict.fromkeys(self.memory_bytes, 0)
        for cpu in self.cpus:
            if cpu.online:
                for node in cpu.nodes:
                    masks[node] |= 1 << cpu.id
        return tuple(
            NumaNode(
                id=node,
                cpus=CpuSet.from_mask(mask),
                memory_bytes=self.memory_bytes[node],
                huge_pages=self.huge_pages.get(node, {}),
            )
            for node, mask in sorted(masks.items())
        )

    @cached_property
    def _by_id(self) -> dict[int, NumaNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def _cpu_by_id(self) -> dict[int, Cpu]:
        return {cpu.id: cpu for cpu in self.cpus}

    @cached_property
    def _distance(self) -> dict[tuple[int, int], int]:
        return {(a, b): d for a, b, d in self.distance_rows}

    def cpu(self, cpu_id: int) -> Cpu:
        """The CPU with this id; raises BadInput when there is none."""
        try:
            return self._cpu_by_id[cpu_id]
        except KeyError:
            raise BadInput(f"the host has no CPU {cpu_id}", source=self.name or "topology") from None

    def node(self, node_id: int) -> NumaNode:
        """The NUMA node with this id; raises BadInput when there is none."""
        try:
            return self._by_id[node_id]
        except KeyError:
            raise BadInput(
                f"the host has no NUMA node {node_id}",
                source=self.name or "topology",
                hint=f"it has {NodeSet(self._by_id)}",
            ) from None

    def device(self, name: str) -> Device | None:
        """The device with this name or PCI address, or None."""
        return next((d for d in self.devices if name in (d.name, d.pci)), None)

    def distance(self, a: int, b: int) -> int:
        """The distance from node `a` to node `b`; where the host is silent 10 own, 20 same package, 40 else."""
        known = self._distance.get((a, b))
        if known is not None:
            return known
        if a == b:
            return LOCAL_DISTANCE
        shared = self._packages_of(a) & self._packages_of(b)
        return SAME_PACKAGE_DISTANCE if shared else FAR_DISTANCE

    def _packages_of(self, node: int) -> set[int | None]:
        cpus = self.node(node).cpus
        return {p.id for p in self.packages if not p.cpus.isdisjoint(cpus)}

    def with_online(self, online: CpuSet) -> "Topology":
        """The same host with exactly these CPUs online; raises BadInput for ids it does not have."""
        absent = online - CpuSet(cpu.id for cpu in self.cpus)
        if absent:
            raise BadInput(f"the host has no CPU {absent}", source=self.name or "topology")
        return evolve(self, cpus=tuple(evolve(cpu, online=cpu.id in online) for cpu in self.cpus))

    def _groups(self, kind: type[G], label: Callable[[Cpu], int | None]) -> tuple[G, ...]:
        masks: dict[int, int] = {}
        for cpu in self.cpus:
            key = label(cpu)
            if key is not None and cpu.online:
                masks[key] = masks.get(key, 0) | 1 << cpu.id
        return tuple(kind(key, CpuSet.from_mask(mask)) for key, mask in sorted(masks.items()))
