"""The machines that are made up: their sockets, NUMA nodes, distances and devices."""

from pathlib import Path
from typing import Final

import attrs

from cpuplace import CpuSet

Table = tuple[tuple[int, ...], ...]

SMALL: Final = 64
"""CPUs up to which writing is tried: where 128 take turns on one core, each change waits for all of them."""


@attrs.frozen(slots=True, kw_only=True)
class Bed:
    """One made-up machine. CPUs are numbered as QEMU does: thread by thread, core by core, die by die."""

    name: str
    """As the command line says it; the folder under `vm/` has "_" for "-"."""
    sockets: int
    dies: int = 1
    """Dies of a socket; each die is a NUMA node and has one L3."""
    cores: int
    """Cores of a die."""
    threads: int
    distances: Table
    """Row and column: node. Nodes past the dies have memory only."""
    memory: int
    """MiB of each node."""
    devices: bool = False
    """Whether there are devices: an NVMe and a virtio disk on node 1, two network cards on node 0."""
    apart: bool = False
    """Whether only the tests of its own folder run in it."""
    timeout: int
    """Seconds after which the VM is taken for dead, on a quiet host; a crowded one has more patience, see `vm`."""

    @property
    def cpus(self) -> int:
        """How many CPUs there are."""
        return self.sockets * self.dies * self.cores * self.threads

    def folders(self, tree: Path) -> list[str]:
        """The folders of its tests, from the root of a checkout: shared ones, and its own."""
        shared = () if self.apart else ("every",) if self.cpus > SMALL else ("every", "small")
        ours = [f"tests/e2e/vm/{name}" for name in (*shared, self.name.replace("-", "_"))]
        return [folder for folder in ours if (tree / folder).is_dir()]

    def blocks(self, size: int) -> list[CpuSet]:
        """All CPUs in groups of this size: cores, caches and sockets are such, since the numbering is depth first."""
        return [CpuSet(range(start, start + size)) for start in range(0, self.cpus, size)]


def square(nodes: int, a_socket: int, near: int, far: int) -> Table:
    """Distances of nodes of which every `a_socket` share a socket.

    >>> square(2, 1, 12, 21)
    ((10, 21), (21, 10))
    """

    def between(a: int, b: int) -> int:
        if a == b:
            return 10
        return near if a // a_socket == b // a_socket else far

    return tuple(tuple(between(a, b) for b in range(nodes)) for a in range(nodes))


BEDS: Final = {
    bed.name: bed
    for bed in (
        Bed(
            name="two-socket",
            sockets=2,
            cores=4,
            threads=2,
            distances=square(2, 1, 21, 21),
            memory=768,
            devices=True,
            timeout=900,
        ),
        Bed(
            name="containerd",
            sockets=2,
            cores=4,
            threads=2,
            distances=square(2, 1, 21, 21),
            memory=768,
            apart=True,
            timeout=1800,
        ),
        Bed(name="big128", sockets=8, cores=8, threads=2, distances=square(8, 4, 12, 32), memory=256, timeout=900),
        Bed(
            name="four-node",
            sockets=2,
            dies=2,
            cores=4,
            threads=2,
            distances=square(4, 2, 12, 32),
            memory=384,
            timeout=600,
        ),
        Bed(
            name="cxl",
            sockets=2,
            cores=4,
            threads=2,
            distances=((10, 21, 14), (21, 10, 24), (14, 24, 10)),
            memory=512,
            timeout=600,
        ),
    )
}
"""By name, those that take longest first."""
