"""The options that several commands share, spelled and explained once."""

from typing import Annotated, Literal

from cyclopts import Parameter

Format = Literal["text", "json", "svg"]

HostOption = Annotated[
    str,
    Parameter(
        name=["--host", "-H"],
        allow_leading_hyphen=True,  # `--host -`
        help="The host: a name of the catalogue (cpuplace hosts), live (this machine), a directory or tar.gz of a "
        "sysfs tree (cpuplace capture), a file with cpuplace's JSON, hwloc XML or the output of numactl -H, lscpu -J "
        "or lscpu -p=CPU,CORE,SOCKET,NODE,CACHE,ONLINE, - for such text on standard input, or synthetic:... (hwloc).",
    ),
]

OutputOption = Annotated[Format, Parameter(name=["--output", "-o"], help="What to print.")]

TableOption = Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"], help="What to print.")]

NoColorOption = Annotated[
    bool, Parameter(name="--no-color", negative="", help="No colour; the environment variable NO_COLOR says the same.")
]
