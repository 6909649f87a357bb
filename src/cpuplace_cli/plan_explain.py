"""`plan --explain`: the candidates of each choice, what they differ in, and what decided, as lines and as data."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cpuplace.explanation import Considered, Explanation, Reason
from cpuplace.preference import ELEMENTS
from cpuplace_cli.looks import printable
from cpuplace_cli.plan_outcome import Outcome
from cpuplace_cli.plan_said import Said, merged
from cpuplace_cli.table import Cell, cell, fold, fold_text, table
from cpuplace_cli.textmap import Line, Span

_INDENT: Final = "    "
_DOCS: Final = {element.name: element.doc for element in ELEMENTS} | {"ids": "the lowest ids"}


def explain_lines(outcome: Outcome, width: int) -> Iterator[Line]:
    """Each reason with its candidates, the winner marked; the same reason of several replicas once."""
    names = {one.container_id: (answer.uid, one.name) for answer in outcome.pods for one in answer.requests}
    reasons = [
        (Said(*names.get(one.container_id, _making_way(one)), _text(one)), one) for one in outcome.explanation.reasons
    ]
    plain = merged(said for said, one in reasons if not one.considered)
    for said, reason in reasons:
        if reason.considered:
            yield from _head(merged([said])[0], width)
            yield from candidate_lines(reason, width)
    for said in plain:
        yield from _head(said, width)


def _making_way(reason: Reason) -> tuple[str, str]:
    """A container that was there before, of which only its id is known: pod and name, where the id says them."""
    pod, _, container = reason.container_id.rpartition("/")
    return pod, container


def _text(reason: Reason) -> str:
    return f"{reason.rule}  {reason.sentence}"


def _head(said: Said, width: int) -> Iterator[Line]:
    name = f"{said.pod}/{said.container}" if said.pod else said.container
    first, *more = fold_text(printable(f"{name}  {said.text}"), width)
    yield Span(first[: len(name)], "bold"), Span(first[len(name) :])
    yield from ((Span(f"{_INDENT}{text}"),) for text in more)


def candidate_lines(reason: Reason, width: int) -> Iterator[Line]:
    """A table of what the candidates differ in; what they have in common in one line."""
    names = [name for name, _ in reason.considered[0].measures if name != "ids"]
    rows = [_measures(one) for one in reason.considered]
    apart = [name for name in names if len({row[name] for row in rows}) > 1]
    same = [f"{name} {rows[0][name]}" for name in names if name not in apart]
    room = width - len(_INDENT)
    side = [_row(one, row, apart) for one, row in zip(reason.considered, rows, strict=True)]
    lines = table(["", "CPUS", *apart], side, room)
    if max(sum(len(span.text) for span in line) for line in lines) > room:
        told = [_told_row(one, row, apart) for one, row in zip(reason.considered, rows, strict=True)]
        lines = table(["", "CPUS", "MEASURES"], told, room)
    yield from ((Span(_INDENT), *line) for line in lines)
    if same:
        yield from _indented(f"alike: {', '.join(same)}", width)
    decided_by = _decided_by(reason)
    if decided_by:
        yield from _indented(f"decided by {decided_by}: {_DOCS[decided_by]}", width)


def _decided_by(reason: Reason) -> str:
    """What decided, "" when nothing did: no rival, or a better one that the sentence tells about."""
    return reason.decided_by if reason.considered and reason.considered[0].won else ""


def _measures(one: Considered) -> dict[str, object]:
    return {name: value for name, value in one.measures if name != "ids"}


def _row(one: Considered, measures: dict[str, object], apart: Sequence[str]) -> list[Cell]:
    style = "bold" if one.won else "dim"
    texts = [str(measures[name]).rjust(len(name)) for name in apart]
    return [cell("*" if one.won else " "), cell(str(one.cpus), style), *(cell(text, style) for text in texts)]


def _told_row(one: Considered, measures: dict[str, object], apart: Sequence[str]) -> list[Cell]:
    """The same where the columns have no room side by side."""
    told = ", ".join(f"{name} {measures[name]}" for name in apart)
    return [*_row(one, measures, ()), cell(told, "bold" if one.won else "dim")]


def _indented(text: str, width: int) -> Iterator[Line]:
    for line in fold(cell(text, "dim"), width - len(_INDENT)):
        yield Span(_INDENT), *line


def explain_data(explanation: Explanation) -> list[dict[str, Any]]:
    """The same as plain values."""
    return [
        {
            "container_id": reason.container_id,
            "rule": reason.rule,
            "sentence": reason.sentence,
            "considered": [
                {"cpus": str(one.cpus), "won": one.won, "measures": _measures(one)} for one in reason.considered
            ],
            "decided_by": _decided_by(reason) or None,
        }
        for reason in explanation.reasons
    ]
