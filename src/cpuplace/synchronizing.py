"""Synchronizing: the state rebuilt from what runs (R9). Keeps what is legal, moves little, never refuses."""

from collections.abc import Iterable

from attrs import evolve, field, frozen

from cpuplace.binding import bound_nodes
from cpuplace.cpulist import union_of
from cpuplace.granting import Ask, ask_of, assignment_of
from cpuplace.hotplug import as_many_as_possible, beside_others, degradations, exactly
from cpuplace.idset import NO_CPUS, CpuSet, NodeSet
from cpuplace.pinning import pin_problem
from cpuplace.refusal import BadPin, PinOverlap, Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState, Remembered
from cpuplace.strangers import cpus_of_strangers, intrusions
from cpuplace.transitions import with_low_pool, with_owner, with_shared, without


@frozen(slots=True, kw_only=True)
class Observed:
    """One container as it runs now: what it asks for, and what it has.

    `cpus` empty = it has no cpuset of its own and runs everywhere; `mems` None = not bound. `baseline` are the CPUs of
    its creation, when somebody kept them.
    """

    request: ContainerRequest
    cpus: CpuSet = NO_CPUS
    mems: NodeSet | None = None
    baseline: CpuSet = field(default=NO_CPUS)


@frozen(slots=True)
class Synchronized:
    """The world as it was observed, the state it is mended to, and what could not be mended."""

    world: HostState
    after: HostState
    notes: tuple[str, ...]


def synchronized(state: HostState, observed: Iterable[Observed], *, leave_strangers: bool = False) -> Synchronized:
    """The state that fits what runs; `state` helps with what cannot be seen: baselines, remembered CPUs."""
    seen = {one.request.container_id: one for one in observed}
    beside = 0 if leave_strangers else cpus_of_strangers(one.request for one in seen.values())
    rebuilt = _Rebuilding(state, seen, beside)
    first, integer = _in_order(state, seen.values())
    for one in first:
        rebuilt.take(one)
    for one in sorted(integer, key=rebuilt.turn):
        rebuilt.take(one)
    after = rebuilt.finished()
    return Synchronized(_world(after, seen), after, (*rebuilt.notes, *degradations(after)))


def _in_order(state: HostState, seen: Iterable[Observed]) -> tuple[list[Observed], list[Observed]]:
    """Who comes first: left alone, pinned, shared (the floor counts them); and apart from them the integer ones, whose
    turns are told later. Of equals those that were known, in the order of before."""
    ranks = {Kind.UNMANAGED: 0, Kind.PINNED: 1, Kind.PINNED_SHARED: 1, Kind.SHARED: 2}
    places = {key: place for place, key in enumerate((*state.owners, *state.shared))}
    known = sorted(seen, key=lambda one: places.get(one.request.container_id, len(places)))
    first = [one for one in known if one.request.kind is not Kind.INTEGER]
    integer = [one for one in known if one.request.kind is Kind.INTEGER]
    return sorted(first, key=lambda one: ranks[one.request.kind]), integer


def _given(state: HostState, one: Observed) -> CpuSet:
    """What we gave an integer container, if it has that still, be it among more (its cpuset was reset)."""
    known = state.owners.get(one.request.container_id)
    has = one.cpus or state.topology.online
    return known.cpus if known is not None and known.kind is Kind.INTEGER and known.cpus <= has else NO_CPUS


def _claim(state: HostState, one: Observed) -> int:
    """The CPUs of a container of ours and what is withheld for it."""
    known = state.owners[one.request.container_id]
    return known.cpus.mask | known.withheld.mask


def _pooled(state: HostState, one: Observed) -> bool:
    """Whether an integer container runs on the pool because no CPU was left for it, as we told it."""
    pooled = state.shared.get(one.request.container_id)
    return pooled is not None and state.shared_mask(pooled) == one.cpus.mask


def _on_the_pool(request: ContainerRequest) -> ContainerRequest:
    """An integer container for which no CPU is left."""
    return evolve(request, kind=Kind.SHARED, count=0)


class _Rebuilding:
    """A state that grows container by container: states are `after`, what was noted is `notes`."""

    def __init__(self, state: HostState, seen: dict[str, Observed], beside: int) -> None:
        """`beside`: CPUs that may be kept although strangers run there (K0)."""
        self._former, self._seen, self._beside = state, seen, beside
        integer = {key: one for key, one in seen.items() if one.request.kind is Kind.INTEGER}
        self._promised = {key: _claim(state, one) for key, one in integer.items() if _given(state, one)}
        self._after = HostState(
            ground=state.ground, version=state.version, told=state.ground.pool_base, low_pool=state.low_pool
        )
        self.notes: tuple[str, ...] = ()
        for one in integer.values():
            if _pooled(state, one):  # until its turn the floor counts it
                self._after = with_shared(self._after, _on_the_pool(one.request))

    def turn(self, one: Observed) -> int:
        """When an integer container comes, the pinned ones being there: those that may keep what we gave them, then
        what they have, so that nobody leaves for another's sake; those that may not, last those that never had as many
        as they ask for; and those on the pool."""
        if _pooled(self._former, one):
            return 4
        ours = _given(self._former, one)
        own = ours or one.cpus
        if self._may_keep(one.request, own):
            return 0 if ours else 1
        return 2 if ours or len(own) == one.request.count else 3

    def _may_keep(self, request: ContainerRequest, own: CpuSet) -> bool:
        state = beside_others(self._after, own.mask & self._beside)
        return exactly(state, ask_of(state, request, request.count), own) is not None

    def take(self, one: Observed) -> None:
        """One more container."""
        request = one.request
        if request.kind is Kind.SHARED:
            self._after = with_shared(self._after, request)
        elif request.kind is Kind.INTEGER:
            self._take_integer(one)
        else:
            self._take_pinned(one)

    def _take_pinned(self, one: Observed) -> None:
        request, state = one.request, self._after
        if request.kind is Kind.UNMANAGED:
            self._add(Assignment(request, request.pin, rule="K0"))
            return
        problem = self._pin_problem(request)
        keeps = isinstance(problem, BadPin)  # a list that cannot be had is not written anywhere
        cpus = (one.cpus or state.topology.online) if keeps else request.pin
        wishes = resolve(state.policy.wishes, request.wishes)
        mems, preferred = bound_nodes(state, request, cpus.mask, wishes)
        self._add(
            Assignment(
                request=request,
                cpus=cpus,
                mems=one.mems if keeps else mems,
                baseline=request.pin,
                preferred=preferred,
                rule="R1",
                degraded="" if problem is None else problem.sentence,
            )
        )

    def _pin_problem(self, request: ContainerRequest) -> Refusal | None:
        """Why it should not have its list; that strangers run there too is no reason for who runs (K0)."""
        problem = pin_problem(self._after, request)
        if not self._beside or not isinstance(problem, PinOverlap):
            return problem
        strangers = all(self._after.owners[key].kind is Kind.UNMANAGED for key in problem.holders)
        return None if strangers else problem

    def _take_integer(self, one: Observed) -> None:
        """What we gave it or what it has when that is legal, else as much of it as can be kept, else the pool."""
        request = one.request
        if request.container_id in self._after.shared:
            self._after = without(self._after, request.container_id)
        state, ask = self._after, self._ask(self._after, request)
        own = NO_CPUS if _pooled(self._former, one) else _given(self._former, one) or one.cpus
        beside = beside_others(state, own.mask & self._beside)
        found, short = exactly(state, ask if beside is state else self._ask(beside, request), own), ""
        if found is None:
            left = own.mask & (ask.free | ask.isolated_free)
            found, short = as_many_as_possible(state, ask, CpuSet.from_mask(left))
        if found is None:
            self.notes += (f"{request.container_id}: no CPU is left for it, it runs on the pool",)
            self._after = with_shared(self._after, _on_the_pool(request))
            return
        held = assignment_of(state, request, ask, found, "R9")
        self._add(evolve(held, baseline=self._baseline(one, held.cpus), degraded=short))

    def _ask(self, state: HostState, request: ContainerRequest) -> Ask:
        """Without what those still have who come later: nobody who has too few takes it from another."""
        ask = ask_of(state, request, request.count)
        self._promised.pop(request.container_id, None)
        theirs = self._promised_mask
        return ask._replace(free=ask.free & ~theirs, isolated_free=ask.isolated_free & ~theirs)

    @property
    def _promised_mask(self) -> int:
        return union_of(self._promised.values())

    def _baseline(self, one: Observed, cpus: CpuSet) -> CpuSet:
        known = self._former.owners.get(one.request.container_id)
        return one.baseline or (known.baseline if known is not None else cpus)

    def _add(self, assignment: Assignment) -> None:
        """As `_former` has it when only the rule differs, which nobody can see from outside."""
        known = self._former.owners.get(assignment.container_id)
        if known is not None and evolve(known, rule="") == evolve(assignment, rule=""):
            assignment = known
        self._after = with_owner(self._after, assignment)

    def finished(self) -> HostState:
        """The state with everything that concerns all of it; `_former` itself when nothing differs."""
        former = self._former
        gone = {
            (one.request.pod, one.request.name): Remembered(one.cpus.mask | one.withheld.mask, one.request.init)
            for key, one in former.owners.items()
            if key not in self._seen and one.exclusive
        }
        running = {(one.request.pod, one.request.name) for one in self._after.owners.values()}  # as `place` forgets it
        remembered = {name: held for name, held in (former.remembered | gone).items() if name not in running}
        pool, everywhere = self._after.pool_mask, former.topology.online
        hungry = {  # nobody is told of no CPU at all
            key: (self._seen[key].cpus or everywhere).mask for key in self._after.hungry(pool)
        }
        self.notes += tuple(intrusions(self._after, (one.request for one in self._seen.values())))
        after = with_low_pool(evolve(self._after, remembered=remembered, told=pool, apart=hungry))
        same = evolve(after, version=former.version)
        return former if same == former else evolve(after, version=former.version + 1)


def _world(after: HostState, seen: dict[str, Observed]) -> HostState:
    """What runs now in the shape of a state, so that steps can be told from it; its sums are not kept.

    Memory nodes that we leave alone count as what they are.
    """
    everywhere = after.topology.online
    owners, shared, apart = {}, {}, {}
    for key, one in seen.items():
        cpus = one.cpus or everywhere
        if key in after.shared:
            shared[key] = after.shared[key]
            apart[key] = cpus.mask
            continue
        will = after.owners[key]
        mems = None if will.mems is None else one.mems
        if will.kind is Kind.UNMANAGED:
            cpus = will.cpus
        owners[key] = evolve(will, cpus=cpus, mems=mems)
    return evolve(after, owners=owners, shared=shared, apart=apart)
