"""Events as JSON lines: one object a line; what plugins record, bug reports carry and `replay` plays again.

The first line may say where it happened: `schema`, and `host`, `policy`, `source`, `why` where known. Empty lines and
lines that begin with # are skipped. The JSON Schema of a line is `events_schema.SCHEMA`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.events import (
    NOTHING_EXPECTED,
    Event,
    Expect,
    Forget,
    Hotplug,
    Rebalance,
    Release,
    Resize,
    Restart,
    Seen,
    Start,
)
from cpuplace.formats import cpuplace_json
from cpuplace.formats import policy as policy_format
from cpuplace.formats.events_schema import VERSION
from cpuplace.formats.json_fields import Field, load
from cpuplace.formats.state_container import REQUEST, nonempty, read_nodes, read_request, read_text, request_dict
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.policy import Policy
from cpuplace.request import ContainerRequest, Kind
from cpuplace.topology import Topology

_PINS: Final = (Kind.PINNED, Kind.PINNED_SHARED)
_COMMON: Final = ("event", "at", "expect")
_HEAD: Final = ("schema", "host", "policy", "one_step_per_container", "source", "why")


@frozen(slots=True, kw_only=True)
class Recording:
    """A whole file: `host` is a word for `--host`, or the host itself; None where the first line does not say.

    `one_step_per_container`: it was decided for a runtime that takes one update each.
    """

    events: tuple[Event, ...]
    host: str | Topology | None = None
    policy: Policy | None = None
    one_step_per_container: bool = False
    source: str = ""
    why: str = ""


# --- reading -------------------------------------------------------------------------------------


def parse(text: str, *, source: str = "events") -> Recording:
    """The events of a file in order; BadInput with the line and field of whatever is none.

    >>> parse('{"event": "place", "id": "db", "count": 2}').events[0].request.count
    2
    """
    fields = list(_lines(text, source))
    head = None
    if fields and _is_head(fields[0][1]):
        head = fields.pop(0)[1].known(*_HEAD)
    events = tuple(_event(number, field) for number, field in fields)
    if head is None:
        return Recording(events=events)
    version = head.need("schema").number()
    if version != VERSION:
        hint = "written by a newer cpuplace?" if version > VERSION else ""
        raise head.need("schema").bad(f"version {version} cannot be read, only {VERSION}", hint)
    return Recording(
        events=events,
        host=head.maybe("host", _host, None),
        policy=head.maybe("policy", policy_format.read, None),
        one_step_per_container=head.maybe("one_step_per_container", Field.flag, False),
        source=head.maybe("source", read_text, ""),
        why=head.maybe("why", read_text, ""),
    )


def _lines(text: str, source: str) -> Iterator[tuple[int, Field]]:
    """Line number and value of every line that holds something."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            try:
                value = load(line, source=source).value
            except BadInput as bad:
                column = f" {str(bad.position).removeprefix('line 1 ')}" if bad.position else ""
                raise BadInput(bad.problem, source=source, position=f"line {number}{column}", hint=bad.hint) from None
            yield number, Field(value, f"line {number}", source)


def _is_head(field: Field) -> bool:
    return isinstance(field.value, dict) and "schema" in field.value


def _host(field: Field) -> str | Topology:
    if isinstance(field.value, str):
        return read_text(field)
    try:
        return cpuplace_json.from_field(field)
    except BadInput as bad:
        raise BadInput(bad.problem, source=field.source, position=bad.position or field.path, hint=bad.hint) from None


def _event(number: int, field: Field) -> Event:
    word = field.need("event").text()
    if word not in _READERS:
        raise field.need("event").bad(f"unknown event {word[:40]!r}", "one of " + ", ".join(_READERS))
    names, read = _READERS[word]
    field.known(*_COMMON, *names)
    common = {
        "line": number,
        "at": field.maybe("at", read_text, ""),
        "expect": field.maybe("expect", _expect, NOTHING_EXPECTED),
    }
    return read(field, common)


def _start(field: Field, common: dict[str, Any]) -> Event:
    pin = field.value["event"] == "pin"
    if pin:
        field.need("pin")
    return Start(request=_short_request(field, pin=pin), **common)


def _short_request(field: Field, *, pin: bool) -> ContainerRequest:
    """A request of which what goes without saying may be missing: pod and name (the id), kind, limit."""
    key, said = field.need("id").text(), field.value
    counts = field.maybe("count", Field.number, 0) > 0
    kind = Kind.PINNED if pin else Kind.INTEGER if counts else Kind.SHARED
    obvious = {"pod": key, "name": key, "kind": kind.value, "limit": said.get("count") if counts else None}
    request = read_request(Field(obvious | said, field.path, field.source))
    if pin and request.kind not in _PINS:
        raise field.need("kind").bad(f"a pin is {' or '.join(_PINS)}, not {request.kind}")
    return request


def _release(field: Field, common: dict[str, Any]) -> Event:
    return Release(container_id=read_text(field.need("id")), **common)


def _forget(field: Field, common: dict[str, Any]) -> Event:
    return Forget(pod=read_text(field.need("pod")), **common)


def _resize(field: Field, common: dict[str, Any]) -> Event:
    return Resize(container_id=read_text(field.need("id")), count=field.need("count").number(), **common)


def _hotplug(field: Field, common: dict[str, Any]) -> Event:
    return Hotplug(cpus=field.need("cpus").cpus(), online=field.value["event"] == "online", **common)


def _rebalance(field: Field, common: dict[str, Any]) -> Event:
    return Rebalance(max_moves=field.need("max_moves").number(), **common)


def _restart(field: Field, common: dict[str, Any]) -> Event:
    nothing: tuple[Seen, ...] | None = None
    observed = field.maybe("observed", lambda some: tuple(map(_seen, some.items())), nothing)
    return Restart(
        observed=observed,
        kept=field.maybe("kept", Field.flag, False),
        policy=field.maybe("policy", policy_format.read, None),
        **common,
    )


def _seen(field: Field) -> Seen:
    field.known("cpus", "mems", *REQUEST)
    short = set(field.value) <= {"id", "cpus", "mems"}
    return Seen(
        container_id=read_text(field.need("id")),
        cpus=field.maybe("cpus", Field.cpus, NO_CPUS),
        mems=field.maybe("mems", read_nodes, None),
        request=None if short else _short_request(field, pin="pin" in field.value and "kind" not in field.value),
    )


def _expect(field: Field) -> Expect:
    field.known("cpus", "refused", "holds", "pool")
    nothing: dict[str, CpuSet | None] = {}
    return Expect(
        cpus=field.maybe("cpus", Field.cpus, None),
        refused=field.maybe("refused", read_text, None),
        holds=field.maybe("holds", _holds, nothing),
        pool=field.maybe("pool", Field.cpus, None),
    )


def _holds(field: Field) -> dict[str, CpuSet | None]:
    return {key: None if one.value is None else one.cpus() for key, one in field.entries()}


_READERS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Field, dict[str, Any]], Event]]]] = {
    "place": (tuple(REQUEST), _start),
    "pin": (tuple(REQUEST), _start),
    "release": (("id",), _release),
    "forget": (("pod",), _forget),
    "resize": (("id", "count"), _resize),
    "offline": (("cpus",), _hotplug),
    "online": (("cpus",), _hotplug),
    "rebalance": (("max_moves",), _rebalance),
    "restart": (("observed", "kept", "policy"), _restart),
}
"""Word -> the fields it has beside those of every event, and who reads it."""


# --- writing -------------------------------------------------------------------------------------


def render(recording: Recording) -> str:
    """The recording as text, one line an event; `parse` gives an equal value back.

    >>> print(render(Recording(events=(Release(container_id="db"),))), end="")
    {"schema": 1}
    {"event": "release", "id": "db"}
    """
    host = recording.host
    head = {"schema": VERSION} | nonempty(
        host=cpuplace_json.to_dict(host) if isinstance(host, Topology) else host,
        policy=None if recording.policy is None else policy_format.render(recording.policy),
        one_step_per_container=recording.one_step_per_container,
        source=recording.source,
        why=recording.why,
    )
    return "".join(f"{json.dumps(one)}\n" for one in (head, *map(to_dict, recording.events)))


def to_dict(event: Event) -> dict[str, Any]:
    """One event as plain values for JSON, in the shape of the schema; what a recorder appends a line of."""
    return _said(event) | nonempty(at=event.at, expect=_expect_dict(event.expect))


def word_of(event: Event) -> str:
    """What an event is called in files.

    >>> word_of(Hotplug(cpus=CpuSet([1]), online=False))
    'offline'
    """
    return str(_said(event)["event"])


def _said(event: Event) -> dict[str, Any]:
    match event:
        case Start(request=request):
            return {"event": "pin" if request.kind in _PINS else "place"} | _short_dict(request)
        case Release(container_id=key):
            return {"event": "release", "id": key}
        case Forget(pod=pod):
            return {"event": "forget", "pod": pod}
        case Resize(container_id=key, count=count):
            return {"event": "resize", "id": key, "count": count}
        case Hotplug(cpus=cpus, online=online):
            return {"event": "online" if online else "offline", "cpus": str(cpus)}
        case Rebalance(max_moves=most):
            return {"event": "rebalance", "max_moves": most}
        case _:
            runs = {} if event.observed is None else {"observed": [_seen_dict(one) for one in event.observed]}
            policy = None if event.policy is None else policy_format.render(event.policy)
            return {"event": "restart"} | runs | nonempty(kept=event.kept, policy=policy)


def _short_dict(request: ContainerRequest) -> dict[str, Any]:
    """The request without what goes without saying."""
    said = _full_dict(request) | ({"pin": str(request.pin)} if request.kind in _PINS else {})
    obvious = {"pod": request.container_id, "name": request.container_id}
    if request.kind in (Kind.INTEGER, Kind.SHARED, Kind.PINNED):
        obvious["kind"] = request.kind.value
    if request.kind is Kind.INTEGER and request.limit == request.count:
        del said["limit"]
    return {key: value for key, value in said.items() if key not in obvious or obvious[key] != value}


def _full_dict(request: ContainerRequest) -> dict[str, Any]:
    """The request; an integer one without a limit says so, since its count goes for one otherwise."""
    return request_dict(request) | ({"limit": request.limit} if request.kind is Kind.INTEGER else {})


def _seen_dict(one: Seen) -> dict[str, Any]:
    asked = {"id": one.container_id} if one.request is None else _full_dict(one.request)
    mems = {} if one.mems is None else {"mems": str(one.mems)}
    return asked | nonempty(cpus=str(one.cpus)) | mems


def _expect_dict(expect: Expect) -> dict[str, Any]:
    sets = {"cpus": expect.cpus, "pool": expect.pool}
    return {name: str(some) for name, some in sets.items() if some is not None} | nonempty(
        refused=expect.refused,
        holds={key: None if cpus is None else str(cpus) for key, cpus in expect.holds.items()},
    )
