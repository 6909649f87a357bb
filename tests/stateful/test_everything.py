"""Everything that can happen to a host, in one machine: no promise is ever broken, nobody is ever lost."""

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import pytest
from attrs import evolve
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import cpuplace as cp
from cpuplace.formats import state as state_format
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts
from length import STEPS
from stateful.naive import Naive, sure
from stateful.running import Running, undone

WISHES = (
    *(cp.Wishes(),) * 4,
    cp.Wishes(cores="isolate"),
    cp.Wishes(cores="any"),
    cp.Wishes(cores="require-full"),
    cp.Wishes(numa="require-one"),
    cp.Wishes(numa="require-fewest"),
    cp.Wishes(numa="spread"),
    cp.Wishes(l3="ignore"),
    cp.Wishes(isolated="prefer"),
    cp.Wishes(isolated="require"),
    cp.Wishes(core_kind="efficiency!"),
    cp.Wishes(move="never"),
)
KINDS = ("integer", "integer", "integer", "isolate", "pinned", "pinned", "pinned-shared", "shared", "unmanaged")
PODS = ("p", "q")
NAMES = ("main", "side", "")  # "": a name of its own, so that nobody is replaced
Asked = Mapping[str, cp.ContainerRequest]
Prospect = tuple[cp.Plan | cp.Refusal, Asked]


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    online = sorted(host.online)
    some = st.sets(sampled_from(online), max_size=len(online) // 3).map(cp.CpuSet)
    unusable = draw(some) if draw(integers(0, 3)) == 0 else cp.CpuSet()
    return cp.Policy(
        usable=cp.CpuSet(cpu.id for cpu in host.cpus) - unusable if unusable else None,
        reserved=draw(some) if draw(booleans()) else cp.CpuSet(),
        strict_reservation=draw(booleans()),
        min_shared_cpus=draw(integers(0, 3)),
        allow_reserved_pins=draw(booleans()),
        pin_overlap=draw(sampled_from(["refuse", "refuse", "share"])),
        isolated_cpus=draw(sampled_from(["exclusive-only", "ignore"])),
        memory_scope=draw(sampled_from(["pinned", "exclusive"])),
        reassign=draw(sampled_from(["allow", "allow", "never"])),
        widen=draw(sampled_from(["now", "lazy"])),
        resize_below_baseline=draw(sampled_from(["give-back", "refuse"])),
    )


class Everything(RuleBasedStateMachine):
    """Three views of one host: what the planner thinks (`state`), what runs (`running`), a naive `model`.

    A crash or somebody who writes cpusets makes them differ; `synchronize` makes them one again.
    """

    seen: ClassVar[Counter[str]] = Counter()

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        host = data.draw(hosts())
        self.ids = sorted(cpu.id for cpu in host.cpus)
        self.state = cp.HostState.empty(host, data.draw(policies(host)))
        self.model = Naive(host, self.state.policy)
        self.running = Running()
        self.serial = 0

    # --- what may be asked -----------------------------------------------------------------------

    def _cpus(self, data: st.DataObject, most: int = 4) -> cp.CpuSet:
        return cp.CpuSet(data.draw(st.sets(sampled_from(self.ids), max_size=most)))

    def _some(self, data: st.DataObject) -> str:
        return data.draw(sampled_from(sorted(self.state.assignments)))

    def _request(self, data: st.DataObject) -> cp.ContainerRequest:
        self.serial += 1
        key, pod = f"c{self.serial}", data.draw(sampled_from(PODS))
        name = data.draw(sampled_from(NAMES)) or key
        kind = data.draw(sampled_from(KINDS))
        if kind.startswith("pinned"):
            pin = self._cpus(data)
            return cp.ContainerRequest.pinned(key, pin, exclusive=kind == "pinned", pod=pod, name=name)
        if kind == "unmanaged":
            return cp.ContainerRequest.unmanaged(key, cpus=self._cpus(data, 2), pod=pod, name=name)
        forbid = self._cpus(data, 3) if data.draw(booleans()) else cp.CpuSet()
        if kind == "shared":
            return cp.ContainerRequest.shared(key, pod=pod, name=name, forbid=forbid)
        isolate = kind == "isolate"
        wishes = cp.Wishes(cores="isolate") if isolate else data.draw(sampled_from(WISHES))
        count = data.draw(integers(1, 3 if isolate else 5))
        return cp.ContainerRequest.integer(key, count, pod=pod, name=name, wishes=wishes, forbid=forbid)

    def _resized(self, data: st.DataObject) -> cp.ContainerRequest:
        was, count = self.state[self._some(data)].request, data.draw(integers(0, 6))
        if was.kind not in (cp.Kind.INTEGER, cp.Kind.SHARED):
            return was
        kind = cp.Kind.INTEGER if count else cp.Kind.SHARED
        return evolve(was, kind=kind, count=count, limit=count or None)

    def _host(self, data: st.DataObject) -> cp.Topology | None:
        """Another set of online CPUs: some fewer, one node gone, what one container holds gone, or any."""
        host, way = self.state.topology, data.draw(sampled_from(["few", "few", "node", "container", "any"]))
        gone = self._cpus(data, 2)
        if way == "node":
            gone = data.draw(sampled_from(host.nodes)).cpus
        elif way == "container" and self.state.assignments:
            gone = self.state[self._some(data)].cpus
        online = self._cpus(data, 12) if way == "any" else host.online - gone
        usable = self.state.policy.usable
        return host.with_online(online) if online & (online if usable is None else usable) else None

    def _prospect(self, data: st.DataObject) -> Prospect:
        """Any plan that could be made now, and the requests it answers."""
        ways = ["place", "place", "place", "all", "hotplug", "forget", "rebalance"]
        ways += ["release", "resize", "resize"] if self.state.assignments else []
        match data.draw(sampled_from(ways)):
            case "release":
                return cp.release(self.state, self._some(data)), {}
            case "forget":
                return cp.forget_pod(self.state, data.draw(sampled_from(PODS))), {}
            case "rebalance":
                return cp.rebalance(self.state, max_moves=2, search_budget=50), {}
            case "hotplug":
                return cp.change_topology(self.state, self._host(data) or self.state.topology), {}
            case "resize":
                request = self._resized(data)
                return cp.resize(self.state, request), {request.container_id: request}
            case "all":
                several = [self._request(data) for _ in range(data.draw(integers(1, 3)))]
                return cp.place_all(self.state, several), {one.container_id: one for one in several}
            case _:
                request = self._request(data)
                return cp.place(self.state, request), {request.container_id: request}

    # --- what is done about it -------------------------------------------------------------------

    def _take(self, plan: cp.Plan, *asked: cp.ContainerRequest) -> None:
        """Carry a plan out, step by step, and take it over."""
        self.running.carry_out(plan, {one.container_id: one for one in asked})
        self.state = cp.apply(self.state, plan)
        self.model.follow(self.state.assignments)

    def _calm(self, *states: cp.HostState) -> bool:
        """Whether nothing is degraded, so that the model knows what can be."""
        every = states or (self.state,)
        return not any(state.low_pool or any(one.degraded for one in state.owners.values()) for state in every)

    def _check_answer(self, answer: cp.Plan | cp.Refusal, expected: bool | None, request: cp.ContainerRequest) -> None:
        if isinstance(answer, cp.SearchBudgetSpent) or expected is None or not self._calm():
            return
        if isinstance(answer, cp.NoLegalMove) and expected:  # there is room, but no safe way there
            assert self.model.in_the_way(set(request.pin))
            return
        assert isinstance(answer, cp.Plan) == expected, (answer, request)

    @rule(data=st.data())
    def place(self, data: st.DataObject) -> None:
        request = data.draw(st.just(self._request(data)))
        answer = cp.place(self.state, request)
        self._check_answer(answer, self.model.can_place(request), request)
        if isinstance(answer, cp.Refusal):
            return
        own = self.model.remembered.get((request.pod, request.name), set())
        kept = own if own and own <= self.model.may_have(request) and len(own) == request.count else set()
        self.model.came(request)
        self._take(answer, request)
        if kept and request.wishes == cp.Wishes():
            assert set(self.state[request.container_id].cpus) == kept  # R8

    @rule(data=st.data(), count=integers(1, 3), scope=sampled_from(["container", "pod"]))
    def place_all(self, data: st.DataObject, count: int, scope: str) -> None:
        named = {(one.pod, one.name): one for one in (self._request(data) for _ in range(count))}
        several = [*named.values()]  # nobody replaces somebody of the same plan
        answer = cp.place_all(self.state, several, scope=scope)  # type: ignore[arg-type]
        if isinstance(answer, cp.Plan):
            pods = {one.pod: None for one in several}
            ordered = [one for pod in pods for one in several if one.pod == pod] if scope == "pod" else several
            for request in ordered:
                self.model.came(request)
            self._remember_who_made_way(answer, several)
            self._take(answer, *several)

    def _remember_who_made_way(self, answer: cp.Plan, several: list[cp.ContainerRequest]) -> None:
        """Who makes way for one of them and is then replaced by another of them: what it was given last counts."""
        pins = {cpu for one in several for cpu in one.pin}
        for request in several:
            name = (request.pod, request.name)
            former = self.state.by_name.get(name)
            if former in self.state.owners and pins & set(self.state[former].cpus) and name in self.model.remembered:
                self.model.remembered[name] = set(cp.CpuSet.from_mask(answer.after.remembered[name].cpus))

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        key = self._some(data)
        self.model.went(key)
        self._take(cp.release(self.state, key))
        assert cp.release(self.state, key).is_empty

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """A container that stops and comes back at once holds what it held (R8); of isolated cores the same cores."""
        held = self.state[self._some(data)]
        own = set(held.cpus | held.withheld)
        if held.kind is not cp.Kind.INTEGER or held.degraded or own & self.model.pinned:
            return  # strangers may run on CPUs that have an owner
        self.model.went(held.container_id)
        self._take(cp.release(self.state, held.container_id))
        again = cp.place(self.state, held.request)
        if not isinstance(again, cp.Plan):
            assert not self._calm(), again
            return
        self.model.came(held.request)
        self._take(again, held.request)
        now = self.state[held.container_id]
        assert now.cpus | now.withheld == held.cpus | held.withheld and len(now.cpus) == len(held.cpus)
        assert now.cpus == held.cpus or held.withheld

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        assert cp.place(self.state, self.state[self._some(data)].request).unwrap().is_empty

    @rule(pod=sampled_from(PODS))
    def forget(self, pod: str) -> None:
        self.model.forgot(pod)
        self._take(cp.forget_pod(self.state, pod))

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data())
    def resize(self, data: st.DataObject) -> None:
        request = self._resized(data)
        key, was = request.container_id, self.state[request.container_id]
        answer = cp.resize(self.state, request)
        if was.kind is request.kind is cp.Kind.INTEGER and request.count > len(was.cpus):
            self._check_answer(answer, self.model.can_grow(key, request.count), request)
        if isinstance(answer, cp.Refusal):
            return
        if was.kind is not request.kind:
            self.model.went(key)
            self.model.came(request)
        others = {other: one.held for other, one in self.state.owners.items() if other != key}
        self._take(answer, request)
        assert {other: one.held for other, one in self.state.owners.items() if other != key} == others  # R10

    @rule(most=integers(0, 3))
    def rebalance(self, most: int) -> None:
        """At most so many move, nobody who must not, and nobody comes or goes."""
        before = self.state
        self._take(cp.rebalance(before, max_moves=most, search_budget=50))
        moved = [one for key, one in before.owners.items() if self.state[key].cpus != one.cpus]
        assert len(moved) <= most
        for one in moved:
            assert one.kind is cp.Kind.INTEGER and before.policy.reassign == "allow" and one.mems is None
            assert one.request.wishes.move != "never" and not one.degraded

    # --- what happens to the host ----------------------------------------------------------------

    @rule(data=st.data())
    def hotplug(self, data: st.DataObject) -> None:
        host = self._host(data)
        if host is not None:
            self._change_topology(host)

    @rule()
    def all_online(self) -> None:
        self._change_topology(self.state.topology.with_online(cp.CpuSet(self.ids)))

    def _change_topology(self, host: cp.Topology) -> None:
        self.model.host = host
        before = self.state
        self._take(cp.change_topology(self.state, host))
        lost = before.usable - self.state.usable
        for key, one in before.owners.items():  # who loses nothing, and lacked nothing, stays
            picky = not sure(one.request) or one.request.wishes.cores == "isolate"  # a sibling may have come back
            if not picky and not one.degraded and not (one.cpus | one.withheld) & lost and not self.state[key].degraded:
                assert self.state[key].cpus == one.cpus, key

    @rule(data=st.data(), kept=booleans())
    def restart(self, data: st.DataObject, kept: bool) -> None:
        """Whoever places was away; what was known is lost, unless it was saved."""
        self._synchronize(kept)

    @rule(data=st.data(), kept=booleans())
    def drift(self, data: st.DataObject, kept: bool) -> None:
        """Somebody else writes a cpuset."""
        if not self.running.held:
            return
        key = data.draw(sampled_from(sorted(self.running.held)))
        cpus = self._cpus(data, 12) or cp.CpuSet(self.ids[:1])
        self.running.held[key] = self.running.held[key]._replace(cpus=cpus)
        if self.running.requests[key].kind is cp.Kind.UNMANAGED:  # what others wrote is all that is known of it
            self.running.requests[key] = evolve(self.running.requests[key], pin=cpus)
        self._synchronize(kept)

    @rule(data=st.data(), kept=booleans())
    def crash(self, data: st.DataObject, kept: bool) -> None:
        """Any plan is carried out in part, then everything that was known is lost, or only what came of it."""
        answer, asked = self._prospect(data)
        if isinstance(answer, cp.Refusal):
            return
        self.running.strangers_go(answer)
        self.running.carry_out(answer, asked, data.draw(integers(0, len(answer.steps))))
        self.model.host = answer.after.topology  # hardware does not wait for plans
        self.state = cp.change_topology(self.state, self.model.host).after
        self.model.follow(self.state.assignments)
        self._synchronize(kept)

    def _synchronize(self, kept: bool) -> None:
        former = self.state
        known = former if kept else cp.HostState.empty(former.topology, former.policy)
        baselines = {} if kept else {key: one.baseline for key, one in former.owners.items()}
        plan = cp.synchronize(known, self.running.observed(baselines))
        self._reckon(kept, plan)
        self.state = known
        self._take(plan)
        again = cp.synchronize(self.state, self.running.observed({}))
        assert again.is_empty, (again.steps, again.notes, plan.steps, plan.notes)

    def _reckon(self, kept: bool, plan: cp.Plan) -> None:
        """Whom the model finds when it looks around; without a saved state nothing is remembered."""
        for key in [key for key in self.model.there if key not in self.running.held]:
            self.model.went(key)
        for key, request in self.running.requests.items():
            if key not in self.model.there:
                self.model.came(request)
        pooled = {key for key, one in plan.after.assignments.items() if one.request != self.running.requests[key]}
        for key in pooled:  # an integer container for which no CPU is left
            was, now = self.running.requests[key], plan.after[key].request
            assert (was.kind, now.kind) == (cp.Kind.INTEGER, cp.Kind.SHARED)
            assert any(note.startswith(f"{key}: no CPU is left") for note in plan.notes)
        if not kept:
            self.model.remembered = {}

    # --- looking without touching ----------------------------------------------------------------

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """Any plan, carried out in part and taken back: as if nothing had been."""
        answer, _ = self._prospect(data)
        if isinstance(answer, cp.Plan):
            undone(self.running, answer, data.draw(integers(0, len(answer.steps))))
            assert cp.apply(cp.apply(self.state, answer), answer.undo()) == self.state

    @rule()
    def save_and_read(self) -> None:
        """The state goes on as the value that was read back."""
        read = state_format.parse(state_format.render(self.state), self.state.topology)
        assert (read, read.digest, read.version) == (self.state, self.state.digest, self.state.version)
        self.state = read

    @rule(data=st.data())
    def two_plans(self, data: st.DataObject) -> None:
        """Of two plans of one state, one can be applied."""
        (one, _), (two, _) = self._prospect(data), self._prospect(data)
        if isinstance(one, cp.Plan) and isinstance(two, cp.Plan) and not one.is_empty:
            with pytest.raises(cp.StalePlan):
                cp.apply(cp.apply(self.state, one), two)

    @invariant()
    def holds(self) -> None:
        """After every step: no promise is broken, and the three views agree."""
        if not hasattr(self, "state"):
            return
        self.seen["steps"] += 1
        state, model = self.state, self.model
        broken = cp.violations(state)
        assert broken == (), broken
        views = ("pool", "free", "exclusive", "withheld", "set_aside")
        naive = (model.pool, model.free, model.exclusive, model.idle, model.aside)
        assert [set(getattr(state, view)) for view in views] == [*naive]
        remembered = {name: set(cp.CpuSet.from_mask(held.cpus)) for name, held in state.remembered.items()}
        assert remembered == model.remembered, (remembered, model.remembered)
        assert {key: one.held for key, one in state.assignments.items()} == self.running.held
        if not state.low_pool:
            self._check_shared()

    def _check_shared(self) -> None:
        for key, request in self.state.shared.items():
            told, wide = set(self.state[key].cpus), self.model.pool - set(request.forbid)
            assert told <= wide if self.state.policy.widen == "lazy" else told == wide


PARTS = 4
SHORTEST = 25
"""Fewer steps than a sequence has on average, some 35 of at most 50."""


@pytest.mark.hypothesis
@pytest.mark.parametrize("part", range(PARTS))
def test_everything(part: int) -> None:
    """In parts, so that workers share them; each draws sequences of its own."""

    class Part(Everything):
        seen: ClassVar[Counter[str]] = Counter()

    now = settings()
    machine = seed(part)(Part) if now.derandomize else Part  # equal bytes every run, but not in every part
    least = STEPS.get(settings.get_current_profile_name(), 0) // PARTS
    examples = max(1, now.max_examples // PARTS, least // SHORTEST)
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=50))
    assert Part.seen["steps"] >= least
