"""Telling: decisions in words: what became of a request, by which rule, and why."""

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import evolve

from cpuplace import Assignment, CpuSet, HostState, Kind, Observed, Plan
from cpuplace.events import Event, Forget, Hotplug, Release, Resize, Restart, Seen, Start
from cpuplace_nri.answer import Changes
from cpuplace_nri.decision import Decision
from cpuplace_nri.known import Known

_RULES: Final = {kind: "R5" if kind is Kind.SHARED else "K0" if kind is Kind.UNMANAGED else "R4" for kind in Kind}


def rule_of(one: Assignment) -> str:
    """The rule that gave a container its CPUs; who shares the pool has none of its own in the state."""
    return one.rule or _RULES[one.kind]


def started(known: Known, held: Assignment, others: Changes) -> Decision:
    """A container was placed, and these changed for it."""
    return _decision(known, held, others, "place", Start(request=held.request))


def updated(known: Known, held: Assignment, plan: Plan, others: Changes, asked: CpuSet | None) -> Decision | None:
    """A container was resized, or keeps its CPUs although somebody asks for others; None when neither."""
    if not plan.is_empty:
        event = Resize(container_id=held.container_id, count=held.request.count)
        return _decision(known, held, others, "resize", event)
    if asked is None or asked == held.cpus:
        return None
    reason = f"somebody else (a kubelet with static CPU policy?) asks for CPUs {asked}: it keeps {held.cpus}"
    return evolve(_decision(known, held, (), "hold", None), rule="R10", reason=reason)


def synchronized(known: Known, changes: Changes, observed: Iterable[Observed]) -> Decision:
    """All containers were looked at, and mended where it had to be."""
    seen = tuple(
        Seen(container_id=one.request.container_id, cpus=one.cpus, mems=one.mems, request=one.request)
        for one in observed
    )
    reason = f"{len(seen)} containers run, {len({key for key, _ in changes})} of them are mended"
    moved = tuple(dict.fromkeys(key for key, _ in changes if key in known.state.owners))
    return Decision(kind="synchronize", rule="R9", reason=reason, moves=moved, event=Restart(observed=seen))


def reloaded(known: Known, before: HostState) -> Iterator[Decision]:
    """Another policy is in force, and who got other CPUs under it."""
    after = known.state
    seen = tuple(
        Seen(container_id=key, cpus=one.cpus, mems=one.mems, request=after[key].request)
        for key, one in before.assignments.items()
    )
    moved = _movers(before, after)
    reason = f"another policy: {len(moved)} containers get other CPUs"
    event = Restart(observed=seen, kept=True, policy=after.policy)
    yield Decision(kind="reload", rule="R9", reason=reason, moves=moved, event=event)
    for key in moved:
        way = f"another policy: from {before[key].cpus} to {after[key].cpus}"
        yield evolve(_decision(known, after[key], (), "move", None), reason=way)


def hotplugged(before: HostState, after: HostState) -> Iterator[Decision]:
    """CPUs went or came, and who got others for it."""
    was, now, moved = before.topology.online, after.topology.online, _movers(before, after)
    for cpus, online, reason in ((was - now, False, "went offline"), (now - was, True, "came online")):
        if cpus:
            event = Hotplug(cpus=cpus, online=online)
            yield Decision(kind="hotplug", cpus=cpus, rule="R11", reason=reason, moves=moved, event=event)


def released(known: Known, held: Assignment) -> Decision:
    """A container has stopped."""
    key, reason = held.container_id, f"gives back {held.cpus}" if held.exclusive else "has stopped"
    event = Release(container_id=key)
    return Decision(kind="release", container_id=key, name=known.name(key), rule="R8", reason=reason, event=event)


def forgotten(uid: str) -> Decision:
    """A pod is gone, and what was remembered for it."""
    return Decision(kind="forget", name=uid, rule="R8", reason="the pod is gone", event=Forget(pod=uid))


def _decision(known: Known, held: Assignment, others: Changes, kind: str, event: Event | None) -> Decision:
    own, owners = held.container_id, known.state.owners
    moved = [key for key, _ in others if key in owners]
    return Decision(
        kind=kind,
        container_id=own,
        name=known.name(own),
        cpus=held.cpus,
        mems=held.mems,
        rule=rule_of(held),
        reason=_reason(held),
        moves=tuple(dict.fromkeys(moved)),
        event=event,
    )


def _reason(held: Assignment) -> str:
    words = {
        Kind.UNMANAGED: "is not managed and never touched",
        Kind.PINNED: "pinned, exclusively",
        Kind.PINNED_SHARED: "pinned, shared",
        Kind.INTEGER: f"{held.request.count} exclusive CPUs",
        Kind.SHARED: "shares the pool",
    }
    return held.degraded or words[held.kind]


def _movers(before: HostState, after: HostState) -> tuple[str, ...]:
    """Who has CPUs of its own afterwards, and had others before."""
    return tuple(key for key, one in after.owners.items() if key in before and before[key].cpus != one.cpus)
