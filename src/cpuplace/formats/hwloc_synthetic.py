"""hwloc's synthetic strings, like `pack:2 [numa] l3:2 core:8 pu:2`, to and from a `Topology`.

Format: hwloc documentation, "Synthetic topologies". Each level says how many of it are in each object above;
`[numa(memory=16GiB)]` attaches a NUMA node to every object of the level before it. Read: package, die, group,
L1-L5, core and pu levels, numa as a level or attached, sizes in bytes or kB to TiB (all powers of 1024),
`indexes=` as a list or as `step*count:...` loops for PUs and NUMA nodes. Not read: levels without a type,
`indexes=` by type names, attributes of the machine.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Final

from attrs import field, frozen

from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput
from cpuplace.hardware import Cpu, CpuRow
from cpuplace.topology import Topology

_SOURCE: Final = "hwloc synthetic string"
_HINT: Final = "write levels like pack:2 [numa] l3:2 core:8 pu:2"
_ITEM: Final = re.compile(
    r"\s*(?:(?P<type>[a-z][a-z0-9]*):(?P<count>[0-9]{1,6})|\[\s*(?P<inner>[a-z]+))(?:\((?P<attrs>[^()\[\]]*)\))?(?P<end>\s*\])?",
    re.ASCII | re.IGNORECASE,
)
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:([kmgt])i?b)?", re.ASCII | re.IGNORECASE)
_TYPES: Final = ("numanode", "node", "package", "socket", "die", "group", "core", "pu")
_CACHE: Final = re.compile(r"l([1-5])[udi]?(?:cache)?", re.ASCII)
_SAME: Final = {"numanode": "numa", "node": "numa", "socket": "package"}


@frozen(slots=True, kw_only=True)
class _Level:
    """`count` objects of this type in each one above; `numa` holds the attached nodes' memory sizes."""

    type: str
    count: int
    indexes: str = ""
    numa: tuple[int | None, ...] = ()


@frozen(slots=True)
class _Described:
    levels: list[_Level] = field(factory=list)
    node_indexes: list[str] = field(factory=list)


def parse(text: str, *, name: str = "") -> Topology:
    """The host that a synthetic string describes; BadInput with the position of what cannot be read.

    >>> [str(node.cpus) for node in parse("pack:2 [numa] core:2 pu:2").nodes]
    ['0-3', '4-7']
    """
    described = _Described([_Level(type="machine", count=1)])
    offset = 0
    while text[offset:].strip():
        found = _ITEM.match(text, offset)
        if found is None or bool(found["inner"]) != bool(found["end"]):
            raise _bad(f"cannot read {text[offset : offset + 20].strip()!r}", offset)
        _take(described, found)
        offset = found.end()
    return _build(described, name)


def _bad(problem: str, offset: int | None = None) -> BadInput:
    return BadInput(problem, source=_SOURCE, position=offset, hint=_HINT)


def _take(described: _Described, found: re.Match[str]) -> None:
    """Add one level, or one attached NUMA node to the level before."""
    kind = _type(found["type"] or found["inner"], found.start())
    attrs = _attributes(found)
    numa = kind == "numa"
    memory = _size(attrs["memory"], found) if "memory" in attrs and numa else None
    if numa and "indexes" in attrs:
        described.node_indexes.append(attrs["indexes"])
    if found["inner"]:
        if not numa:
            raise _bad("only NUMA nodes can be attached", found.start())
        last = described.levels[-1]
        described.levels[-1] = _Level(type=last.type, count=last.count, indexes=last.indexes, numa=(*last.numa, memory))
        return
    count = int(found["count"])
    if count < 1 or count * prod(level.count for level in described.levels) > MAX_ID + 1:
        raise _bad(f"{count} {kind} at each place make none, or more CPUs than {MAX_ID + 1}", found.start())
    described.levels.append(
        _Level(type=kind, count=count, indexes="" if numa else attrs.get("indexes", ""), numa=(memory,) if numa else ())
    )


def _type(word: str, offset: int) -> str:
    """The full type for a word of at least two letters that begins it (hwloc takes such prefixes)."""
    low = re.sub("[0-9]+$", "", word.lower()) if word[0] in "gG" else word.lower()  # Group0 is a group
    cache = _CACHE.fullmatch(low)
    if cache:
        return f"l{cache[1]}"
    full = next((kind for kind in _TYPES if len(low) > 1 and kind.startswith(low)), None)
    if full is None:
        raise _bad(f"unknown type {word[:20]!r}", offset)
    return _SAME.get(full, full)


def _attributes(found: re.Match[str]) -> dict[str, str]:
    attrs = {}
    for part in (found["attrs"] or "").split():
        key, equals, value = part.partition("=")
        if key not in ("memory", "size", "indexes") or not equals:
            raise _bad(f"unknown attribute {part[:20]!r}", found.start("attrs"))
        attrs[key] = value
    return attrs


def _size(text: str, found: re.Match[str]) -> int:
    size = _SIZE.fullmatch(text)
    if size is None:
        raise _bad(f"cannot read the size {text[:20]!r}", found.start("attrs"))
    return int(size[1]) << 10 * " kmgt".index((size[2] or " ").lower())


def _build(described: _Described, name: str) -> Topology:
    levels = described.levels
    if levels[-1].type != "pu":
        raise _bad("the last level must be pu")
    types = [level.type for level in levels if level.type != "group"]
    if len(set(types)) < len(types):
        raise _bad(f"a type is used twice: {' '.join(types)}")
    width = prod(level.count for level in levels)
    ids = _indexes(levels[-1].indexes, width)
    nodes = list(_nodes(levels))
    node_ids = _indexes(described.node_indexes[-1] if described.node_indexes else "", len(nodes))
    of_place: list[list[int]] = [[] for _ in range(width)]
    for node, (places, _) in zip(node_ids, nodes, strict=True):
        for place in places:
            of_place[place].append(node)
    return Topology.from_rows(
        (_row(levels, place, cpu, tuple(of_place[place])) for place, cpu in enumerate(ids)),
        memory_bytes={node: memory for node, (_, memory) in zip(node_ids, nodes, strict=True)},
        name=name,
    )


def _nodes(levels: Sequence[_Level]) -> Iterator[tuple[range, int | None]]:
    """The places of CPUs, and the memory, of each NUMA node in hwloc's order: inner ones before outer ones."""
    spans = [prod(level.count for level in levels[depth + 1 :]) for depth in range(len(levels))]
    found = [
        (start + span, -depth, order, range(start, start + span), memory)
        for depth, (level, span) in enumerate(zip(levels, spans, strict=True))
        for order, memory in enumerate(level.numa)
        for start in range(0, spans[0], span)
    ]
    yield from ((places, memory) for _, _, _, places, memory in sorted(found, key=lambda one: one[:3]))


def _row(levels: Sequence[_Level], place: int, cpu: int, nodes: tuple[int, ...]) -> CpuRow:
    labels = {}
    below = prod(level.count for level in levels)
    for level in levels:
        below //= level.count
        labels[level.type] = place // below
    get = labels.get
    return CpuRow(cpu, get("core"), get("l3"), nodes or None, get("package"), l2=get("l2"), die=get("die"))


def _indexes(text: str, total: int) -> list[int]:
    """The OS index of each object in order: as they come, a list, or `step*count` loops, outermost first."""
    if not text:
        return list(range(total))
    if not re.fullmatch(
        r"[0-9]{1,6}(?:,[0-9]{1,6})*|[0-9]{1,6}\*[0-9]{1,6}(?::[0-9]{1,6}\*[0-9]{1,6})*", text, re.ASCII
    ):
        raise _bad(f"cannot read indexes={text[:40]}")
    ids = _looped(text, total) if "*" in text else [int(part) for part in text.split(",")]
    if len(ids) != total or len(set(ids)) != total:
        raise _bad(f"indexes={text[:40]} must name {total} different ids")
    return ids


def _looped(text: str, total: int) -> list[int]:
    """Each loop adds, for `count` steps of `step` objects, what the loops before it have filled."""
    loops = [(int(step), int(count)) for step, _, count in (part.partition("*") for part in text.split(":"))]
    filled = prod(count for _, count in loops)
    if 0 in (step for step, _ in loops) or not filled or total % filled:
        raise _bad(f"indexes={text[:40]} does not cover {total} objects")
    loops.append((1, total // filled))
    ids, weight = [0] * total, 1
    for step, count in loops:
        ids = [one + place // step % count * weight for place, one in enumerate(ids)]
        weight *= count
    return ids


_LEVELS: Final[tuple[tuple[str, Callable[[Cpu], int | None]], ...]] = (
    ("package", lambda cpu: cpu.package),
    ("die", lambda cpu: cpu.die),
    ("l3", lambda cpu: cpu.l3),
    ("numa", lambda cpu: cpu.node),
    ("l2", lambda cpu: cpu.l2),
    ("core", lambda cpu: cpu.core),
)


def render(host: Topology) -> str:
    """The synthetic string of a regular host, else BadInput: unequal parts, offline CPUs, nodes without CPUs.

    Lost: labels, distances, devices, huge pages, core kinds, isolated CPUs. O(CPUs).

    >>> render(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    'package:2 l3:1 [numa] core:2 pu:2(indexes=0,4,1,5,2,6,3,7)'
    """
    levels = [(kind, label) for kind, label in _LEVELS if any(label(cpu) is not None for cpu in host.cpus)]
    levels.sort(key=lambda level: len({level[1](cpu) for cpu in host.cpus}))
    cpus = sorted(host.cpus, key=lambda cpu: [(label(cpu) or 0) for _, label in levels] + [cpu.id])
    parts, above = [], 1
    for kind, label in levels:
        groups = len({label(cpu) for cpu in cpus})
        numa = f"numa{_attrs(host, cpus)}"
        if kind != "numa":
            parts.append(f"{kind}:{groups // above}")
        else:
            parts.append(f"[{numa}]" if groups == above else numa.replace("numa", f"numa:{groups // above}", 1))
        above = groups
    text = " ".join([*parts, f"pu:{len(cpus) // above}{_indexes_text([cpu.id for cpu in cpus])}"])
    if not _says(text, host):
        raise BadInput(f"not a regular host, which {text[:60]!r} would be", source=host.name or "topology")
    return text


def _says(text: str, host: Topology) -> bool:
    try:
        return _shape(parse(text)) == _shape(host)
    except BadInput:  # parts that do not divide leave too few indexes
        return False


def _attrs(host: Topology, cpus: Sequence[Cpu]) -> str:
    """Memory, when all nodes have the same, and the ids of the nodes when they are not 0, 1, 2, ..."""
    sizes = set(host.memory_bytes.values())
    memory = [f"memory={size}" for size in sizes if size is not None and len(sizes) == 1]
    ids = _indexes_text(list(dict.fromkeys(cpu.node for cpu in cpus)))
    parts = memory + [ids.strip("()")] * bool(ids)
    return f"({' '.join(parts)})" if parts else ""


def _indexes_text(ids: Sequence[int]) -> str:
    return "" if list(ids) == list(range(len(ids))) else f"(indexes={','.join(map(str, ids))})"


def _shape(host: Topology) -> tuple[object, ...]:
    """What a synthetic string can say of a host."""
    groups = (host.packages, host.dies, host.l3_groups, host.l2_groups, host.cores)
    nodes = {(node.id, node.cpus, node.memory_bytes) for node in host.nodes}
    return host.offline, nodes, *({group.cpus for group in kind} for kind in groups)
