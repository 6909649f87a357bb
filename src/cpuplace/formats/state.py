"""A `HostState` as JSON and back: policy, who holds what, what is remembered; read back exactly.

The host itself is not in it, only what tells it apart: a state is read *for* a topology, and one of another shape
is refused with the difference. `SCHEMA` is the JSON Schema (draft 2020-12); a newer version is refused.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from cpuplace.errors import BadInput
from cpuplace.formats import policy as policy_format
from cpuplace.formats.json_fields import Field, load
from cpuplace.formats.state_container import CONTAINER, container_dict, nonempty, read_container, read_text
from cpuplace.idset import CpuSet
from cpuplace.invariants import violations
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import Assignment, HostState, Remembered
from cpuplace.topology import Topology
from cpuplace.transitions import with_owner, with_shared

VERSION: Final = 1
_SHAPE: Final[Mapping[str, str]] = {
    "online": "CPUs online",
    "isolated": "kernel-isolated CPUs",
    "nodes": "CPUs of the NUMA nodes",
    "packages": "CPUs of the packages",
    "l3_groups": "CPUs that share an L3",
    "cores": "CPUs that share a core",
}
"""What of a host is compared, widest first, with the words for it."""

_CPUS: Final = {"type": "string", "pattern": "^[0-9,:/-]*$", "description": "a CPU list like 0-3,8"}
_GROUPS: Final = {"type": "object", "additionalProperties": _CPUS}

SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Who holds what on a host, as cpuplace saves it",
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "host", "policy", "version", "containers"],
    "properties": {
        "schema": {"const": VERSION},
        "host": {
            "type": "object",
            "additionalProperties": False,
            "required": list(_SHAPE),
            "properties": {
                "name": {"type": "string"},
                "online": _CPUS,
                "isolated": _CPUS,
                "nodes": _GROUPS,
                "packages": {"type": "array", "items": _CPUS},
                "l3_groups": {"type": "array", "items": _CPUS},
                "cores": {"type": "array", "items": _CPUS},
            },
        },
        "policy": {key: value for key, value in policy_format.schema().items() if key not in ("$schema", "title")},
        "version": {"type": "integer", "minimum": 0},
        "containers": {"type": "array", "items": CONTAINER},
        "remembered": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["pod", "name", "cpus"],
                "properties": {
                    "pod": {"type": "string"},
                    "name": {"type": "string"},
                    "cpus": _CPUS,
                    "init": {"type": "boolean"},
                },
            },
        },
        "told": _CPUS,
        "held_apart": _GROUPS,
        "low_pool": {"type": "boolean"},
    },
}


def render(state: HostState) -> str:
    """The state as JSON text, one line a container; `parse` with the same topology gives the same value back.

    >>> print(render(HostState.empty(Topology.uniform()))[:69])
    {"schema": 1,
     "host": {"online": "0", "isolated": "", "nodes": {"0":
    """
    parts = [f"{json.dumps(key)}: {_block(value)}" for key, value in to_dict(state).items()]
    return "{" + ",\n ".join(parts) + "}"


def _block(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "]"


def to_dict(state: HostState) -> dict[str, Any]:
    """The state as plain values for JSON, in the shape of `SCHEMA`."""
    requests = [one.request for one in state.owners.values()] + list(state.shared.values())
    values: dict[str, Any] = {
        "schema": VERSION,
        "host": shape(state.topology),
        "policy": policy_format.render(state.policy),
        "version": state.version,
        "containers": [container_dict(request, state.owners.get(request.container_id)) for request in requests],
    }
    if state.told != state.pool_mask:
        values["told"] = _list(state.told)  # also when that is of no CPU
    return values | nonempty(
        remembered=[
            {"pod": pod, "name": name, "cpus": _list(held.cpus)} | nonempty(init=held.init)
            for (pod, name), held in state.remembered.items()
        ],
        held_apart={key: _list(mask) for key, mask in state.apart.items()},
        low_pool=state.low_pool,
    )


def _list(mask: int) -> str:
    return str(CpuSet.from_mask(mask))


def shape(host: Topology) -> dict[str, Any]:
    """What tells one host from another, as plain values; memory sizes drift and are not in it.

    >>> shape(Topology.uniform(cores_per_l3=2))["cores"]
    ['0', '1']
    """
    return nonempty(name=host.name) | {
        "online": str(host.online),
        "isolated": str(host.isolated),
        "nodes": {str(node.id): str(node.cpus) for node in host.nodes},
        "packages": [str(package.cpus) for package in host.packages],
        "l3_groups": [str(group.cpus) for group in host.l3_groups],
        "cores": [str(core.cpus) for core in host.cores],
    }


def saved_host(text: str | bytes, *, source: str = "state") -> str:
    """The name of the host that a state was saved for, "" when it has none; BadInput when it is no state."""
    return _top(text, source).need("host").maybe("name", Field.text, "")


def is_state(text: str | bytes) -> bool:
    """True when this looks like a saved state; never raises.

    >>> is_state(render(HostState.empty(Topology.uniform()))), is_state('{"schema": 1}'), is_state("[")
    (True, False, False)
    """
    try:
        top: Any = load(text, source="").value
    except BadInput:
        return False
    return isinstance(top, dict) and {"host", "policy", "containers"} <= top.keys()


def parse(text: str | bytes, topology: Topology, *, source: str = "state") -> HostState:
    """The state that `render` wrote, on this host; O(containers^2), since everything is checked.

    Raises BadInput with line or field for anything else: a file cut short, a newer version, a host of another
    shape (saying what differs), and whatever breaks an invariant.
    """
    top = _top(text, source)
    _check_host(top.need("host"), topology)
    state = _read(top, topology)
    for one in state.assignments.values():
        _check_withheld(one, state, top)
    for name, held in state.remembered.items():
        _check_remembered(name, held, state, top)
    _check_told(state, top)
    return _checked(state, top)


def parse_unchecked(text: str | bytes, topology: Topology, *, source: str = "state") -> HostState:
    """The state as it was written, whatever promises it breaks: for a doctor, never to decide on.

    CPUs that were online when it was saved may be offline now, or the other way round; a host of any other shape,
    and a text that is no state, are BadInput as for `parse`.

    >>> state = HostState.empty(Topology.uniform())
    >>> parse_unchecked(render(state), state.topology) == state
    True
    """
    top = _top(text, source)
    host = top.need("host")
    online = host.need("online").cpus()
    exist = CpuSet(cpu.id for cpu in topology.cpus)
    _check_host(host, topology.with_online(online) if online and online <= exist else topology)
    return _read(top, topology)


def _read(top: Field, topology: Topology) -> HostState:
    """Everything that the file says, on this host, with none of it checked against the rest."""
    policy = policy_format.read(top.need("policy"))
    try:
        state = HostState.empty(topology, policy)
    except BadInput as bad:
        raise top.need("policy").bad(f"{bad.position}: {bad.problem}", bad.hint) from None
    for field in top.need("containers").items():
        state = _with(state, field)
    nothing: dict[str, int] = {}
    return evolve(
        state,
        version=top.need("version").number(),
        remembered=top.maybe("remembered", _remembered, {}),
        told=top.maybe("told", Field.cpus, state.pool).mask,
        apart=top.maybe("held_apart", lambda field: _held_apart(field, state), nothing),
        low_pool=top.maybe("low_pool", Field.flag, False),
    )


def _top(text: str | bytes, source: str) -> Field:
    top = load(text, source=source)
    version = top.need("schema").number()
    if version != VERSION:
        hint = "written by a newer cpuplace?" if version > VERSION else ""
        raise top.need("schema").bad(f"version {version} cannot be read, only {VERSION}", hint)
    return top.known(*SCHEMA["properties"])


def _check_host(field: Field, topology: Topology) -> None:
    """Refuse a host of another shape, naming the widest thing that differs."""
    field.known("name", *_SHAPE)
    ours = shape(topology)
    for name, words in _SHAPE.items():
        saved = field.need(name).value
        if saved != ours[name]:
            raise field.need(name).bad(
                f"was saved for another host: {words} were {_short(saved)}, on "
                f"{topology.name or 'this host'} they are {_short(ours[name])}",
                f"it was saved for {field.maybe('name', Field.text, '') or 'a host without a name'}",
            )


def _short(value: object) -> str:
    """A host's fact in a few words."""
    if isinstance(value, str):
        return value[:60] or "none"
    items = [f"{key}: {cpus}" for key, cpus in value.items()] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return json.dumps(value)[:40]
    return f"{len(items)} ({'; '.join(str(item)[:40] for item in items[:3])}{'; ...' if len(items) > 3 else ''})"


def _with(state: HostState, field: Field) -> HostState:
    """The state with the container that this field describes."""
    one = read_container(field, state.topology)
    request = one.request if isinstance(one, Assignment) else one
    if request.container_id in state:
        raise field.bad(f"a second container {request.container_id!r}")
    if (request.pod, request.name) in state.by_name:
        raise field.bad(f"a second container {request.name!r} of pod {request.pod!r}")
    return with_shared(state, one) if isinstance(one, ContainerRequest) else with_owner(state, one)


def _remembered(field: Field) -> dict[tuple[str, str], Remembered]:
    found: dict[tuple[str, str], Remembered] = {}
    for one in field.items():
        one.known("pod", "name", "cpus", "init")
        key = (read_text(one.need("pod")), read_text(one.need("name")))
        if key in found:
            raise one.bad(f"container {key[1]!r} of pod {key[0]!r} is remembered twice")
        found[key] = Remembered(one.need("cpus").cpus().mask, one.maybe("init", Field.flag, False))
    return found


def _held_apart(field: Field, state: HostState) -> dict[str, int]:
    more = {}
    for key, one in field.entries():
        if key not in state.shared:
            raise one.bad(f"{key[:40]!r} is no shared container of this state")
        more[key] = one.cpus().mask
    return more


def _check_withheld(one: Assignment, state: HostState, top: Field) -> None:
    outside = one.withheld if one.kind is not Kind.INTEGER else one.withheld - state.usable
    if outside:
        raise top.need("containers").bad(f"{one.container_id}: CPUs {outside} cannot be withheld by it")


def _check_remembered(name: tuple[str, str], held: Remembered, state: HostState, top: Field) -> None:
    """CPUs of the host; some of them may be offline for now, and come back."""
    absent = CpuSet.from_mask(held.cpus) - CpuSet(cpu.id for cpu in state.topology.cpus)
    if absent:
        pod, container = name
        raise top.need("remembered").bad(
            f"remembers CPUs that the host does not have: {absent}, for {container!r} of pod {pod!r}"
        )


def _check_told(state: HostState, top: Field) -> None:
    """What shared containers were told of (R7): only lazy widening makes it differ from the pool."""
    same = state.told == state.pool_mask and not state.apart
    if not same and state.policy.widen != "lazy" and not state.low_pool:
        told = CpuSet.from_mask(state.told)
        raise top.bad(f"shared containers were told of {told}, the pool is {state.pool}", "only with widen: lazy")


def _checked(state: HostState, top: Field) -> HostState:
    """The state itself; BadInput with the first promise of section 7 that it breaks."""
    for broken in violations(state)[:1]:
        who = ", ".join(broken.containers)
        raise top.need("containers").bad(
            f"cannot be: {who + ': ' if who else ''}{broken.sentence} ({broken.invariant})", "was it edited by hand?"
        )
    return state
