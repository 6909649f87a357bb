"""A plan of partitions for people: the table, what is shared and left over, what changed, the map, and the sum."""

from collections.abc import Iterator, Sequence
from typing import Final

from cpuplace.cpulist import format_list
from cpuplace.idset import CpuSet
from cpuplace.memory import sized
from cpuplace.partitions_pinning import PartitionPinning
from cpuplace.partitions_plan import PartitionChange, PartitionPlan
from cpuplace.partitions_refusal import PartitionRefusal
from cpuplace.topology import Topology
from cpuplace_cli.looks import Look, Marks, printable
from cpuplace_cli.picture import Picture
from cpuplace_cli.table import Cell, cell, fold, fold_text, table
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render

_HEAD: Final = ("", "PARTITION", "NODE", "MEMORY", "ROLE", "CPU", "QUEUES")


def picture(host: Topology, plan: PartitionPlan, usable: CpuSet | None) -> Picture:
    """The host with a partition as the owner of its CPUs."""
    owners = {printable(str(one.partition_id)): one.cpus for one in plan}
    unusable = host.online - (host.online if usable is None else usable)
    return Picture(host=host, owners=owners, marks=Marks(unusable=unusable))


def plan_lines(
    plan: PartitionPlan, shown: Picture, changes: Sequence[PartitionChange] | None, width: int
) -> Iterator[Line]:
    """The whole text; `changes` None = nothing to compare with."""
    width = max(width, MIN_WIDTH)
    drawing = shown.drawing()
    looks = {look.label: look for look in drawing.looks if look.state == "owner"}
    rows = [_rows(one, looks.get(printable(str(one.partition_id)))) for one in plan]
    if rows:
        yield from _table(rows, width)
        yield ()
    yield from _titled("shared", [f"{what}: {', '.join(users)}" for what, users in _shared(plan)], width)
    left = [f"{one.device}: {format_list(sum(1 << queue for queue in one.queues))}" for one in plan.left_over]
    yield from _titled("queues left over", left, width)
    yield from _titled("notes", plan.notes, width)
    if changes is not None:
        yield from _titled("changes", [str(one) for one in changes] or ["none"], width)
    yield from render(drawing, width)
    yield ()
    yield from _sum(plan, width)


def _table(partitions: Sequence[list[list[Cell]]], width: int) -> Iterator[Line]:
    """One table, or where that is too wide one of the roles under a line for each partition."""
    wide = table(_HEAD, [row for rows in partitions for row in rows], width)
    if max(sum(len(span.text) for span in line) for line in wide) <= width:
        yield from wide
        return
    for rows in partitions:
        mark, name, node, size = rows[0][:4]
        about = fold(cell(f"{name[0].text}  node {node[0].text}  {size[0].text}", "bold"), width - 3)
        yield from ((*mark, Span("  "), *line) for line in about)
        yield from ((Span("   "), *line) for line in table(_HEAD[4:], [row[4:] for row in rows], width - 3)[1:])


def _rows(one: PartitionPinning, look: Look | None) -> list[list[Cell]]:
    """One row a role; what belongs to the whole partition stands in the first."""
    rows = []
    head = [
        cell("+") if look is None else cell(look.glyph, look),
        cell(printable(str(one.partition_id)), "bold"),
        cell(str(one.numa_node)),
        cell(sized(one.memory_bytes)),
    ]
    for role, target in one.pins.items():
        queues = " ".join(map(str, target.queues))
        rows.append([*head, cell(printable(role)), cell(str(target.cpus)), cell(printable(queues), "dim")])
        head = [cell("")] * len(head)
    return rows


def _shared(plan: PartitionPlan) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from ((f"CPU {one.cpu}", one.users) for one in plan.shared_cpus)
    yield from ((f"{one.device}:{one.queue}", one.users) for one in plan.shared_queues)


def _titled(title: str, texts: Sequence[str], width: int) -> Iterator[Line]:
    if texts:
        yield (Span(title, "bold"),)
        for text in texts:
            first, *more = fold_text(printable(text), width - 2)
            yield Span("· ", "dim"), Span(first)
            yield from ((Span(f"  {line}"),) for line in more)
        yield ()


def _sum(plan: PartitionPlan, width: int) -> Iterator[Line]:
    shared = len(plan.shared_cpus), len(plan.shared_queues)
    first = f"{len(plan)} partition{'' if len(plan) == 1 else 's'} placed"
    nodes = len({one.numa_node for one in plan})
    rest = f"; {len(plan.cpus)} CPUs pinned on {nodes} node{'' if nodes == 1 else 's'}, {sized(plan.memory_bytes)}"
    if any(shared):
        rest += f"; {shared[0]} CPUs and {shared[1]} queues shared"
    head, *more = fold_text(first + rest, width)
    yield Span(head[: len(first)], "bold"), Span(head[len(first) :])
    yield from ((Span(text),) for text in more)


def refusal_lines(refusal: PartitionRefusal, width: int, *, share: str = "--oversubscribe") -> Iterator[Line]:
    """Why nothing is planned, and what would help; `share` is what the user has to say to share CPUs and queues."""
    yield from _titled("refused", [str(refusal)], max(width, MIN_WIDTH))
    yield (Span("nothing planned", "bold red"), Span(_help(refusal, share)))


def _help(refusal: PartitionRefusal, share: str) -> str:
    return f"; {share} shares CPUs and queues" if refusal.rule == "P2" else ""
