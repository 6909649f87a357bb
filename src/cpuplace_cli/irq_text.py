"""Interrupts for people and for programs: what would move, what was written, what irqbalance must be told."""

from collections.abc import Iterator
from typing import Any, Final

from cpuplace.irq_plan import FileWrite, IrqMove, IrqPlan
from cpuplace_cli.printable import printable
from cpuplace_cli.table import Cell, cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Style
from cpuplace_cli.titled import CROSS, sum_line, titled
from cpuplace_linux.irq_steering import IrqOutcome, WriteResult

_HEAD: Final = ("IRQ", "NAME", "QUEUE", "NOW", "WANTED", "MOVABLE")
_WRITTEN: Final = ("FILE", "WAS", "WANTED", "RESULT")
_STYLES: Final[dict[str, Style]] = {"done": "", "there": "dim", "refused": "red", "not taken back": "red"}


def plan_lines(plan: IrqPlan, width: int) -> Iterator[Line]:
    """The whole text of a plan: nothing is written yet."""
    width = max(width, MIN_WIDTH)
    rows = [_row(move) for move in plan.moves if move.why == "queue" or move.movable]
    if rows:
        yield from table(_HEAD, rows, width)
        yield ()
    yield from titled("also", [f"{one.path}: {one.before} -> {one.after}" for one in _changed(plan)], width)
    yield from titled("notes", plan.notes, width)
    yield from titled("tell irqbalance, where it runs", plan.irqbalance, width)
    writes = plan.writes
    yield from sum_line(
        _count(len(writes), "file"), f" to write, {_count(len(plan.moves), 'interrupt')} looked at", width
    )


def _row(move: IrqMove) -> list[Cell]:
    irq = move.irq
    queue = "" if irq.device is None else irq.device if irq.queue is None else f"{irq.device}:{irq.queue}"
    said = "is there" if move.is_there else "yes" if move.movable else "no, kernel-managed"
    dim: Style = "dim" if move.is_there else ""
    texts = (str(irq.number), irq.label, queue, str(irq.cpus), str(move.wanted), said)
    return [cell(printable(text), dim) for text in texts]


def _changed(plan: IrqPlan) -> list[FileWrite]:
    return [one for one in plan.steering if one.before != one.after]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def outcome_lines(outcome: IrqOutcome, record: str, width: int, *, undo: bool = False) -> Iterator[Line]:
    """What came of it; `record` = the file that knows what was there, "" = there is none."""
    width = max(width, MIN_WIDTH)
    if outcome.results:
        yield from table(_WRITTEN, [_written(one) for one in outcome.results], width)
        yield ()
    yield from titled("what was said", [one.said for one in outcome.results if one.said], width)
    if outcome.failure is not None:
        yield from titled("refused", [outcome.failure], width, mark=CROSS)
    done = len(outcome.of("done"))
    if undo:
        yield from sum_line(_count(done, "file"), " restored", width)
    elif outcome.ok:
        yield from sum_line(
            _count(done, "file"), f" written{f'; cpuplace irq undo {record} restores them' if record else ''}", width
        )
    else:
        left = len(outcome.of("not taken back"))
        rest = f"; {_count(left, 'file')} could not be taken back, {record} knows what was there" if left else ""
        yield from sum_line("nothing is moved" if not left else "stopped", rest, width, "bold red")


def _written(one: WriteResult) -> list[Cell]:
    write, style = one.write, _STYLES.get(one.result, "")
    path = f"{write.path.split('/')[2]} {', '.join(write.names)}" if write.names else write.path
    texts = (path, write.before, write.after)
    return [*(cell(printable(text)) for text in texts), cell(one.result, style)]


def plan_data(plan: IrqPlan, host: str) -> dict[str, Any]:
    """The plan for `-o json`."""
    return {
        "host": host,
        "quiet": str(plan.quiet),
        "interrupts": [_move_data(move) for move in plan.moves],
        "writes": [_write_data(one) for one in plan.writes],
        "irqbalance": list(plan.irqbalance),
        "notes": list(plan.notes),
    }


def _move_data(move: IrqMove) -> dict[str, Any]:
    irq = move.irq
    return {
        "irq": irq.number,
        "names": list(irq.names),
        "device": irq.device,
        "queue": irq.queue,
        "node": irq.node,
        "now": str(irq.cpus),
        "effective": str(irq.effective),
        "wanted": str(move.wanted),
        "why": move.why,
        "movable": move.movable,
        "is_there": move.is_there,
    }


def _write_data(write: FileWrite) -> dict[str, Any]:
    return {"path": write.path, "names": list(write.names), "before": write.before, "after": write.after}


def outcome_data(outcome: IrqOutcome, record: str) -> dict[str, Any]:
    """What came of it for `-o json`."""
    return {
        "ok": outcome.ok,
        "failure": outcome.failure,
        "record": record or None,
        "results": [_write_data(one.write) | {"result": one.result, "said": one.said} for one in outcome.results],
    }
