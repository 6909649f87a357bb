"""Starting a pod: its containers in the order in which a kubelet starts them, all or none (R8, R14)."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from attrs import frozen

from cpuplace.plan import Plan
from cpuplace.planner import place_all, release
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.state import Assignment, HostState


@frozen(slots=True, kw_only=True)
class PodStart:
    """A pod that can start: the plan for all of it, and what its init containers hold while they run.

    The plan's steps are what is left when the init containers are gone, so they are not among them (unless others
    make way for pins one after another, and no other order is safe).
    """

    plan: Plan
    init: tuple[Assignment, ...] = ()


def start_pod(state: HostState, requests: Iterable[ContainerRequest]) -> PodStart | Refusal:
    """A pod's requests (in placing order, as `read_pod` gives them) placed one after another, or the first refusal.

    Each init container is placed and released before what follows it; containers between two of them, sidecars
    too, are placed together, so that `scope="pod"` divides one grant. The init containers of a pod whose other
    containers are all there already do not run again.

    >>> from cpuplace.topology import Topology
    >>> make = ContainerRequest.integer
    >>> pod = [make("p/setup", 4, pod="p", name="setup", init=True), make("p/main", 3, pod="p", name="main")]
    >>> started = start_pod(HostState.empty(Topology.uniform(cores_per_l3=5)), pod)
    >>> [str(one.cpus) for one in started.init], [step.container_id for step in started.plan.steps]
    (['0-3'], ['p/main'])
    """
    after, plans, init = state, [], []
    for batch in _batches(state, tuple(requests)):
        answer = place_all(after, batch)
        if isinstance(answer, Refusal):
            return answer
        plans.append(answer)
        after = answer.after
        if batch[0].init:
            init.append(after[batch[0].container_id])
            after = release(after, batch[0].container_id).after
    return PodStart(plan=_joined(state, plans, after), init=tuple(init))


def _batches(state: HostState, requests: tuple[ContainerRequest, ...]) -> Iterator[tuple[ContainerRequest, ...]]:
    """What is placed together: each init container alone, and what stands between two of them."""
    staying = tuple(one for one in requests if not one.init)
    if staying and all(one.container_id in state for one in staying):
        yield staying
        return
    for is_init, run in groupby(requests, key=lambda one: one.init):
        together = tuple(run)
        yield from ((one,) for one in together) if is_init else (together,)


def _joined(before: HostState, plans: Iterable[Plan], after: HostState) -> Plan:
    """One plan from the first state to the last: its steps are the difference, notes and reasons those of all."""
    parts = tuple(plans)
    return Plan(
        before=before,
        after=after,
        notes=tuple(note for plan in parts for note in plan.notes),
        optimal=all(plan.optimal for plan in parts),
        explainers=tuple(one for plan in parts for one in plan.explainers),
        stops=tuple(stop for plan in parts for stop in plan.path),
    )
