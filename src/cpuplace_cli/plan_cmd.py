"""`cpuplace plan MANIFEST...`: where each container of real manifests would run on a host, with a picture, and why."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace.facts import PodFacts
from cpuplace_cli.command import new_command
from cpuplace_cli.looks import printable
from cpuplace_cli.manifest_args import ManifestsArgument, NodeOption, read_pods
from cpuplace_cli.options import HostOption, NoColorOption, OutputOption, WidthOption
from cpuplace_cli.output import emit as emit_text
from cpuplace_cli.output import emit_json, emit_lines, emit_svg, terminal_width
from cpuplace_cli.plan_outcome import Outcome, plan_pods
from cpuplace_cli.released import pod_of
from cpuplace_cli.replicas import apart
from cpuplace_cli.situation import PolicyOption, StateOption, load_situation, write_whole

app = new_command(
    "plan",
    """
cpuplace plan examples/mixed-workload.yaml --host amd-epyc-7742-2s-nps4
cpuplace plan examples/isolate.yaml --host vm-2cpu --explain
cpuplace plan monday.yaml --save-state now.json
cpuplace plan tuesday.yaml --state now.json --save-state now.json
cpuplace plan --state now.json --release data/database --save-state now.json
kubectl get pods -A -o yaml | cpuplace plan - --node server7 --host server7.tar.gz
cpuplace plan examples/mixed-workload.yaml --host amd-epyc-7742-2s-nps4 --emit numactl
""",
    notes="Exit code 1 when something was refused, 2 for bad input. Without --host it is this machine.",
)


Tool = Literal["taskset", "numactl", "systemd", "docker", "openmp", "slurm", "libvirt"]


@app.default
def plan(
    *manifests: ManifestsArgument,
    host: HostOption | None = None,
    node: NodeOption = None,
    policy: PolicyOption = None,
    state: StateOption = None,
    release: Annotated[
        list[str] | None,
        Parameter(negative="", help="First release this pod of --state, named as in the table: it has ended."),
    ] = None,
    save_state: Annotated[Path | None, Parameter(help="Write who holds what afterwards, for --state.")] = None,
    explain: Annotated[bool, Parameter(negative="", help="Show the CPUs looked at and what decided.")] = False,
    every: Annotated[bool, Parameter(name="--all", negative="", help="One row a container, replicas too.")] = False,
    output: OutputOption = "text",
    emit: Annotated[
        Tool | None, Parameter(help="Instead print the plan in the words of this tool, a snippet a container.")
    ] = None,
    svg: Annotated[Path | None, Parameter(help="Also draw the map into this SVG file.")] = None,
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Place the pods of Kubernetes manifests on a host: table, refusals, map, reasons.

    Pods are placed in file order, replicas from 0 on; a pod of which one container is refused is not placed at all.
    """
    if emit is not None and output != "text":
        raise BadInput("--emit prints the plan in the words of a tool", source="--emit", hint="leave out -o")
    pods, notes = _pods(manifests, node, release)
    start = load_situation(host, policy, state)
    ended = [pod_of(start, one) for name in release or () for one in apart(name)]
    outcome = plan_pods(start, pods, notes, ended=ended, explain=explain)
    if save_state is not None:
        _save(outcome, save_state)
    if svg is not None:
        write_whole(svg, _picture(outcome))
    if emit is not None:
        _emit_for(emit, outcome)
        _tell_refusals(outcome)
    elif output == "json":
        from cpuplace_cli.plan_json import plan_data

        emit_json(plan_data(outcome, explain=explain))
    elif output == "svg":
        emit_svg(_picture(outcome))
        _tell_refusals(outcome)
    else:
        from cpuplace_cli.plan_text import Wanted, plan_lines

        wanted = Wanted(every=every, explain=explain)
        emit_lines(plan_lines(outcome, width or terminal_width(), wanted), no_color=no_color)
    return 1 if outcome.refused else 0


def _pods(
    manifests: Sequence[str], node: str | None, release: list[str] | None
) -> tuple[tuple[PodFacts, ...], tuple[str, ...]]:
    """The pods to place, and what to note of them; none where pods are only released."""
    if release and not manifests:
        return (), ()
    read = read_pods(manifests, "plan", node=node)
    return read.pods, read.notes


def _save(outcome: Outcome, path: Path) -> None:
    from cpuplace.formats import state as state_format

    write_whole(path, state_format.render(outcome.state) + "\n")


def _emit_for(tool: Tool, outcome: Outcome) -> None:
    from cpuplace.formats import emit

    held = [held for one in outcome.started for held in outcome.held(one)]
    emit_text(emit.render(tool, outcome.state.topology, held))


def _picture(outcome: Outcome) -> str:
    from cpuplace_cli.picture import picture_of
    from cpuplace_cli.svgmap import render

    return render(picture_of(outcome.state).drawing())


def _tell_refusals(outcome: Outcome) -> None:
    """A picture, or the words of another tool, cannot show who is not in it."""
    from cpuplace_cli.plan_said import refusals

    for one in refusals(outcome):
        sys.stderr.write(f"cpuplace: refused: {printable(f'{one.pod}, container {one.container}: {one.text}')}\n")
