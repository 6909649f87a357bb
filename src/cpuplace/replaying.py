"""Replaying: a recorded sequence of events decided again, one after the other."""

from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from cpuplace.errors import BadInput
from cpuplace.events import Event, Forget, Hotplug, Rebalance, Release, Resize, Restart, Seen, Start
from cpuplace.idset import CpuSet
from cpuplace.invariants import violations
from cpuplace.plan import Plan
from cpuplace.planner import change_topology, forget_pod, place, rebalance, release, resize, synchronize
from cpuplace.refusal import Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed


@frozen(slots=True, kw_only=True)
class Outcome:
    """What became of one event: the answer, the states around it, and what was expected and is otherwise.

    `moved` are the containers with CPUs of their own that hold others than before without having asked for it.
    """

    event: Event
    before: HostState
    answer: Plan | Refusal
    missed: tuple[str, ...] = ()

    @property
    def after(self) -> HostState:
        """Who holds what then."""
        return self.answer.after if isinstance(self.answer, Plan) else self.before

    @property
    def about(self) -> str | None:
        """The container the event is about, if it is about one."""
        match self.event:
            case Start(request=request):
                return request.container_id
            case Release(container_id=key) | Resize(container_id=key):
                return key
            case _:
                return None

    @property
    def moved(self) -> tuple[str, ...]:
        """Who moved for others."""
        own = self.about
        was, now = self.before.owners, self.after.owners
        return tuple(key for key in was if key != own and key in now and was[key].cpus != now[key].cpus)

    @property
    def granted(self) -> str | None:
        """The id of the container that this event gave CPUs of its own, if any."""
        own = self.about
        return own if isinstance(self.answer, Plan) and own in self.after.owners else None


def replay(state: HostState, events: Iterable[Event], *, one_step_per_container: bool = False) -> Iterator[Outcome]:
    """What becomes of each event, in order, from this state on; as lazy as the events.

    With `one_step_per_container` it is decided as for a runtime that takes one update each.

    Raises BadInput, with the event's line, for one that cannot be: CPUs the host does not have, a
    container of a restart that nobody knows.

    >>> from cpuplace.topology import Topology
    >>> start = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> [str(one.after.pool) for one in replay(start, [Start(request=ContainerRequest.integer("a", 2))])]
    ['2-3']
    """
    for event in events:
        answer = _answer(state, event, one_step_per_container)
        outcome = Outcome(event=event, before=state, answer=answer)
        outcome = evolve(outcome, missed=tuple(_missed(outcome)))
        yield outcome
        state = outcome.after


def spans(state: HostState, container_id: str) -> int:
    """On how many NUMA nodes the CPUs of a container are; offline ones count as well.

    >>> from cpuplace.topology import Topology
    >>> state = HostState.empty(Topology.uniform(packages=2, cores_per_l3=2))
    >>> spans(place(state, ContainerRequest.integer("a", 3)).unwrap().after, "a")
    2
    """
    cpus = state[container_id].cpus
    return len({cpu.node for cpu in state.topology.cpus if cpu.id in cpus})


def _answer(state: HostState, event: Event, once: bool) -> Plan | Refusal:
    match event:
        case Start(request=request):
            return place(state, request, one_step_per_container=once)
        case Release(container_id=key):
            return release(state, key, one_step_per_container=once)
        case Forget(pod=pod):
            return forget_pod(state, pod, one_step_per_container=once)
        case Resize(container_id=key, count=count):
            return resize(state, _resized(state, key, count), one_step_per_container=once)
        case Hotplug():
            return _hotplug(state, event, once)
        case Rebalance(max_moves=most):
            return rebalance(state, max_moves=most, one_step_per_container=once)
        case _:
            return _restart(state, event, once)


def _resized(state: HostState, key: str, count: int) -> ContainerRequest:
    """The request of a container with another number of CPUs; unknown ids are for `resize` to refuse."""
    request = state[key].request if key in state else ContainerRequest.shared(key)
    if request.kind not in (Kind.INTEGER, Kind.SHARED):
        return evolve(request, limit=count or None)
    return evolve(request, kind=Kind.INTEGER if count else Kind.SHARED, count=count, limit=count or None)


def _hotplug(state: HostState, event: Hotplug, once: bool) -> Plan:
    host = state.topology
    absent = event.cpus - CpuSet(cpu.id for cpu in host.cpus)
    if absent:
        raise _bad(event, f"the host has no CPU {absent}")
    try:
        online = host.online | event.cpus if event.online else host.online - event.cpus
        return change_topology(state, host.with_online(online), one_step_per_container=once)
    except BadInput as bad:  # nothing is left
        raise _bad(event, bad.problem) from None


def _restart(state: HostState, event: Restart, once: bool) -> Plan:
    """From an empty state, unless the saved one survived: what runs says the rest."""
    if event.observed is None:
        runs = [
            Observed(request=one.request, cpus=one.cpus, mems=one.mems, baseline=one.baseline)
            for one in state.assignments.values()
        ]
    else:
        runs = [_observed(state, event, one) for one in event.observed]
    empty = HostState.empty(state.topology, event.policy or state.policy)
    known = evolve(state, ground=empty.ground) if event.kept else empty
    return synchronize(known, runs, one_step_per_container=once)


def _observed(state: HostState, event: Restart, one: Seen) -> Observed:
    request = one.request
    if request is None:
        if one.container_id not in state:
            raise _bad(event, f"container {one.container_id!r} was not there before: say what it asks for")
        request = state[one.container_id].request
    return Observed(request=request, cpus=one.cpus, mems=one.mems)


def _bad(event: Event, problem: str) -> BadInput:
    return BadInput(problem, source="events", position=f"line {event.line}" if event.line else None)


def _missed(outcome: Outcome) -> Iterator[str]:
    """What was expected and is otherwise, then promises of ours that do not hold."""
    expect, answer, after = outcome.event.expect, outcome.answer, outcome.after
    refused = answer.kind if isinstance(answer, Refusal) else None
    if expect.refused != refused and (expect.refused or expect.cpus is not None):
        yield f"expected {_verdict(expect.refused)}, was {_verdict(refused)}"
    wanted = dict(expect.holds)
    own = outcome.about
    if expect.cpus is not None and own is not None and refused is None:
        wanted[own] = expect.cpus
    for key, cpus in wanted.items():
        has = after[key].cpus if key in after else None
        if has != cpus:
            yield f"expected {key} {_words(cpus)}, it {_words(has)}"
    if expect.pool is not None and after.pool != expect.pool:
        yield f"expected the pool {expect.pool or 'empty'}, it is {after.pool or 'empty'}"
    for broken in violations(after):
        who = f"{', '.join(broken.containers)}: " if broken.containers else ""
        yield f"a broken promise: {who}{broken.sentence} ({broken.invariant})"


def _verdict(refused: str | None) -> str:
    return f"the refusal {refused}" if refused else "no refusal"


def _words(cpus: CpuSet | None) -> str:
    return "is not there" if cpus is None else f"holds {cpus or 'nothing'}"
