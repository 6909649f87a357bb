"""What a replay prints: a line an event, what was not as expected, the final map, the counts."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from cpuplace.events import Forget, Hotplug, Rebalance, Resize, Restart
from cpuplace.formats.events import word_of
from cpuplace.plan import Plan
from cpuplace.refusal import Refusal
from cpuplace.replaying import Outcome, spans
from cpuplace.state import Assignment, HostState
from cpuplace_cli.picture import picture_of
from cpuplace_cli.printable import printable
from cpuplace_cli.steps import step_data, step_text
from cpuplace_cli.table import Cell, cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, render
from cpuplace_cli.titled import CROSS, sum_line, titled


@frozen(slots=True, kw_only=True)
class Replayed:
    """A whole replay."""

    start: HostState
    outcomes: tuple[Outcome, ...]

    @property
    def end(self) -> HostState:
        """Who holds what in the end."""
        return self.outcomes[-1].after if self.outcomes else self.start

    @property
    def missed(self) -> list[str]:
        """What was not as expected, with the line of its event."""
        return [f"line {one.event.line}: {text}" for one in self.outcomes for text in one.missed]

    def counts(self) -> dict[str, int]:
        """How often what happened; `spans`: grants on more than one NUMA node."""
        granted = [(one.after, one.granted) for one in self.outcomes]
        return {
            "events": len(self.outcomes),
            "refusals": sum(isinstance(one.answer, Refusal) for one in self.outcomes),
            "moves": sum(len(one.moved) for one in self.outcomes),
            "spans": sum(spans(after, key) > 1 for after, key in granted if key is not None),
        }


# --- data ----------------------------------------------------------------------------------------


def replay_data(done: Replayed) -> dict[str, Any]:
    """The replay as plain values, without the schema number."""
    end = done.end
    return {
        "host": end.topology.name,
        "events": [_event_data(one) for one in done.outcomes],
        "containers": [_container_data(one) for one in end.assignments.values()],
        "pool": str(end.pool),
        "free": str(end.free),
        "counts": done.counts(),
    }


def _event_data(one: Outcome) -> dict[str, Any]:
    key, refusal = one.about, one.answer if isinstance(one.answer, Refusal) else None
    held = None if key is None or key not in one.after else one.after[key]
    return {
        "line": one.event.line,
        "at": one.event.at,
        "event": word_of(one.event),
        "about": _about(one),
        "cpus": None if held is None else str(held.cpus),
        "nodes": None if held is None or not held.exclusive else spans(one.after, held.container_id),
        "moved": [
            {"id": moved, "before": str(one.before[moved].cpus), "after": str(one.after[moved].cpus)}
            for moved in one.moved
        ],
        "refusal": None if refusal is None else refusal.to_dict(),
        "repair": [step_data(step) for step in one.answer.steps]
        if isinstance(one.event, Restart) and isinstance(one.answer, Plan)
        else [],
        "notes": list(one.answer.notes) if isinstance(one.answer, Plan) else [],
        "missed": list(one.missed),
    }


def _container_data(one: Assignment) -> dict[str, Any]:
    return {
        "id": one.container_id,
        "pod": one.request.pod,
        "container": one.request.name,
        "kind": one.kind.value,
        "cpus": str(one.cpus),
        "mems": None if one.mems is None else str(one.mems),
        "exclusive": one.exclusive,
    }


# --- text ----------------------------------------------------------------------------------------


def replay_lines(done: Replayed, width: int, *, steps: bool = False) -> Iterator[Line]:
    """The whole text; with `steps` each event is followed by the steps that carry it out, in their order."""
    width = max(width, MIN_WIDTH)
    if done.outcomes:
        rows = [row for one in done.outcomes for row in (_row(one, steps), *(_step_rows(one) if steps else ()))]
        yield from table(("LINE", "EVENT", "RESULT"), rows, width)
        yield ()
    yield from titled("not as expected", done.missed, width, mark=CROSS)
    yield from render(picture_of(done.end).drawing(), width)
    yield ()
    counts = done.counts()
    head = f"{_count(counts['events'], 'event')}"
    rest = (
        f": {counts['refusals']} refused, {_count(counts['moves'], 'move')}, "
        f"{_count(counts['spans'], 'grant')} on more than one node"
    )
    missed = f"{len(done.missed)} not as expected; " if done.missed else ""
    yield from sum_line(missed + head, rest, width, "bold red" if missed else "bold")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(one: Outcome, steps: bool) -> list[Cell]:
    red = bool(one.missed) or isinstance(one.answer, Refusal)
    return [
        cell(str(one.event.line), "dim"),
        cell(printable(f"{word_of(one.event)} {_about(one)}".rstrip()), "bold"),
        cell(printable(_result(one, steps)), "red" if red else ""),
    ]


def _step_rows(one: Outcome) -> Iterator[list[Cell]]:
    """The steps below their event, numbered."""
    steps = one.answer.steps if isinstance(one.answer, Plan) else ()
    for number, step in enumerate(steps, 1):
        yield [cell(""), cell(f"  step {number}", "dim"), cell(printable(f"  {step_text(step)}"))]


def _result(one: Outcome, steps: bool) -> str:
    if isinstance(one.answer, Refusal):
        return f"refused: {one.answer.sentence} ({one.answer.kind}, {one.answer.rule})"
    if steps and one.answer.steps:  # they say who moves
        moves = []
    elif isinstance(one.event, Restart):  # its steps lead from what ran
        moves = [step_text(step) for step in one.answer.steps]
    else:
        moves = [f"move {key} from {one.before[key].cpus} to {one.after[key].cpus}" for key in one.moved]
    forgotten = ["forgotten"] if isinstance(one.event, Forget) and not one.answer.is_empty else []
    nothing = "repaired" if steps and one.answer.steps else "nothing changes"
    return "; ".join([*_own(one), *forgotten, *moves, *one.answer.notes]) or nothing


def _own(one: Outcome) -> Iterator[str]:
    """What the container of the event has then, or that it is gone."""
    key = one.about
    if key is None:
        return
    if key not in one.after:
        yield "gone" if key in one.before else "was not there"
        return
    held = one.after[key]
    if key in one.after.shared:
        yield f"the pool, {held.cpus}"
    else:
        nodes = sorted({cpu.node for cpu in one.after.topology.cpus if cpu.id in held.cpus})
        where = f" on node{'' if len(nodes) == 1 else 's'} {', '.join(map(str, nodes))}" if nodes else ""
        yield f"{held.cpus or 'none'}{where} ({held.rule})"


def _about(one: Outcome) -> str:
    """Who or what the event is about, in a word."""
    match one.event:
        case Forget(pod=pod):
            return pod
        case Hotplug(cpus=cpus):
            return str(cpus)
        case Resize(container_id=key, count=count):
            return f"{key} to {count}"
        case Rebalance(max_moves=most):
            return f"up to {most}"
        case Restart(policy=policy):
            return "" if policy is None else "under another policy"
        case _:
            return one.about or ""
