"""`cpuplace drift`: where the groups of this host are not as they were set, once or as it happens."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace_cgroup import Drift, watch
from cpuplace_cgroup.lockfile import Locked
from cpuplace_cgroup.managing import ManagedHost, NotCarriedOut
from cpuplace_cli.command import new_command
from cpuplace_cli.managed import ROOT, HostOption, RootOption, StateDirOption, managed_host
from cpuplace_cli.options import TableOption
from cpuplace_cli.output import emit, emit_json
from cpuplace_cli.printable import printable
from cpuplace_cli.repairing import repaired, tell_repair

app = new_command(
    "drift",
    """
cpuplace drift
cpuplace drift --repair
cpuplace drift --watch 5 --repair
""",
    notes="systemd, for one, sets cpusets back that it was not told of (daemon-reload). Looking needs no rights, "
    "--repair needs root. Exit code 1 when something differs and was not mended, 2 for bad input; --watch goes on "
    "until Ctrl-C.",
)


@app.default
def drift(
    *,
    repair: Annotated[bool, Parameter(negative="", help="Mend what differs.")] = False,
    watch: Annotated[float | None, Parameter(help="Look again every so many seconds, and print what changes.")] = None,
    root: RootOption = ROOT,
    state_dir: StateDirOption = None,
    host: HostOption | None = None,
    output: TableOption = "text",
) -> int:
    """Compare what the groups have with what they were given, and mend it when asked."""
    if watch is not None and watch <= 0:
        raise BadInput(f"must be above 0, not {watch}", source="--watch")
    managed = managed_host(root, state_dir, host=host, write=repair)
    if watch is None:
        return 0 if _told(managed, managed.look().drift, repair, output) else 1
    return _watch(managed, watch, repair, output)


def _watch(managed: ManagedHost, seconds: float, repair: bool, output: str) -> int:
    """Never returns by itself; Ctrl-C is how it ends."""
    for found in watch(managed.backend, lambda: managed.look().state, seconds, mending=repair):
        try:
            _told(managed, found, repair, output, lines=True)
        except (Locked, NotCarriedOut) as error:  # the next look finds the same, and it is tried again
            tell_repair(str(error).splitlines())
    return 0


def _told(managed: ManagedHost, found: Sequence[Drift], repair: bool, output: str, *, lines: bool = False) -> bool:
    """Print what differs; True when nothing does, or no longer."""
    if output == "json":
        emit_json({"root": managed.backend.root, "drift": [one.to_dict() for one in found]}, line=lines)
    else:
        emit("".join(f"{printable(str(one))}\n" for one in found) or "nothing differs\n")
    sys.stdout.flush()
    return not found or (repair and repaired(managed))
