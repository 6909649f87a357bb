"""Why a container of a node has its CPUs, or was refused, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from cpuplace.formats import policy as policy_format
from cpuplace.planner import forget_pod, place
from cpuplace.refusal import Refusal
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState
from cpuplace_cli.nri_events import event_text
from cpuplace_cli.nri_status import node_state
from cpuplace_cli.plan_explain import candidate_lines
from cpuplace_cli.plan_why import memory_text, why_of
from cpuplace_cli.printable import printable
from cpuplace_cli.table import cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span
from cpuplace_cli.titled import titled


def explain_lines(answer: Mapping[str, Any], width: int) -> Iterator[Line]:
    """What it asked for, what it has, by which rule, and what a placement now would choose."""
    width = max(width, MIN_WIDTH)
    if not answer["running"]:
        yield from titled("is not running; what was decided last", [event_text(answer["decision"])], width)
        return
    key = answer["container"]
    state = node_state(answer, {answer["id"]: key})
    one = state[key]
    yield (Span(printable(key), "bold"),)
    yield from table(
        ("", ""), [[cell(name, "dim"), cell(printable(text))] for name, text in _facts(answer, state, one)], width
    )
    yield ()
    if answer.get("decision"):
        yield from titled("what was decided last", [event_text(answer["decision"])], width)
    yield from _now(state, one, width)


def _facts(answer: Mapping[str, Any], state: HostState, one: Assignment) -> Iterator[tuple[str, str]]:
    request = one.request
    yield "id", answer["id"]
    yield "asks for", _asked(one)
    if request.forbid:
        yield "forbids", str(request.forbid)
    wishes = policy_format.render(state.policy)["wishes"] | _wishes(one)
    if wishes:
        yield "wishes", ", ".join(f"{name} {value}" for name, value in wishes.items())
    yield "has", f"{one.cpus} ({len(one.cpus)} CPUs)" + (f", {one.withheld} withheld" if one.withheld else "")
    yield "memory", memory_text(one.mems, one.preferred)
    yield "why", f"{answer['rule']}  {why_of(state, one)}".strip()
    if one.degraded:
        yield "degraded", one.degraded
    if request.notes:
        yield "notes", "; ".join(request.notes)


def _wishes(one: Assignment) -> dict[str, Any]:
    from cpuplace.policy import Policy

    found: dict[str, Any] = policy_format.render(Policy(wishes=one.request.wishes))["wishes"]
    return found


def _asked(one: Assignment) -> str:
    request = one.request
    match request.kind:
        case Kind.INTEGER:
            return f"{request.count} CPUs of its own"
        case Kind.PINNED:
            return f"exactly {request.pin}, of its own"
        case Kind.PINNED_SHARED:
            return f"exactly {request.pin}"
        case Kind.UNMANAGED:
            return "nothing: it is not managed"
        case _:
            return "a share of the pool"


def _now(state: HostState, one: Assignment, width: int) -> Iterator[Line]:
    """What it would get now, and what else there is; only integer containers have a choice."""
    if one.kind is not Kind.INTEGER:
        return
    answer = place(forget_pod(state, one.request.pod).after, one.request)
    title = "if it were placed now"
    if isinstance(answer, Refusal):
        yield from titled(title, [answer.sentence], width)
        return
    for reason in answer.explain().reasons:
        yield from titled(title, [reason.sentence], width)
        if reason.considered:
            yield from candidate_lines(reason, width)
            yield ()
