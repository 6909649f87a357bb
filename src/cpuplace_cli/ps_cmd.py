"""`cpuplace ps`: who runs where on this host, and whether the kernel sees it the same way."""

from typing import Annotated

from cyclopts import Parameter

from cpuplace_cli.command import new_command
from cpuplace_cli.managed import ROOT, HostOption, RootOption, StateDirOption, managed_host
from cpuplace_cli.options import NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.repairing import repaired

app = new_command(
    "ps",
    """
cpuplace ps
cpuplace ps -o json
cpuplace ps --repair
""",
    notes="Looking needs no rights and changes nothing; --repair needs root. Exit code 1 when something is not as it "
    "should be (with --repair: when it could not be mended), 2 for bad input.",
)


@app.default
def ps(
    *,
    repair: Annotated[
        bool, Parameter(negative="", help="First mend what differs; a state that cannot be read is made anew.")
    ] = False,
    root: RootOption = ROOT,
    state_dir: StateDirOption = None,
    host: HostOption | None = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """List who runs where: containers, CPUs, memory, processes, the pool, drift, and the map of this host."""
    managed = managed_host(root, state_dir, host=host, write=repair)
    mended = repaired(managed) if repair else True
    view = managed.look()
    if output == "json":
        from cpuplace_cli.ps_json import ps_data

        emit_json(ps_data(view))
    else:
        from cpuplace_cli.ps_text import ps_lines

        emit_lines(ps_lines(view, width or terminal_width()), no_color=no_color)
    return 1 if view.drift or not mended else 0
