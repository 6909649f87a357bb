"""`cpuplace topology`: a host as a map people can read, or as data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from attrs import field, frozen
from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.drawing import draw
from cpuplace_cli.hosts import load_host
from cpuplace_cli.looks import Marks
from cpuplace_cli.options import HostOption, NoColorOption, OutputOption
from cpuplace_cli.output import emit, emit_lines, terminal_width
from cpuplace_cli.textmap import render


@frozen(slots=True, kw_only=True)
class Picture:
    """What to draw: a host, who owns its CPUs, and what else is special about them."""

    host: Topology
    owners: Mapping[str, CpuSet] = field(factory=dict)
    marks: Marks = field(factory=Marks)


app = new_command(
    "topology",
    """
cpuplace topology
cpuplace topology --host amd-epyc-9965-2s --width 160
cpuplace topology --host intel-i7-1370p -o svg > laptop.svg
""",
    notes="Without --host it is this machine. -o json prints what --host FILE.json reads.",
)


@app.default
def topology(
    *,
    host: HostOption | None = None,
    state: Annotated[Path | None, Parameter(help="A saved state: show who owns each CPU.")] = None,
    output: OutputOption = "text",
    width: Annotated[int | None, Parameter(help="Columns of the text map (default: the terminal's).")] = None,
    no_color: NoColorOption = False,
) -> int:
    """Draw a host: packages, NUMA nodes, L3 groups, cores, devices.

    Without --host it is this machine. `-o json` prints what --host FILE.json reads.
    """
    picture = _picture(host, state)
    if output == "json":
        from cpuplace.formats import cpuplace_json

        emit(cpuplace_json.render(picture.host))
        return 0
    drawing = draw(picture.host, picture.owners, picture.marks)
    if output == "svg":
        from cpuplace_cli.svgmap import render as render_svg

        emit(render_svg(drawing))
    else:
        emit_lines(render(drawing, width or terminal_width()), no_color=no_color)
    return 0


def _picture(host: str | None, state: Path | None) -> Picture:
    if state is not None:
        return read_state(state, host)
    return Picture(host=load_host("live" if host is None else host))


def read_state(path: Path, host: str | None) -> Picture:
    """The picture of a saved state (the place where states are wired in)."""
    raise BadInput("saved states cannot be drawn yet", source=str(path))
