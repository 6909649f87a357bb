"""cpuplace's own JSON for a `Topology`: versioned, complete, read back exactly.

`SCHEMA` is its JSON Schema (draft 2020-12). Fields that say nothing are left out; a newer version is refused,
because a reader that skips what it does not know would place on a host that is not there.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from cpuplace.errors import BadInput
from cpuplace.formats.json_fields import Field, load
from cpuplace.hardware import CoreKind, Cpu, Device
from cpuplace.idset import NO_CPUS
from cpuplace.topology import Topology

T = TypeVar("T")

VERSION: Final = 1

_LABELS: Final = ("core", "package", "l2", "l3", "cluster", "die", "book", "drawer", "capacity", "max_khz")
_KINDS: Final[Mapping[str, CoreKind]] = {"performance": "performance", "efficiency": "efficiency"}

_ID: Final = {"type": "integer", "minimum": 0, "maximum": 65536}
_COUNT: Final = {"type": "integer", "minimum": 0}
_LIST: Final = {"type": ["string", "null"], "pattern": "^[0-9,:/-]*$", "description": "a CPU list like 0-3,8"}


_SIZE: Final = re.compile("[1-9][0-9]{0,17}", re.ASCII)


def _object(required: list[str], **fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": fields}


SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A host as cpuplace describes it",
    **_object(
        ["schema", "cpus", "nodes"],
        schema={"const": VERSION},
        name={"type": ["string", "null"]},
        cpus={
            "type": "array",
            "minItems": 1,
            "items": _object(
                ["id", "core", "nodes"],
                id=_ID,
                nodes={"type": "array", "minItems": 1, "items": _ID},
                online={"type": ["boolean", "null"]},
                kind={"enum": [*_KINDS, None]},
                core=_COUNT,
                **{label: {"type": ["integer", "null"], "minimum": 0} for label in _LABELS[1:]},
            ),
        },
        nodes={
            "type": "array",
            "items": _object(
                ["id"],
                id=_ID,
                memory_bytes={"type": ["integer", "null"], "minimum": 0},
                huge_pages={
                    "type": ["object", "null"],
                    "propertyNames": {"pattern": f"^{_SIZE.pattern}$"},
                    "additionalProperties": _COUNT,
                },
            ),
        },
        distances={
            "type": ["array", "null"],
            "items": {"type": "array", "minItems": 3, "maxItems": 3, "items": _COUNT},
            "description": "[from node, to node, distance]",
        },
        isolated=_LIST,
        nohz_full=_LIST,
        devices={
            "type": ["array", "null"],
            "items": _object(
                ["name", "kind"],
                name={"type": "string", "minLength": 1},
                kind={"type": "string"},
                pci={"type": ["string", "null"]},
                node={"type": ["integer", "null"], "minimum": 0},
                local_cpus=_LIST,
                queues={"type": ["integer", "null"], "minimum": 0},
            ),
        },
    ),
}


def render(host: Topology) -> str:
    """The host as JSON text, one line a CPU, node or device; `parse` gives the same value back.

    >>> print(render(Topology.uniform()))
    {"schema": 1,
     "cpus": [
      {"id": 0, "core": 0, "nodes": [0], "package": 0, "l3": 0}],
     "nodes": [
      {"id": 0}]}
    """
    parts = [f"{json.dumps(key)}: {_block(value)}" for key, value in to_dict(host).items()]
    return "{" + ",\n ".join(parts) + "}"


def _block(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "]"


def to_dict(host: Topology) -> dict[str, Any]:
    """The host as plain values for JSON, in the shape of `SCHEMA`."""
    whole = {
        "schema": VERSION,
        "name": host.name,
        "cpus": [_cpu_dict(cpu) for cpu in host.cpus],
        "nodes": [_node_dict(host, node) for node in host.memory_bytes],
        "distances": [list(row) for row in host.distance_rows],
        "isolated": str(host.isolated),
        "nohz_full": str(host.nohz_full),
        "devices": [_device_dict(device) for device in host.devices],
    }
    return {key: value for key, value in whole.items() if value}


def _cpu_dict(cpu: Cpu) -> dict[str, Any]:
    labels = {label: getattr(cpu, label) for label in _LABELS}
    said = {label: value for label, value in labels.items() if value is not None}
    head = {"id": cpu.id, "core": cpu.core, "nodes": list(cpu.nodes)}
    return head | said | ({} if cpu.online else {"online": False}) | ({"kind": cpu.kind} if cpu.kind else {})


def _node_dict(host: Topology, node: int) -> dict[str, Any]:
    memory, pages = host.memory_bytes[node], host.huge_pages.get(node)
    return (
        {"id": node}
        | ({} if memory is None else {"memory_bytes": memory})
        | ({} if pages is None else {"huge_pages": {str(size): count for size, count in pages.items()}})
    )


def _device_dict(device: Device) -> dict[str, Any]:
    known = {
        "pci": device.pci,
        "node": device.node,
        "local_cpus": str(device.local_cpus) or None,
        "queues": device.queues,
    }
    return {"name": device.name, "kind": device.kind} | {
        key: value for key, value in known.items() if value is not None
    }


def parse(text: str | bytes, *, source: str = "topology") -> Topology:
    """The host that `render` wrote; BadInput with line or field for anything else, a newer version included."""
    return from_field(load(text, source=source))


def from_field(top: Field) -> Topology:
    """The host in an already parsed document (or a part of one)."""
    version = top.need("schema").number()
    if version != VERSION:
        hint = "written by a newer cpuplace?" if version > VERSION else ""
        raise top.need("schema").bad(f"version {version} cannot be read, only {VERSION}", hint)
    top.known(*SCHEMA["properties"])
    try:
        return Topology(
            cpus=tuple(sorted(map(_cpu, top.need("cpus").items()), key=lambda cpu: cpu.id)),
            memory_bytes=_by_node(top, lambda node: node.maybe("memory_bytes", Field.number, None)),
            huge_pages={
                node: pages
                for node, pages in _by_node(top, lambda node: node.maybe("huge_pages", _pages, None)).items()
                if pages is not None
            },
            distance_rows=top.maybe("distances", _distances, ()),
            isolated=top.maybe("isolated", Field.cpus, NO_CPUS),
            nohz_full=top.maybe("nohz_full", Field.cpus, NO_CPUS),
            devices=top.maybe("devices", lambda field: tuple(map(_device, field.items())), ()),
            name=top.maybe("name", Field.text, ""),
        )
    except BadInput as bad:
        raise BadInput(bad.problem, source=top.source, position=bad.position, hint=bad.hint) from None


def _by_node(top: Field, read: Callable[[Field], T]) -> dict[int, T]:
    found: dict[int, T] = {}
    for node in top.need("nodes").items():
        one = node.known("id", "memory_bytes", "huge_pages").need("id").number()
        if one in found:
            raise node.bad(f"node {one} is described twice")
        found[one] = read(node)
    return found


def _cpu(field: Field) -> Cpu:
    field.known("id", "nodes", "online", "kind", *_LABELS)
    labels = {label: field.maybe(label, Field.number, None) for label in _LABELS[1:]}
    return Cpu(
        id=field.need("id").number(),
        core=field.need("core").number(),
        nodes=tuple(sorted({node.number() for node in field.need("nodes").items()})),
        online=field.maybe("online", Field.flag, True),
        kind=field.maybe("kind", _kind, None),
        **labels,
    )


def _kind(field: Field) -> CoreKind:
    if field.text() not in _KINDS:
        raise field.bad(f"unknown kind {field.value[:40]!r}", "performance or efficiency")
    return _KINDS[field.value]


def _pages(field: Field) -> dict[int, int]:
    pages = {}
    for size, count in field.entries():
        if not _SIZE.fullmatch(size):
            raise count.bad("expected a page size in bytes", "like 2097152")
        pages[int(size)] = count.number()
    return pages


def _distances(field: Field) -> tuple[tuple[int, int, int], ...]:
    rows = []
    for row in field.items():
        numbers = [one.number() for one in row.items()]
        if len(numbers) != 3:
            raise row.bad(f"expected [from, to, distance], found {len(numbers)} numbers")
        rows.append((numbers[0], numbers[1], numbers[2]))
    return tuple(sorted(rows))


def _device(field: Field) -> Device:
    field.known("name", "kind", "pci", "node", "local_cpus", "queues")
    return Device(
        name=field.need("name").text(),
        kind=field.need("kind").text(),
        pci=field.maybe("pci", Field.text, None),
        node=field.maybe("node", Field.number, None),
        local_cpus=field.maybe("local_cpus", Field.cpus, NO_CPUS),
        queues=field.maybe("queues", Field.number, None),
    )
