"""What became of each pod of some manifests: started on the host, or refused whole."""

from collections.abc import Iterable, Iterator

from attrs import field, frozen

from cpuplace.explanation import Explanation, Reason
from cpuplace.facts import ContainerFacts, PodFacts
from cpuplace.kinds import read_pod
from cpuplace.plan import Plan
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.starting import PodStart, start_pod
from cpuplace.state import Assignment, HostState
from cpuplace_cli.released import Released, release_pods


@frozen(slots=True, kw_only=True)
class PodAnswer:
    """One pod: refused, or started with what its init containers had; `new` False = it was there already.

    `requests` are empty when something about them could not be read.
    """

    pod: PodFacts
    requests: tuple[ContainerRequest, ...] = ()
    refusal: Refusal | None = None
    init: tuple[Assignment, ...] = ()
    new: bool = True
    optimal: bool = True

    @property
    def uid(self) -> str:
        """`namespace/name`."""
        return self.pod.uid

    @property
    def refused(self) -> ContainerFacts | None:
        """The container that was refused; None for a pod that starts."""
        who = None if self.refusal is None else self.refusal.container_id
        return next((one for one in self.pod.containers if one.container_id == who), None)


@frozen(slots=True, kw_only=True)
class Outcome:
    """All pods in file order, and the one plan that starts those that can, after pods that were `released`.

    `explanation` when it was asked for.
    """

    plan: Plan
    pods: tuple[PodAnswer, ...]
    notes: tuple[str, ...] = ()
    released: tuple[Released, ...] = ()
    explanation: Explanation = field(factory=Explanation)

    @property
    def state(self) -> HostState:
        """Who holds what when all of them run."""
        return self.plan.after

    @property
    def refused(self) -> tuple[PodAnswer, ...]:
        """The pods that do not start."""
        return tuple(one for one in self.pods if one.refusal is not None)

    @property
    def started(self) -> tuple[PodAnswer, ...]:
        """The pods that start."""
        return tuple(one for one in self.pods if one.refusal is None)

    def held(self, one: PodAnswer) -> Iterator[Assignment]:
        """What the containers of a started pod hold in the end, in placing order; init containers while they run."""
        gone = {held.container_id: held for held in one.init}
        for request in one.requests:
            key = request.container_id
            if key in gone or key in self.state:
                yield gone.get(key) or self.state[key]


def plan_pods(
    state: HostState,
    pods: Iterable[PodFacts],
    notes: tuple[str, ...] = (),
    *,
    ended: Iterable[str] = (),
    explain: bool = False,
) -> Outcome:
    """Start one pod after another; one that is refused takes nothing away from those after it (R13, R14).

    Before that the pods that have `ended` are released, so that the others find what they held.

    Of each pod only its answer is kept: its plan holds two states, and there may be thousands of pods. Only where
    somebody made way for a pin the states on the way stay, since the steps may have to go through them.
    """
    answers: list[PodAnswer] = []
    reasons: list[Reason] = []
    said: list[str] = []
    stops: list[HostState] = []
    after, released = release_pods(state, ended)
    for pod in pods:
        requests, found = start(after, pod)
        if isinstance(found, Refusal):
            answers.append(PodAnswer(pod=pod, requests=requests, refusal=found))
            continue
        plan, after = found.plan, found.plan.after
        new, optimal = not plan.is_empty, plan.optimal
        answers.append(PodAnswer(pod=pod, requests=requests, init=found.init, new=new, optimal=optimal))
        said += plan.notes
        stops += plan.path
        reasons += plan.explain().reasons if explain else ()
    optimal = all(one.optimal for one in answers)
    whole = Plan(before=state, after=after, notes=tuple(said), optimal=optimal, stops=tuple(stops))
    explanation = Explanation(tuple(reasons))
    return Outcome(plan=whole, pods=tuple(answers), notes=notes, released=released, explanation=explanation)


def start(state: HostState, pod: PodFacts) -> tuple[tuple[ContainerRequest, ...], PodStart | Refusal]:
    """The requests of a pod, and whether it starts in this state; no requests when one cannot be read."""
    read = read_pod(pod, state.policy)
    for one in read:
        if isinstance(one, Refusal):
            return (), one
    requests = tuple(one for one in read if isinstance(one, ContainerRequest))
    return requests, start_pod(state, requests)
