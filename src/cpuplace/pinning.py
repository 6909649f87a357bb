"""Pinning: whether a pin can be had verbatim (R1), beside other pins (R2) and integer containers (R3)."""

from typing import NamedTuple

from cpuplace.binding import bound_nodes, memory_limit
from cpuplace.granting import counted, starving
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.ordering import ANY_NUMBER, Manner
from cpuplace.reassign import clear
from cpuplace.reassign_scene import Scene, in_the_way
from cpuplace.refusal import BadPin, PinOverlap, PoolExhausted, Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.wishes import parse_numa


class Pinned(NamedTuple):
    """What a pinned container gets, and the new assignments of integer containers that make way for it (R3)."""

    assignment: Assignment
    movers: tuple[Assignment, ...] = ()
    optimal: bool = True


def pin(state: HostState, request: ContainerRequest, manner: Manner = ANY_NUMBER) -> Pinned | Refusal:
    """What a pinned container gets: exactly its list, or why not. O(containers); a search when others have to move."""
    problem = pin_problem(state, request) or _memory_problem(state, request)
    if problem is not None:
        return problem
    if not in_the_way(state, request):
        return _floor(state, request) or Pinned(_assignment(state, request))
    cleared = clear(state, request, manner)
    if isinstance(cleared, Refusal):
        return cleared
    return Pinned(_assignment(state, request), cleared.movers, cleared.optimal)


def _assignment(state: HostState, request: ContainerRequest) -> Assignment:
    wishes = resolve(state.policy.wishes, request.wishes)
    mems, preferred = bound_nodes(state, request, request.pin.mask, wishes)
    return Assignment(request, request.pin, mems, baseline=request.pin, preferred=preferred, rule="R1")


def _memory_problem(state: HostState, request: ContainerRequest) -> Refusal | None:
    """R12: the memory nodes of the pin have to hold it, beside all that does not make way for it."""
    wishes = resolve(state.policy.wishes, request.wishes)
    if not (request.memory_bytes or request.huge_pages):
        return None
    held = in_the_way(state, request)
    limit = memory_limit(Scene(state, request, held).lifted if held else state, request, wishes)
    mems, _ = bound_nodes(state, request, request.pin.mask, wishes)
    return limit.refusal(request, mems) if limit is not None and mems and not limit.allows(mems) else None


def pin_problem(state: HostState, request: ContainerRequest) -> Refusal | None:
    """Why a pin that is there already should not be (R1, R2), None when it should."""
    for check in (_listed, _allowed, _apart):
        refusal = check(state, request)
        if refusal is not None:
            return refusal
    return None


def pin_notes(state: HostState, request: ContainerRequest) -> tuple[str, ...]:
    """Remarks on a pin that was granted."""
    notes = []
    if request.limit is not None and request.limit != len(request.pin):
        notes.append(f"the pin has {counted(len(request.pin))}, the CPU limit is {request.limit}")
    wished = None if request.wishes.numa is None else parse_numa(request.wishes.numa).nodes
    if wished is not None:
        nodes = NodeSet(node for node, mask in state.ground.node_masks if mask & request.pin.mask)
        if nodes - wished:
            what = f"the pin has CPUs of NUMA nodes {nodes}, its numa wish names {wished}"
            notes.append(f"{what}: a pin is taken as it is")
    return tuple(f"{request.container_id}: {note}" for note in notes)


def _listed(state: HostState, request: ContainerRequest) -> Refusal | None:
    """R1: not empty, and made of CPUs that exist, are online, usable and not reserved."""
    cpus, known = request.pin, CpuSet(cpu.id for cpu in state.topology.cpus)
    if not cpus:
        return _bad(request, cpus, "the pin names no CPU")
    reserved = CpuSet() if state.policy.allow_reserved_pins else state.reserved
    for wrong, what in (
        (cpus - known, "the host does not have"),
        (cpus & state.topology.offline, "that are offline"),
        (cpus - state.usable, "that may not be used here"),
        (cpus & reserved, "that are reserved"),
    ):
        if wrong:
            return _bad(request, wrong, f"the pin {cpus} names CPUs {what}: {wrong}")
    return None


def _allowed(state: HostState, request: ContainerRequest) -> Refusal | None:
    """Who may pin at all, and whether the pin has to have the size of the CPU limit."""
    policy = state.policy
    if policy.pin_namespaces is not None and request.namespace not in policy.pin_namespaces:
        allowed = ", ".join(sorted(policy.pin_namespaces)) or "none"
        return _bad(request, request.pin, f"namespace {request.namespace} may not pin (allowed: {allowed})")
    if policy.pin_size == "match" and request.limit != len(request.pin):
        limit = "not a whole number" if request.limit is None else str(request.limit)
        return _bad(request, request.pin, f"the pin has {counted(len(request.pin))}, the CPU limit is {limit}")
    return None


def _bad(request: ContainerRequest, wrong: CpuSet, sentence: str) -> BadPin:
    return BadPin(container_id=request.container_id, rule="R1", sentence=sentence, cpus=request.pin, wrong=wrong)


def _apart(state: HostState, request: ContainerRequest) -> Refusal | None:
    """R2: between pods only shared pins may overlap."""
    if state.policy.pin_overlap == "share" or not request.pin.mask & (state.owned | state.lent):
        return None
    holders = [
        one
        for one in state.owners.values()
        if one.kind is not Kind.INTEGER
        and one.request.pod != request.pod
        and (one.exclusive or request.kind is Kind.PINNED)
        and not one.cpus.isdisjoint(request.pin)
    ]
    if not holders:
        return None
    met = request.pin & CpuSet(cpu for one in holders for cpu in one.cpus)
    names = tuple(one.container_id for one in holders)
    return PinOverlap(
        container_id=request.container_id,
        rule="R2",
        sentence=f"the pin {request.pin} meets CPUs {met} of {', '.join(names)}",
        cpus=met,
        holders=names,
    )


def _floor(state: HostState, request: ContainerRequest) -> Refusal | None:
    """R6: an exclusive pin takes its CPUs out of the pool."""
    starved = None if request.kind is not Kind.PINNED else starving(state, request.pin.mask)
    if starved is None:
        return None
    kept = max(0, state.pool_mask.bit_count() - state.policy.min_shared_cpus)
    why = (
        f"would leave {', '.join(starved.holders[:5])} without a CPU"
        if starved.holders
        else f"would leave fewer than {state.policy.min_shared_cpus} CPUs in the pool"
    )
    return PoolExhausted(
        container_id=request.container_id,
        rule="R6",
        sentence=f"the exclusive pin {request.pin} {why}",
        asked=len(request.pin),
        fits=0 if starved.holders else kept,
        holders=starved.holders,
    )
