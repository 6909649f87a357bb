"""`cpuplace hosts`: the catalogue as a table, or all that is known about one host."""

from textwrap import wrap
from typing import Annotated, Any

from cyclopts import Parameter

from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.options import KnownHost, NoColorOption, TableOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.textmap import Line, Span

app = new_command(
    "hosts",
    """
cpuplace hosts
cpuplace hosts nvidia-grace-hopper
""",
)


@app.default
def hosts(
    name: Annotated[
        KnownHost | str | None, Parameter(show_choices=False, help="One host: say all about it, sources included.")
    ] = None,
    /,
    *,
    output: TableOption = "text",
    no_color: NoColorOption = False,
) -> int:
    """List the hosts that --host knows by name, and where their facts come from."""
    from cpuplace import catalogue

    if name is not None:
        catalogue.entry(name)
    names = catalogue.NAMES if name is None else (name,)
    if output == "json":
        emit_json({"hosts": [_facts(one) for one in names]})
    else:
        lines = _table() if name is None else _details(name, terminal_width())
        emit_lines(lines, no_color=no_color)
    return 0


def _facts(name: str) -> dict[str, Any]:
    from cpuplace import catalogue

    entry, host = catalogue.entry(name), catalogue.host(name)
    return {
        "name": name,
        "title": entry.title,
        "summary": entry.summary,
        "sources": list(entry.sources),
        "cpus": len(host.online),
        "cores": len(host.cores),
        "l3_groups": len(host.l3_groups),
        "nodes": len(host.nodes),
        "packages": len(host.packages),
        "memory_bytes": sum(node.memory_bytes or 0 for node in host.nodes),
    }


def _counts(host: Topology) -> tuple[str, ...]:
    return tuple(str(len(items)) for items in (host.online, host.cores, host.l3_groups, host.nodes, host.packages))


def _table() -> list[Line]:
    """Name, counts and title of every host, in columns."""
    from cpuplace import catalogue

    head = ("NAME", "CPUS", "CORES", "L3", "NODES", "SOCKETS", "WHAT")
    rows = [(name, *_counts(catalogue.host(name)), catalogue.entry(name).title) for name in catalogue.NAMES]
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head) - 1)]
    return [_row(head, widths, "dim"), *(_row(row, widths, "bold") for row in rows)]


def _row(row: tuple[str, ...], widths: list[int], style: str) -> Line:
    name, *counts, title = row
    cells = "  ".join(text.rjust(width) for text, width in zip(counts, widths[1:], strict=True))
    return Span(name.ljust(widths[0]), style), Span(f"  {cells}  {title}", "dim" if style == "dim" else "")


def _details(name: str, width: int) -> list[Line]:
    from cpuplace import catalogue
    from cpuplace_cli.drawing import distances, summary

    entry, host = catalogue.entry(name), catalogue.host(name)
    lines: list[Line] = [(Span(entry.title, "bold"),)]
    for text in (entry.summary, summary(host), distances(host)):
        lines += [(Span(line),) for line in wrap(text, width, subsequent_indent="  ")]
    lines += [(), (Span("sources", "bold"),)]
    for source in entry.sources:
        lines += [(Span(line),) for line in wrap(f"- {source}", width, subsequent_indent="  ")]
    return [*lines, (), (Span(f"cpuplace topology --host {name}", "dim"),)]
