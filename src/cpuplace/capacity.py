"""Capacity: how many more of one pod a host takes, and what stops the next one."""

from collections.abc import Callable, Iterable

from attrs import evolve, frozen

from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.starting import start_pod
from cpuplace.state import HostState

DEFAULT_LIMIT = 10_000


@frozen(slots=True, kw_only=True)
class Fit:
    """How many more of a pod fit.

    `count` None = as many as you like, since a pod of them takes nothing away; `stopped_by` refuses the next one
    (None when `count` is None or the limit of the question); `after` is the state with all of them.
    """

    count: int | None
    stopped_by: Refusal | None
    after: HostState


def fit(
    state: HostState,
    requests: Iterable[ContainerRequest],
    *,
    limit: int = DEFAULT_LIMIT,
    told: Callable[[int], object] = lambda _count: None,
) -> Fit:
    """How many more pods with these containers start one after another, `limit` at most.

    Every copy has names of its own; `told` hears of the count after each. Cost: one `start_pod` a copy.

    >>> from cpuplace.topology import Topology
    >>> found = fit(HostState.empty(Topology.uniform(cores_per_l3=8)), [ContainerRequest.integer("c", 3)])
    >>> found.count, found.stopped_by.kind
    (2, 'NotEnoughCpus')
    """
    pod, sign = tuple(requests), _unused_sign(state)
    for count in range(limit):
        mark = f"{sign}{count + 1}"
        copy = [evolve(one, container_id=one.container_id + mark, pod=one.pod + mark) for one in pod]
        answer = start_pod(state, copy)
        if isinstance(answer, Refusal):
            as_asked = evolve(answer, container_id=answer.container_id.removesuffix(mark))
            return Fit(count=count, stopped_by=as_asked, after=state)
        if _takes_nothing(state, answer.plan.after, pod):
            return Fit(count=None, stopped_by=None, after=answer.plan.after)
        state = answer.plan.after
        told(count + 1)
    return Fit(count=limit, stopped_by=None, after=state)


def _unused_sign(state: HostState) -> str:
    """What sets the names of copies apart from all that are there."""
    sign = "#"
    while any(sign in key for key in state.assignments):
        sign += "#"
    return sign


def _takes_nothing(before: HostState, after: HostState, pod: tuple[ContainerRequest, ...]) -> bool:
    """True when one more pod leaves the next one all that it had itself."""
    facts = [(state.free_mask, state.pool_mask, state.isolated_free_mask, state.owned) for state in (before, after)]
    binds = before.policy.memory_policy == "strict" and any(one.memory_bytes or one.huge_pages for one in pod)
    return facts[0] == facts[1] and not binds
