"""The options that several commands share, spelled and explained once."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cpuplace_cli.textmap import MIN_WIDTH


def _no_option(_type: Any, value: object) -> None:
    """A value may begin with a hyphen when it is nothing else; what else does is a misspelt option."""
    if str(value).startswith("-") and str(value) != "-":
        raise ValueError("Is it an option that is misspelt, or in the place of a value?")


def _named(_type: Any, value: object) -> None:
    _no_option(_type, value)
    if str(value) == "-":
        raise ValueError("Standard input is not taken here: the name of a file says its language.")


def _wide(_type: Any, value: int | None) -> None:
    if value is not None and value < MIN_WIDTH:
        raise ValueError(f"Must be at least {MIN_WIDTH}.")


OR_STDIN = Parameter(allow_leading_hyphen=True, validator=_no_option)
"""More about an argument that names a file, or - for standard input."""
NAMED = Parameter(allow_leading_hyphen=True, validator=_named)
"""More about one that names a file of which the language (YAML, TOML, JSON) shows in its name."""

Format = Literal["text", "json", "svg"]

KnownHost = Literal[
    "amd-epyc-7742-2s-nps1",
    "amd-epyc-7742-2s-nps4",
    "amd-epyc-9654-2s-nps4",
    "amd-epyc-9965-2s",
    "ampere-altra-2s-80",
    "aws-graviton3",
    "ibm-power9-2s-smt4",
    "intel-i7-1370p",
    "intel-knl-7250-snc4-flat",
    "intel-xeon-8160-4s",
    "intel-xeon-8280-2s",
    "intel-xeon-8480-2s-snc4",
    "kunpeng-920-2s",
    "nvidia-gb200",
    "nvidia-gh200",
    "nvidia-grace-hopper",
    "raspberry-pi-4",
    "vm-2cpu",
]
"""The names of the catalogue, which completion offers; written out here, so that no start waits for the catalogue."""

HostOption = Annotated[
    KnownHost | str,
    Parameter(
        name=["--host", "-H"],
        metavar="HOST",
        show_choices=False,  # `cpuplace hosts` lists them
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

WidthOption = Annotated[
    int | None,
    Parameter(validator=_wide, help=f"Columns of the text, at least {MIN_WIDTH} (default: the terminal's)."),
]
