"""What runs on a host, step by step: the view that must be safe at every moment of every plan."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from attrs import define, field

import cpuplace as cp
from cpuplace.ordering import ordered

OWNERS = (cp.Kind.INTEGER, cp.Kind.PINNED)
Danger = tuple[str, ...]


@define
class Running:
    """What a runtime knows: of each container what it asked for, and what it holds now."""

    requests: dict[str, cp.ContainerRequest] = field(factory=dict)
    held: dict[str, cp.Held] = field(factory=dict)

    def copy(self) -> "Running":
        return Running(dict(self.requests), dict(self.held))

    def carry_out(self, plan: cp.Plan, asked: Mapping[str, cp.ContainerRequest], done: int | None = None) -> None:
        """The first steps of a plan, all when None; `asked` are the requests that this plan answers.

        No step makes a new danger, but for repairs (of a world, of a host that lost CPUs) to which no safe way leads.
        """
        kinds = _kinds(plan)
        repair = plan.world is not None or plan.before.topology is not plan.after.topology
        forced = repair and ordered(plan.world or plan.before, plan.after, allow_dip=True) is None
        known = dangers(self.held, kinds, plan)
        for step in plan.steps[:done]:
            self._carry_out(step, asked)
            now = dangers(self.held, kinds, plan)
            assert now <= known or forced, (
                step,
                now - known,
                plan.steps,
            )  # what was wrong before a repair may stay a while
            known &= now
        if done is None:
            self._finish(plan, asked)

    def _carry_out(self, step: cp.Step, asked: Mapping[str, cp.ContainerRequest]) -> None:
        key, before, after = step.container_id, step.before, step.after
        assert before != after, step
        assert (key in self.held) == (before is not None), step
        assert before is None or self.held[key].cpus == before.cpus, step
        if after is None:
            del self.held[key], self.requests[key]
            return
        self.held[key] = after
        if key in asked:
            self.requests[key] = asked[key]

    def _finish(self, plan: cp.Plan, asked: Mapping[str, cp.ContainerRequest]) -> None:
        """What was to be left alone is what it is; a request without a step is answered too."""
        self.strangers_go(plan)
        self._strangers_come(plan)
        self.requests |= {key: request for key, request in asked.items() if key in self.held}
        assert set(self.held) == set(plan.after.assignments)
        for key, one in plan.after.assignments.items():
            assert self.held[key].cpus == one.cpus, key
            if one.mems is not None:
                assert self.held[key].mems == one.mems, key
            self.held[key] = one.held

    def strangers_go(self, plan: cp.Plan) -> None:
        """No step says so (K0): they have stopped before somebody plans without them."""
        for key in (_strangers(plan.before).keys() & self.held.keys()) - plan.after.assignments.keys():
            del self.held[key], self.requests[key]

    def _strangers_come(self, plan: cp.Plan) -> None:
        """No step says so."""
        will = _strangers(plan.after)
        for key in will.keys() - self.held.keys():
            self.held[key], self.requests[key] = will[key].held, will[key].request

    def observed(self, baselines: Mapping[str, cp.CpuSet]) -> list[cp.Observed]:
        """What a runtime would tell, with the baselines that somebody kept."""
        none = cp.CpuSet()
        return [
            cp.Observed(request=self.requests[key], cpus=one.cpus, mems=one.mems, baseline=baselines.get(key, none))
            for key, one in self.held.items()
        ]


def undone(view: Running, plan: cp.Plan, done: int) -> None:
    """Carry out some steps and take them back: nothing else runs than before, and no moment was unsafe."""
    start, there = view.copy(), view.copy()
    there.carry_out(plan, {}, done)
    kinds = _kinds(plan)
    known = dangers(there.held, kinds, plan) | dangers(start.held, kinds, plan)
    for step in plan.undo(done).steps:
        assert there.held.get(step.container_id) == step.before
        there.held = {key: one for key, one in there.held.items() if key != step.container_id}
        if step.after is not None:
            there.held[step.container_id] = step.after
        assert dangers(there.held, kinds, plan) <= known
    assert there.held == {key: _as_before(one, plan, key) for key, one in start.held.items()}


def _as_before(held: cp.Held, plan: cp.Plan, key: str) -> cp.Held:
    """What a container held before, in the words of the first step that changes it."""
    first = next((step.before for step in plan.steps if step.container_id == key), None)
    return held if first is None else first


def _strangers(state: cp.HostState) -> dict[str, cp.Assignment]:
    return {key: one for key, one in state.owners.items() if one.kind is cp.Kind.UNMANAGED}


def _kinds(plan: cp.Plan) -> Mapping[str, tuple[cp.Kind, ...]]:
    """What a container is at any moment of a plan: for one that changes its kind, both."""
    kinds: dict[str, tuple[cp.Kind, ...]] = {}
    for state in (plan.before, plan.after):
        for key, one in state.assignments.items():
            kinds[key] = (*kinds.get(key, ()), one.kind)
    return kinds


def dangers(view: Mapping[str, cp.Held], kinds: Mapping[str, Sequence[cp.Kind]], plan: cp.Plan) -> set[Danger]:
    """What must not be while a plan is carried out, hardware's fault and what others did apart."""
    usable, sound = plan.after.usable, _sound(plan)
    found: set[Danger] = {("no CPU", key) for key, one in view.items() if not one.cpus and _managed(kinds[key])}
    owners = {key: one.cpus & usable for key, one in view.items() if key in sound and set(kinds[key]) <= set(OWNERS)}
    for (a, ours), (b, theirs) in combinations(owners.items(), 2):
        pins = cp.Kind.INTEGER not in (*kinds[a], *kinds[b])
        if ours & theirs and not pins:
            found.add(("two owners", a, b))
    for key, one in view.items():
        if set(kinds[key]) == {cp.Kind.SHARED}:
            found |= {("shared on exclusive", key, owner) for owner, cpus in owners.items() if one.cpus & cpus}
    return found


def _managed(kinds: Sequence[cp.Kind]) -> bool:
    return cp.Kind.UNMANAGED not in kinds


def _sound(plan: cp.Plan) -> set[str]:
    """Who is not degraded, before or after."""
    states = (plan.before, plan.after)
    return {key for state in states for key, one in state.assignments.items() if not one.degraded} - {
        key for state in states for key, one in state.assignments.items() if one.degraded
    }
