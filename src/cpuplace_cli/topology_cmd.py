"""`cpuplace topology`: a host as a map people can read, or as data."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import load_host
from cpuplace_cli.options import OR_STDIN, HostOption, NoColorOption, OutputOption, WidthOption
from cpuplace_cli.output import emit, emit_json, emit_lines, emit_svg, terminal_width
from cpuplace_cli.picture import Picture, picture_of
from cpuplace_cli.textmap import render

app = new_command(
    "topology",
    """
cpuplace topology
cpuplace topology --host amd-epyc-9965-2s --width 160
cpuplace topology --host intel-i7-1370p -o svg > laptop.svg
""",
    notes="Without --host it is this machine, or the one that --state was saved for when the catalogue has it.\n"
    "-o json prints what --host FILE.json reads; with --state, who owns what.",
)


@app.default
def topology(
    *,
    host: HostOption | None = None,
    state: Annotated[
        Path | None, Parameter(help="A saved state (plan --save-state): who owns each CPU; - for stdin."), OR_STDIN
    ] = None,
    output: OutputOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Draw a host: packages, NUMA nodes, L3 groups, cores, devices.

    Without --host it is this machine. `-o json` prints what --host FILE.json reads.
    """
    picture = _picture(host, state)
    if output == "json":
        _emit_data(picture, alone=state is None)
    elif output == "svg":
        from cpuplace_cli.svgmap import render as render_svg

        emit_svg(render_svg(picture.drawing()))
    else:
        emit_lines(render(picture.drawing(), width or terminal_width()), no_color=no_color)
    return 0


def _picture(host: str | None, state: Path | None) -> Picture:
    if state is None:
        return Picture(host=load_host("live" if host is None else host))
    from cpuplace_cli.situation import load_situation

    return picture_of(load_situation(host, None, state))


def _emit_data(picture: Picture, *, alone: bool) -> None:
    """The host as `--host FILE.json` reads it; with a state, who owns which CPUs of it."""
    if alone:
        from cpuplace.formats import cpuplace_json

        emit(cpuplace_json.render(picture.host).rstrip() + "\n")
    else:
        emit_json(picture.to_dict())
