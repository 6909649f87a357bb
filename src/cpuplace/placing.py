"""Placing: one container after another, by kind; what `place` and `place_all` are made of."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from attrs import evolve

from cpuplace.candidates import lacking
from cpuplace.cpulist import union_of
from cpuplace.explaining import explain_fixed, explain_grant
from cpuplace.explanation import Explanation
from cpuplace.granting import Granted, grant
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.ordering import ANY_NUMBER, Manner
from cpuplace.pinning import pin, pin_notes
from cpuplace.refusal import AlreadyPlaced, NoLegalMove, PoolExhausted, Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.strangers import intrusions
from cpuplace.transitions import replaced, with_owner, with_shared, without
from cpuplace.wishes import NO_WISHES, parse_numa

EVERYWHERE = -1
"""As a mask: all CPUs."""


class Placed(NamedTuple):
    """A state with more containers in it, not settled yet, and what is worth saying about that.

    `stops`: states that there is a legal order of steps to and from, where somebody made way.
    """

    after: HostState
    notes: tuple[str, ...] = ()
    optimal: bool = True
    explainers: tuple[Callable[[], Explanation], ...] = ()
    stops: tuple[HostState, ...] = ()

    def joined(self, later: "Placed") -> "Placed":
        """This and what was placed after it, as one."""
        return Placed(
            later.after,
            self.notes + later.notes,
            self.optimal and later.optimal,
            self.explainers + later.explainers,
            self.stops + later.stops,
        )

    def joins(self, manner: Manner) -> bool:
        """Whether the steps of all of it are legal together."""
        return not self.stops or manner.joins(self.after)


def placed(
    state: HostState, request: ContainerRequest, within: int = EVERYWHERE, manner: Manner = ANY_NUMBER
) -> Placed | Refusal:
    """One container placed: R15 for an id that is there, R8 for a former one of the same name, else by kind."""
    if request.container_id in state.owners or request.container_id in state.shared:
        return _repeated(state, request)
    former = state.by_name.get((request.pod, request.name))
    if former is None:
        return _PLACERS[request.kind](state, request, within, manner)
    answer = _PLACERS[request.kind](without(state, former), request, within, manner)
    if isinstance(answer, Refusal):
        return answer
    return answer._replace(notes=(f"{request.container_id} replaces {former}", *answer.notes))


def placed_pod(state: HostState, requests: Iterable[ContainerRequest], manner: Manner = ANY_NUMBER) -> Placed | Refusal:
    """The containers of one pod inside one common grant (R14); container by container where that cannot be."""
    members = tuple(requests)
    region = _common_region(state, members)
    together = placed_each(state, members, region, manner)
    if region == EVERYWHERE or not isinstance(together, Refusal):
        return together
    apart = placed_each(state, members, manner=manner)
    if isinstance(apart, Refusal):
        return apart
    note = f"pod {members[0].pod}: one grant for all its containers cannot be divided, each was placed alone"
    return apart._replace(notes=(note, *apart.notes))


def placed_each(
    state: HostState, requests: Iterable[ContainerRequest], region: int = EVERYWHERE, manner: Manner = ANY_NUMBER
) -> Placed | Refusal:
    """The containers placed in order, all or none; integer ones within `region`."""
    sum_ = Placed(state)
    for request in requests:
        within = region if _divides(sum_.after, request) else EVERYWHERE
        one = placed(sum_.after, request, within, manner)
        if isinstance(one, Refusal):
            return one
        sum_ = sum_.joined(one)
        if not sum_.joins(manner):
            return two_steps(request)
    return sum_


def two_steps(request: ContainerRequest) -> NoLegalMove:
    """The refusal of a request whose steps and those before it would be two for one container."""
    missing = "no order of all steps has one step per container"
    return NoLegalMove(
        container_id=request.container_id,
        rule="R3",
        sentence=f"cannot be placed together with those before it: {missing}",
        cpus=request.pin,
        holders=(),
        missing=missing,
    )


def _divides(state: HostState, request: ContainerRequest) -> bool:
    """True for who takes part in the common grant of its pod: integer, and without CPUs of its own to return to."""
    return (
        request.kind is Kind.INTEGER
        and request.container_id not in state
        and (request.pod, request.name) not in state.remembered
        and (request.pod, request.name) not in state.by_name
    )


def _common_region(state: HostState, requests: tuple[ContainerRequest, ...]) -> int:
    """The CPUs that all integer containers together would get as one; everywhere when they cannot be one."""
    members = [request for request in requests if _divides(state, request)]
    if len(members) < 2:
        return EVERYWHERE
    first = members[0]
    alike = all(one.wishes == first.wishes for one in members)
    whole = evolve(
        first,
        name="",
        count=sum(one.count for one in members),
        forbid=CpuSet.from_mask(union_of(one.forbid.mask for one in members)),
        wishes=first.wishes if alike else NO_WISHES,
        memory_bytes=sum(one.memory_bytes for one in members),
    )
    answer = grant(state, whole)
    if isinstance(answer, Refusal):
        return EVERYWHERE
    return answer.assignment.cpus.mask | answer.assignment.withheld.mask


def _repeated(state: HostState, request: ContainerRequest) -> Placed | Refusal:
    if state[request.container_id].request == request:
        return Placed(state)
    return AlreadyPlaced(
        container_id=request.container_id,
        rule="R15",
        sentence="is placed already, with another request: release it first",
    )


def _place_integer(state: HostState, request: ContainerRequest, within: int, _: Manner) -> Placed | Refusal:
    answer = grant(state, request, within)
    if not isinstance(answer, Granted):
        return answer
    explainer = partial(explain_grant, state, request, within)
    notes = request.notes + _unknown(state, request)
    return Placed(with_owner(state, answer.assignment), notes, answer.optimal, (explainer,))


def _unknown(state: HostState, request: ContainerRequest) -> tuple[str, ...]:
    """Devices and nodes that are wished for and not there, where others do: nothing else would show it.

    A policy is for hosts of many sizes, so of it only devices are told.
    """
    own, host = request.wishes, state.ground.host_map
    if own is NO_WISHES and state.policy.wishes is NO_WISHES:
        return ()
    devices = resolve(state.policy.wishes, own).devices_soft
    absent = [(name in own.devices, name) for name in devices if host.device_nodes(name) is None]
    notes = [(mine, f"no device {name} on this host") for mine, name in absent]
    notes.append((True, lacking(host, parse_numa(own.numa or "prefer").nodes or NodeSet())))
    return tuple(f"{request.container_id if mine else 'policy'}: {note}" for mine, note in notes if note)


def _place_pinned(state: HostState, request: ContainerRequest, _within: int, manner: Manner) -> Placed | Refusal:
    answer = pin(state, request, manner)
    if isinstance(answer, Refusal):
        return answer
    explainer = partial(explain_fixed, request.container_id, "R1", f"pinned to {request.pin}, verbatim")
    moves = [(one.container_id, f"from {state[one.container_id].cpus} to {one.cpus}") for one in answer.movers]
    notes = tuple(f"{key}: moves {way} to make way for {request.container_id}" for key, way in moves)
    reasons = tuple(
        partial(explain_fixed, key, "R3", f"moves {way} to make way for {request.container_id}") for key, way in moves
    )
    after = with_owner(replaced(state, *answer.movers) if answer.movers else state, answer.assignment)
    return Placed(
        after,
        request.notes + pin_notes(state, request) + notes,
        answer.optimal,
        (explainer, *reasons),
        (state, after) if answer.movers else (),
    )


def _place_shared(state: HostState, request: ContainerRequest, _within: int, _: Manner) -> Placed | Refusal:
    left = state.pool_mask & ~request.forbid.mask
    if not left:
        apart = f" without the CPUs it forbids ({request.forbid})" if request.forbid else ""
        return PoolExhausted(
            container_id=request.container_id,
            rule="R5",
            sentence=f"would share the pool ({state.pool or 'empty'}){apart}, where no CPU is left for it",
            asked=1,
            fits=0,
        )
    sentence = f"shares the pool {CpuSet.from_mask(left)}"
    explainer = partial(explain_fixed, request.container_id, "R5", sentence)
    return Placed(with_shared(state, request), request.notes, explainers=(explainer,))


def _place_unmanaged(state: HostState, request: ContainerRequest, _within: int, _: Manner) -> Placed:
    explainer = partial(explain_fixed, request.container_id, "K0", "is not managed and never touched")
    assignment = Assignment(request, request.pin, rule="K0")
    notes = (*request.notes, *intrusions(state, (request,)))
    return Placed(with_owner(state, assignment), notes, explainers=(explainer,))


_PLACERS: dict[Kind, Callable[[HostState, ContainerRequest, int, Manner], Placed | Refusal]] = {
    Kind.UNMANAGED: _place_unmanaged,
    Kind.PINNED: _place_pinned,
    Kind.PINNED_SHARED: _place_pinned,
    Kind.INTEGER: _place_integer,
    Kind.SHARED: _place_shared,
}
"""What each kind of section 2 of the rules does when it is placed."""
