"""The NUMA nodes of a sysfs tree: CPUs, memory, huge pages, distances.

Kernel documentation: ABI/stable/sysfs-devices-node. A host without node folders has node 0; a CPU that no
node lists lies in a made-up one, since its real node is hidden (offline), not absent.
"""

import re
from collections.abc import Container, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from cpuplace.cpulist import ids_of
from cpuplace.errors import BadInput
from cpuplace.formats.sysfs_fields import CPU, NODE, Fields

_ROW: Final = re.compile(r"[0-9]{1,9}(?:\s+[0-9]{1,9})*", re.ASCII)


@frozen(slots=True, kw_only=True)
class NodeFacts:
    """What a tree says of its nodes: where each CPU lies, and each node's memory and distances."""

    of_cpu: dict[int, tuple[int, ...]]
    memory: dict[int, int | None]
    huge_pages: dict[int, dict[int, int]]
    distances: dict[tuple[int, int], int] = field(factory=dict)


def read_nodes(fields: Fields, exist: int, online: int) -> NodeFacts:
    """The nodes and the place of every CPU in `exist`."""
    folders = fields.numbered(NODE, "node")
    if not folders:
        return NodeFacts(
            of_cpu=dict.fromkeys(ids_of(exist), (0,)),
            memory={0: fields.memory("proc/meminfo")},
            huge_pages={0: fields.huge_pages("sys/kernel/mm/hugepages")},
        )
    lists = {node: fields.first_set(f"{NODE}/node{node}", ("cpulist", "cpumap")) or 0 for node in folders}
    memory = {node: fields.memory(f"{NODE}/node{node}/meminfo") for node in folders}
    possible = ids_of(fields.list_of(f"{NODE}/possible") or 0)
    of_cpu = {cpu: _nodes_of(fields, cpu, lists) for cpu in ids_of(exist)}
    if any(not of_cpu[cpu] for cpu in ids_of(online)):
        memory[_hidden(folders, possible)] = None
    rest = _hidden(folders, possible) if len(memory) > len(folders) else folders[0]
    return NodeFacts(
        of_cpu={cpu: nodes or (rest,) for cpu, nodes in of_cpu.items()},
        memory=memory,
        huge_pages={node: fields.huge_pages(f"{NODE}/node{node}/hugepages") for node in folders},
        distances=_distances(fields, folders, possible, memory),
    )


def _nodes_of(fields: Fields, cpu: int, lists: Mapping[int, int]) -> tuple[int, ...]:
    """The nodes that list this CPU; lists lose offline CPUs, whose folder still links to their node."""
    listed = tuple(node for node, cpus in lists.items() if cpus >> cpu & 1)
    return listed or tuple(node for node in lists if fields.tree.target(f"{CPU}/cpu{cpu}/node{node}") is not None)


def _hidden(folders: Sequence[int], possible: Sequence[int]) -> int:
    """The node that is there but not shown: the lowest possible one without a folder, else a new one."""
    unseen = set(possible) - set(folders) or set(range(len(folders) + 1)) - set(folders)
    return min(unseen)


def _distances(
    fields: Fields, folders: Sequence[int], possible: Sequence[int], known: Container[int]
) -> dict[tuple[int, int], int]:
    found = {}
    for node in folders:
        path = f"{NODE}/node{node}/distance"
        row = _row(fields.tree.text(path), path)
        for other, distance in zip(_columns(len(row), folders, possible), row, strict=True):
            if other in known:
                found[node, other] = distance
    return found


def _row(text: str | None, path: str) -> list[int]:
    if not text:
        return []
    if not _ROW.fullmatch(text):
        raise BadInput(f"expected distances like 10 21, found {text[:20]!r}", source=path)
    return [int(part) for part in text.split()]


def _columns(width: int, folders: Sequence[int], possible: Sequence[int]) -> Sequence[int]:
    """Whose distance each column holds: the online nodes in order; a longer row also shows hidden nodes."""
    for nodes in (folders, possible):
        if len(nodes) == width:
            return nodes
    return range(width) if width > folders[-1] else [-1] * width
