"""One container of a saved state: its request, and what it holds when it is not a shared one."""

from collections.abc import Mapping
from typing import Any, Final

from cpuplace.errors import BadInput
from cpuplace.formats import policy as policy_format
from cpuplace.formats.json_fields import Field
from cpuplace.idset import NO_CPUS, NodeSet
from cpuplace.policy import Policy
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import Assignment
from cpuplace.topology import Topology
from cpuplace.wishes import NO_WISHES, Wishes

_LIST: Final = {"type": "string", "pattern": "^[0-9,:/-]*$"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_HELD: Final = ("cpus", "mems", "preferred", "withheld", "baseline", "rule", "degraded")

CONTAINER: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "pod", "name", "kind"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "pod": {"type": "string"},
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "kind": {"enum": [kind.value for kind in Kind]},
        "count": _COUNT,
        "pin": _LIST,
        "forbid": _LIST,
        "wishes": policy_format.schema()["properties"]["wishes"],
        "limit": _COUNT,
        "memory_bytes": _COUNT,
        "huge_pages": {"type": "object", "additionalProperties": _COUNT},
        "init": {"type": "boolean"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "cpus": _LIST,
        "mems": _LIST,
        "preferred": _LIST,
        "withheld": _LIST,
        "baseline": _LIST,
        "rule": {"type": "string"},
        "degraded": {"type": "string"},
    },
    "description": "what it asked for, then (unless it is shared) what it holds: cpus and what follows",
}
"""The JSON Schema of one container."""

REQUEST: Final[Mapping[str, Any]] = {
    name: schema for name, schema in CONTAINER["properties"].items() if name not in _HELD
}
"""Those of its fields that say what it asked for."""


def nonempty(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value not in (None, "", 0, [], {})}


def container_dict(request: ContainerRequest, held: Assignment | None) -> dict[str, Any]:
    """A request and what it holds (None for a shared container, whose CPUs follow from the pool)."""
    said = request_dict(request)
    return said if held is None else said | _held_dict(held)


def request_dict(request: ContainerRequest) -> dict[str, Any]:
    """What a container asked for; what goes without saying is left out."""
    said: dict[str, Any] = {
        "id": request.container_id,
        "pod": request.pod,
        "name": request.name,
        "kind": request.kind.value,
    }
    said |= {} if request.namespace == "default" else {"namespace": request.namespace}
    said |= nonempty(
        count=request.count,
        pin=str(request.pin),
        forbid=str(request.forbid),
        wishes=policy_format.render(Policy(wishes=request.wishes))["wishes"],
        memory_bytes=request.memory_bytes,
        huge_pages={str(size): amount for size, amount in request.huge_pages.items()},
        init=request.init,
        notes=list(request.notes),
    )
    return said | ({} if request.limit is None else {"limit": request.limit})


def _held_dict(held: Assignment) -> dict[str, Any]:
    nodes = {"mems": held.mems, "preferred": held.preferred}
    return (
        {"cpus": str(held.cpus)}
        | {name: str(some) for name, some in nodes.items() if some is not None}
        | nonempty(withheld=str(held.withheld), baseline=str(held.baseline), rule=held.rule, degraded=held.degraded)
    )


def read_container(field: Field, topology: Topology) -> Assignment | ContainerRequest:
    """What `container_dict` wrote: the request of a shared container, else its assignment."""
    field.known(*CONTAINER["properties"])
    request = read_request(field)
    if request.kind is not Kind.SHARED:
        return Assignment(
            request,
            field.need("cpus").cpus(),
            field.maybe("mems", lambda some: _nodes(some, topology), None),
            field.maybe("withheld", Field.cpus, NO_CPUS),
            field.maybe("baseline", Field.cpus, NO_CPUS),
            field.maybe("preferred", lambda some: _nodes(some, topology), None),
            field.maybe("rule", read_text, ""),
            field.maybe("degraded", read_text, ""),
        )
    for name in _HELD:
        if name in field.value:
            raise field.need(name).bad("a shared container runs on the pool and holds nothing of its own")
    return request


def read_request(field: Field) -> ContainerRequest:
    """What `request_dict` wrote; other fields are not looked at."""
    try:
        return ContainerRequest(
            container_id=read_text(field.need("id")),
            kind=read_kind(field.need("kind")),
            pod=read_text(field.need("pod")),
            name=read_text(field.need("name")),
            namespace=field.maybe("namespace", read_text, "default"),
            count=field.maybe("count", Field.number, 0),
            pin=field.maybe("pin", Field.cpus, NO_CPUS),
            forbid=field.maybe("forbid", Field.cpus, NO_CPUS),
            wishes=field.maybe("wishes", _wishes, NO_WISHES),
            limit=field.maybe("limit", Field.number, None),
            memory_bytes=field.maybe("memory_bytes", Field.number, 0),
            huge_pages=field.maybe("huge_pages", _pages, {}),
            init=field.maybe("init", Field.flag, False),
            notes=field.maybe("notes", lambda some: tuple(map(read_text, some.items())), ()),
        )
    except BadInput as bad:
        if bad.source == field.source:
            raise
        raise field.bad(bad.problem, bad.hint) from None


def read_text(field: Field) -> str:
    """A text that can be written again: half of a surrogate pair is none."""
    text = field.text()
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise field.bad("holds half a character")
    return text


def read_kind(field: Field) -> Kind:
    """One of the kinds K0-K4."""
    known = {kind.value: kind for kind in Kind}
    if field.text() not in known:
        raise field.bad(f"unknown kind {field.value[:40]!r}", "one of " + ", ".join(known))
    return known[field.value]


def read_nodes(field: Field) -> NodeSet:
    """A list of NUMA nodes, of whatever host."""
    try:
        return NodeSet.parse(field.text())
    except BadInput as bad:
        raise field.bad(bad.problem, bad.hint) from None


def _nodes(field: Field, topology: Topology) -> NodeSet:
    nodes = read_nodes(field)
    absent = nodes - NodeSet(node.id for node in topology.nodes)
    if absent:
        raise field.bad(f"names NUMA nodes the host does not have: {absent}")
    return nodes


def _wishes(field: Field) -> Wishes:
    try:
        return policy_format.parse({"wishes": field.value}, source=field.source).wishes
    except BadInput as bad:
        raise field.bad(f"{bad.position}: {bad.problem}", bad.hint) from None


def _pages(field: Field) -> dict[int, int]:
    pages = {}
    for size, amount in field.entries():
        if not (size.isascii() and size.isdigit() and len(size) < 19):
            raise amount.bad("expected a page size in bytes", "like 2097152")
        pages[int(size)] = amount.number()
    return pages
