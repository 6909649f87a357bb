"""A plan for people: the table, what was refused, what else to know, the map, and the sum of it all."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from cpuplace_cli.drawing import Drawing
from cpuplace_cli.looks import Look, printable
from cpuplace_cli.owners import owner_labels
from cpuplace_cli.picture import picture_of
from cpuplace_cli.plan_explain import explain_lines
from cpuplace_cli.plan_outcome import Outcome
from cpuplace_cli.plan_rows import Row, rows_of
from cpuplace_cli.plan_said import note_lines, refusal_lines
from cpuplace_cli.table import Cell, cell, fold_text, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render
from cpuplace_cli.titled import titled

_HEAD: Final = ("", "POD", "CONTAINER", "KIND", "CPUS", "MEMORY", "WHY")


@frozen(slots=True, kw_only=True)
class Wanted:
    """What the reader asked for: `every` = no replicas together, `explain` = the candidates too."""

    every: bool = False
    explain: bool = False


def plan_lines(outcome: Outcome, width: int, wanted: Wanted) -> Iterator[Line]:
    """The whole text; a line is no longer than `width` where that is 40 or more and names let it."""
    width = max(width, MIN_WIDTH)
    drawing = picture_of(outcome.state).drawing()
    rows = rows_of(outcome, _looks(outcome, drawing), every=wanted.every)
    if rows:
        yield from _table(rows, width)
        yield ()
    if wanted.explain and rows:
        yield from _titled("why", list(explain_lines(outcome, width)))
    yield from titled("released", list(map(str, outcome.released)), width)
    yield from _titled("refused", list(refusal_lines(outcome, width)))
    yield from _titled("notes", list(note_lines(outcome, width)))
    yield from render(drawing, width)
    yield ()
    yield from _sum(outcome, width)


def _titled(title: str, lines: Sequence[Line]) -> Iterator[Line]:
    if lines:
        yield (Span(title, "bold"),)
        yield from lines
        yield ()


def _looks(outcome: Outcome, drawing: Drawing) -> dict[str, Look]:
    """How the CPUs of each container look on the map: those of its own, or the pool."""
    by_label = {look.label: look for look in drawing.looks if look.state == "owner"}
    pool = [look for look in drawing.looks if look.state == "pool"]
    labels = {key: printable(label) for key, label in owner_labels(outcome.state).items()}
    own = {key: by_label[label] for key, label in labels.items() if label in by_label}
    return own | {key: look for look in pool for key in outcome.state.shared}


def _table(rows: Sequence[Row], width: int) -> list[Line]:
    counts = max(len(row.count) for row in rows)
    return table(_HEAD, [_cells(row, counts) for row in rows], width)


def _cells(row: Row, counts: int) -> list[Cell]:
    return [
        cell(" ") if row.look is None else cell(row.look.glyph, row.look),
        cell(printable(row.pod), "bold"),
        cell(printable(row.container)),
        cell(row.kind),
        Cell((Span(f"{row.count:>{counts}}  ", "dim"), Span(row.cpus))),
        cell(row.memory),
        Cell((Span(f"{row.rule:<4}"), Span(row.why, "dim"))),
    ]


def _sum(outcome: Outcome, width: int) -> Iterator[Line]:
    """The last line, which is what a reader sees first."""
    first, *parts = _sum_parts(outcome)
    style = "bold" if not outcome.refused else "bold red"
    head, *more = fold_text("".join([first, *parts]), width)
    yield Span(head[: len(first)], style), Span(head[len(first) :])
    yield from ((Span(text),) for text in more)


def _sum_parts(outcome: Outcome) -> list[str]:
    """What stands out, and the rest."""
    state, refused = outcome.state, len(outcome.refused)
    placed = len(outcome.pods) - refused
    said = [f"{_count(len(outcome.released), 'pod')} released"] if outcome.released else []
    if not outcome.pods and not said:
        return ["no pods to place"]
    if outcome.plan.is_empty and not refused:
        return ["nothing to do", f": {_count(placed, 'pod')} placed already"]
    said += [f"{_count(placed, 'pod')} placed"] if outcome.pods else []
    said += [f"{refused} refused"] if refused else []
    return [
        ", ".join(said),
        f"; {_count(len(state.exclusive), 'CPU')} exclusive, {len(state.pool)} shared, ",
        f"{len(state.free)} free for exclusive use",
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
