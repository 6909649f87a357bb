"""The drawing model: one host as sections, tiles, groups, columns and cells, before any text or SVG.

    section  a package (or the whole host where nodes and packages do not nest)
    tile     a NUMA node with its CPUs, its memory and its devices
    group    the cores that share an L3 (or a package, where there is no L3)
    column   one core
    cell     one CPU: its id and how it looks

Every CPU is in exactly one cell, or in `elsewhere` when the host does not say where it is (some offline CPUs).
"""

from collections.abc import Mapping

from attrs import frozen

from cpuplace.idset import CpuSet, NodeSet
from cpuplace.memory import sized
from cpuplace.topology import CoreKind, Cpu, Device, NumaNode, Topology
from cpuplace_cli.looks import Look, Marks, looks
from cpuplace_cli.printable import printable


@frozen(slots=True)
class Cell:
    """One CPU."""

    cpu: int
    look: Look


@frozen(slots=True)
class Column:
    """One core: its CPUs from the lowest id on."""

    core: int
    kind: CoreKind | None
    cells: tuple[Cell, ...]


@frozen(slots=True)
class Group:
    """Cores that share an L3; `l3` None = no L3 known."""

    package: int | None
    l3: int | None
    columns: tuple[Column, ...]


@frozen(slots=True)
class Tile:
    """A NUMA node that has CPUs of its own; `packages` are named where the section does not name one."""

    node: NumaNode
    packages: tuple[int, ...]
    groups: tuple[Group, ...]
    devices: tuple[Device, ...]

    @property
    def cpus(self) -> CpuSet:
        """The CPUs drawn in this tile, offline ones included."""
        return CpuSet(cell.cpu for group in self.groups for column in group.columns for cell in column.cells)


@frozen(slots=True)
class Section:
    """Tiles under one heading; `package` None = no heading."""

    package: int | None
    tiles: tuple[Tile, ...]


@frozen(slots=True, kw_only=True)
class Drawing:
    """A host, ready to be drawn; `plain` = nothing is owned or marked, so cells may show ids."""

    host: Topology
    sections: tuple[Section, ...]
    looks: tuple[Look, ...]
    plain: bool
    memory_nodes: tuple[NumaNode, ...]
    shared_nodes: tuple[NumaNode, ...]
    elsewhere: CpuSet
    devices: tuple[Device, ...]


def draw(host: Topology, owners: Mapping[str, CpuSet] | None = None, marks: Marks | None = None) -> Drawing:
    """The drawing of a host whose CPUs belong to `owners` (label -> CPUs). O(CPUs).

    >>> from cpuplace import catalogue
    >>> drawing = draw(catalogue.host("vm-2cpu"), {"db": CpuSet([0])})
    >>> [cell.look.glyph for column in drawing.sections[0].tiles[0].groups[0].columns for cell in column.cells]
    ['A', '.']
    """
    owners, marks = owners or {}, marks or Marks()
    shown = looks(host, owners, marks)
    placed = tuple(cpu for cpu in host.cpus if cpu.online or cpu.package in _packages(host))
    tiles = _tiles(host, placed, shown)
    drawn = {tile.node.id for tile in tiles}
    return Drawing(
        host=host,
        sections=_sections(tiles),
        looks=shown,
        plain=all(look.state in ("pool", "offline") for look in shown),
        memory_nodes=tuple(node for node in host.nodes if not node.cpus and node.id not in drawn),
        shared_nodes=tuple(node for node in host.nodes if node.cpus and node.id not in drawn),
        elsewhere=CpuSet(cpu.id for cpu in host.cpus) - CpuSet(cpu.id for cpu in placed),
        devices=tuple(device for device in host.devices if device.node not in drawn),
    )


def _packages(host: Topology) -> set[int | None]:
    """The packages of online CPUs: an offline CPU that names another has lost its place."""
    return {cpu.package for cpu in host.cpus if cpu.online}


def _tiles(host: Topology, placed: tuple[Cpu, ...], shown: tuple[Look, ...]) -> list[Tile]:
    look_of = {cpu: look for look in shown for cpu in look.cpus}
    by_node: dict[int, list[Cpu]] = {}
    for cpu in placed:
        by_node.setdefault(cpu.node, []).append(cpu)
    return [
        Tile(
            host.node(node),
            tuple(sorted({cpu.package for cpu in cpus if cpu.package is not None})),
            _groups(cpus, look_of),
            tuple(device for device in host.devices if device.node == node),
        )
        for node, cpus in sorted(by_node.items())
    ]


def _groups(cpus: list[Cpu], look_of: Mapping[int, Look]) -> tuple[Group, ...]:
    """The L3 groups of a node by their lowest CPU, each with its cores by their lowest CPU."""
    cores: dict[int, list[Cpu]] = {}
    for cpu in cpus:
        cores.setdefault(cpu.core, []).append(cpu)
    groups: dict[tuple[int | None, int | None], list[Column]] = {}
    for core, threads in cores.items():
        first = next((cpu for cpu in threads if cpu.online), threads[0])
        cells = tuple(Cell(cpu.id, look_of[cpu.id]) for cpu in threads)
        groups.setdefault((first.package, first.l3), []).append(Column(core, first.kind, cells))
    return tuple(Group(package, l3, tuple(columns)) for (package, l3), columns in groups.items())


def _sections(tiles: list[Tile]) -> tuple[Section, ...]:
    """One section a package when whole nodes nest in packages and some package has several; else one for all."""
    packages: dict[tuple[int, ...], list[Tile]] = {}
    for tile in tiles:
        packages.setdefault(tile.packages, []).append(tile)
    nested = all(len(ids) == 1 for ids in packages)
    if not nested or all(len(members) == 1 for members in packages.values()):
        return (Section(None, tuple(tiles)),)
    return tuple(
        Section(ids[0], tuple(Tile(tile.node, (), tile.groups, tile.devices) for tile in members))
        for ids, members in sorted(packages.items())
    )


def summary(host: Topology) -> str:
    """The host in one line: how many of what.

    >>> from cpuplace import catalogue
    >>> summary(catalogue.host("raspberry-pi-4"))
    'raspberry-pi-4: 4 CPUs, 4 cores, 1 node, 1 package, 4 GiB'
    """
    sizes = {len(core.cpus) for core in host.cores}
    threads = f" x {max(sizes)} threads" if sizes == {max(sizes)} != {1} else ""
    odd = f" of {min(sizes)} to {max(sizes)} threads" if len(sizes) > 1 else ""
    total = sum(node.memory_bytes or 0 for node in host.nodes)
    parts = [
        _count(len(host.online), "CPU"),
        f"{_count(len(host.cores), 'core')}{threads}{odd}",
        _count(len(host.l3_groups), "L3 group") if host.l3_groups else "",
        _count(len(host.nodes), "node"),
        _count(len(host.packages), "package") if host.packages else "",
        sized(total) if total else "",
    ]
    return f"{printable(host.name) or 'host'}: " + ", ".join(part for part in parts if part)


def kinds(host: Topology) -> str:
    """The kinds of core of a hybrid host in one line; empty for any other host.

    >>> from cpuplace import catalogue
    >>> kinds(catalogue.host("intel-i7-1370p"))
    '6 performance cores up to 5 GHz (CPUs 0-11), 8 efficiency cores up to 3.9 GHz (CPUs 12-19)'
    """
    parts = []
    for kind in ("performance", "efficiency"):
        cpus = [cpu for cpu in host.cpus if cpu.kind == kind and cpu.online]
        if cpus:
            cores = len({cpu.core for cpu in cpus})
            fastest = max(cpu.max_khz or 0 for cpu in cpus)
            speed = f" up to {fastest / 1e6:g} GHz" if fastest else ""
            parts.append(f"{_count(cores, f'{kind} core')}{speed} (CPUs {CpuSet(cpu.id for cpu in cpus)})")
    return ", ".join(parts) if len(parts) > 1 else ""


def distances(host: Topology) -> str:
    """The distances between nodes in one line; empty for one node or when the host is silent.

    >>> from cpuplace import catalogue
    >>> distances(catalogue.host("kunpeng-920-2s"))
    'distances: 10 own node, 16 same package, 25-33 other package'
    """
    if len(host.nodes) < 2 or not host.distance_rows:
        return ""
    package_of = {cpu.node: cpu.package for cpu in host.cpus}
    seen: dict[str, set[int]] = {}
    for a in (node.id for node in host.nodes if node.cpus):
        for node in host.nodes:
            where = _whereabouts(a, node, package_of)
            seen.setdefault(where, set()).add(host.distance(a, node.id))
    order = ("own node", "same package", "other package", "other node", "nodes without CPUs")
    return "distances: " + ", ".join(f"{_span(seen[where])} {where}" for where in order if where in seen)


def _whereabouts(a: int, other: NumaNode, package_of: Mapping[int, int | None]) -> str:
    if other.id == a:
        return "own node"
    if not other.cpus:
        return "nodes without CPUs"
    mine, its = package_of.get(a), package_of.get(other.id)
    if mine is None or its is None:
        return "other node"
    return "same package" if mine == its else "other package"


def memory_lines(drawing: Drawing) -> list[str]:
    """The nodes without CPUs, those with the same memory together, in one line a size.

    >>> from cpuplace import catalogue
    >>> memory_lines(draw(catalogue.host("nvidia-gh200")))
    ['memory only: node 1, 95 GiB', 'empty: nodes 2-8']
    """
    sizes: dict[str, list[int]] = {}
    for node in sorted(drawing.memory_nodes, key=lambda node: -(node.memory_bytes or 0)):
        sizes.setdefault(sized(node.memory_bytes) if node.memory_bytes else "", []).append(node.id)
    lines = []
    for size, ids in sizes.items():
        nodes = f"{'node' if len(ids) == 1 else 'nodes'} {NodeSet(ids)}"
        each = " each" if len(ids) > 1 else ""
        lines.append(f"memory only: {nodes}, {size}{each}" if size else f"empty: {nodes}")
    if drawing.shared_nodes:
        lines.append(f"nodes that list CPUs of others: {NodeSet(node.id for node in drawing.shared_nodes)}")
    return lines


def l3_note(drawing: Drawing) -> str:
    """How L3 groups lie where no node has several, so that none can be seen; else empty."""
    tiles = [tile for section in drawing.sections for tile in section.tiles]
    if len(tiles) < 2 or not drawing.host.l3_groups or any(len(tile.groups) > 1 for tile in tiles):
        return ""
    return "one L3 group a node" if len(drawing.host.l3_groups) >= len(tiles) else "an L3 group spans several nodes"


def device_name(device: Device) -> str:
    """A device that is drawn away from its node, with that node."""
    name = printable(device.name)
    return name if device.node is None else f"{name} (node {device.node})"


def tile_name(tile: Tile, drawing: Drawing) -> str:
    """The heading of a tile: its node, and its package where one is meant and no section names it."""
    alone = len(tile.packages) == 1 and len(drawing.host.packages) > 1
    return f"{f'package {tile.packages[0]}, ' if alone else ''}node {tile.node.id}"


def tile_memory(tile: Tile) -> str:
    """The memory of a tile's node; empty when it is not known."""
    if tile.node.memory_bytes is None:
        return ""
    return sized(tile.node.memory_bytes) if tile.node.memory_bytes else "no memory"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _span(values: set[int]) -> str:
    return str(min(values)) if len(values) == 1 else f"{min(values)}-{max(values)}"
