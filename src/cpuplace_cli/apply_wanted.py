"""What `apply` is given: manifests, or a plan made earlier; and what a state becomes with it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from cpuplace.as_planned import as_planned, wanted_of
from cpuplace.errors import BadInput
from cpuplace.facts import PodFacts
from cpuplace.formats import plan as plan_format
from cpuplace.formats import state as state_format
from cpuplace.kinds import read_pod
from cpuplace.plan import Plan
from cpuplace.policy import Policy
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed
from cpuplace.topology import Topology
from cpuplace_cli.manifest_args import read_pods
from cpuplace_cli.plan_json import refusal_data
from cpuplace_cli.plan_outcome import plan_pods
from cpuplace_cli.plan_said import refusals
from cpuplace_cli.released import release_pods


@frozen(slots=True, kw_only=True)
class Decided:
    """A plan, and who is refused: in words, and as data."""

    plan: Plan
    refused: tuple[str, ...] = ()
    data: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


@frozen(slots=True, kw_only=True)
class Wanted:
    """`decide`: what a state becomes; `requests`: what is asked for under a policy, to know it again where it runs."""

    decide: Callable[[HostState], Decided]
    requests: Callable[[Policy], Iterable[ContainerRequest]] = field(default=lambda _policy: ())


def read_wanted(files: Sequence[str], host: Topology, *, remove: bool) -> Wanted:
    """What the files of `apply` ask for; BadInput when they cannot be read, or mix a plan with anything else."""
    plans = [text for text in map(_plan_text, files) if text is not None]
    if plans and len(files) > 1:
        raise BadInput("one plan, or manifests", source=f"apply {' '.join(files)}", hint="a plan stands alone")
    if plans:
        return _of_plan(plans[0], files[0], host, remove=remove)
    read = read_pods(files, "apply")
    if remove:
        return Wanted(decide=lambda state: _removed(state, [pod.uid for pod in read.pods]))
    return Wanted(
        decide=lambda state: _placed(state, read.pods, read.notes),
        requests=lambda policy: [
            one for pod in read.pods for one in read_pod(pod, policy) if isinstance(one, ContainerRequest)
        ],
    )


def _plan_text(file: str) -> bytes | None:
    """The text of a plan or of a saved state, None for anything else."""
    path = Path(file)
    if file == "-" or not path.is_file():
        return None
    text = path.read_bytes()
    return text if plan_format.is_plan(text) or state_format.is_state(text) else None


def _of_plan(text: bytes, source: str, host: Topology, *, remove: bool) -> Wanted:
    wanted = _observed(text, source, host)
    if remove:
        return Wanted(decide=lambda state: _removed(state, [one.request.pod for one in wanted]))
    return Wanted(decide=lambda state: _as_planned(state, wanted), requests=lambda _: [one.request for one in wanted])


def _observed(text: bytes, source: str, host: Topology) -> tuple[Observed, ...]:
    if plan_format.is_plan(text):
        return wanted_of(plan_format.parse(text, source=source)[1])
    state = state_format.parse(text, host, source=source)
    return tuple(
        Observed(request=one.request, cpus=one.cpus, mems=one.mems, baseline=one.baseline)
        for one in state.assignments.values()
    )


def _placed(state: HostState, pods: Iterable[PodFacts], notes: tuple[str, ...]) -> Decided:
    outcome = plan_pods(state, pods, notes)
    return Decided(
        plan=outcome.plan,
        refused=tuple(f"{one.pod}, container {one.container}: {one.text}" for one in refusals(outcome)),
        data=tuple(map(refusal_data, outcome.refused)),
        notes=(*outcome.plan.notes, *outcome.notes),
    )


def _as_planned(state: HostState, wanted: Iterable[Observed]) -> Decided:
    answer = as_planned(state, wanted)
    if isinstance(answer, Refusal):
        unchanged = Plan(before=state, after=state)
        return Decided(plan=unchanged, refused=(str(answer),), data=({"pod": "", **answer.to_dict()},))
    return Decided(plan=answer)


def _removed(state: HostState, pods: Iterable[str]) -> Decided:
    return Decided(plan=Plan(before=state, after=release_pods(state, pods)[0]))
