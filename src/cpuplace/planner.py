"""The planner: place and its sisters. Pure functions from a state to a plan or a refusal."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from attrs import evolve

from cpuplace.errors import BadInput
from cpuplace.hotplug import on_topology
from cpuplace.ordering import ANY_NUMBER, Manner, in_one_step
from cpuplace.placing import Placed, placed, placed_each, placed_pod, two_steps
from cpuplace.plan import Plan
from cpuplace.rebalancing import rebalanced
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest
from cpuplace.resizing import resized
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed, synchronized
from cpuplace.topology import Topology
from cpuplace.transitions import told_all, without, without_memory_of


def place(
    state: HostState,
    request: ContainerRequest,
    *,
    one_step_per_container: bool = False,
    allow_dip: bool = False,
    search_budget: int | None = None,
) -> Plan | Refusal:
    """A plan that gives one container its CPUs, or the refusal that says why it cannot have them.

    A running container of the same pod and name is replaced (R8); an id that is there with an equal request
    is the empty plan (R15). Cost: some 10 us, and O(containers) in C for copying a dict.

    Integer containers may have to make way for a pin (R3). With `one_step_per_container` (a runtime that takes one
    update each) only ways count on which nobody needs two steps; shared containers that both lose and win CPUs may
    be narrowed only, and widened later (`widen`). With `allow_dip` also ways count on which somebody has fewer CPUs for
    a moment. `search_budget` overrides the policy's, in search nodes; BadInput when it is below 1.

    >>> state = HostState.empty(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    >>> place(state, ContainerRequest.integer("c1", 3)).unwrap().after["c1"].cpus
    CpuSet('0-1,4')
    """
    here = state if search_budget is None else _budgeted(state, search_budget)
    manner = _manner(here, one_step_per_container, allow_dip) if one_step_per_container or allow_dip else ANY_NUMBER
    answer = placed(here, request, manner=manner)
    return answer if isinstance(answer, Refusal) else _plan(state, answer, one_step_per_container, here)


def place_all(
    state: HostState,
    requests: Iterable[ContainerRequest],
    *,
    scope: Literal["container", "pod"] | None = None,
    one_step_per_container: bool = False,
    allow_dip: bool = False,
    search_budget: int | None = None,
) -> Plan | Refusal:
    """One plan for several containers, or the refusal of the first that cannot be placed: all or none (R14).

    `scope` overrides the policy's: with "pod" the integer containers of a pod are one grant (fewest nodes for
    the pod) that is then divided. The other arguments are those of `place`; one step per container counts over all
    of the plan, the search budget for each request. Where containers make way for several pins the steps go pin by pin
    if no other order is safe, so nobody has too few CPUs on the way.

    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> two = [ContainerRequest.integer("a", 2), ContainerRequest.integer("b", 3)]
    >>> place_all(state, two).kind
    'NotEnoughCpus'
    """
    here = state if search_budget is None else _budgeted(state, search_budget)
    manner = _manner(here, one_step_per_container, allow_dip)
    if (scope or state.policy.scope) == "container":
        answer = placed_each(here, requests, manner=manner)
    else:
        answer = _placed_pods(here, requests, manner)
    return answer if isinstance(answer, Refusal) else _plan(state, answer, one_step_per_container, here)


def _placed_pods(state: HostState, requests: Iterable[ContainerRequest], manner: Manner) -> Placed | Refusal:
    pods: dict[str, list[ContainerRequest]] = {}
    for request in requests:
        pods.setdefault(request.pod, []).append(request)
    total = Placed(state)
    for members in pods.values():
        answer = placed_pod(total.after, members, manner)
        if isinstance(answer, Refusal):
            return answer
        total = total.joined(answer)
        if not total.joins(manner):
            return two_steps(members[-1])
    return total


def release(state: HostState, container_id: str, *, one_step_per_container: bool = False) -> Plan:
    """A plan without one container; the empty plan when it is not there (R8: idempotent).

    Its CPUs return to the pool, and are remembered for its pod and name until `forget_pod`. Here and in the other
    functions that never refuse, `one_step_per_container` gives nobody two steps unless no such order is safe, which is
    then noted.

    >>> release(HostState.empty(Topology.uniform()), "gone").is_empty
    True
    """
    after = without(state, container_id) if container_id in state else state
    return _repair(_plan(state, Placed(after), one_step_per_container))


def forget_pod(state: HostState, pod: str, *, one_step_per_container: bool = False) -> Plan:
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
    return _repair(_plan(state, Placed(after, notes), one_step_per_container))


def resize(
    state: HostState,
    request: ContainerRequest,
    *,
    one_step_per_container: bool = False,
    search_budget: int | None = None,
) -> Plan | Refusal:
    """A plan that gives the container with this id its new number of CPUs; nothing else moves (R10).

    Growing keeps every CPU held; shrinking keeps those of its creation longest. A request that turns from whole to
    fractional, or back, changes the kind. Pinned and shared containers: the empty plan. An id that is not
    there is refused. The other arguments are those of `place`.

    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4, threads_per_core=2))
    >>> state = place(state, ContainerRequest.integer("c1", 2)).unwrap().after
    >>> resize(state, ContainerRequest.integer("c1", 3)).unwrap().after["c1"].cpus
    CpuSet('0-1,4')
    """
    here = state if search_budget is None else _budgeted(state, search_budget)
    answer = resized(here, request)
    return answer if isinstance(answer, Refusal) else _plan(state, answer, one_step_per_container, here)


def change_topology(state: HostState, topology: Topology, *, one_step_per_container: bool = False) -> Plan:
    """A plan for the host as it is now: CPUs gone offline, or back again (R11). Never refuses.

    Integer containers leave CPUs that cannot be used any more, pinned ones are noted as degraded, the pool
    follows. Raises BadInput when `topology` is another host, one that lacks CPUs or nodes the policy names.

    >>> host = Topology.uniform(cores_per_l3=8)
    >>> state = place(HostState.empty(host), ContainerRequest.integer("c1", 2)).unwrap().after
    >>> change_topology(state, host.with_online(host.online - state["c1"].cpus)).after["c1"].cpus
    CpuSet('2-3')
    """
    answer = Placed(state) if topology == state.topology else on_topology(state, topology)
    return _repair(_plan(state, answer, one_step_per_container))


def synchronize(
    state: HostState,
    observed: Iterable[Observed],
    *,
    one_step_per_container: bool = False,
    leave_strangers: bool = False,
) -> Plan:
    """A plan from what runs now to a legal state; after a restart `state` is an empty one (R9). Never refuses.

    What is legal stays as it is, the rest moves as little as possible, and what cannot be mended is noted.
    Containers that are not observed any more are gone. Synchronizing a result with itself is the empty plan.
    An integer container keeps CPUs on which somebody who is not managed runs too (K0), which is noted; with
    `leave_strangers` it moves where it can (the kernel makes no partition of CPUs that another group has).

    >>> from cpuplace.idset import CpuSet
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=8))
    >>> runs = [Observed(request=ContainerRequest.integer("c1", 2), cpus=CpuSet([3, 5]))]
    >>> synchronize(state, runs).after["c1"].cpus
    CpuSet('3,5')
    """
    mended = synchronized(state, observed, leave_strangers=leave_strangers)
    return _repair(
        Plan(
            before=state,
            after=mended.after,
            notes=mended.notes,
            world=mended.world,
            one_step_per_container=one_step_per_container,
        )
    )


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
    return _plan(state, answer, one_step_per_container)


def widen(state: HostState) -> Plan:
    """A plan that tells every shared container of all of its pool: the widening that was put off (R7).

    The empty plan when nothing is. Widening is put off under `Policy.widen` "lazy", and where one step per container
    leaves no room for it.

    >>> from cpuplace.policy import Policy
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4), Policy(widen="lazy"))
    >>> for request in (ContainerRequest.integer("db", 2), ContainerRequest.shared("web")):
    ...     state = place(state, request).unwrap().after
    >>> state = release(state, "db").after
    >>> state["web"].cpus, widen(state).after["web"].cpus
    (CpuSet('2-3'), CpuSet('0-3'))
    """
    return _plan(state, Placed(told_all(state)))


def _budgeted(state: HostState, search_budget: int) -> HostState:
    """The state in which every decision has this budget."""
    return evolve(state, ground=state.ground.with_budget(search_budget))


def _manner(state: HostState, one_step_per_container: bool, allow_dip: bool) -> Manner:
    return Manner(state if one_step_per_container else None, allow_dip)


def _plan(state: HostState, answer: Placed, once: bool = False, here: HostState | None = None) -> Plan:
    """The plan for `state` of what was decided in `here`: the same state with another budget."""
    way = in_one_step(here or state, answer.after) if once else None
    after = answer.after if way is None else way.after
    if here is not None and here is not state:
        after = state if after is here else evolve(after, ground=state.ground)
    return Plan(
        before=state,
        after=after,
        notes=answer.notes,
        optimal=answer.optimal,
        given=None if way is None else way.steps,
        explainers=answer.explainers,
        stops=answer.stops,
        one_step_per_container=once,
    )


def _repair(plan: Plan) -> Plan:
    """A plan that may not be refused, with a note when one step per container was asked for and cannot be."""
    if not plan.one_step_per_container:
        return plan
    steps = Counter(step.container_id for step in plan.steps)
    twice = [key for key, number in steps.items() if number > 1]
    notes = tuple(f"{key}: needs {steps[key]} steps, no order with one step per container is safe" for key in twice)
    return evolve(plan, notes=plan.notes + notes, given=plan.steps)
