"""Node: all decisions about the containers of one node, in memory. No I/O, no clock, no wire.

Every method answers from what is known and changes nothing; `commit` makes an answer true when it has been given. So an
answer that came too late, or could not be written, is simply dropped.
"""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import evolve

from cpuplace import (
    Assignment,
    ContainerRequest,
    CpuSet,
    Held,
    HostState,
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
from cpuplace.events import Event, Forget, Hotplug, Release, Resize, Restart, Start
from cpuplace.events import Seen as SeenEvent
from cpuplace_nri.answer import Answer, Changes, Own
from cpuplace_nri.decision import Decision
from cpuplace_nri.known import Known
from cpuplace_nri.seen import Seen

RIDERS: Final = 16
"""So many stale specifications are mended with one reply: each costs the runtime 10 to 17 ms under its lock."""


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

    def synchronize(self, containers: Iterable[Seen]) -> Answer:
        """All that run, or are made and not started: the state is what they have, mended where it must be (R9)."""
        seen = {one.container_id: self._recognized(one) for one in containers}
        known, notes, observed = evolve(self.known, seen=seen, stale=frozenset()), [], []
        for one in seen.values():
            request, note = one.request_anyway(self.state.policy, self._siblings(known, one))
            notes += [note] if note else []
            observed.append(_observed(one, request))
        plan = synchronize(self.state, observed)
        after = evolve(known, state=apply(self.state, plan))
        return Answer(
            known=after,
            changes=_changes(plan),
            decisions=(_synchronized(after, plan, observed),),
            notes=(*notes, *map(after.in_words, plan.notes)),
        )

    def create(self, one: Seen) -> Answer | Refusal:
        """What a new container gets, and who makes way for it (R1 to R6)."""
        known, state = self.known, self.state
        if one.container_id in state:  # asked again after an answer that never arrived
            state = apply(state, release(state, one.container_id))
        request = one.request(state.policy, self._siblings(known, one))
        answer = request if isinstance(request, Refusal) else place(state, request, one_step_per_container=True)
        if isinstance(answer, Refusal):
            return answer
        after = known.with_seen(one, apply(state, answer))
        held = after.state[one.container_id]
        return self._answered(after, answer, one, _start(after, held, answer), own=_own(one, held))

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
        held = after.state[key]
        decision = _resize(after, held, answer, asked)
        others = tuple(change for change in _changes(answer) if change[0] != key)
        return self._answered(after, answer, one, decision, changes=(*others, (key, held.held)))

    def stop(self, container_id: str) -> Answer:
        """A container has stopped, or never came to be: what it had is free, and remembered for its pod (R8)."""
        return self._released((container_id,), "release")

    def remove_sandbox(self, sandbox: str, uid: str) -> Answer:
        """A sandbox is gone, with all in it; with the last one of its pod goes what is remembered for the pod."""
        left = self.known.in_sandbox(sandbox)
        if any(one.uid == uid and one.sandbox != sandbox for one in self.known.seen.values()):
            return self._released(left, "release")
        plan = forget_pod(self.state, uid)
        known = self.known.without(left, apply(self.state, plan))
        decision = Decision(kind="forget", name=uid, rule="R8", reason="the pod is gone", event=Forget(pod=uid))
        return Answer(known=known, changes=_changes(plan), decisions=() if plan.is_empty else (decision,))

    def accepts(self, one: Seen, cpus: CpuSet | None) -> str:
        """Why a new container with this cpuset must not be, "" when it may: the CPUs have to be those that we gave."""
        state = self.state
        known = state[one.container_id] if one.container_id in state else None
        if known is None:
            return f"cpuplace: {one.name}: was not placed by this plugin (fail_closed)"
        if known.kind is Kind.UNMANAGED or known.cpus == cpus:
            return ""
        return f"cpuplace: {one.name}: was given CPUs {known.cpus}, but would run on {cpus or 'all'} (fail_closed)"

    # --- from the host and the operator ----------------------------------------------------------

    def overdue(self) -> Answer:
        """The widening that waits, and what was written past the runtime (R7)."""
        plan = widen(self.state)
        changes = dict(_changes(plan))
        stale = {key: self.state[key].held for key in self.known.stale if key in self.state and key not in changes}
        known = evolve(self.known, state=apply(self.state, plan))
        return Answer(known=known, changes=(*changes.items(), *stale.items()))

    def change_topology(self, topology: Topology) -> Answer:
        """CPUs went on- or offline (R11)."""
        state = self.state
        plan = change_topology(state, topology)
        known = evolve(self.known, state=apply(state, plan))
        came, went = topology.online - state.topology.online, state.topology.online - topology.online
        decisions = [
            Decision(kind="hotplug", cpus=cpus, rule="R11", reason=reason, event=Hotplug(cpus=cpus, online=online))
            for cpus, online, reason in ((went, False, "went offline"), (came, True, "came online"))
            if cpus
        ]
        notes = tuple(map(known.in_words, plan.notes))
        return Answer(known=known, changes=_changes(plan), decisions=tuple(decisions), notes=notes)

    def change_policy(self, policy: Policy) -> Answer:
        """Another policy: everybody is judged anew and keeps what is legal (R9). BadInput when it does not fit the host."""
        empty = HostState.empty(self.state.topology, evolve(policy, widen="lazy"))
        state = evolve(self.state, ground=empty.ground)
        observed = []
        for one in self.known.seen.values():
            if one.container_id in self.state:
                request, _ = one.request_anyway(policy, self._siblings(self.known, one))
                held = self.state[one.container_id]
                observed.append(
                    Observed(request=request, cpus=held.cpus, mems=held.mems, baseline=held.baseline)
                )
        plan = synchronize(state, observed)
        known = evolve(self.known, state=apply(state, plan))
        return Answer(known=known, changes=_changes(plan), notes=tuple(map(known.in_words, plan.notes)))

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
        self, after: Known, plan: Plan, one: Seen, decision: Decision, *, own: Own | None = None, changes: Changes | None = None
    ) -> Answer:
        """With the stale specifications that ride along; who is created is no update."""
        said = _changes(plan) if changes is None else changes
        said = tuple(change for change in said if own is None or change[0] != one.container_id)
        ids = {key for key, _ in said} | {one.container_id}
        riders = [key for key in sorted(after.stale - ids) if key in after.state][:RIDERS]
        ride = tuple((key, after.state[key].held) for key in riders)
        known = evolve(after, stale=after.stale - ids - frozenset(riders))
        changes = (*ride, *said) if own is None else (*said, *ride)
        notes = tuple(map(after.in_words, plan.notes))
        return Answer(known=known, changes=changes, own=own, decisions=(decision,), notes=notes)

    def _released(self, ids: Iterable[str], kind: str) -> Answer:
        state, decisions, changes = self.state, [], []
        for key in ids:
            if key in state:
                held = state[key]
                plan = release(state, key)
                state = apply(state, plan)
                changes += _changes(plan)
                decisions.append(
                    Decision(
                        kind=kind,
                        container_id=key,
                        name=self.known.name(key),
                        rule="R8",
                        reason=f"gives back {held.cpus}" if held.exclusive else "has stopped",
                        event=Release(container_id=key),
                    )
                )
        return Answer(known=self.known.without(ids, state), changes=tuple(changes), decisions=tuple(decisions))

    def _left_alone(self, one: Seen, asked: CpuSet | None) -> Known:
        """Somebody else's container has another cpuset now: only remembered."""
        if asked is None or asked == self.state[one.container_id].cpus:
            return self.known
        state = apply(self.state, release(self.state, one.container_id))
        held = self.known.state[one.container_id].request
        answer = place(state, evolve(held, pin=asked))
        return self.known.with_seen(evolve(one, cpus=asked), state if isinstance(answer, Refusal) else apply(state, answer))


def _observed(one: Seen, request: ContainerRequest) -> Observed:
    return Observed(
        request=request, cpus=one.cpus or CpuSet(), mems=one.mems, baseline=one.baseline or CpuSet()
    )


def _resized(state: HostState, request: ContainerRequest) -> Plan | Refusal:
    """Pinned ones, and who asks for what it has, stay as they are (R10)."""
    held = state[request.container_id]
    movable = (Kind.INTEGER, Kind.SHARED)
    if held.kind not in movable or request.kind not in movable or held.request == request:
        return Plan(before=state, after=state)
    return resize(state, request, one_step_per_container=True)


def _changes(plan: Plan) -> Changes:
    """The steps of containers that run; what is gone needs none."""
    return tuple((step.container_id, step.after) for step in plan.steps if step.after is not None)


def _own(one: Seen, held: Assignment) -> Own:
    if held.kind is Kind.UNMANAGED:
        return Own(left_alone=True, marked=one.foreign)
    return Own(held=held.held, exclusive=held.exclusive or held.kind is Kind.PINNED_SHARED)


def _start(known: Known, held: Assignment, plan: Plan) -> Decision:
    return _decision(known, held, plan, "place", Start(request=held.request))


def _resize(known: Known, held: Assignment, plan: Plan, asked: CpuSet | None) -> Decision:
    if not plan.is_empty:
        return _decision(known, held, plan, "resize", Resize(container_id=held.container_id, count=held.request.count))
    if asked is not None and asked != held.cpus:
        reason = f"somebody else (a kubelet with static CPU policy?) asks for CPUs {asked}: it keeps {held.cpus}"
        return evolve(_decision(known, held, plan, "hold", None), rule="R10", reason=reason)
    return _decision(known, held, plan, "update", None)


def _decision(known: Known, held: Assignment, plan: Plan, kind: str, event: Event | None) -> Decision:
    moved = tuple(dict.fromkeys(key for key, _ in _changes(plan) if key in known.state.owners and key != held.container_id))
    return Decision(
        kind=kind,
        container_id=held.container_id,
        name=known.name(held.container_id),
        cpus=held.cpus,
        mems=held.mems,
        rule=held.rule or _RULES[held.kind],
        reason=_reason(held),
        moves=moved,
        event=event,
    )


_RULES: Final = {kind: "R5" if kind is Kind.SHARED else "K0" if kind is Kind.UNMANAGED else "R4" for kind in Kind}


def _reason(held: Assignment) -> str:
    words = {
        Kind.UNMANAGED: "is not managed and never touched",
        Kind.PINNED: "pinned, exclusively",
        Kind.PINNED_SHARED: "pinned, shared",
        Kind.INTEGER: f"{held.request.count} exclusive CPUs",
        Kind.SHARED: "shares the pool",
    }
    return held.degraded or words[held.kind]


def _synchronized(known: Known, plan: Plan, observed: Iterable[Observed]) -> Decision:
    changes = _changes(plan)
    seen = tuple(
        SeenEvent(container_id=one.request.container_id, cpus=one.cpus, mems=one.mems, request=one.request)
        for one in observed
    )
    reason = f"{len(seen)} containers run, {len(changes)} of them are mended"
    moved = tuple(dict.fromkeys(key for key, _ in changes if key in known.state.owners))
    return Decision(kind="synchronize", rule="R9", reason=reason, moves=moved, event=Restart(observed=seen))
