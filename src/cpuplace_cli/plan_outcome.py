"""What became of each pod of some manifests: started on the host, or refused whole."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from cpuplace.facts import ContainerFacts, PodFacts
from cpuplace.kinds import read_pod
from cpuplace.plan import Plan
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.starting import PodStart, joined, start_pod
from cpuplace.state import Assignment, HostState


@frozen(slots=True, kw_only=True)
class PodAnswer:
    """One pod and its answer; `requests` are empty when something about them could not be read."""

    pod: PodFacts
    answer: PodStart | Refusal
    requests: tuple[ContainerRequest, ...] = ()

    @property
    def uid(self) -> str:
        """`namespace/name`."""
        return self.pod.uid

    @property
    def refused(self) -> ContainerFacts | None:
        """The container that was refused; None for a pod that starts."""
        if isinstance(self.answer, PodStart):
            return None
        who = self.answer.container_id
        return next(one for one in self.pod.containers if one.container_id == who)


@frozen(slots=True, kw_only=True)
class Outcome:
    """All pods in file order, and the one plan that starts those that can."""

    plan: Plan
    pods: tuple[PodAnswer, ...]
    notes: tuple[str, ...]

    @property
    def state(self) -> HostState:
        """Who holds what when all of them run."""
        return self.plan.after

    @property
    def refused(self) -> tuple[PodAnswer, ...]:
        """The pods that do not start."""
        return tuple(one for one in self.pods if isinstance(one.answer, Refusal))

    @property
    def started(self) -> tuple[tuple[PodAnswer, PodStart], ...]:
        """The pods that start, with how."""
        return tuple((one, one.answer) for one in self.pods if isinstance(one.answer, PodStart))

    def held(self, one: PodAnswer, start: PodStart) -> Iterator[Assignment]:
        """What the containers of a pod hold in the end, in placing order; init containers while they run."""
        gone = {held.container_id: held for held in start.init}
        for request in one.requests:
            key = request.container_id
            if key in gone or key in self.state:
                yield gone.get(key) or self.state[key]


def plan_pods(state: HostState, pods: Iterable[PodFacts], notes: tuple[str, ...] = ()) -> Outcome:
    """Start one pod after another; one that is refused takes nothing away from those after it (R13, R14)."""
    answers, after = [], state
    for pod in pods:
        one = answer_pod(after, pod)
        answers.append(one)
        after = one.answer.plan.after if isinstance(one.answer, PodStart) else after
    plans = [one.answer.plan for one in answers if isinstance(one.answer, PodStart)]
    return Outcome(plan=joined(state, plans, after), pods=tuple(answers), notes=notes)


def answer_pod(state: HostState, pod: PodFacts) -> PodAnswer:
    """Whether one pod starts in this state."""
    read = read_pod(pod, state.policy)
    requests = tuple(one for one in read if isinstance(one, ContainerRequest))
    for one in read:
        if isinstance(one, Refusal):
            return PodAnswer(pod=pod, answer=one)
    return PodAnswer(pod=pod, answer=start_pod(state, requests), requests=requests)
