"""Transitions: the next state after one container came, went or holds something else. The sums follow.

Nothing is decided here, and nothing is changed in place: every function gives a new state with the next version.
"""

from typing import TypeVar

from attrs import evolve

from cpuplace.ground import Ground
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import EXCLUSIVE_KINDS, Assignment, HostState, Remembered

K = TypeVar("K")
V = TypeVar("V")


def with_owner(state: HostState, assignment: Assignment) -> HostState:
    """The next state, with one more container of any kind but shared."""
    request, cpus = assignment.request, assignment.cpus.mask
    kind, name = request.kind, (request.pod, request.name)
    integer = state.integer | cpus if kind is Kind.INTEGER else state.integer
    owned = state.owned | cpus if kind is Kind.PINNED else state.owned
    withheld = state.withheld_mask | assignment.withheld.mask
    told, apart = _told(state, integer | owned | withheld)
    return HostState(  # by position, in the order of the fields: this is the hot path
        state.ground,
        state.version + 1,
        state.owners | {request.container_id: assignment},
        state.shared,
        state.by_name | {name: request.container_id},
        _less(state.remembered, name) if name in state.remembered else state.remembered,
        integer,
        owned,
        state.lent if kind in EXCLUSIVE_KINDS else state.lent | cpus,
        withheld,
        told,
        apart,
        state.picky,
        state.low_pool,
    )


def with_shared(state: HostState, request: ContainerRequest) -> HostState:
    """The next state, with one more shared container, told of the whole pool."""
    key, name, pool = request.container_id, (request.pod, request.name), state.pool_mask
    alone = {} if state.told == pool else {key: pool & ~request.forbid.mask}
    return evolve(
        state,
        version=state.version + 1,
        shared=state.shared | {key: request},
        by_name=state.by_name | {name: key},
        apart=state.apart | alone,
        picky=(*state.picky, key) if request.forbid else state.picky,
    )


def without(state: HostState, container_id: str) -> HostState:
    """The next state, without one container; what an owner held is remembered for it (R8)."""
    if container_id in state.shared:
        return _without_shared(state, container_id)
    gone = state.owners[container_id]
    owners = _less(state.owners, container_id)
    name = (gone.request.pod, gone.request.name)
    integer, owned, lent, withheld = state.integer, state.owned, state.lent, state.withheld_mask
    if gone.kind is Kind.INTEGER:
        integer, withheld = integer & ~gone.cpus.mask, withheld & ~gone.withheld.mask
    else:
        owned, lent = _pins(owners)
    told, apart = _told(state, integer | owned | withheld)
    held = Remembered(gone.cpus.mask | gone.withheld.mask, gone.request.init)
    return HostState(  # by position, as above
        state.ground,
        state.version + 1,
        owners,
        state.shared,
        _less(state.by_name, name),
        state.remembered | {name: held} if gone.exclusive else state.remembered,
        integer,
        owned,
        lent,
        withheld,
        told,
        apart,
        state.picky,
        state.low_pool,
    )


def replaced(state: HostState, *assignments: Assignment) -> HostState:
    """The next state, in which some owners hold something else; their places in the order stay."""
    owners = state.owners | {one.container_id: one for one in assignments}
    integer = withheld = 0
    for one in owners.values():
        if one.kind is Kind.INTEGER:
            integer |= one.cpus.mask
            withheld |= one.withheld.mask
    owned, lent = _pins(owners)
    told, apart = _told(state, integer | owned | withheld)
    return evolve(
        state,
        version=state.version + 1,
        owners=owners,
        integer=integer,
        owned=owned,
        lent=lent,
        withheld_mask=withheld,
        told=told,
        apart=apart,
    )


def _without_shared(state: HostState, container_id: str) -> HostState:
    request = state.shared[container_id]
    shared = _less(state.shared, container_id)
    return evolve(
        state,
        version=state.version + 1,
        shared=shared,
        by_name=_less(state.by_name, (request.pod, request.name)),
        told=state.told if shared else state.pool_mask,
        apart={key: mask for key, mask in state.apart.items() if key != container_id},
        picky=tuple(key for key in state.picky if key != container_id),
    )


def without_memory_of(state: HostState, pod: str) -> HostState:
    """The state in which nothing is remembered for a pod; the same object when nothing is."""
    kept = {name: held for name, held in state.remembered.items() if name[0] != pod}
    if len(kept) == len(state.remembered):
        return state
    return evolve(state, version=state.version + 1, remembered=kept)


def _less(items: dict[K, V], key: K) -> dict[K, V]:
    """A copy without one key; copying and deleting run in C, a comprehension would not."""
    fewer = items.copy()
    del fewer[key]
    return fewer


def _pins(owners: dict[str, Assignment]) -> tuple[int, int]:
    """(owned, lent) summed up from nothing: pins may overlap, so they cannot be subtracted."""
    owned = lent = 0
    for one in owners.values():
        if one.kind is Kind.PINNED:
            owned |= one.cpus.mask
        elif one.kind is not Kind.INTEGER:
            lent |= one.cpus.mask
    return owned, lent


def _told(state: HostState, taken: int) -> tuple[int, dict[str, int]]:
    """What shared containers are told of once `taken` is out of the pool (R7): (told, apart).

    widen="lazy": CPUs that only joined the pool are not told; as soon as somebody must be narrowed, the
    whole pool is told, so that the widening rides along. Nobody is ever told of no CPU at all: where hardware
    leaves none (a plan may not), what was told before stays.
    """
    ground = state.ground
    pool = ground.pool_base & ~taken
    if not state.shared:
        return pool, {}
    if ground.policy.widen == "lazy" and not _outside(state, pool) and not _strays(state, pool):
        return state.told, state.apart
    if not pool:
        return state.told, state.apart
    return pool, {key: state.shared_mask(state.shared[key]) for key in state.hungry(pool)}


def told_all(state: HostState) -> HostState:
    """The state in which shared containers are told of all of the pool; the same object when they are (R7)."""
    pool = state.pool_mask
    if not state.shared or not pool:
        return state
    apart = {key: state.shared_mask(state.shared[key]) for key in state.hungry(pool)}
    if (pool, apart) == (state.told, state.apart):
        return state
    return evolve(state, version=state.version + 1, told=pool, apart=apart)


def unwidened(before: HostState, after: HostState) -> HostState:
    """`after`, but shared containers are told of nothing that they did not have `before`: widening waits (R7).

    Who keeps no CPU is told of what `after` says, since nobody has none.
    """
    told = before.told & after.told or after.told
    apart, special = {}, {*before.apart, *after.apart, *after.picky}
    for key in [key for key in after.shared if key in special]:
        request = after.shared[key]
        will = after.shared_mask(request)
        mask = (before.shared_mask(request) if key in before.shared else will) & will or will
        if mask != told & ~request.forbid.mask:
            apart[key] = mask
    return evolve(after, told=told, apart=apart)


def _outside(state: HostState, pool: int) -> int:
    """What shared containers were told of and is not in the pool any more."""
    told = state.told
    for mask in state.apart.values():
        told |= mask
    return told & ~pool


def _strays(state: HostState, pool: int) -> bool:
    """Whether somebody who had to keep forbidden CPUs, for want of others, has others now."""
    forbids = ((mask, state.shared[key].forbid.mask) for key, mask in state.apart.items())
    return any(mask & forbid and pool & ~forbid for mask, forbid in forbids)


def regrounded(state: HostState, ground: Ground) -> HostState:
    """The next state on another ground: the same assignments, shared containers told of the new pool."""
    moved = evolve(state, ground=ground, version=state.version + 1)
    told, apart = _told(moved, moved.integer | moved.owned | moved.withheld_mask)
    return with_low_pool(evolve(moved, told=told, apart=apart))


def with_low_pool(state: HostState) -> HostState:
    """The state with `low_pool` as it is: true when R6 does not hold."""
    pool = state.pool_mask
    low = pool.bit_count() < min(state.policy.min_shared_cpus, state.ground.pool_base.bit_count())
    low |= bool(state.hungry(pool))
    return state if low == state.low_pool else evolve(state, low_pool=low)
