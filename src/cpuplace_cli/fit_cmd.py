"""`cpuplace fit MANIFEST`: how many more of a pod a host takes, and what stops the next one."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Final

from attrs import evolve, frozen
from cyclopts import Parameter

from cpuplace.capacity import DEFAULT_LIMIT, Fit, fit
from cpuplace.errors import BadInput
from cpuplace.facts import PodFacts
from cpuplace.kinds import read_pod
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.state import HostState
from cpuplace_cli.command import new_command
from cpuplace_cli.drawing import summary
from cpuplace_cli.looks import printable
from cpuplace_cli.manifest_args import ManifestsArgument, NodeOption, read_pods
from cpuplace_cli.options import HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.replicas import runs, together
from cpuplace_cli.situation import PolicyOption, StateOption, load_situation
from cpuplace_cli.table import cell, table
from cpuplace_cli.textmap import Line, Span
from cpuplace_cli.titled import titled

app = new_command(
    "fit",
    """
cpuplace fit examples/mixed-workload.yaml --host amd-epyc-7742-2s-nps4
cpuplace fit worker.yaml --host live --state monday.json
""",
    notes="Each pod by itself; replicas of a workload count once. Exit code 1 when not one more of some pod fits.",
)


@app.default
def fit_command(
    *manifests: ManifestsArgument,
    host: HostOption | None = None,
    node: NodeOption = None,
    policy: PolicyOption = None,
    state: StateOption = None,
    limit: Annotated[int, Parameter(help="Stop counting here.")] = DEFAULT_LIMIT,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Count how many more of a pod fit, and say which wish or rule stops the next one."""
    if limit < 1:
        raise BadInput(f"must be at least 1, not {limit}", source="--limit")
    read = read_pods(manifests, "fit", node=node)
    start = load_situation(host, policy, state)
    answers = [_answer(start, replicas, limit) for replicas in _templates(read.pods)]
    if output == "json":
        emit_json({"host": start.topology.name, "fits": [_data(one) for one in answers], "notes": list(read.notes)})
    else:
        emit_lines(_lines(start, answers, read.notes, width or terminal_width()), no_color=no_color)
    return 1 if any(one.count == 0 for one in answers) else 0


@frozen(slots=True, kw_only=True)
class Answer:
    """How many more of one pod; `count` None = no limit, `stopped_by` None = nothing stopped the count."""

    name: str
    count: int | None
    stopped_by: Refusal | None
    container: str


def _templates(pods: tuple[PodFacts, ...]) -> list[list[PodFacts]]:
    """The pods with the replicas of one workload together."""
    return runs(pods, lambda pod: pod.uid, _nameless)


def _nameless(pod: PodFacts) -> PodFacts:
    """What a pod asks for, whatever its name."""
    return evolve(pod, uid="", name="", containers=tuple(evolve(one, container_id="") for one in pod.containers))


def _answer(state: HostState, pods: list[PodFacts], limit: int) -> Answer:
    pod = pods[0]
    read = read_pod(pod, state.policy)
    refusal = next((one for one in read if isinstance(one, Refusal)), None)
    if refusal is None:
        requests = [one for one in read if isinstance(one, ContainerRequest)]
        found = fit(state, requests, limit=limit, told=_progress(pod.uid))
        _progress_done()
    else:
        found = Fit(count=0, stopped_by=refusal, after=state)
    stopped = found.stopped_by
    names = {one.container_id: one.name for one in pod.containers}
    return Answer(
        name=together([one.uid for one in pods]),
        count=found.count,
        stopped_by=stopped,
        container="" if stopped is None else names[stopped.container_id],
    )


def _data(one: Answer) -> dict[str, Any]:
    stopped = None if one.stopped_by is None else {"container": one.container, **one.stopped_by.to_dict()}
    return {
        "pod": one.name,
        "count": one.count,
        "limit_reached": one.count is not None and one.stopped_by is None,
        "stopped_by": stopped,
    }


def _lines(state: HostState, answers: list[Answer], notes: Sequence[str], width: int) -> Iterator[Line]:
    name, _, counts = summary(state.topology).partition(": ")
    yield Span(name, "bold"), Span(f": {counts}")
    yield (Span(f"{len(state.assignments)} containers there, {len(state.free)} CPUs free, {len(state.pool)} shared"),)
    yield ()
    yield from titled("notes", notes, width)
    if not answers:
        yield (Span("no pods in these manifests", "bold"),)
        return
    rows = [
        [cell(printable(one.name).removeprefix("default/"), "bold"), cell(_count(one)), cell(_why(one), "dim")]
        for one in answers
    ]
    yield from table(["POD", "MORE", "WHAT STOPS THE NEXT ONE"], rows, width)


def _count(one: Answer) -> str:
    if one.count is None:
        return "no limit"
    return f"at least {one.count}" if one.stopped_by is None else str(one.count)


def _why(one: Answer) -> str:
    if one.stopped_by is not None:
        stopped = one.stopped_by
        return f"container {one.container}: {stopped.sentence} ({stopped.kind}, {stopped.rule})"
    return "takes no CPU away from others" if one.count is None else "not looked further (--limit)"


# --- progress ------------------------------------------------------------------------------------

_EVERY: Final = 500
"""Pods between two signs of life: some hundredths of a second."""


def _progress(name: str) -> Callable[[int], object]:
    """Tells a terminal on standard error how far the count is; nobody else."""
    if not sys.stderr.isatty():
        return lambda _count: None

    def tell(count: int) -> None:
        if count % _EVERY == 0:
            sys.stderr.write(f"\r{printable(name)}: {count} fit so far")
            sys.stderr.flush()

    return tell


def _progress_done() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
