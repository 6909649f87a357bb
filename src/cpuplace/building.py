"""Rows and counts into the parts of a `Topology`: what `uniform` and `from_rows` do, without the checks."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput
from cpuplace.hardware import Cpu, CpuRow

Numbering = Literal["blocks", "adjacent", "interleaved"]
NUMBERINGS: Final = get_args(Numbering)


def uniform_rows(
    *, packages: int, nodes_per_package: int, l3_per_node: int, cores_per_l3: int, threads_per_core: int, numbering: str
) -> list[CpuRow]:
    """One row for each CPU of a regular host, counted node by node; see `Topology.uniform`.

    >>> [row.cpu for row in uniform_rows(packages=1, nodes_per_package=1, l3_per_node=1, cores_per_l3=2,
    ...                                  threads_per_core=2, numbering="adjacent")]
    [0, 1, 2, 3]
    """
    counts = {
        "packages": packages,
        "nodes_per_package": nodes_per_package,
        "l3_per_node": l3_per_node,
        "cores_per_l3": cores_per_l3,
        "threads_per_core": threads_per_core,
    }
    for what, count in counts.items():
        if count < 1:
            raise BadInput(f"{what} must be at least 1, not {count}", source="Topology.uniform")
    if numbering not in NUMBERINGS:
        raise BadInput(f"unknown numbering {numbering!r}", source="Topology.uniform", hint=f"one of {NUMBERINGS}")
    cores = packages * nodes_per_package * l3_per_node * cores_per_l3
    if cores * threads_per_core > MAX_ID + 1:
        raise BadInput(f"{cores * threads_per_core} CPUs are more than {MAX_ID + 1}", source="Topology.uniform")
    rows = []
    for place in range(cores):  # `place`: the core counted node by node
        core = _core_number(place, packages, cores, numbering)
        l3 = place // cores_per_l3
        node = l3 // l3_per_node
        for thread in range(threads_per_core):
            cpu = core * threads_per_core + thread if numbering == "adjacent" else core + thread * cores
            rows.append(CpuRow(cpu, core, l3, node, node // nodes_per_package))
    return rows


def _core_number(place: int, packages: int, cores: int, numbering: str) -> int:
    """The core number of the `place`-th core counted node by node."""
    if numbering != "interleaved":
        return place
    per_package = cores // packages
    return place % per_package * packages + place // per_package


def flat_distances(nodes: int, nodes_per_package: int, distances: tuple[int, int, int]) -> dict[tuple[int, int], int]:
    """Every pair of nodes with (own, same package, other package).

    >>> flat_distances(2, 1, (10, 20, 40))
    {(0, 0): 10, (0, 1): 40, (1, 0): 40, (1, 1): 10}
    """
    own, near, far = distances
    return {
        (a, b): own if a == b else near if a // nodes_per_package == b // nodes_per_package else far
        for a in range(nodes)
        for b in range(nodes)
    }


def cpus_of(rows: Iterable[CpuRow]) -> tuple[Cpu, ...]:
    """The CPUs in id order; a row without a core gets one of its own, above all named ones.

    >>> [cpu.core for cpu in cpus_of([CpuRow(0), CpuRow(1, core=4)])]
    [5, 4]
    """
    ordered = sorted(rows, key=lambda row: row.cpu)
    spare = max((row.core for row in ordered if row.core is not None), default=-1)
    cpus = []
    for row in ordered:
        spare += row.core is None
        cpus.append(_cpu(row, spare))
    return tuple(cpus)


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


def memory_of(
    cpus: Iterable[Cpu], nodes: Iterable[int], memory_bytes: Mapping[int, int | None]
) -> dict[int, int | None]:
    """Node id -> bytes for every node that anything names, ascending; None = not known."""
    memory: dict[int, int | None] = dict.fromkeys((n for cpu in cpus for n in cpu.nodes), None)
    memory |= dict.fromkeys(nodes, None)
    memory |= memory_bytes
    return dict(sorted(memory.items()))


def both_ways(distances: Mapping[tuple[int, int], int]) -> tuple[tuple[int, int, int], ...]:
    """Distances as (from, to, distance) in id order; one given one way only holds both ways.

    >>> both_ways({(0, 1): 21})
    ((0, 1, 21), (1, 0, 21))
    """
    known = {(b, a): d for (a, b), d in distances.items()} | dict(distances)
    return tuple((a, b, d) for (a, b), d in sorted(known.items()))
