"""`cpuplace state check FILE`: a doctor for saved states, ours and kubelet's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from attrs import evolve, frozen
from cyclopts import Parameter

from cpuplace.checkup import Checkup, Finding, check_up
from cpuplace.errors import BadInput
from cpuplace.formats import kubelet_state
from cpuplace.formats import state as state_format
from cpuplace.step import Step
from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import load_host
from cpuplace_cli.options import NAMED, OR_STDIN, HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.printable import printable
from cpuplace_cli.situation import host_of_state, read_policy, read_state, write_whole
from cpuplace_cli.steps import step_data, step_text
from cpuplace_cli.textmap import MIN_WIDTH, Line
from cpuplace_cli.titled import CROSS, sum_line, titled

app = new_command(
    "state",
    """
cpuplace state check now.json
cpuplace state check /var/lib/kubelet/cpu_manager_state --host live
cpuplace state check broken.json --write mended.json
""",
    notes="Nothing is written without --write, and never FILE itself unless --write names it.",
)


@frozen(slots=True, kw_only=True)
class Diagnosis:
    """A file, what it is, and what is wrong with it."""

    file: str
    format: str
    host: Topology
    checkup: Checkup
    notes: tuple[str, ...] = ()


@app.command
def check(
    file: Annotated[
        Path,
        Parameter(help="A state of ours (plan --save-state), or kubelet's cpu_manager_state; - for stdin."),
        OR_STDIN,
    ],
    /,
    *,
    host: HostOption | None = None,
    policy: Annotated[
        Path | None, Parameter(name=["--policy", "-p"], help="For kubelet's file: what is reserved, and so on."), NAMED
    ] = None,
    write: Annotated[Path | None, Parameter(help="Write the mended state here, in our format, for --state.")] = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Look for overlaps, leaks, CPUs that are not there and broken promises, and say what would mend them.

    Exit code 0 when nothing is wrong, 1 when something is (also when --write mends it), 2 when the file cannot be
    read. Without --host it is the host the state was saved for, when the catalogue has it, else this machine.
    """
    found = _diagnosis(file, host, policy)
    if write is not None:
        write_whole(write, state_format.render(found.checkup.repair.after) + "\n")
    if output == "json":
        emit_json(_data(found) | {"written": None if write is None else str(write)})
    else:
        emit_lines(_lines(found, max(width or terminal_width(), MIN_WIDTH), write), no_color=no_color)
    return 0 if found.checkup.healthy else 1


def _diagnosis(file: Path, host: str | None, policy: Path | None) -> Diagnosis:
    text, source = read_state(file)
    if kubelet_state.is_kubelet_state(text):
        return _of_kubelet(text, source, load_host("live" if host is None else host), policy)
    if policy is not None:
        raise BadInput("a state of ours holds its own policy", source="--policy")
    topology = load_host(host_of_state(text, source) if host is None else host)
    checkup = check_up(state_format.parse_unchecked(text, topology, source=source))
    if checkup.healthy:
        checkup = _with_what_is_refused(checkup, text, topology, source)
    return Diagnosis(file=source, format="cpuplace", host=topology, checkup=checkup)


def _with_what_is_refused(checkup: Checkup, text: bytes, topology: Topology, source: str) -> Checkup:
    """What `--state` would not take is never healthy, whatever the promises say."""
    try:
        state_format.parse(text, topology, source=source)
    except BadInput as bad:
        sentence = f"{bad.problem} ({bad.position})"
        return evolve(checkup, findings=(Finding(kind="promise", sentence=sentence),))
    return checkup


def _of_kubelet(text: bytes, source: str, topology: Topology, policy: Path | None) -> Diagnosis:
    saved = kubelet_state.parse(text, source=source)
    said = None if policy is None else read_policy(policy)
    state, notes = kubelet_state.to_state(saved, topology, said)
    pool = None if saved.policy == "none" else saved.default
    return Diagnosis(file=source, format="kubelet", host=topology, checkup=check_up(state, pool=pool), notes=notes)


def _data(found: Diagnosis) -> dict[str, Any]:
    repair = found.checkup.repair
    return {
        "file": found.file,
        "format": found.format,
        "host": found.host.name,
        "healthy": found.checkup.healthy,
        "findings": [
            {
                "kind": one.kind,
                "sentence": one.sentence,
                "cpus": str(one.cpus),
                "containers": list(one.containers),
                "rule": one.rule,
            }
            for one in found.checkup.findings
        ],
        "repair": [step_data(step) for step in _steps(found)],
        "pool": str(repair.after.pool),
        "notes": [*found.notes, *repair.notes],
    }


def _steps(found: Diagnosis) -> tuple[Step, ...]:
    """What a repair would do; a healthy state needs none."""
    return () if found.checkup.healthy else found.checkup.repair.steps


def _repair(found: Diagnosis) -> list[str]:
    """What a repair would do, in words; nothing for a healthy state."""
    if found.checkup.healthy:
        return []
    steps = [step_text(step) for step in _steps(found)] or ["move nobody"]
    return [*steps, f"leave {found.checkup.repair.after.pool or 'nothing'} to the pool"]


def _lines(found: Diagnosis, width: int, written: Path | None) -> Iterator[Line]:
    findings = [_said(one) for one in found.checkup.findings]
    yield from titled("wrong", findings, width, mark=CROSS)
    yield from titled("a repair would", _repair(found), width)
    yield from titled("notes", [*found.notes, *found.checkup.repair.notes], width)
    if found.checkup.healthy:
        yield from sum_line("healthy", f": {_what(found)}{_where(written)}", width)
    else:
        number = len(findings)
        rest = f": {_what(found)}{_where(written, '; mended, it was')}"
        yield from sum_line(f"{number} thing{'' if number == 1 else 's'} wrong", rest, width, "bold red")


def _what(found: Diagnosis) -> str:
    kind = "kubelet's state" if found.format == "kubelet" else "state"
    count = len(found.checkup.repair.after.assignments)
    return f"{kind} of {count} container{'' if count == 1 else 's'} on {found.host.name or 'this host'}"


def _where(written: Path | None, how: str = ";") -> str:
    return "" if written is None else printable(f"{how} written to {written}")


def _said(one: Finding) -> str:
    who = f"{', '.join(one.containers)}: " if one.containers else ""
    return f"{one.kind}: {who}{one.sentence}" + (f" ({one.rule})" if one.rule else "")
