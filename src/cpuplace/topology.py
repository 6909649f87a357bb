"""Topology: what a host is, as one frozen value that is checked once.

One fact is kept once: every CPU says where it belongs (core, L2, L3, cluster, die, package, NUMA nodes), and
the groups are computed from that. Ids are names, never positions: they may have holes, cores may differ in
size, NUMA nodes may lack CPUs or memory. Groups hold *online* CPUs only; an offline CPU is in `cpus` and in
no group, so taking a CPU offline and online again is `with_online` there and back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeVar

from attrs import evolve, field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet, NodeSet

Numbering = Literal["blocks", "adjacent", "interleaved"]
CoreKind = Literal["performance", "efficiency"]

LOCAL_DISTANCE, SAME_PACKAGE_DISTANCE, FAR_DISTANCE = 10, 20, 40
"""What `distance` answers where the host says nothing (SPEC section 5): own node, same package, else."""


@frozen(slots=True)
class CpuRow:
    """One CPU as a builder takes it: labels are host-wide; None = own core, no cache, not said.

    `node` may be several ids (a CPU can be listed by several NUMA nodes); None = the host has no nodes.

    >>> CpuRow(4, core=0, l3=0, node=0, package=0).core
    0
    """

    cpu: int
    core: int | None = None
    l3: int | None = None
    node: int | tuple[int, ...] | None = None
    package: int | None = None
    l2: int | None = field(default=None, kw_only=True)
    cluster: int | None = field(default=None, kw_only=True)
    die: int | None = field(default=None, kw_only=True)
    book: int | None = field(default=None, kw_only=True)
    drawer: int | None = field(default=None, kw_only=True)
    online: bool = field(default=True, kw_only=True)
    kind: CoreKind | None = field(default=None, kw_only=True)
    capacity: int | None = field(default=None, kw_only=True)
    max_khz: int | None = field(default=None, kw_only=True)


@frozen(slots=True, kw_only=True)
class Cpu:
    """One logical CPU and where it belongs; `nodes` ascending, never empty; `core` always known."""

    id: int
    core: int
    package: int | None
    nodes: tuple[int, ...]
    l2: int | None
    l3: int | None
    cluster: int | None
    die: int | None
    book: int | None
    drawer: int | None
    online: bool
    kind: CoreKind | None
    capacity: int | None
    max_khz: int | None

    @property
    def cpus(self) -> CpuSet:
        """This CPU as a set, so that it reads like every other item."""
        return CpuSet.from_mask(1 << self.id)

    @property
    def node(self) -> int:
        """The NUMA node it counts for: the lowest of those that list it."""
        return self.nodes[0]


@frozen(slots=True)
class CpuGroup:
    """Some CPUs with a label: a core, cache, cluster, die, book, drawer or package."""

    id: int
    cpus: CpuSet


class Core(CpuGroup):
    """The sibling CPUs of one core; cores of one host may differ in size."""

    __slots__ = ()


class L2Group(CpuGroup):
    """CPUs that share a level-2 cache."""

    __slots__ = ()


class L3Group(CpuGroup):
    """CPUs that share a last-level cache; may be smaller or larger than a NUMA node."""

    __slots__ = ()


class Cluster(CpuGroup):
    """CPUs of one kernel `cluster` (arm64, some x86)."""

    __slots__ = ()


class Die(CpuGroup):
    """CPUs of one die of a package."""

    __slots__ = ()


class Book(CpuGroup):
    """CPUs of one s390 book."""

    __slots__ = ()


class Drawer(CpuGroup):
    """CPUs of one s390 drawer."""

    __slots__ = ()


class Package(CpuGroup):
    """CPUs of one socket."""

    __slots__ = ()


@frozen(slots=True, kw_only=True)
class NumaNode:
    """CPUs and/or memory with one id; either may be missing (CXL, HBM, GPU memory).

    `cpus` are all online CPUs the host lists for it, even when they count for a lower node.
    `memory_bytes` None = not known. `huge_pages`: page size in bytes -> pages.
    """

    id: int
    cpus: CpuSet
    memory_bytes: int | None = None
    huge_pages: Mapping[int, int] = field(factory=dict, hash=False)


@frozen(slots=True, kw_only=True)
class Device:
    """A device and where it is near: `kind` nic, nvme, gpu, ib, block or other.

    `node` None = the host does not say; `local_cpus` empty likewise. `queues` None = not known.
    """

    name: str
    kind: str
    pci: str | None = None
    node: int | None = None
    local_cpus: CpuSet = NO_CPUS
    queues: int | None = None


G = TypeVar("G", bound=CpuGroup)


@frozen(slots=True, kw_only=True)
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
        for what, count in (
            ("packages", packages),
            ("nodes_per_package", nodes_per_package),
            ("l3_per_node", l3_per_node),
            ("cores_per_l3", cores_per_l3),
            ("threads_per_core", threads_per_core),
        ):
            if count < 1:
                raise BadInput(f"{what} must be at least 1, not {count}", source="Topology.uniform")
        nodes = packages * nodes_per_package
        l3s = nodes * l3_per_node
        cores = l3s * cores_per_l3
        rows = []
        for place in range(cores):  # `place`: the core counted node by node
            core = _core_number(place, packages, cores, numbering)
            l3 = place // cores_per_l3
            node = l3 // l3_per_node
            for thread in range(threads_per_core):
                cpu = core * threads_per_core + thread if numbering == "adjacent" else core + thread * cores
                rows.append(CpuRow(cpu, core, l3, node, node // nodes_per_package))
        return Topology.from_rows(
            rows,
            distances={} if distances is None else _flat(nodes, nodes_per_package, distances),
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
        ordered = sorted(rows, key=lambda row: row.cpu)
        spare = max((row.core for row in ordered if row.core is not None), default=-1)
        cpus = []
        for row in ordered:
            if row.core is None:
                spare += 1
            cpus.append(_cpu(row, spare))
        memory: dict[int, int | None] = dict.fromkeys((n for cpu in cpus for n in cpu.nodes), None)
        memory |= dict.fromkeys(nodes, None)
        memory |= memory_bytes or {}
        known = dict(distances or {})
        both = {(b, a): d for (a, b), d in known.items()} | known
        return Topology(
            cpus=tuple(cpus),
            memory_bytes=dict(sorted(memory.items())),
            huge_pages={n: dict(sorted(p.items())) for n, p in sorted((huge_pages or {}).items())},
            distance_rows=tuple((a, b, d) for (a, b), d in sorted(both.items())),
            isolated=isolated,
            nohz_full=nohz_full,
            devices=tuple(sorted(devices, key=lambda device: (device.kind, device.name))),
            name=name,
        )

    def __attrs_post_init__(self) -> None:
        """Refuse an impossible host once, here, so that nothing later needs to ask."""
        _check(self)

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


def _core_number(place: int, packages: int, cores: int, numbering: Numbering) -> int:
    """The core number of the `place`-th core counted node by node."""
    if numbering != "interleaved":
        return place
    per_package = cores // packages
    return place % per_package * packages + place // per_package


def _flat(nodes: int, nodes_per_package: int, distances: tuple[int, int, int]) -> dict[tuple[int, int], int]:
    own, near, far = distances
    return {
        (a, b): own if a == b else near if a // nodes_per_package == b // nodes_per_package else far
        for a in range(nodes)
        for b in range(nodes)
    }


def _cpu(row: CpuRow, spare_core: int) -> Cpu:
    nodes = (row.node,) if isinstance(row.node, int) else row.node or (0,)
    return Cpu(
        id=row.cpu,
        core=spare_core if row.core is None else row.core,
        package=row.package,
        nodes=tuple(sorted(set(nodes))),
        l2=row.l2,
        l3=row.l3,
        cluster=row.cluster,
        die=row.die,
        book=row.book,
        drawer=row.drawer,
        online=row.online,
        kind=row.kind,
        capacity=row.capacity,
        max_khz=row.max_khz,
    )


def _check(host: Topology) -> None:
    source = host.name or "topology"
    ids = [cpu.id for cpu in host.cpus]
    if not host.online:
        raise BadInput("a host needs at least one online CPU", source=source)
    twice = {a for a, b in pairwise(ids) if a == b}
    if twice:
        raise BadInput(f"CPU {min(twice)} is described twice", source=source)
    for what, sets in (("package", host.packages), ("L3 group", host.l3_groups)):
        _check_cores_within(host.cores, what, sets, source)
    for a, b, distance in host.distance_rows:
        if distance < 0 or a not in host.memory_bytes or b not in host.memory_bytes:
            raise BadInput(
                f"distance {a} -> {b} = {distance} is negative or names a node the host lacks",
                source=source,
            )
    for node, memory in host.memory_bytes.items():
        if node < 0 or (memory is not None and memory < 0):
            raise BadInput(f"NUMA node {node} with {memory} bytes cannot be", source=source)


def _check_cores_within(cores: Sequence[Core], what: str, groups: Sequence[CpuGroup], source: str) -> None:
    """The siblings of one core share their caches and their package, on every real machine."""
    for core in cores:
        met = [group.id for group in groups if not group.cpus.isdisjoint(core.cpus)]
        if len(met) > 1:
            raise BadInput(
                f"core {core.id} (CPUs {core.cpus}) lies in more than one {what}: {met}",
                source=source,
            )
