"""`plan --explain`: the candidates of each choice, what they differ in, and what decided, as lines and as data."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cpuplace.explanation import Considered, Explanation, Reason
from cpuplace.preference import ELEMENTS
from cpuplace_cli.table import Cell, cell, fold, table
from cpuplace_cli.textmap import Line, Span

_INDENT: Final = "    "
_DOCS: Final = {element.name: element.doc for element in ELEMENTS} | {"ids": "the lowest ids"}


def explain_lines(explanation: Explanation, width: int) -> Iterator[Line]:
    """Each reason with its candidates, the winner marked; equal reasons of several containers are said once each."""
    for reason in explanation.reasons:
        yield from fold(
            Cell((Span(reason.container_id, "bold"), Span(f"  {reason.rule}  "), Span(reason.sentence))), width
        )
        if reason.considered:
            yield from _candidates(reason, width)


def _candidates(reason: Reason, width: int) -> Iterator[Line]:
    """A table of what the candidates differ in; what they have in common in one line."""
    names = [name for name, _ in reason.considered[0].measures if name != "ids"]
    rows = [_measures(one) for one in reason.considered]
    apart = [name for name in names if len({row[name] for row in rows}) > 1]
    same = [f"{name} {rows[0][name]}" for name in names if name not in apart]
    cells = [_row(one, row, apart) for one, row in zip(reason.considered, rows, strict=True)]
    for line in table(["", "CPUS", *apart, ""], cells, width - len(_INDENT)):
        yield Span(_INDENT), *line
    if same:
        yield from _indented(f"alike: {', '.join(same)}", width)
    if reason.decided_by:
        yield from _indented(f"decided by {reason.decided_by}: {_DOCS[reason.decided_by]}", width)


def _measures(one: Considered) -> dict[str, object]:
    return {name: value for name, value in one.measures if name != "ids"}


def _row(one: Considered, measures: dict[str, object], apart: Sequence[str]) -> list[Cell]:
    style = "bold" if one.won else "dim"
    texts = [str(measures[name]).rjust(len(name)) for name in apart]
    return [cell("*" if one.won else " "), cell(str(one.cpus), style), *(cell(text, style) for text in texts), cell("")]


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
            "decided_by": reason.decided_by or None,
        }
        for reason in explanation.reasons
    ]
