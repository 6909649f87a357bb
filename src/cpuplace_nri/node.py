"""Node: all decisions about the containers of one node, in memory. No I/O, no clock, no wire.

Every method answers from what is known and changes nothing; `commit` makes an answer true when it has been given. So an
answer that came too late, or could not be written, is simply dropped.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from attrs import evolve

from cpuplace import (
    Assignment,
    ContainerRequest,
    CpuSet,
    Held,
    HostState,
    Impossible,
    Kind,
    Observed,
    Plan,
    Policy,
    Refusal,
    Topology,
    apply,
    change_topology,
    forget_pod,
    place,
    release,
    resize,
    synchronize,
    widen,
)
from cpuplace.annotations import what_of
from cpuplace.events import Resize, Start
from cpuplace_nri.answer import Answer, Changes, Own, changes_of
from cpuplace_nri.decision import Decision
from cpuplace_nri.known import Known
from cpuplace_nri.seen import Seen
from cpuplace_nri.telling import forgotten, hotplugged, released, reloaded, started, synchronized, updated

RIDERS: Final = 16
"""So many stale specifications are mended with one reply: each costs the runtime 10 to 17 ms under its lock."""

SHORT_SEARCH: Final = 10_000
"""Search nodes that take no longer than handing the decision to a thread could be worth: some 10 ms."""


def _nobody(_: Decision) -> None:
    """Where nobody listens."""


class Node:
    """The containers of one node; `decided` hears of every decision once it is true."""

    def __init__(self, topology: Topology, policy: Policy, decided: Callable[[Decision], None] = _nobody) -> None:
        self.known = Known.nothing(topology, policy)
        self.synchronized = False
        self.decided = decided

    @property
    def state(self) -> HostState:
        """Who holds what; ids are the runtime's."""
        return self.known.state

    @property
    def names(self) -> dict[str, str]:
        """Container id -> namespace/pod/container."""
        return {key: one.name for key, one in self.known.seen.items()}

    def commit(self, answer: Answer) -> None:
        """The answer was given: from now on it is what is."""
        self.known = answer.known
        for decision in answer.decisions:
            self.decided(decision)

    # --- from the runtime ------------------------------------------------------------------------

    def synchronize(self, containers: Iterable[Seen], pods: Collection[str]) -> Answer:
        """All that run, or are made and not started: the state is what they have, mended where it must be (R9).

        `pods` are the uids of all pods that there are: nothing is remembered for others.
        """
        seen = {one.container_id: self._recognized(one) for one in containers}
        known, notes, observed = evolve(self.known, seen=seen, stale=frozenset()), [], []
        for one in seen.values():
            request, note = one.request_anyway(self.state.policy, self._siblings(known, one))
            notes += [note] if note else []
            observed.append(_observed(one, request))
        plan = synchronize(self.state, observed)
        state, changes = apply(self.state, plan), changes_of(plan)
        gone = sorted({pod for pod, _ in state.remembered} - set(pods))
        for uid in gone:
            state = apply(state, forget_pod(state, uid))
        after = evolve(known, state=state)
        unbound = (key for key in after.state.assignments if not seen[key].cpus)
        return Answer(
            known=after,
            changes=(*changes, *_untold(after.state, unbound, changes)),
            decisions=(synchronized(after, changes, observed), *map(forgotten, gone)),
            notes=(*notes, *map(after.in_words, plan.notes)),
        )

    def is_short(self, one: Seen) -> bool:
        """Whether placing it takes milliseconds at most: nobody has to move, as for a pin, and searches are small."""
        pins = any(what_of(key) == "cores" for key in one.pod.annotations)
        return not pins and self.state.policy.search_budget <= SHORT_SEARCH

    def create(self, one: Seen) -> Answer | Refusal:
        """What a new container gets, and who makes way for it (R1 to R6)."""
        known, state = self.known, self.state
        if one.container_id in state:  # asked again after an answer that never arrived
            state = apply(state, release(state, one.container_id))
        request = one.request(state.policy, self._siblings(known, one))
        answer = request if isinstance(request, Refusal) else place(state, request, one_step_per_container=True)
        if isinstance(answer, Refusal):
            return answer
        former = state.by_name.get((answer.after[one.container_id].request.pod, one.facts.name))
        after = known.without([former] if former else [], state).with_seen(one, apply(state, answer))
        held, changes = after.state[one.container_id], changes_of(answer, but=one.container_id)
        return self._answered(after, answer, one, changes, started(after, held, changes), own=_own(one, held))

    def update(self, one: Seen, asked: CpuSet | None) -> Answer | Refusal:
        """What changes when somebody updates a container: `one` has its new numbers, `asked` is a cpuset they ask for.

        Its own change is made last by the runtime, so others only make way now and are widened later. What it has is
        said again in any case, so that nobody takes it away.
        """
        known, state, key = self.known, self.state, one.container_id
        if key not in state:
            return Answer(known=known)
        if state[key].kind is Kind.UNMANAGED:
            return Answer(known=self._left_alone(one, asked))
        request = one.request(state.policy, self._siblings(known, one))
        answer = request if isinstance(request, Refusal) else _resized(state, request)
        if isinstance(answer, Refusal):
            return answer
        after = known.with_seen(one, apply(state, answer))
        held, changes = after.state[key], changes_of(answer, but=key)
        decision = updated(after, held, answer, changes, asked)
        return self._answered(after, answer, one, (*changes, (key, held.held)), decision)

    def refused(self, one: Seen, refusal: Refusal, kind: str) -> Decision:
        """What is told of a request that was refused, with what was asked for where that could be read."""
        request = one.request(self.state.policy, self._siblings(self.known, one))
        event: Start | Resize | None = None
        if isinstance(request, ContainerRequest) and kind == "place":
            event = Start(request=request)
        elif isinstance(request, ContainerRequest):
            event = Resize(container_id=one.container_id, count=request.count)
        return Decision(
            kind=kind, container_id=one.container_id, name=one.name, rule=refusal.rule, refusal=refusal, event=event
        )

    def stop(self, container_id: str) -> Answer:
        """A container has stopped, or never came to be: what it had is free, and remembered for its pod (R8)."""
        return self._released((container_id,))

    def remove_sandbox(self, sandbox: str, uid: str) -> Answer:
        """A sandbox is gone, with all in it; with the last one of its pod goes what is remembered for the pod."""
        left = self.known.in_sandbox(sandbox)
        if any(one.uid == uid and one.sandbox != sandbox for one in self.known.seen.values()):
            return self._released(left)
        plan = forget_pod(self.state, uid)
        known = self.known.without(left, apply(self.state, plan))
        return Answer(known=known, changes=changes_of(plan), decisions=() if plan.is_empty else (forgotten(uid),))

    def accepts(self, one: Seen, cpus: CpuSet | None) -> str:
        """Why a new container with this cpuset must not be, "" when it may: the CPUs have to be those that we gave."""
        state = self.state
        if one.container_id not in state:
            return f"cpuplace: {one.name}: was not placed by this plugin (fail_closed)"
        known = state[one.container_id]
        if known.kind is Kind.UNMANAGED or known.cpus == cpus:
            return ""
        return f"cpuplace: {one.name}: was given CPUs {known.cpus}, but would run on {cpus or 'all'} (fail_closed)"

    # --- from the host and the operator ----------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether shared containers wait to be widened."""
        return not widen(self.state).is_empty

    def overdue(self) -> Answer:
        """The widening that waits (R7)."""
        return self.carried(widen(self.state))

    def change_topology(self, topology: Topology) -> Answer:
        """CPUs went on- or offline (R11)."""
        state = self.state
        answer = self.carried(change_topology(state, topology))
        return evolve(answer, decisions=tuple(hotplugged(state, answer.known.state)))

    def change_policy(self, policy: Policy) -> Plan | Refusal:
        """The plan under another policy, for `reloaded`: who runs is judged anew and keeps what is legal (R9).

        Refused when somebody who runs could not have under it what it asks for. BadInput when it does not fit the host.
        """
        state = evolve(self.state, ground=HostState.empty(self.state.topology, evolve(policy, widen="lazy")).ground)
        observed = []
        for one in self.known.seen.values():
            request, _ = one.request_anyway(policy, self._siblings(self.known, one))
            held = self.state[one.container_id]
            observed.append(Observed(request=request, cpus=held.cpus, mems=held.mems, baseline=held.baseline))
        mended = synchronize(state, observed)
        asked = {one.request.container_id: one.request for one in observed}
        worse = [one for key, one in mended.after.assignments.items() if _is_worse(self.state[key], one, asked[key])]
        if worse:
            return _cannot_hold(self.known, worse[0])
        return Plan(before=self.state, after=mended.after, notes=mended.notes, world=mended.world)

    def reloaded(self, plan: Plan) -> Answer:
        """The plan of another policy, as `change_policy` made it for what is known."""
        answer = self.carried(plan)
        return evolve(answer, decisions=tuple(reloaded(answer.known, self.state)))

    def carried(self, plan: Plan) -> Answer:
        """A plan for what is known that is to be carried out as it is."""
        known = evolve(self.known, state=apply(self.state, plan))
        changes = changes_of(plan)
        strangers = (key for key, one in self.state.owners.items() if one.kind is Kind.UNMANAGED)
        changes = (*changes, *_untold(known.state, strangers, changes))
        return Answer(known=known, changes=changes, notes=tuple(map(known.in_words, plan.notes)))

    def written(self, ids: Iterable[str]) -> None:
        """These cgroups were written past the runtime."""
        self.known = evolve(self.known, stale=self.known.stale | frozenset(ids))

    def told(self, ids: Iterable[str]) -> None:
        """The runtime was told of these."""
        self.known = evolve(self.known, stale=self.known.stale - frozenset(ids))

    # --- parts -----------------------------------------------------------------------------------

    def _recognized(self, one: Seen) -> Seen:
        """Whose cpuset was somebody else's when it was created stays so while we remember it."""
        before = self.known.seen.get(one.container_id)
        return evolve(one, foreign=True) if before is not None and before.foreign else one

    def _siblings(self, known: Known, one: Seen) -> tuple[Seen, ...]:
        """Who counts with it: nobody unless the policy looks at whole pods."""
        return known.siblings(one) if self.state.policy.integer_scope == "all-containers" else ()

    def _answered(
        self,
        after: Known,
        plan: Plan,
        one: Seen,
        changes: Changes,
        decision: Decision | None,
        *,
        own: Own | None = None,
    ) -> Answer:
        """Stale specifications of others ride along first, then the changes."""
        own_id, known = one.container_id, after
        if after.stale:
            ids = {key for key, _ in changes} | {own_id}
            riders = [key for key in sorted(after.stale - ids) if key in after.state][:RIDERS]
            changes = (*((key, after.state[key].held) for key in riders), *changes)
            known = evolve(after, stale=after.stale - ids - frozenset(riders))
        notes = tuple(map(after.in_words, plan.notes))
        return Answer(known=known, changes=changes, own=own, decisions=(decision,) if decision else (), notes=notes)

    def _released(self, ids: Iterable[str]) -> Answer:
        state, decisions = self.state, []
        changes: list[tuple[str, Held]] = []
        for key in ids:
            if key in state:
                held = state[key]
                plan = release(state, key)
                state = apply(state, plan)
                changes += changes_of(plan)
                decisions.append(released(self.known, held))
        return Answer(known=self.known.without(ids, state), changes=tuple(changes), decisions=tuple(decisions))

    def _left_alone(self, one: Seen, asked: CpuSet | None) -> Known:
        """Somebody else's container has other numbers, or another cpuset: only remembered."""
        if asked is None or asked == self.state[one.container_id].cpus:
            return self.known.with_seen(one, self.state)
        state = apply(self.state, release(self.state, one.container_id))
        held = self.known.state[one.container_id].request
        answer = place(state, evolve(held, pin=asked))
        return self.known.with_seen(
            evolve(one, cpus=asked), state if isinstance(answer, Refusal) else apply(state, answer)
        )


def _untold(state: HostState, ids: Iterable[str], changes: Changes) -> Changes:
    """Of those who have no cpuset that we gave: managed ones that run just where they should. They are told, or they
    would run on CPUs to come.
    """
    told = {key for key, _ in changes}
    left = (state[key] for key in ids if key in state and key not in told)
    return tuple((one.container_id, one.held) for one in left if one.kind is not Kind.UNMANAGED)


def _is_worse(was: Assignment, will: Assignment, asked: ContainerRequest) -> bool:
    """Whether a container that runs would have less than it asks for, and had it before."""
    less = asked.kind is not will.kind or bool(will.degraded)
    return less and was.kind is not Kind.SHARED and not was.degraded


def _cannot_hold(known: Known, one: Assignment) -> Impossible:
    lost = one.degraded or "no CPU of its own would be left for it"
    sentence = (
        f"{known.name(one.container_id)} runs and could not have under it what it asks for: {known.in_words(lost)}"
    )
    return Impossible(container_id=one.container_id, rule="R9", sentence=sentence, holders=(one.container_id,))


def _observed(one: Seen, request: ContainerRequest) -> Observed:
    return Observed(request=request, cpus=one.cpus or CpuSet(), mems=one.mems, baseline=_baseline(one))


def _baseline(one: Seen) -> CpuSet:
    """The CPUs of its creation; of one that was moved since as many others, those that it has now first."""
    if one.baseline is None:
        return CpuSet()
    created, has = one.baseline, one.cpus or CpuSet()
    kept = created & has
    others = (*sorted(has - created), *sorted(created - has))
    return kept | CpuSet(others[: len(created) - len(kept)])


def _resized(state: HostState, request: ContainerRequest) -> Plan | Refusal:
    """Pinned ones, and who asks for what it has, stay as they are (R10)."""
    held = state[request.container_id]
    movable = (Kind.INTEGER, Kind.SHARED)
    if held.kind not in movable or request.kind not in movable or held.request == request:
        return Plan(before=state, after=state)
    return resize(state, request, one_step_per_container=True)


def _own(one: Seen, held: Assignment) -> Own:
    if held.kind is Kind.UNMANAGED:
        return Own(left_alone=True, marked=one.foreign)
    return Own(held=held.held, exclusive=has_own(held))


def has_own(held: Assignment) -> bool:
    """Whether a container has CPUs that are meant for it: exclusive ones, or those of a pin that others may share."""
    return held.exclusive or held.kind is Kind.PINNED_SHARED
