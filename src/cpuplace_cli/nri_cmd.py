"""`cpuplace nri`: the plugin of one node: run it, check its configuration, ask it who has what and why."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cpuplace_cli.command import new_command
from cpuplace_cli.options import NAMED, HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit, emit_json, emit_lines, terminal_width

app = new_command(
    "nri",
    """
cpuplace nri check-config nri.yaml --kubelet-config /var/lib/kubelet/config.yaml
cpuplace nri run --config nri.yaml
cpuplace nri status
cpuplace nri explain ml/training-0/trainer
cpuplace nri record trouble.jsonl
""",
    notes="status, explain, events, dump and record ask the plugin that runs on this node, through its admin socket; "
    "that needs root. Exit codes: 0 all is well, 1 something is wrong or was refused, 2 bad input, no plugin, no "
    "permission.",
)

ConfigOption = Annotated[
    Path | None,
    Parameter(
        name=["--config", "-c"],
        help="The plugin's configuration: a .yaml, .toml or .json file (default: /etc/cpuplace/nri.yaml, where it is).",
    ),
]
SocketOption = Annotated[
    str | None,
    Parameter(
        name="--admin-socket",
        help="Where the plugin listens (default: what the configuration says: /run/cpuplace/nri.sock).",
    ),
]


@app.command
def run(
    *,
    config: ConfigOption = None,
    socket: Annotated[str | None, Parameter(help="The runtime's socket (default: /var/run/nri/nri.sock).")] = None,
    name: Annotated[str | None, Parameter(help="The plugin's name (default: cpuplace).")] = None,
    index: Annotated[int | None, Parameter(help="Its place among the plugins, 0 to 99 (default: 99).")] = None,
) -> int:
    """Run the plugin until it is told to end: connect to the runtime, and place every container from now on.

    SIGHUP reads the configuration again, SIGTERM and Ctrl-C end it; containers keep their CPUs. What the command line
    says wins over the file.
    """
    from cpuplace_nri.arguments import Arguments
    from cpuplace_nri.main import run_plugin

    return run_plugin(Arguments(config=config, socket=socket, name=name, index=index))


@app.command(name="check-config")
def check_config(
    file: Annotated[
        Path | None, Parameter(help="The configuration (default: /etc/cpuplace/nri.yaml, if it is there)."), NAMED
    ] = None,
    /,
    *,
    kubelet_config: Annotated[
        Path | None,
        Parameter(help="The kubelet's file (default: /var/lib/kubelet/config.yaml, if it is there)."),
        NAMED,
    ] = None,
    host: HostOption = "live",
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Check a configuration: is it right, does it fit the host, does the kubelet keep back what it must?

    Prints the kubelet's lines to use. Exit code 1 when pods would be sent here that must then be
    refused, or the kubelet keeps more than there is.
    """
    from cpuplace_cli.nri_check import check_lines, checked

    config, done = checked(file, kubelet_config, host)
    if output == "json":
        from cpuplace_nri.configtext import render

        emit_json(done.to_dict() | {"config": render(config)})
    else:
        emit_lines(check_lines(done, file, width or terminal_width()), no_color=no_color)
    return 0 if done.good else 1


@app.command
def schema() -> int:
    """Print the JSON Schema of a configuration file."""
    import json

    from cpuplace_nri.configtext import schema

    emit(json.dumps(schema(), indent=2) + "\n")
    return 0


@app.command
def status(
    *,
    config: ConfigOption = None,
    admin_socket: SocketOption = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Say who has what on this node, and why, with the map of the node.

    Exit code 1 when a container's CPUs are worse than the rules allow (degraded).
    """
    answer = _asked(config, admin_socket, "status")
    if output == "json":
        emit_json(answer)
    else:
        from cpuplace_cli.nri_status import status_lines

        emit_lines(status_lines(answer, width or terminal_width()), no_color=no_color)
    return 1 if any(one["degraded"] for one in answer["containers"]) else 0


@app.command
def explain(
    container: Annotated[str, Parameter(help="Its id, the beginning of one, or namespace/pod/container.")],
    /,
    *,
    config: ConfigOption = None,
    admin_socket: SocketOption = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Say why a container has its CPUs, or was refused: what it asked for, by which rule, what else there was."""
    answer = _asked(config, admin_socket, "explain", container=container)
    if output == "json":
        emit_json(answer)
    else:
        from cpuplace_cli.nri_explain import explain_lines

        emit_lines(explain_lines(answer, width or terminal_width()), no_color=no_color)
    return 0


@app.command
def events(
    *,
    follow: Annotated[
        bool,
        Parameter(name=["--follow", "-f"], negative="", help="Go on with every decision from now on, until Ctrl-C."),
    ] = False,
    config: ConfigOption = None,
    admin_socket: SocketOption = None,
    output: TableOption = "text",
) -> int:
    """List the last decision about each container, oldest first; with --follow all that come."""
    from cpuplace_cli.nri_events import event_text

    def tell(one: dict[str, Any]) -> None:
        if output == "json":
            emit_json(one, line=True)
        else:
            emit(event_text(one) + "\n")
        sys.stdout.flush()

    from cpuplace_nri.asking import ask_many

    stream = ask_many(_socket(config, admin_socket), "events")
    for one in next(stream)["last"]:
        tell(one)
    if follow:
        for one in stream:
            tell(one)
    return 0


@app.command
def dump(*, config: ConfigOption = None, admin_socket: SocketOption = None) -> int:
    """Print all that the plugin knows as JSON: for a bug report."""
    emit_json(_asked(config, admin_socket, "dump"))
    return 0


@app.command
def record(
    file: Annotated[
        Path, Parameter(allow_leading_hyphen=True, help="Where to; - for standard output. What is there is replaced.")
    ],
    /,
    *,
    config: ConfigOption = None,
    admin_socket: SocketOption = None,
) -> int:
    """Write every decision from now on into a file that `cpuplace replay` plays again, until Ctrl-C.

    The file begins with the host, the policy and what runs. Exit code 1 when the plugin ends or the file falls behind.
    """
    from cpuplace_cli.nri_record import write_recording

    return write_recording(_socket(config, admin_socket), file)


def _asked(config: Path | None, admin_socket: str | None, cmd: str, **fields: Any) -> dict[str, Any]:
    from cpuplace_nri.asking import ask

    return ask(_socket(config, admin_socket), cmd, **fields)


def _socket(config: Path | None, admin_socket: str | None) -> str:
    """Where the plugin listens; BadInput when its configuration says that it does not."""
    if admin_socket is not None:
        return admin_socket
    from cpuplace.errors import BadInput
    from cpuplace_nri.configfile import DEFAULT_PATH, read_config

    path = read_config(config).admin_socket
    if not path:
        raise BadInput("has no admin_socket: the plugin cannot be asked", source=str(config or DEFAULT_PATH))
    return path
