"""What a host is made of: CPUs, the groups they form, NUMA nodes, devices; plain frozen values.

`Topology` holds them and checks them; `CpuRow` is what builders take. Ids are names, never positions.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from cpuplace.idset import NO_CPUS, CpuSet

CoreKind = Literal["performance", "efficiency"]


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
