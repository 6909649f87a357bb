"""Who has what on a node, for people: one row a container, the map of the node, the sum; as `cpuplace ps`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cpuplace.formats import cpuplace_json
from cpuplace.formats import state as state_format
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState
from cpuplace_cli.looks import Look
from cpuplace_cli.owners import owner_labels
from cpuplace_cli.picture import picture_of
from cpuplace_cli.plan_why import memory_text, why_of
from cpuplace_cli.printable import printable
from cpuplace_cli.table import Cell, cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render
from cpuplace_cli.titled import CROSS, sum_line, titled

_HEAD: Final = ("", "CONTAINER", "KIND", "CPUS", "MEMORY", "WHY")
_SOURCE: Final = "the plugin's answer"


def node_state(answer: Mapping[str, Any], names: Mapping[str, str]) -> HostState:
    """The state that an answer carries, its containers called by `names` (id -> name) instead of their ids."""
    host = cpuplace_json.parse(json.dumps(answer["host"]), source=_SOURCE)
    saved = dict(answer["state"])
    saved["containers"] = [one | {"id": names.get(one["id"], one["id"])} for one in saved["containers"]]
    if "held_apart" in saved:
        saved["held_apart"] = {names.get(key, key): cpus for key, cpus in saved["held_apart"].items()}
    return state_format.parse(json.dumps(saved), host, source=_SOURCE)


def names_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Container id -> what to call it; two of one name (an old and a new attempt) keep the beginning of their ids."""
    said = {one["id"]: one["container"] for one in answer["containers"]}
    often = [name for name in set(said.values()) if list(said.values()).count(name) > 1]
    return {key: f"{name}#{key[:8]}" if name in often else name for key, name in said.items()}


def status_lines(answer: Mapping[str, Any], width: int) -> Iterator[Line]:
    """The whole text."""
    width = max(width, MIN_WIDTH)
    state = node_state(answer, names_of(answer))
    drawing = picture_of(state).drawing()
    rules = {names_of(answer)[one["id"]]: one["rule"] for one in answer["containers"]}
    rows = list(_rows(state, {look.label: look for look in drawing.looks if look.state == "owner"}, rules))
    if rows:
        yield from table(_HEAD, rows, width)
        yield ()
    worse = [f"{key}: {one.degraded}" for key, one in state.assignments.items() if one.degraded]
    yield from titled("worse than the rules allow", worse, width, mark=CROSS)
    yield from render(drawing, width)
    yield ()
    yield from _sum(state, answer, width)


def _rows(state: HostState, looks: Mapping[str, Look], rules: Mapping[str, str]) -> Iterator[list[Cell]]:
    labels = {key: printable(label) for key, label in owner_labels(state).items()}
    for key, one in state.assignments.items():
        look = looks.get(labels.get(key, ""))
        yield [
            cell(" " if one.kind is not Kind.SHARED else ".") if look is None else cell(look.glyph, look),
            cell(printable(key.removeprefix("default/")), "bold"),
            cell(str(one.kind)),
            _cpus(state, one),
            cell(memory_text(one.mems, one.preferred)),
            Cell((Span(f"{rules[key]:<4}"), Span(why_of(state, one), "dim"))),
        ]


def _cpus(state: HostState, one: Assignment) -> Cell:
    pool = one.kind is Kind.SHARED and one.cpus == state.pool
    return Cell((Span(f"{len(one.cpus):>3}  ", "dim"), Span("pool" if pool else str(one.cpus))))


def _sum(state: HostState, answer: Mapping[str, Any], width: int) -> Iterator[Line]:
    count = len(state.assignments)
    runtime = answer.get("runtime", {})
    who = " ".join(str(runtime[key]) for key in ("name", "version") if runtime.get(key))
    rest = (
        f"; {len(state.exclusive)} CPUs exclusive, {len(state.pool)} shared, {len(state.free)} free for exclusive use"
        f", {answer['largest_free_node']} of them in one node" + (f"; {printable(who)}" if who else "")
    )
    missing = str(runtime.get("missing") or "")
    head = f"{count} container{'' if count == 1 else 's'}" + (f", {missing}" if missing else "")
    yield from sum_line(printable(head), rest, width, "bold red" if missing else "bold")
