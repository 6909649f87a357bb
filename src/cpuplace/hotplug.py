"""Hotplug: the host itself changes, CPUs go offline or come back (R11). Never refuses."""

from attrs import evolve

from cpuplace.binding import bound_nodes
from cpuplace.candidates import Choice
from cpuplace.granting import ask_of, find
from cpuplace.ground import Ground
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.placing import Placed
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState, regrounded, replaced, with_low_pool
from cpuplace.topology import Topology


def on_topology(state: HostState, topology: Topology) -> Placed:
    """The same containers on the host as it is now.

    Integer containers leave unusable CPUs and keep the others; where too few are free they keep what is left,
    noted as degraded, and get the rest back when CPUs return. Pinned ones keep their list and are noted. The
    pool follows.
    """
    ground = Ground(topology=topology, policy=state.policy)
    after = regrounded(state, ground)
    for one in state.owners.values():
        mended = _mended(after, one)
        if mended != one:
            after = replaced(after, mended)
    after = with_low_pool(after)
    return Placed(after, notes(after))


def notes(state: HostState) -> tuple[str, ...]:
    """What is degraded in a state, in words."""
    said = tuple(f"{one.container_id}: {one.degraded}" for one in state.owners.values() if one.degraded)
    return (*said, f"the pool has only {state.pool_mask.bit_count()} CPUs") if state.low_pool else said


def _mended(state: HostState, one: Assignment) -> Assignment:
    """What one container holds from now on; the state still has what it held."""
    lost = one.cpus - state.usable
    if one.kind is Kind.UNMANAGED:
        return one
    if one.kind is not Kind.INTEGER:
        return evolve(one, degraded=f"its pin names CPUs that cannot be used now: {lost}" if lost else "")
    if not lost and len(one.cpus) == one.request.count and not one.withheld - state.usable:
        return evolve(one, degraded="")
    return _regranted(state, one)


def _regranted(state: HostState, one: Assignment) -> Assignment:
    """The CPUs it asked for, those it still has among them; else as many as there are, noted."""
    alone = replaced(state, evolve(one, cpus=NO_CPUS, withheld=NO_CPUS))
    left, wanted = one.cpus & state.usable, one.request.count
    ask = ask_of(alone, one.request, wanted)
    tries = [ask._replace(base=left.mask), ask]
    tries += [ask._replace(base=left.mask, wanted=fewer) for fewer in range(wanted - 1, len(left), -1)]
    found = next((choice for choice in (find(alone, one) for one in tries) if isinstance(choice, Choice)), None)
    if found is None:
        kept = one.withheld & state.usable
        return evolve(one, cpus=left or one.cpus, withheld=kept, degraded=_short(len(left), wanted))
    cpus, withheld = CpuSet.from_mask(found.mask), CpuSet.from_mask(found.withheld)
    mems, preferred = bound_nodes(state, one.request, found.mask, ask.wishes)
    short = "" if len(cpus) == wanted else _short(len(cpus), wanted)
    return evolve(one, cpus=cpus, withheld=withheld, mems=mems, preferred=preferred, rule="R11", degraded=short)


def _short(has: int, wanted: int) -> str:
    return f"has {has} usable CPUs of the {wanted} it asked for"
