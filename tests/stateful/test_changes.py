"""Everything that can happen to a host in one machine: no promise is ever broken, nobody is ever lost."""

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import cpuplace as cp
from laws.strategies import hosts
from laws.worlds import policies, requests


class ChangeMachine(RuleBasedStateMachine):
    """States: what the planner thinks (`state`) and what runs (`running`); a crash makes them differ for a moment."""

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        host = data.draw(hosts())
        self.state = cp.HostState.empty(host, data.draw(policies(host)))
        self.running: dict[str, tuple[cp.ContainerRequest, cp.Held]] = {}
        self.serial = 0

    def _carry_out(self, plan: cp.Plan, steps: int | None = None) -> None:
        """The first steps of a plan on what runs; the state follows only when all were done."""
        for step in plan.steps[:steps]:
            if step.after is None:
                self.running.pop(step.container_id)
            else:
                known = plan.after if step.container_id in plan.after else plan.before
                self.running[step.container_id] = (known[step.container_id].request, step.after)
        if steps is None:
            for key, one in plan.after.assignments.items():  # who is not managed is never touched, but runs
                self.running[key] = (one.request, one.held)
            self.state = cp.apply(self.state, plan)

    @rule(data=st.data())
    def place(self, data: st.DataObject) -> None:
        self.serial += 1
        answer = cp.place(self.state, data.draw(requests(f"c{self.serial}")))
        if isinstance(answer, cp.Plan):
            self._carry_out(answer)

    @rule(data=st.data(), steps=st.integers(0, 4))
    def crash(self, data: st.DataObject, steps: int) -> None:
        """A plan is carried out in part, then everything that was known is lost; the remembered CPUs too."""
        self.serial += 1
        answer = cp.place(self.state, data.draw(requests(f"c{self.serial}")))
        if isinstance(answer, cp.Plan):
            self._carry_out(answer, min(steps, len(answer.steps)))
        self.restart()

    @rule()
    def restart(self) -> None:
        lost = cp.HostState.empty(self.state.topology, self.state.policy)
        seen = [cp.Observed(request=request, cpus=held.cpus, mems=held.mems) for request, held in self.running.values()]
        plan = cp.synchronize(lost, seen)
        assert set(plan.after.assignments) == set(self.running)
        self.state = lost
        self._carry_out(plan)

    def _some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.state.assignments)))

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self._carry_out_gone(cp.release(self.state, self._some(data)))

    @rule(pod=st.sampled_from("pq"))
    def forget(self, pod: str) -> None:
        self._carry_out_gone(cp.forget_pod(self.state, pod))

    def _carry_out_gone(self, plan: cp.Plan) -> None:
        self._carry_out(plan)
        self.running = {key: one for key, one in self.running.items() if key in self.state}

    @precondition(lambda self: bool(self.state.assignments))
    @rule(data=st.data(), count=st.integers(1, 6), whole=st.booleans())
    def resize(self, data: st.DataObject, count: int, whole: bool) -> None:
        was = self.state[self._some(data)].request
        pod, key = was.pod, was.container_id
        to = (
            cp.ContainerRequest.integer(key, count, pod=pod, name=was.name, wishes=was.wishes, forbid=was.forbid)
            if whole
            else cp.ContainerRequest.shared(key, pod=pod, name=was.name, forbid=was.forbid)
        )
        answer = cp.resize(self.state, to)
        if isinstance(answer, cp.Plan):
            self._carry_out(answer)

    @rule(data=st.data())
    def hotplug(self, data: st.DataObject) -> None:
        ids = [cpu.id for cpu in self.state.topology.cpus]
        online = cp.CpuSet(data.draw(st.sets(st.sampled_from(ids), min_size=1)))
        if online:
            plan = cp.change_topology(self.state, self.state.topology.with_online(online))
            self._carry_out(plan)

    @rule()
    def all_online(self) -> None:
        host = self.state.topology
        everything = cp.CpuSet(cpu.id for cpu in host.cpus)
        self._carry_out(cp.change_topology(self.state, host.with_online(everything)))

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "state"):
            assert cp.violations(self.state) == ()
            assert set(self.state.assignments) == set(self.running)
            assert evolve(self.state).digest == self.state.digest

    @invariant()
    def what_runs_is_what_is_thought(self) -> None:
        if hasattr(self, "state"):
            for key, (_, held) in self.running.items():
                assert held == self.state[key].held, key


TestChanges = ChangeMachine.TestCase
