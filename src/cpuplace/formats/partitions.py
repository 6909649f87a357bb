"""A `PartitionPlan` as JSON and back: versioned, complete, read back exactly.

`SCHEMA` is its JSON Schema (draft 2020-12). What can be computed (`cpus`, `shared_cpus`, `shared_queues`) is there for
readers and compared when a plan is read; `changes`, which a command may add, is not read.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from cpuplace import cpulist
from cpuplace.errors import BadInput
from cpuplace.formats.json_fields import Field, load
from cpuplace.partitions_pinning import (
    DeviceQueuePin,
    PartitionId,
    PartitionPinning,
    PartitionThreadPins,
    ThreadPinTarget,
)
from cpuplace.partitions_plan import LeftoverQueues, PartitionPlan
from cpuplace.partitions_spec import PartitionRole

VERSION: Final = 1

_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_NAME: Final = {"type": "string", "minLength": 1}
_LIST: Final = {"type": "string", "pattern": "^[0-9,:/-]*$", "description": "a list like 0-3,8"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _object(required: tuple[str, ...] | None = None, **fields: Any) -> dict[str, Any]:
    needed = list(fields) if required is None else list(required)
    return {"type": "object", "additionalProperties": False, "required": needed, "properties": fields}


def _array(**fields: Any) -> dict[str, Any]:
    return {"type": "array", "items": _object(**fields)}


_TARGET: Final = _object(cpus=_LIST, queues=_array(device=_NAME, queue=_COUNT, cpu=_COUNT))

SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Where partitions run, as cpuplace plans it",
    **_object(
        ("schema", "page_bytes", "roles", "partitions"),
        schema={"const": VERSION},
        host=_TEXT,
        page_bytes={"type": "integer", "minimum": 1},
        roles=_array(name=_NAME, devices=_TEXTS, apart={"type": "boolean"}),
        partitions=_array(
            id={"type": ["integer", "string"]},
            numa_node=_COUNT,
            memory_bytes=_COUNT,
            pins={"type": "object", "additionalProperties": _TARGET},
        ),
        cpus=_LIST,
        left_over=_array(device=_NAME, queues=_LIST),
        shared_cpus=_array(cpu=_COUNT, users=_TEXTS),
        shared_queues=_array(device=_NAME, queue=_COUNT, users=_TEXTS),
        notes=_TEXTS,
        changes={"type": "array"},
    ),
}


def render(plan: PartitionPlan) -> str:
    """The plan as JSON text; `parse` gives the same value back.

    >>> print(render(PartitionPlan(pinnings=(), roles=(), page_bytes=4096)).splitlines()[1])
      "schema": 1,
    """
    return json.dumps(to_dict(plan), indent=2, ensure_ascii=False)


def to_dict(plan: PartitionPlan) -> dict[str, Any]:
    """The plan as plain values for JSON, in the shape of `SCHEMA`."""
    return {
        "schema": VERSION,
        "host": plan.host,
        "page_bytes": plan.page_bytes,
        "roles": [{"name": one.name, "devices": list(one.devices), "apart": one.apart} for one in plan.roles],
        "partitions": [
            {
                "id": one.partition_id,
                "numa_node": one.numa_node,
                "memory_bytes": one.memory_bytes,
                "pins": {role: _target_dict(target) for role, target in one.pins.items()},
            }
            for one in plan
        ],
        "left_over": [{"device": one.device, "queues": _list_text(one.queues)} for one in plan.left_over],
        **_computed(plan),
        "notes": list(plan.notes),
    }


def _target_dict(target: ThreadPinTarget) -> dict[str, Any]:
    queues = [{"device": one.device, "queue": one.queue, "cpu": one.cpu} for one in target.queues]
    return {"cpus": str(target.cpus), "queues": queues}


def _list_text(ids: tuple[int, ...]) -> str:
    return cpulist.format_list(sum(1 << one for one in ids))


def _computed(plan: PartitionPlan) -> dict[str, Any]:
    """What a reader could work out."""
    return {
        "cpus": str(plan.cpus),
        "shared_cpus": [{"cpu": one.cpu, "users": list(one.users)} for one in plan.shared_cpus],
        "shared_queues": [
            {"device": one.device, "queue": one.queue, "users": list(one.users)} for one in plan.shared_queues
        ],
    }


def parse(text: str | bytes, *, source: str = "partition plan") -> PartitionPlan:
    """The plan that `render` wrote; BadInput with line or field for anything else, a newer version included."""
    top = load(text, source=source)
    version = top.need("schema").number()
    if version != VERSION:
        hint = "written by a newer cpuplace?" if version > VERSION else ""
        raise top.need("schema").bad(f"version {version} cannot be read, only {VERSION}", hint)
    top.known(*SCHEMA["properties"])
    roles = _unique(top.need("roles"), tuple(map(_role, top.need("roles").items())), "name")
    names = tuple(role.name for role in roles)
    pinnings = tuple(_pinning(one, names) for one in top.need("partitions").items())
    plan = PartitionPlan(
        pinnings=_unique(top.need("partitions"), pinnings, "partition_id"),
        roles=roles,
        page_bytes=top.need("page_bytes").number(least=1),
        left_over=top.maybe("left_over", lambda field: tuple(map(_left_over, field.items())), ()),
        notes=top.maybe("notes", lambda field: tuple(one.text() for one in field.items()), ()),
        host=top.maybe("host", Field.text, ""),
    )
    _compare(top, plan)
    return plan


def _unique(field: Field, values: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    keys = Counter(str(getattr(value, name)) for value in values)
    twice = next((key for key, times in keys.items() if times > 1), None)
    if twice is not None:
        raise field.bad(f"{twice[:40]!r} is there twice")
    return values


def _compare(top: Field, plan: PartitionPlan) -> None:
    """Refuse a plan that was edited in one place only."""
    for name, value in _computed(plan).items():
        if top.maybe(name, lambda field: field.value, value) != value:
            raise top.need(name).bad("does not fit the pins of the partitions")


def _role(field: Field) -> PartitionRole:
    field.known("name", "devices", "apart")
    devices = tuple(one.text() for one in field.need("devices").items())
    name, apart = field.need("name").text(), field.need("apart").flag()
    try:
        return PartitionRole(name, devices, apart=apart)
    except BadInput as bad:
        raise field.bad(bad.problem) from None


def _pinning(field: Field, roles: tuple[str, ...]) -> PartitionPinning:
    field.known("id", "numa_node", "memory_bytes", "pins")
    pins = field.need("pins")
    targets = tuple((role, _target(one)) for role, one in pins.entries())
    if tuple(role for role, _ in targets) != roles:
        raise pins.bad("has other roles than the plan", f"in this order: {', '.join(roles)}")
    return PartitionPinning(
        partition_id=_id(field.need("id")),
        numa_node=field.need("numa_node").number(),
        memory_bytes=field.need("memory_bytes").number(),
        pins=PartitionThreadPins(targets),
    )


def _id(field: Field) -> PartitionId:
    return field.text() if isinstance(field.value, str) else field.number()


def _target(field: Field) -> ThreadPinTarget:
    cpus = field.known("cpus", "queues").need("cpus").cpus()
    queues = tuple(map(_queue, field.need("queues").items()))
    if any(one.cpu not in cpus for one in queues):
        raise field.bad("a queue is at a CPU that the role does not have")
    return ThreadPinTarget(cpus, queues)


def _queue(field: Field) -> DeviceQueuePin:
    field.known("device", "queue", "cpu")
    return DeviceQueuePin(field.need("device").text(), field.need("queue").number(), field.need("cpu").number())


def _left_over(field: Field) -> LeftoverQueues:
    queues = field.known("device", "queues").need("queues").cpus()
    return LeftoverQueues(field.need("device").text(), tuple(queues))
