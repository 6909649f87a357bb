"""Who runs where, for people: one row a container, what is not as it should be, the map of the host, the sum."""

from collections.abc import Iterator
from typing import Final

from cpuplace.request import Kind
from cpuplace.state import Assignment
from cpuplace_cgroup import Group
from cpuplace_cgroup.managing import View
from cpuplace_cli.looks import Look
from cpuplace_cli.owners import owner_labels
from cpuplace_cli.picture import picture_of
from cpuplace_cli.plan_why import memory_text
from cpuplace_cli.printable import printable
from cpuplace_cli.table import Cell, cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render
from cpuplace_cli.titled import CROSS, sum_line, titled

_HEAD: Final = ("", "NAME", "KIND", "CPUS", "MEMORY", "PROCESSES")
_SOME: Final = 4  # processes by number; of more only how many


def ps_lines(view: View, width: int) -> Iterator[Line]:
    """The whole text."""
    width = max(width, MIN_WIDTH)
    drawing = picture_of(view.state).drawing()
    rows = list(_rows(view, {look.label: look for look in drawing.looks if look.state == "owner"}))
    if rows:
        yield from table(_HEAD, rows, width)
        yield ()
    yield from titled("not as it should be", [str(one) for one in view.drift], width, mark=CROSS)
    yield from titled("may run on CPUs of others", [_intruder(one) for one in view.intruders], width, mark=CROSS)
    yield from titled("what systemd starts may run on exclusive CPUs; this keeps it off", view.keep_off, width)
    yield from titled("notes", view.news, width)
    yield from render(drawing, width)
    yield ()
    yield from _sum(view, width)


def _rows(view: View, looks: dict[str, Look]) -> Iterator[list[Cell]]:
    labels = {key: printable(label) for key, label in owner_labels(view.state).items()}
    for key, one in view.state.assignments.items():
        look = looks.get(labels.get(key, ""))
        yield [
            cell(" " if one.kind is not Kind.SHARED else ".") if look is None else cell(look.glyph, look),
            cell(printable(key), "bold"),
            cell(str(one.kind)),
            _cpus(one, view),
            cell(memory_text(one.mems, one.preferred)),
            cell(_processes(view.observation.get(key))),
        ]


def _cpus(one: Assignment, view: View) -> Cell:
    pool = one.kind is Kind.SHARED and one.cpus == view.state.pool
    return Cell((Span(f"{len(one.cpus):>3}  ", "dim"), Span("pool" if pool else str(one.cpus))))


def _processes(group: Group | None) -> str:
    if group is None or not group.pids:
        return "-"
    few = len(group.pids) <= _SOME
    return ", ".join(map(str, group.pids)) if few else f"{len(group.pids)}, from {group.pids[0]} on"


def _intruder(group: Group) -> str:
    return f"{group.path}: {len(group.pids)} processes on {group.effective_cpus}"


def _sum(view: View, width: int) -> Iterator[Line]:
    state = view.state
    count = len(state.assignments)
    head = f"{count} container{'' if count == 1 else 's'}"
    wrong = len(view.drift)
    rest = (
        f"; {len(state.exclusive)} CPUs exclusive, {len(state.pool)} shared, {len(state.free)} free for exclusive use"
        f"; groups below {view.observation.root}"
    )
    if wrong:
        head += f", {wrong} thing{'' if wrong == 1 else 's'} not as it should be"
    yield from sum_line(head, rest, width, "bold red" if wrong else "bold")
