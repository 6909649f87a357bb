"""`cpuplace rebalance STATE`: a few moves that make a fragmented host tidier, who moves and why."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from attrs import frozen
from cyclopts import Parameter

from cpuplace.formats import state as state_format
from cpuplace.plan import Plan
from cpuplace.planner import rebalance
from cpuplace.rebalance_sum import COUNTED, Sum, counted_containers, tuple_of, tuple_sum
from cpuplace.state import Assignment, HostState
from cpuplace_cli.command import new_command
from cpuplace_cli.options import OR_STDIN, HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.picture import picture_of
from cpuplace_cli.printable import printable
from cpuplace_cli.situation import load_situation, write_whole
from cpuplace_cli.steps import step_data
from cpuplace_cli.table import Cell, cell, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render
from cpuplace_cli.titled import sum_line, titled

app = new_command(
    "rebalance",
    """
cpuplace rebalance now.json --max-moves 1
cpuplace rebalance now.json --max-moves 4 --save-state tidy.json
cpuplace rebalance now.json --max-moves 4 -o json
""",
    notes="STATE is a saved state (plan --save-state). Nothing is written without --save-state. The exit code is 0, "
    "whether or not somebody moves.",
)


@frozen(slots=True, kw_only=True)
class Move:
    """One container that moves: what it holds and what its tuple is, before and after."""

    before: Assignment
    after: Assignment
    was: Sum
    will: Sum

    @property
    def name(self) -> str:
        """Its pod and name, as elsewhere."""
        pod, container = self.before.request.pod, self.before.request.name
        return pod if pod == container else f"{pod}/{container}".removeprefix("default/")


@app.default
def rebalance_command(
    state: Annotated[Path, Parameter(name="STATE", help="A saved state, or - for stdin."), OR_STDIN],
    /,
    *,
    max_moves: Annotated[int, Parameter(help="How many containers may move.")],
    host: HostOption | None = None,
    move_memory: Annotated[
        bool, Parameter(negative="", help="Move containers that are bound to memory nodes too, with their memory.")
    ] = False,
    search_budget: Annotated[int | None, Parameter(help="Search nodes to look at (default: the policy's).")] = None,
    save_state: Annotated[Path | None, Parameter(help="Write who holds what afterwards, for --state.")] = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Move at most so many containers, so that all lie better together: fewer nodes, L3 groups and broken cores.

    Without --host it is the host the state was saved for, when the catalogue has it, else this machine.
    """
    start = load_situation(host, None, state)
    plan = rebalance(start, max_moves=max_moves, move_memory=move_memory, search_budget=search_budget)
    if save_state is not None:
        write_whole(save_state, state_format.render(plan.after) + "\n")
    if output == "json":
        emit_json(_data(plan))
    else:
        emit_lines(_lines(plan, max(width or terminal_width(), MIN_WIDTH)), no_color=no_color)
    return 0


def _moves(plan: Plan) -> list[Move]:
    """Who moves, in the order they came."""
    before, after = plan.before, plan.after
    return [
        Move(before=one, after=now, was=tuple_of(before, one), will=tuple_of(after, now))
        for one in counted_containers(before)
        if (now := after.owners[one.container_id]).cpus != one.cpus
    ]


# --- data ----------------------------------------------------------------------------------------


def _data(plan: Plan) -> dict[str, Any]:
    return {
        "host": plan.before.topology.name,
        "moves": [
            {
                "pod": one.before.request.pod,
                "container": one.before.request.name,
                "id": one.before.container_id,
                "before": {**_held(one.before), "tuple": _named(one.was)},
                "after": {**_held(one.after), "tuple": _named(one.will)},
            }
            for one in _moves(plan)
        ],
        "sum": {"before": _named(tuple_sum(plan.before)), "after": _named(tuple_sum(plan.after))},
        "steps": [step_data(step) for step in plan.steps],
        "pool": str(plan.after.pool),
        "notes": list(plan.notes),
        "optimal": plan.optimal,
    }


def _held(one: Assignment) -> dict[str, str | None]:
    return {"cpus": str(one.cpus), "mems": None if one.mems is None else str(one.mems)}


def _named(values: Sum) -> Mapping[str, int]:
    return {element.name: value for element, value in zip(COUNTED, values, strict=True)}


# --- text ----------------------------------------------------------------------------------------


def _lines(plan: Plan, width: int) -> Iterator[Line]:
    moves, before, after = _moves(plan), plan.before, plan.after
    if moves:
        rows = [_row(one, before) for one in moves]
        yield from table(("CONTAINER", "FROM", "TO", "ITS OWN TUPLE"), rows, width)
        yield ()
        yield from titled("sum of all tuples", list(_changes(tuple_sum(before), tuple_sum(after))), width)
        for title, state in (("before", before), ("after", after)):
            yield (Span(title, "bold"),)
            yield from render(picture_of(state).drawing(), width)
            yield ()
    cut = "" if plan.optimal else "; the search budget was spent, there may be better"
    number = sum(1 for _ in counted_containers(before))
    head = (
        f"{len(moves)} of {number} integer container{'' if number == 1 else 's'} move{'s' if len(moves) == 1 else ''}"
    )
    yield from sum_line(head if moves else "nobody moves", cut if moves else f": no such moves help{cut}", width)


def _row(one: Move, state: HostState) -> list[Cell]:
    changes = ", ".join(f"{name} {was} -> {will}" for name, _, was, will in _differences(one.was, one.will))
    return [
        cell(printable(one.name), "bold"),
        cell(_where(one.before, state)),
        cell(_where(one.after, state)),
        cell(changes or "as before, others gain"),
    ]


def _where(one: Assignment, state: HostState) -> str:
    nodes = sorted({state.topology.cpu(cpu).node for cpu in one.cpus})
    return f"{one.cpus} (node{'' if len(nodes) == 1 else 's'} {', '.join(map(str, nodes))})"


def _changes(was: Sum, will: Sum) -> Iterator[str]:
    """The elements of the sum that change, the one that decided first, each with what it counts."""
    return (f"{name} {a} -> {b}: {doc}" for name, doc, a, b in _differences(was, will))


def _differences(was: Sum, will: Sum) -> Iterator[tuple[str, str, int, int]]:
    for element, a, b in zip(COUNTED, was, will, strict=True):
        if a != b:
            yield element.name.replace("_", " "), element.doc, a, b
