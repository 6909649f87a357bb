"""`cpuplace replay EVENTS.jsonl`: a recorded sequence of events decided again, the result of each."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace.formats import events as events_format
from cpuplace.formats.events import Recording
from cpuplace.policy import Policy
from cpuplace.replaying import replay
from cpuplace.state import HostState
from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import load_host
from cpuplace_cli.options import HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.replay_text import Replayed, replay_data, replay_lines
from cpuplace_cli.situation import PolicyOption, read_policy

app = new_command(
    "replay",
    """
cpuplace replay examples/events.jsonl
cpuplace replay examples/walk-swap.jsonl --steps
cpuplace replay examples/events.jsonl --host intel-i7-1370p
cpuplace replay recorded.jsonl -o json
""",
    notes="--host and --policy win over what the first line of EVENTS says; without either it is this machine.",
)


@app.default
def replay_command(
    events: Annotated[str, Parameter(allow_leading_hyphen=True, help="Events as JSON lines, or - for stdin.")],
    /,
    *,
    host: HostOption | None = None,
    policy: PolicyOption = None,
    steps: Annotated[
        bool, Parameter(negative="", help="Below each event, the steps that carry it out, in their order (text).")
    ] = False,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Play recorded events again: the result of each, who moved, what was refused, the final map.

    Exit code 1 when something an event expects is otherwise; refusals by themselves are results.
    """
    recording = events_format.parse(_text(events), source=_name(events))
    start = _start(recording, host, policy, _name(events))
    try:
        played = replay(start, recording.events, one_step_per_container=recording.one_step_per_container)
        done = Replayed(start=start, outcomes=tuple(played))
    except BadInput as bad:
        raise BadInput(bad.problem, source=_name(events), position=bad.position, hint=bad.hint) from None
    if output == "json":
        emit_json(replay_data(done))
    else:
        emit_lines(replay_lines(done, width or terminal_width(), steps=steps), no_color=no_color)
    return 1 if done.missed else 0


def _name(events: str) -> str:
    return "standard input" if events == "-" else events


def _text(events: str) -> str:
    try:
        return sys.stdin.read() if events == "-" else Path(events).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("not text", source=_name(events), position=error.start) from None


def _start(recording: Recording, host: str | None, policy: Path | None, source: str) -> HostState:
    """The idle host on which everything begins."""
    said = recording.policy if policy is None else read_policy(policy)
    try:
        return HostState.empty(_host(recording.host if host is None else host), said or Policy())
    except BadInput as bad:
        if bad.source != "policy":
            raise
        where = str(policy or source)
        raise BadInput(bad.problem, source=where, position=bad.position, hint=bad.hint) from None


def _host(host: str | Topology | None) -> Topology:
    return host if isinstance(host, Topology) else load_host("live" if host is None else host)
