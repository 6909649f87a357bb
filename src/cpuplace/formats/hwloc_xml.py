"""hwloc's XML export (versions 2 and 3), read into a `Topology`.

Format: hwloc documentation, "Importing and exporting topologies from/to XML files", and hwloc2.dtd. hwloc places
a NUMA node without CPUs at the CPUs it is near, so its nodes may overlap; it does not say which CPUs are
isolated. The document type line that hwloc writes is taken; one with declarations of its own is refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn
from xml.parsers import expat

from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput
from cpuplace.formats.core_kinds import kinds_of
from cpuplace.formats.pci import kind_of
from cpuplace.hardware import CoreKind, CpuRow, Device
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology

_SOURCE: Final = "hwloc XML"
_DEEPEST: Final = 64
"""Objects inside each other; real ones reach 12."""

_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_MASK_PART: Final = re.compile(r"(?:0x)?([0-9a-f]{1,8})|", re.ASCII)
_INTERFACES: Final = re.compile(r"(?:cuda|opencl|nvml|rsmi|ze|ve|mic|dma|renderD|controlD|:)", re.ASCII)
"""OS devices that are another face of a PCI function we name ourselves."""


class _Object:
    """One XML element that we keep, with the elements in it."""

    __slots__ = ("attrs", "depth", "inside", "line", "parent", "tag", "text")

    def __init__(self, tag: str, attrs: dict[str, str], parent: "_Object | None", line: int) -> None:
        self.tag, self.attrs, self.parent, self.line = tag, attrs, parent, line
        self.inside: list[_Object] = []
        self.text = ""
        self.depth: int = parent.depth + 1 if parent else 0

    def bad(self, problem: str) -> BadInput:
        return BadInput(problem, source=_SOURCE, position=f"line {self.line}")

    def number(self, name: str) -> int | None:
        """A number attribute; None when absent."""
        text = self.attrs.get(name)
        if text is not None and not _NUMBER.fullmatch(text):
            raise self.bad(f"expected a number as {name}, found {text[:20]!r}")
        return None if text is None else int(text)

    def need(self, name: str) -> int:
        number = self.number(name)
        if number is None:
            raise self.bad(f"<{self.tag}> has no {name}")
        return number

    def all(self, tag: str, kind: str | None = None) -> "Iterator[_Object]":
        """Every element below, in document order, of this tag (and object type)."""
        for one in self.inside:
            if one.tag == tag and kind in (None, one.attrs.get("type")):
                yield one
            yield from one.all(tag, kind)


def parse(text: str | bytes, *, name: str = "") -> Topology:
    """The host in an hwloc XML text; BadInput with the line of what cannot be read. O(objects).

    >>> text = '<topology version="2.0"><object type="Machine"><object type="PU" os_index="3"/></object></topology>'
    >>> parse(text).online
    CpuSet('3')
    """
    top = _tree(text)
    pus = list(top.all("object", "PU"))
    nodes = list(top.all("object", "NUMANode"))
    cpus_of = _cpus_below(pus)
    local = {node: cpus_of.get(_home(node), 0) for node in nodes}
    node_ids = {node: node.need("os_index") for node in nodes}
    return Topology.from_rows(
        _rows(top, pus, {node_ids[node]: mask for node, mask in local.items()}),
        memory_bytes={node_ids[node]: node.number("local_memory") for node in nodes},
        huge_pages={node_ids[node]: pages for node in nodes if (pages := _huge_pages(node))},
        distances=_distances(top, set(node_ids.values())),
        devices=_devices(top, cpus_of, {node_ids[node]: mask for node, mask in local.items()}),
        name=name,
    )


def _tree(text: str | bytes) -> _Object:
    """The root element; refuses what hwloc never writes: declarations, endless nesting, other documents."""
    parser = expat.ParserCreate()
    root = _Object("", {}, None, 0)
    at = [root]

    def start(tag: str, attrs: dict[str, str]) -> None:
        new = _Object(tag, attrs, at[-1], parser.CurrentLineNumber)
        if new.depth > _DEEPEST:
            raise new.bad(f"elements nested more than {_DEEPEST} deep")
        at[-1].inside.append(new)
        at.append(new)

    def data(text: str) -> None:
        at[-1].text += text

    def end(_: str) -> None:
        at.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.buffer_text = True
    parser.EntityDeclHandler = _no_declarations
    parser.StartDoctypeDeclHandler = lambda name, system, public, inside: _no_declarations() if inside else None
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise BadInput(expat.ErrorString(error.code), source=_SOURCE, position=f"line {error.lineno}") from None
    except (ValueError, LookupError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"cannot be decoded: {str(error)[:60]}", source=_SOURCE) from None
    top = root.inside[0]
    if top.tag != "topology" or top.attrs.get("version", "").split(".")[0] not in ("2", "3"):
        raise BadInput("not an hwloc topology of version 2 or 3", source=_SOURCE, hint="lstopo --of xml FILE")
    return top


def _no_declarations(*_: object) -> NoReturn:
    raise BadInput("the document declares entities or elements of its own", source=_SOURCE, hint="hwloc never does")


def _cpus_below(pus: list[_Object]) -> dict[_Object | None, int]:
    """Each object -> mask of the PUs in it."""
    masks: dict[_Object | None, int] = {}
    for pu in pus:
        cpu = pu.need("os_index")
        if cpu > MAX_ID:
            raise pu.bad(f"PU {cpu} is above id {MAX_ID}")
        one: _Object | None = pu
        while one is not None:
            masks[one] = masks.get(one, 0) | 1 << cpu
            one = one.parent
    return masks


def _home(node: _Object) -> _Object | None:
    """The object that a memory object hangs on, past memory-side caches."""
    above = node.parent
    while above is not None and above.attrs.get("type") == "MemCache":
        above = above.parent
    return above


def _rows(top: _Object, pus: list[_Object], nodes: Mapping[int, int]) -> Iterator[CpuRow]:
    package, die, l3, l2, core = (_labels(top, kind) for kind in ("Package", "Die", "L3Cache", "L2Cache", "Core"))
    cluster, book, drawer = (_subtypes(top, kind) for kind in ("Cluster", "Book", "Drawer"))
    kinds, capacity, max_khz = _cpu_kinds(top)
    for pu in pus:
        cpu = pu.need("os_index")
        yield CpuRow(
            cpu,
            core(pu),
            l3(pu),
            tuple(node for node, mask in nodes.items() if mask >> cpu & 1) or None,
            package(pu),
            l2=l2(pu),
            cluster=cluster(pu),
            die=die(pu),
            book=book(pu),
            drawer=drawer(pu),
            kind=kinds.get(cpu),
            capacity=capacity.get(cpu),
            max_khz=max_khz.get(cpu),
        )


Label = Callable[[_Object], int | None]


def _labels(top: _Object, kind: str) -> Label:
    """PU -> label of the object of this type above it: os_index where those differ, else the order."""
    return _lookup(list(top.all("object", kind)), keep=kind == "Package")


def _subtypes(top: _Object, kind: str) -> Label:
    return _lookup([one for one in top.all("object", "Group") if one.attrs.get("subtype") == kind], keep=False)


def _lookup(objects: list[_Object], *, keep: bool) -> Label:
    ids = [one.number("os_index") for one in objects]
    unique = keep and None not in ids and len(set(ids)) == len(ids)
    labels = {one: index if unique else order for order, (one, index) in enumerate(zip(objects, ids, strict=True))}

    def label(pu: _Object) -> int | None:
        above: _Object | None = pu
        while above is not None and above not in labels:
            above = above.parent
        return None if above is None else labels[above]

    return label


def _huge_pages(node: _Object) -> dict[int, int]:
    """Page size -> pages, without the smallest size, which is ordinary memory."""
    pages = {page.need("size"): page.need("count") for page in node.inside if page.tag == "page_type"}
    return {size: pages[size] for size in sorted(pages)[1:]}


def _distances(top: _Object, nodes: set[int]) -> dict[tuple[int, int], int]:
    """The latency matrix between NUMA nodes, in the units of the ACPI SLIT."""
    for table in top.all("distances2"):
        latency = (table.number("kind") or 0) & 4
        if table.attrs.get("type") == "NUMANode" and table.attrs.get("indexing") == "os" and latency:
            ids, values = _numbers(table, "indexes"), _numbers(table, "u64values")
            if len(values) != len(ids) ** 2 or not nodes.issuperset(ids):
                raise table.bad(f"{len(values)} distances between {len(ids)} NUMA nodes")
            return {(a, b): values[i * len(ids) + j] for i, a in enumerate(ids) for j, b in enumerate(ids)}
    return {}


def _numbers(table: _Object, tag: str) -> list[int]:
    parts = [part for one in table.inside if one.tag == tag for part in one.text.split()]
    for part in parts:
        if not _NUMBER.fullmatch(part):
            raise table.bad(f"expected a number in <{tag}>, found {part[:20]!r}")
    return [int(part) for part in parts]


def _cpu_kinds(top: _Object) -> tuple[Mapping[int, CoreKind], Mapping[int, int], Mapping[int, int]]:
    """Kind, capacity and top frequency of the CPUs, where the export has them."""
    said: dict[int, CoreKind] = {}
    numbers: dict[str, dict[int, int]] = {"LinuxCapacity": {}, "FrequencyMaxMHz": {}}
    for group in top.all("cpukind"):
        cpus = CpuSet.from_mask(_mask(group))
        for info in group.all("info"):
            key, value = info.attrs.get("name"), info.attrs.get("value")
            if key in numbers:
                numbers[key].update(dict.fromkeys(cpus, info.need("value")))
            elif key == "CoreType" and value in ("IntelCore", "IntelAtom"):
                said.update(dict.fromkeys(cpus, "performance" if value == "IntelCore" else "efficiency"))
    capacity, speed = numbers["LinuxCapacity"], {cpu: mhz * 1000 for cpu, mhz in numbers["FrequencyMaxMHz"].items()}
    return said or kinds_of(capacity, speed), capacity, speed


def _mask(group: _Object) -> int:
    """hwloc's mask text: 32-bit groups, each with 0x; an empty group is 0."""
    mask = 0
    parts = group.attrs.get("cpuset", "").split(",")
    if len(parts) > MAX_ID // 32 + 1:
        raise group.bad(f"the cpuset reaches beyond id {MAX_ID}")
    for part in parts:
        found = _MASK_PART.fullmatch(part)
        if found is None:
            raise group.bad(f"cannot read the cpuset part {part[:20]!r}")
        mask = mask << 32 | int(found[1] or "0", 16)
    return mask


def _devices(top: _Object, cpus_of: Mapping[_Object | None, int], nodes: Mapping[int, int]) -> Iterator[Device]:
    seen = set()
    for pci in top.all("object", "PCIDev"):
        code, _, rest = pci.attrs.get("pci_type", "").partition(" ")
        kind = kind_of(code, rest[1:5])
        address = pci.attrs.get("pci_busid", "")
        names = [one.attrs.get("name", "") for one in pci.all("object", "OSDev")]
        names = [one for one in names if one and not _INTERFACES.match(one)]
        near = _near(pci, cpus_of)
        for one in names or [address] * bool(kind and address):
            if one not in seen:
                seen.add(one)
                yield Device(
                    name=one,
                    kind=_os_kind(one, kind),
                    pci=address or None,
                    node=_node_of(near, nodes),
                    local_cpus=CpuSet.from_mask(near),
                )


def _os_kind(name: str, kind: str | None) -> str:
    """NICs and their verbs devices share a PCI function: the kernel names the latter driver_number or ibp.., rocep.."""
    if kind in ("nic", "ib"):
        return "ib" if re.fullmatch(r"[a-z0-9]+_[0-9]+|(?:ib|roce)p.*|qib.*|hfi1.*", name) else "nic"
    return kind or "block"


def _near(pci: _Object, cpus_of: Mapping[_Object | None, int]) -> int:
    above = pci.parent
    while above not in cpus_of:
        above = above.parent if above else None
    return cpus_of[above]


def _node_of(near: int, nodes: Mapping[int, int]) -> int | None:
    """The node whose CPUs these are, the lowest of equals; None when they are those of no single node."""
    return next((node for node, mask in sorted(nodes.items()) if mask == near), None)
