"""Resizing: a running container asks for another number of CPUs (R10)."""

from functools import partial

from attrs import evolve

from cpuplace.candidates import Choice
from cpuplace.explaining import explain_fixed
from cpuplace.granting import Ask, ask_of, assignment_of, counted, find, refusal_of, search
from cpuplace.placing import Placed, placed
from cpuplace.refusal import AlreadyPlaced, Refusal, UnknownContainer, WishUnmet
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import Assignment, HostState
from cpuplace.task import siblings
from cpuplace.transitions import replaced, without

_RESIZABLE = (Kind.INTEGER, Kind.SHARED)


def resized(state: HostState, request: ContainerRequest) -> Placed | Refusal:
    """The container with this id under its new request; nothing else moves.

    Growing keeps every CPU held, shrinking those of its creation (the baseline) longest. Whole <-> fractional changes
    the kind like release and place. Pinned, unmanaged and shared ones stay as they are.
    """
    if request.container_id not in state:
        return UnknownContainer(
            container_id=request.container_id, rule="R15", sentence="is not placed, so it cannot be resized"
        )
    held = state[request.container_id]
    if held.kind not in _RESIZABLE or (held.kind, request.kind) == (Kind.SHARED, Kind.SHARED):
        return Placed(state)
    if request.kind not in _RESIZABLE:
        return _not_a_resize(held, request)
    if held.kind is not request.kind:
        return placed(without(state, request.container_id), request)
    if request.count == len(held.cpus):
        return Placed(state)
    return _recounted(state, held, request)


def _not_a_resize(held: Assignment, request: ContainerRequest) -> AlreadyPlaced:
    return AlreadyPlaced(
        container_id=request.container_id,
        rule="R15",
        sentence=f"is {held.kind} and cannot become {request.kind} while it runs: release it first",
    )


def _recounted(state: HostState, held: Assignment, request: ContainerRequest) -> Placed | Refusal:
    alone = without(state, request.container_id)
    ask = ask_of(alone, request, request.count)
    if request.count < _kept(held).bit_count() and state.policy.resize_below_baseline == "refuse":
        return _below_baseline(held, request)
    if request.count > len(held.cpus):
        ask = ask._replace(base=held.cpus.mask)
        found = find(alone, ask)
    else:  # gives CPUs back, so the floor is no question
        ask = _shrinking(state, ask, held)
        found = search(alone, ask)
    if not isinstance(found, Choice):
        return refusal_of(alone, request, ask, found)
    assignment = evolve(assignment_of(state, request, ask, found, "R10"), baseline=held.baseline)
    said = partial(explain_fixed, request.container_id, "R10", f"resized from {held.cpus} to {assignment.cpus}")
    after = replaced(state, assignment)  # not by way of `alone`, where who starves is told of what it held
    return Placed(after, request.notes, found.optimal, (said,))


def _kept(held: Assignment) -> int:
    """What is left of the CPUs of its creation."""
    return held.cpus.mask & held.baseline.mask


def _shrinking(state: HostState, ask: Ask, held: Assignment) -> Ask:
    """Some of what is held: all of the baseline while that is few enough, else some of the baseline.

    The rest is barred, not gone: what is free, and so which cores are broken, is as for who grows.
    """
    own, kept = held.cpus.mask | held.withheld.mask, _kept(held)
    if ask.wanted < kept.bit_count():
        own, kept = own & (siblings(state.ground.host_map, kept) if held.withheld else kept), 0
    free = ask.free | held.cpus.mask | held.withheld.mask
    return ask._replace(free=free, others=0, base=kept, barred=(free | ask.isolated_free) & ~own)


def _below_baseline(held: Assignment, request: ContainerRequest) -> WishUnmet:
    least = _kept(held).bit_count()
    return WishUnmet(
        container_id=request.container_id,
        rule="R10",
        sentence=f"asks for {counted(request.count)}, it was created with {counted(len(held.baseline))}: "
        f"shrinking below that is refused (resize_below_baseline); {counted(least)} would do",
        wish="resize_below_baseline",
        asked=request.count,
        fits=least,
        missing="the policy keeps what a container was created with",
    )
