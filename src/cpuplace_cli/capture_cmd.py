"""`cpuplace capture OUT.tar.gz`: this machine as a file that `--host` reads elsewhere."""

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import spec_of
from cpuplace_cli.output import emit

app = new_command(
    "capture",
    """
cpuplace capture server7.tar.gz
cpuplace topology --host server7.tar.gz
""",
    notes="No serial numbers, no MAC addresses, no host name; the same machine gives the same bytes.",
)


@app.default
def capture(
    out: Annotated[Path, Parameter(help="The tar.gz to write.")],
    /,
    *,
    root: Annotated[Path, Parameter(name="--from", help="The tree to capture.")] = Path("/"),
    force: Annotated[bool, Parameter(negative="", help="Replace OUT when it is there.")] = False,
) -> int:
    """Save what --host needs to know of this machine in a tar.gz, and nothing else.

    No serial numbers, no MAC addresses, no host name; the same machine gives the same bytes.
    """
    from cpuplace_linux.capture import capture as write

    write(root, out, overwrite=force)
    look = f"cpuplace topology --host {shlex.quote(spec_of(out))}"
    emit(f"{out}: {out.stat().st_size:,} bytes; look at it with: {look}\n")
    return 0
