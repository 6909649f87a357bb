"""The planner: place and its sisters. Pure functions from a state to a plan or a refusal."""

from collections.abc import Iterable
from typing import Literal

from cpuplace.errors import BadInput
from cpuplace.hotplug import on_topology
from cpuplace.placing import Placed, placed, placed_each, placed_pod
from cpuplace.plan import Plan
from cpuplace.rebalancing import rebalanced
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.resizing import resized
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed, synchronized
from cpuplace.topology import Topology
from cpuplace.transitions import without, without_memory_of


def place(state: HostState, request: ContainerRequest) -> Plan | Refusal:
    """A plan that gives one container its CPUs, or the refusal that says why it cannot have them.

    A running container of the same pod and name is replaced (R8); an id that is there with an equal request
    is the empty plan (R15). Cost: some 10 us, and O(containers) in C for copying a dict.

    >>> state = HostState.empty(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    >>> place(state, ContainerRequest.integer("c1", 3)).unwrap().after["c1"].cpus
    CpuSet('0-1,4')
    """
    answer = placed(state, request)
    return answer if isinstance(answer, Refusal) else _plan(state, answer)


def place_all(
    state: HostState,
    requests: Iterable[ContainerRequest],
    *,
    scope: Literal["container", "pod"] | None = None,
) -> Plan | Refusal:
    """One plan for several containers, or the refusal of the first that cannot be placed: all or none (R14).

    `scope` overrides the policy's: with "pod" the integer containers of a pod are one grant (fewest nodes for
    the pod) that is then divided.

    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> two = [ContainerRequest.integer("a", 2), ContainerRequest.integer("b", 3)]
    >>> place_all(state, two).kind
    'NotEnoughCpus'
    """
    if (scope or state.policy.scope) == "container":
        answer = placed_each(state, requests)
        return answer if isinstance(answer, Refusal) else _plan(state, answer)
    pods: dict[str, list[ContainerRequest]] = {}
    for request in requests:
        pods.setdefault(request.pod, []).append(request)
    total = Placed(state)
    for members in pods.values():
        answer = placed_pod(total.after, members)
        if isinstance(answer, Refusal):
            return answer
        total = total.joined(answer)
    return _plan(state, total)


def release(state: HostState, container_id: str) -> Plan:
    """A plan without one container; the empty plan when it is not there (R8: idempotent).

    Its CPUs return to the pool, and are remembered for its pod and name until `forget_pod`.

    >>> release(HostState.empty(Topology.uniform()), "gone").is_empty
    True
    """
    return _plan(state, Placed(without(state, container_id) if container_id in state else state))


def forget_pod(state: HostState, pod: str) -> Plan:
    """A plan without anything of this pod: what is remembered, and containers whose stop was never told.

    >>> forget_pod(HostState.empty(Topology.uniform()), "uid").is_empty
    True
    """
    left = [state[key].request for (owner, _), key in state.by_name.items() if owner == pod]
    after = state
    for request in left:
        after = without(after, request.container_id)
    after = without_memory_of(after, pod)
    notes = tuple(f"{request.container_id}: still there when its pod went, released" for request in left)
    return _plan(state, Placed(after, notes))


def resize(state: HostState, request: ContainerRequest) -> Plan | Refusal:
    """A plan that gives the container with this id its new number of CPUs; nothing else moves (R10).

    Growing keeps every CPU held; shrinking keeps those of its creation longest. A request that turns from whole to
    fractional, or back, changes the kind. Pinned and shared containers: the empty plan. An id that is not
    there is refused.

    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4, threads_per_core=2))
    >>> state = place(state, ContainerRequest.integer("c1", 2)).unwrap().after
    >>> resize(state, ContainerRequest.integer("c1", 3)).unwrap().after["c1"].cpus
    CpuSet('0-1,4')
    """
    answer = resized(state, request)
    return answer if isinstance(answer, Refusal) else _plan(state, answer)


def change_topology(state: HostState, topology: Topology) -> Plan:
    """A plan for the host as it is now: CPUs gone offline, or back again (R11). Never refuses.

    Integer containers leave CPUs that cannot be used any more, pinned ones are noted as degraded, the pool
    follows. Raises BadInput when `topology` is another host, one that lacks CPUs or nodes the policy names.

    >>> host = Topology.uniform(cores_per_l3=8)
    >>> state = place(HostState.empty(host), ContainerRequest.integer("c1", 2)).unwrap().after
    >>> change_topology(state, host.with_online(host.online - state["c1"].cpus)).after["c1"].cpus
    CpuSet('2-3')
    """
    return _plan(state, Placed(state) if topology == state.topology else on_topology(state, topology))


def synchronize(state: HostState, observed: Iterable[Observed]) -> Plan:
    """A plan from what runs now to a legal state; after a restart `state` is an empty one (R9). Never refuses.

    What is legal stays as it is, the rest moves as little as possible, and what cannot be mended is noted.
    Containers that are not observed any more are gone. Synchronizing a result with itself is the empty plan.

    >>> from cpuplace.idset import CpuSet
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=8))
    >>> runs = [Observed(request=ContainerRequest.integer("c1", 2), cpus=CpuSet([3, 5]))]
    >>> synchronize(state, runs).after["c1"].cpus
    CpuSet('3,5')
    """
    mended = synchronized(state, observed)
    return Plan(before=state, after=mended.after, notes=mended.notes, world=mended.world)


def rebalance(
    state: HostState,
    *,
    max_moves: int,
    move_memory: bool = False,
    search_budget: int | None = None,
    one_step_per_container: bool = False,
) -> Plan:
    """A plan that moves at most `max_moves` integer containers so that all lie better, or the empty plan.

    Better: the tuples of all integer containers added up element by element, of which the elements
    before `others_remembered` and `broken_cores` count, compared from the left. A container's tuple is 0 where its
    wishes leave an element out; each is measured in the state it leads to, where free is what the container could use
    besides its own CPUs. Of equal sums the one with fewer containers moved wins, then fewer CPUs changed, then the
    movers that came first, then the lowest ids for the first of them, the second, and so on. So nothing moves unless
    the sum falls; who gains by a move need not be who moves.

    Pins, shared containers, degraded ones, `move: never` and `Policy.reassign` "never" stay where they are; so do
    containers bound to memory nodes (`mems`), unless `move_memory`. Hard wishes, forbid lists, memory and the floor of
    the pool (R6) bind who moves, and only states with a safe order of steps count: with `one_step_per_container` one
    with a single step each. A container that steps aside on its way has moved once.

    Exact when `plan.optimal`; else the budget (`Policy.search_budget` unless `search_budget` is said; search nodes, no
    clock) was spent and this is the best that was found, or the empty plan. Rebalancing the result once more may find
    moves again, since more of them are allowed then; repeating it comes to an end, as the sum falls each time.
    Raises BadInput for a negative number.

    >>> from cpuplace.policy import Policy
    >>> state = HostState.empty(Topology.uniform(packages=2, cores_per_l3=4), Policy(min_shared_cpus=0))
    >>> for key, count in (("a", 3), ("b", 3), ("c", 2)):
    ...     state = place(state, ContainerRequest.integer(key, count)).unwrap().after
    >>> plan = rebalance(release(state, "a").after, max_moves=1)
    >>> str(state["c"].cpus), str(plan.after["c"].cpus)
    ('3,7', '0,3')
    """
    for name, value in (("max_moves", max_moves), ("search_budget", search_budget or 0)):
        if value < 0:
            raise BadInput(f"must be at least 0, not {value}", source="rebalance", position=name)
    answer = rebalanced(
        state,
        max_moves,
        search_budget=state.policy.search_budget if search_budget is None else search_budget,
        move_memory=move_memory,
        one_step_per_container=one_step_per_container,
    )
    return _plan(state, answer)


def _plan(state: HostState, answer: Placed) -> Plan:
    return Plan(
        before=state,
        after=answer.after,
        notes=answer.notes,
        optimal=answer.optimal,
        explainers=answer.explainers,
    )
