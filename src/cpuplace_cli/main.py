"""The `cpuplace` command: finds the command, runs it, and turns what goes wrong into one line and an exit code.

Exit codes: 0 all done, 1 something was refused, wrong or different, 2 bad input or bad usage; 130 after Ctrl-C, 141
when the reader of a pipe went away, 70 for a bug of ours. A command is one module with an App (see `command.py`),
registered in one line of `COMMANDS`; it is imported when it is used, so that `--help` stays quick. Containers wait for
`nri run`, so that starts without the command's libraries where its arguments are plain.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cpuplace_cli.printable import printable
from cpuplace_cli.streams import prepare_streams

if TYPE_CHECKING:
    from cyclopts import App

REFUSED: Final = 1
BAD_INPUT: Final = 2
BUG: Final = 70
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

EXTRAS: Final = {"cyclopts": "cli", "rich": "cli", "yaml": "cli", "google": "nri"}
"""Modules that a plain install lacks, and the extra that brings them."""
PACKAGES: Final = {"yaml": "PyYAML", "google": "protobuf"}
"""Whose names differ from those of their modules."""
PLUGIN: Final = ("nri", "run")

COMMANDS: Final = (
    ("plan", "cpuplace_cli.plan_cmd:app", "Place the pods of Kubernetes manifests on a host: table, map, reasons."),
    ("fit", "cpuplace_cli.fit_cmd:app", "Count how many more of a pod fit, and say what stops the next one."),
    ("partitions", "cpuplace_cli.partitions_cmd:app", "Plan the partitions of a storage or stream engine on a host."),
    ("irq", "cpuplace_cli.irq_cmd:app", "Move device interrupts to the CPUs of partitions, and off exclusive ones."),
    ("diff", "cpuplace_cli.diff_cmd:app", "Say who moved between two saved states or plans, with maps."),
    (
        "rebalance",
        "cpuplace_cli.rebalance_cmd:app",
        "Tidy up a fragmented host by a few moves: who, where to, and why.",
    ),
    ("state", "cpuplace_cli.state_cmd:app", "Check a saved state, ours or kubelet's, and say what would mend it."),
    ("replay", "cpuplace_cli.replay_cmd:app", "Play recorded events again: the result of each, and the final map."),
    ("apply", "cpuplace_cli.apply_cmd:app", "Place the pods of manifests in cgroups of this host, step by step."),
    ("run", "cpuplace_cli.run_cmd:app", "Run a command in a cgroup of its own on exclusive CPUs, until it ends."),
    ("ps", "cpuplace_cli.ps_cmd:app", "List who runs where on this host, what has drifted, and the map."),
    ("drift", "cpuplace_cli.drift_cmd:app", "Say where the cgroups differ from what they were given, and mend it."),
    ("nri", "cpuplace_cli.nri_cmd:app", "Run the plugin of a Kubernetes node, check its configuration, ask it."),
    ("topology", "cpuplace_cli.topology_cmd:app", "Draw a host: packages, NUMA nodes, L3 groups, cores, devices."),
    ("hosts", "cpuplace_cli.hosts_cmd:app", "List the hosts that --host knows by name, and their sources."),
    ("capture", "cpuplace_cli.capture_cmd:app", "Save what --host needs to know of this machine in a tar.gz."),
    ("policy", "cpuplace_cli.policy_cmd:app", "Show the operator's choices, check a policy file."),
    ("completion", "cpuplace_cli.completion_cmd:app", "Print the completion script of a shell."),
)
"""Name, where its App is, and its line in `cpuplace --help`."""

_HELP: Final = "Decides which CPUs and which memory each container runs on, shows it, and says why."

_EXAMPLES: Final = """
Examples:
  cpuplace plan examples/mixed-workload.yaml --host amd-epyc-7742-2s-nps4
  cpuplace hosts
  cpuplace topology --host amd-epyc-7742-2s-nps4
  cpuplace topology -o svg > this-machine.svg
"""


def _version() -> str:
    from importlib.metadata import version

    return version("cpuplace")


def build_app() -> "App":
    """The command line as cyclopts knows it; nothing of a command is imported yet."""
    from cyclopts import App

    app = App(
        name="cpuplace",
        help=_HELP,
        help_epilogue=_EXAMPLES,
        help_format="plaintext",
        version=_version,
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, where, line in COMMANDS:
        app.command(where, name=name, help=line)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but the code and the output leaves."""
    prepare_streams()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:
        # The reader has enough (`| head`); without this, Python complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:  # rich, which writes the help texts, leaves so when the reader has enough
        if isinstance(end.__context__, BrokenPipeError):
            return BROKEN_PIPE
        raise


def _run(arguments: Sequence[str]) -> int:
    try:
        result = _called(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(error)
    return result if isinstance(result, int) else 0


def _called(arguments: Sequence[str]) -> Any:
    """What the command returns; BadInput when two arguments want standard input, of which the second finds nothing."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if sum(word == "-" or (word.startswith("--") and word.endswith("=-")) for word in ours) > 1:
        from cpuplace.errors import BadInput

        raise BadInput("standard input can be read only once", source="-", hint="name a file for one of the two")
    if tuple(arguments[:2]) == PLUGIN:
        from cpuplace_nri.arguments import plain

        asked = plain(arguments[2:])
        if asked is not None:
            from cpuplace_nri.main import run_plugin

            return run_plugin(asked)
    return build_app()(list(arguments))


def _failed(error: Exception) -> int:
    """Bad usage, bad input or a bug; the core is imported only now, so that `--help` does not wait for it."""
    from cpuplace.errors import BadInput, BrokenInvariant, CpuplaceError, StalePlan

    if _is_usage(error):
        return fail(str(error), BAD_INPUT)
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get(module := (error.name or "").partition(".")[0])):
        return fail(f"the command needs {PACKAGES.get(module, module)}: pip install 'cpuplace[{extra}]'", BAD_INPUT)
    if isinstance(error, BadInput):
        return fail(str(error), BAD_INPUT)
    if isinstance(error, CpuplaceError) and not isinstance(error, BrokenInvariant | StalePlan):
        return fail(str(error), REFUSED)  # the kernel, or another command at work, said no
    if isinstance(error, OSError):
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), BAD_INPUT)
    if os.environ.get("CPUPLACE_TRACEBACK"):
        raise error
    return fail(f"a bug in cpuplace: {type(error).__name__}: {error} (CPUPLACE_TRACEBACK=1 shows where)", BUG)


def _is_usage(error: Exception) -> bool:
    """Whether cyclopts raised it, which then is loaded."""
    cyclopts = sys.modules.get("cyclopts")
    return cyclopts is not None and isinstance(error, cyclopts.CycloptsError)


def fail(message: str, code: int) -> int:
    """Print one line on standard error, whatever the message holds, and return `code`."""
    sys.stderr.write(f"cpuplace: error: {printable(' '.join(message.split()))}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
