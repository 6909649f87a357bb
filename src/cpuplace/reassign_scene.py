"""Scene: a host on which some containers are lifted off their CPUs for a pin, and how it looks afterwards."""

from attrs import evolve, frozen

from cpuplace.binding import bound_nodes, memory_limit
from cpuplace.cpulist import ids_of
from cpuplace.idset import CpuSet
from cpuplace.ordering import ANY_NUMBER, Manner
from cpuplace.reassign_joint import Answer, Seats, lowest, solve
from cpuplace.reassign_seat import Mover, Purse, Seat
from cpuplace.request import ContainerRequest, Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.transitions import replaced, with_owner


@frozen(slots=True)
class Scene:
    """A state, a pin to be cleared in it, and the containers that move for that."""

    state: HostState
    request: ContainerRequest
    held: tuple[Assignment, ...]
    manner: Manner = ANY_NUMBER

    @property
    def lifted(self) -> HostState:
        """The state without the movers, the pinned CPUs free for nobody; what shared containers hold is not kept."""
        state = self.state
        cpus = withheld = 0
        for one in self.held:
            cpus, withheld = cpus | one.cpus.mask, withheld | one.withheld.mask
        keys = {one.container_id for one in self.held}
        return evolve(
            state,
            owners={key: one for key, one in state.owners.items() if key not in keys},
            integer=state.integer & ~cpus,
            withheld_mask=state.withheld_mask & ~withheld,
            lent=state.lent | self.request.pin.mask,
        )

    def answer(self, purse: Purse) -> Answer | None:
        """Legal seats of least cost."""
        return self._solved(purse, legal=True)

    def lowest(self, answer: Answer, purse: Purse) -> Answer:
        """Of the legal seats that cost as much as those of an answer, the ones with the lowest ids."""
        if answer.lowest:
            return answer
        lifted = self.lifted
        movers = [Mover.of(lifted, one, purse, fit=False) for one in self.held]
        return lowest(movers, purse, self.is_legal, answer)

    def has_room(self, purse: Purse) -> bool:
        """Whether there are seats apart for all, whether or not one can get there."""
        return self._solved(purse, legal=False) is not None

    def _solved(self, purse: Purse, *, legal: bool) -> Answer | None:
        lifted = self.lifted
        movers = [Mover.of(lifted, one, purse) for one in self.held]
        everywhere = 0
        for mover in movers:
            everywhere |= mover.task.allowed
        if sum(mover.task.count for mover in movers) > everywhere.bit_count():
            return None
        return solve(movers, purse, self.is_legal if legal else _any_seats)

    def moved(self, seats: Seats) -> tuple[Assignment, ...]:
        """The assignments of the movers on these seats; who keeps its seat keeps its assignment."""
        return tuple(seated(self.state, one, seat) for one, seat in zip(self.held, seats, strict=True))

    def after(self, seats: Seats) -> HostState:
        """The state in which everybody has moved and the pin is there."""
        state = replaced(self.state, *self.moved(seats))
        wishes = resolve(state.policy.wishes, self.request.wishes)
        mems, preferred = bound_nodes(state, self.request, self.request.pin.mask, wishes)
        return with_owner(state, Assignment(self.request, self.request.pin, mems, preferred=preferred))

    def is_legal(self, seats: Seats) -> bool:
        """Whether the pool keeps its floor, memory suffices for all at once, and there is a legal order of steps."""
        after = self.after(seats)
        if not floor_holds(self.state, after) or not self._memory_suffices(after):
            return False
        return self.manner.leads(self.state, after)

    def _memory_suffices(self, after: HostState) -> bool:
        """Movers and pin bound one after another, each beside those bound before."""
        state = self.lifted
        for key in (*(one.container_id for one in self.held), self.request.container_id):
            one = after.owners[key]
            limit = memory_limit(state, one.request, resolve(state.policy.wishes, one.request.wishes))
            if limit is not None and one.mems is not None and not limit.allows(one.mems):
                return False
            state = evolve(state, owners=state.owners | {key: one})
        return True


def _any_seats(_: Seats) -> bool:
    return True


def floor_holds(before: HostState, after: HostState) -> bool:
    """R6: the pool is not made smaller than its floor, and no shared container is left without a CPU."""
    pool, left = before.pool_mask, after.pool_mask
    if not pool & ~left:
        return True
    if left.bit_count() < min(before.policy.min_shared_cpus, pool.bit_count()):
        return False
    return all(left & ~request.forbid.mask for request in before.shared.values())


def seated(state: HostState, one: Assignment, seat: Seat) -> Assignment:
    """The assignment of a container on its seat; the one it has when that is where it is."""
    cpus, withheld = CpuSet.from_mask(seat.grant), CpuSet.from_mask(seat.withheld)
    if (cpus, withheld) == (one.cpus, one.withheld):
        return one
    wishes = resolve(state.policy.wishes, one.request.wishes)
    mems, preferred = bound_nodes(state, one.request, seat.grant, wishes)
    return evolve(
        one,
        cpus=cpus,
        withheld=withheld,
        mems=mems,
        preferred=preferred,
        baseline=_baseline(one, cpus),
        rule="R3",
    )


def _baseline(one: Assignment, cpus: CpuSet) -> CpuSet:
    """As many CPUs as before: those of its creation that it keeps, the lowest new ones for those it gave up."""
    kept = one.baseline & cpus
    gained = ids_of((cpus - one.cpus).mask)
    return kept | CpuSet(gained[: len(one.baseline) - len(kept)])


def in_the_way(state: HostState, request: ContainerRequest) -> tuple[Assignment, ...]:
    """Integer containers that hold pinned CPUs, or have siblings withheld there."""
    met = request.pin.mask
    if not met & (state.integer | state.withheld_mask):
        return ()
    owners = state.owners.values()
    return tuple(one for one in owners if one.kind is Kind.INTEGER and (one.cpus.mask | one.withheld.mask) & met)


def may_move(state: HostState, one: Assignment) -> bool:
    """Whether operator and container let an integer container move."""
    policy = state.policy
    allowed = policy.reassign == "allow" and one.kind is Kind.INTEGER
    return allowed and resolve(policy.wishes, one.request.wishes).move == "allow"
