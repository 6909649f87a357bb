"""Hotplug: the host itself changes, CPUs go offline or come back (R11). Never refuses."""

from collections.abc import Iterator
from functools import partial

from attrs import evolve

from cpuplace.binding import bound_nodes
from cpuplace.candidates import Choice
from cpuplace.granting import Ask, ask_of, assignment_of, counted, find, search
from cpuplace.ground import Ground
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.pinning import pin_problem
from cpuplace.placing import Placed
from cpuplace.reassign_scene import in_the_way
from cpuplace.request import Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.task import siblings
from cpuplace.topology import Topology
from cpuplace.transitions import regrounded, replaced, with_low_pool


def on_topology(state: HostState, topology: Topology) -> Placed:
    """The same containers on the host as it is now.

    Integer containers leave unusable CPUs and keep the others; where too few are free they keep what is left,
    noted as degraded, and get the rest back when CPUs return. Pinned ones keep their list and are noted. The
    pool follows.
    """
    ground = Ground(topology=topology, policy=state.policy)
    after = regrounded(state, ground)
    for one in sorted(state.owners.values(), key=partial(_room, ground)):
        mended = _mended(after, one)
        if mended != one:
            after = replaced(after, mended)
    after = with_low_pool(after)
    return Placed(after, degradations(after))


def _room(ground: Ground, one: Assignment) -> int:
    """How many CPUs it could do with: who has little choice comes first, pins before all."""
    return (ground.usable & ~one.request.forbid.mask).bit_count() if one.kind is Kind.INTEGER else 0


def degradations(state: HostState) -> tuple[str, ...]:
    """What is degraded in a state, in words."""
    said = [f"{one.container_id}: {one.degraded}" for one in state.owners.values() if one.degraded]
    if not state.low_pool:
        return tuple(said)
    pool = state.pool_mask
    said += [
        f"{key}: no CPU of the pool is left that it does not forbid, it keeps {state[key].cpus}"
        for key in state.hungry(pool)
        if key in state.picky
    ]
    if pool.bit_count() < max(state.policy.min_shared_cpus, bool(state.shared)):
        said.append(f"the pool has only {counted(pool.bit_count())}")
    return tuple(said)


def _mended(state: HostState, one: Assignment) -> Assignment:
    """What one container holds from now on; the state still has what it held."""
    if one.kind is Kind.UNMANAGED:
        return one
    if one.kind is not Kind.INTEGER:
        return _pin_mended(state, one)
    alone = replaced(state, evolve(one, cpus=NO_CPUS, withheld=NO_CPUS))
    ask = ask_of(beside_others(alone, one.cpus.mask), one.request, one.request.count)
    still = exactly(alone, ask, one.cpus)
    if still is not None:
        return evolve(one, withheld=CpuSet.from_mask(still.withheld), degraded="")
    return _regranted(alone, ask, one)


def _pin_mended(state: HostState, one: Assignment) -> Assignment:
    """Its list, noted while that cannot be used; one that had to run elsewhere gets it when nothing is in the way."""
    pin, lost = one.request.pin, one.request.pin - state.usable
    if lost:
        return evolve(one, degraded=f"its pin names CPUs that cannot be used now: {lost}")
    if not one.degraded:
        return one
    alone = replaced(state, evolve(one, cpus=NO_CPUS))
    problem = pin_problem(alone, one.request)
    if problem is not None or in_the_way(alone, one.request):
        return evolve(one, degraded=problem.sentence if problem else f"others hold CPUs of its pin {pin}")
    mems, preferred = bound_nodes(alone, one.request, pin.mask, resolve(state.policy.wishes, one.request.wishes))
    return evolve(one, cpus=pin, mems=mems, preferred=preferred, degraded="")


def _regranted(alone: HostState, ask: Ask, one: Assignment) -> Assignment:
    """The CPUs it asked for, those it still has among them; else as many as there are, noted."""
    left = one.cpus & alone.usable
    found, short = as_many_as_possible(alone, ask, left)
    if found is None:
        unmet = _short(len(left), ask.wanted) if len(left) < ask.wanted else "its hard wishes cannot be had any more"
        return evolve(one, cpus=left or one.cpus, withheld=one.withheld & alone.usable, degraded=unmet)
    return evolve(assignment_of(alone, one.request, ask, found, "R11"), baseline=one.baseline, degraded=short)


def as_many_as_possible(state: HostState, ask: Ask, has: CpuSet) -> tuple[Choice | None, str]:
    """The choice that keeps most of what it has, and what is short of the number asked for ("" = nothing).

    Too many CPUs are narrowed to the best of them; too few are filled up, beside what it has or, if hard wishes
    forbid that, anew; with not enough free ones it gets as many as there are. What it has it may keep whatever
    the floor of R6 says: it runs there already.
    """
    found = next((one for one in map(partial(_legal, state), _tries(ask, has.mask)) if one is not None), None)
    if found is None or found.mask.bit_count() == ask.wanted:
        return found, ""
    return found, _short(found.mask.bit_count(), ask.wanted)


def _tries(ask: Ask, has: int) -> Iterator[tuple[Ask, bool]]:
    """(question, whether the floor counts), what is wanted most first."""
    count, own = has.bit_count(), ask._replace(free=ask.free & has, isolated_free=ask.isolated_free & has, others=0)
    if count >= ask.wanted:
        yield own, False
    else:
        yield ask._replace(base=has), True
    yield ask, True
    for fewer in range(ask.wanted - 1, 0, -1):
        if fewer >= count:
            yield ask._replace(base=has, wanted=fewer), fewer > count
        yield ask._replace(wanted=fewer), True


def _legal(state: HostState, question: tuple[Ask, bool]) -> Choice | None:
    """The answer when it holds all hard wishes: what is kept as `base` the search takes as given."""
    ask, floor = question
    found = find(state, ask) if floor else search(state, ask)
    return exactly(state, ask, CpuSet.from_mask(found.mask)) if isinstance(found, Choice) else None


def beside_others(state: HostState, cpus: int) -> HostState:
    """The state to ask in for who may keep these CPUs of its own although others run there too, who own no CPU."""
    return evolve(state, lent=state.lent & ~cpus) if state.lent & cpus else state


def exactly(state: HostState, ask: Ask, cpus: CpuSet) -> Choice | None:
    """The grant of exactly these CPUs when the rules, floor apart, would allow it; else None."""
    isolate = ask.wishes.cores == "isolate"
    region = siblings(state.ground.host_map, cpus.mask) & state.ground.usable if isolate else cpus.mask
    if len(cpus) != ask.wanted or cpus.mask & ~region or region & ~(ask.free | ask.isolated_free):
        return None
    only = ask._replace(free=ask.free & region, isolated_free=ask.isolated_free & region, others=0, base=0)
    found = search(state, only)
    if not isinstance(found, Choice) or found.mask | found.withheld != region:
        return None
    return Choice(cpus.mask, region & ~cpus.mask, found.optimal)


def _short(has: int, wanted: int) -> str:
    return f"has {has} usable CPUs of the {wanted} it asked for"
