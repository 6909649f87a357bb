"""The planner against a naive model: any sequence of placing, pinning, sharing, releasing and forgetting."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

import cpuplace as cp
from laws.strategies import hosts
from stateful.naive import Naive

cpu_ids = st.integers(0, 15)
few_cpus = st.sets(cpu_ids, max_size=4).map(cp.CpuSet)


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    online = sorted(host.online)
    reserved = draw(st.sets(st.sampled_from(online), max_size=len(online) // 2))
    return cp.Policy(
        reserved=cp.CpuSet(reserved),
        strict_reservation=draw(st.booleans()),
        min_shared_cpus=draw(st.integers(0, 3)),
        allow_reserved_pins=draw(st.booleans()),
        pin_overlap=draw(st.sampled_from(["refuse", "share"])),
        isolated_cpus=draw(st.sampled_from(["exclusive-only", "ignore"])),
        widen=draw(st.sampled_from(["now", "lazy"])),
    )


class PlannerMachine(RuleBasedStateMachine):
    """States: a planner's state and the model's, always compared; plans are carried out step by step."""

    containers = Bundle("containers")

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        host = data.draw(hosts())
        policy = data.draw(policies(host))
        self.state = cp.HostState.empty(host, policy)
        self.model = Naive(host, policy)
        self.running: dict[str, cp.Held] = {}
        self.serial = 0

    def _take(self, answer: cp.Plan | cp.Refusal, expected: bool, request: cp.ContainerRequest) -> bool:
        assert isinstance(answer, cp.Plan) == expected, (answer, request)
        if isinstance(answer, cp.Plan):
            self._carry_out(answer)
        return expected

    def _carry_out(self, plan: cp.Plan) -> None:
        """Every prefix is safe: nobody shared on a granted exclusive CPU, nobody with an empty set."""
        for step in plan.steps:
            assert self.running.get(step.container_id) == step.before
            if step.after is None:
                del self.running[step.container_id]
            else:
                self.running[step.container_id] = step.after
            self._check_running(plan)
        self.state = cp.apply(self.state, plan)

    def _check_running(self, plan: cp.Plan) -> None:
        granted = {
            key: held.cpus
            for key, held in self.running.items()
            if (key in plan.after and plan.after[key].exclusive) or (key in plan.before and plan.before[key].exclusive)
        }
        for key, held in self.running.items():
            kind = (plan.after if key in plan.after else plan.before)[key].kind
            if kind is cp.Kind.SHARED:
                assert held.cpus, key
                assert all(held.cpus.isdisjoint(cpus) for cpus in granted.values()), (key, plan.steps)

    def _new_id(self) -> str:
        self.serial += 1
        return f"c{self.serial}"

    @rule(target=containers, count=st.integers(1, 5), forbid=few_cpus, pod=st.sampled_from("pq"))
    def integer(self, count: int, forbid: cp.CpuSet, pod: str) -> object:
        key = self._new_id()
        request = cp.ContainerRequest.integer(key, count, pod=pod, name=key, forbid=forbid)
        if not self._take(cp.place(self.state, request), self.model.can_place_integer(request), request):
            return multiple()
        self.model.integer[key], self.model.forbidden[key] = set(self.state[key].cpus), set(forbid)
        return key

    @rule(target=containers, count=st.integers(1, 3), pod=st.sampled_from("pq"))
    def isolate(self, count: int, pod: str) -> object:
        key = self._new_id()
        wishes = cp.Wishes(cores="isolate")
        answer = cp.place(self.state, cp.ContainerRequest.integer(key, count, pod=pod, name=key, wishes=wishes))
        if isinstance(answer, cp.Refusal):
            return multiple()
        self._carry_out(answer)
        held = self.state[key]
        self.model.integer[key], self.model.withheld[key] = set(held.cpus), set(held.withheld)
        return key

    @rule(target=containers, pin=few_cpus, exclusive=st.booleans(), pod=st.sampled_from("pq"))
    def pinned(self, pin: cp.CpuSet, exclusive: bool, pod: str) -> object:
        key = self._new_id()
        request = cp.ContainerRequest.pinned(key, pin, exclusive=exclusive, pod=pod, name=key)
        answer = cp.place(self.state, request)
        if isinstance(answer, (cp.NoLegalMove, cp.SearchBudgetSpent)) and self.model.in_the_way(set(pin)):
            return multiple()
        if not self._take(answer, self.model.can_pin(request), request):
            return multiple()
        self.model.pins[key] = request
        for mover in self.model.integer:
            self.model.integer[mover] = set(self.state[mover].cpus)
            if mover in self.model.withheld:
                self.model.withheld[mover] = set(self.state[mover].withheld)
        return key

    @rule(target=containers, forbid=few_cpus)
    def shared(self, forbid: cp.CpuSet) -> object:
        key = self._new_id()
        request = cp.ContainerRequest.shared(key, pod="s", forbid=forbid)
        if not self._take(cp.place(self.state, request), self.model.can_share(request), request):
            return multiple()
        self.model.shared[key] = set(forbid)
        return key

    @rule(key=consumes(containers))
    def stop(self, key: str) -> None:
        self._carry_out(cp.release(self.state, key))
        assert cp.release(self.state, key).is_empty
        self.model.drop(key)

    @rule(key=containers)
    def repeat(self, key: str) -> None:
        if key in self.state:
            assert cp.place(self.state, self.state[key].request).unwrap().is_empty

    @rule(key=containers)
    def come_back(self, key: str) -> None:
        """A container that stops and comes back at once holds what it held (R8)."""
        if key not in self.state or self.state[key].kind is not cp.Kind.INTEGER:
            return
        held = self.state[key]
        self._carry_out(cp.release(self.state, key))
        self._carry_out(cp.place(self.state, held.request).unwrap())
        assert (self.state[key].cpus, self.state[key].withheld) == (held.cpus, held.withheld)

    @rule(pod=st.sampled_from("pqs"))
    def forget(self, pod: str) -> None:
        gone = [key for key, one in self.state.assignments.items() if one.request.pod == pod]
        self._carry_out(cp.forget_pod(self.state, pod))
        for key in gone:
            self.model.drop(key)
        assert not any(name[0] == pod for name in self.state.remembered)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "state"):
            return
        assert cp.violations(self.state) == ()
        assert set(self.state.pool) == self.model.pool
        assert set(self.state.free) == self.model.free
        assert set(self.state.exclusive) == self.model.exclusive
        assert set(self.state.withheld) == self.model.idle
        for key, forbid in self.model.shared.items():
            told = set(self.state[key].cpus)
            wide = self.model.pool - forbid
            assert told <= wide if self.state.policy.widen == "lazy" else told == wide
        assert {key: one.held for key, one in self.state.assignments.items()} == self.running


TestPlanner = PlannerMachine.TestCase
