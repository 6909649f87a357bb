"""States of odd hosts that an imitated kernel really has, and plans that follow."""

from attrs import frozen
from hypothesis import strategies as st

import cpuplace as cp
from cgroup.fake import MOUNT, FakeKernel
from cpuplace_cgroup import CgroupBackend, observed
from cpuplace_cgroup.names import folder_name
from laws.made_once import integers, sampled_from
from laws.worlds import requests, states

ROOT = f"{MOUNT}/cpuplace"


@frozen(repr=False)
class World:
    """What is (`kernel`), what we think it is (`state`), and what shall be (`plan`); `born`: who came unseen."""

    state: cp.HostState
    plan: cp.Plan
    asked: dict[str, cp.ContainerRequest]
    born: tuple[str, ...] = ()

    def __repr__(self) -> str:
        held = {key: (str(one.kind), str(one.cpus), one.mems) for key, one in self.state.assignments.items()}
        return f"World({self.state}, {held}, {self.plan.steps})"

    def kernel(self) -> FakeKernel:
        """A host on which the state is true, a process in every group that the plan leaves there."""
        kernel = FakeKernel.of(self.state.topology)
        kernel.add("cpuplace", ours=True)
        kernel.tree["cpuplace"].control.add("cpuset")
        for number, (key, one) in enumerate(self.state.assignments.items()):
            pids = (100 + number,) if key in self.plan.after else ()
            path = f"cpuplace/{folder_name(key)}"
            kernel.add(path, cpus=str(one.cpus), mems=str(one.mems or ""), pids=pids, ours=True)
        for number, key in enumerate(self.born):
            kernel.add(f"cpuplace/{key}", pids=(200 + number,))
        return kernel


def backend(kernel: FakeKernel) -> CgroupBackend:
    return CgroupBackend(ROOT, files=kernel, systemd=False)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    state = draw(states(strangers=False))  # which have groups that others made
    asked = {key: one.request for key, one in state.assignments.items()}
    kind = draw(sampled_from(["place", "place", "release", "resize", "synchronize"]))
    key = draw(sampled_from([*asked, "new"]))
    answer: cp.Plan | cp.Refusal = cp.release(state, key)
    if kind == "place":
        request = draw(requests("new", host=state.topology, strangers=False))
        asked["new"] = request
        answer = cp.place(state, request)
    elif kind == "resize":
        was = asked.get(key)
        request = cp.ContainerRequest.integer(key, draw(integers(1, 4)), pod=was.pod if was else None, name=key)
        answer = cp.resize(state, request)
        asked[key] = request
    elif kind == "synchronize":  # containers that we never gave anything
        wanted = [requests(f"new{n}", host=state.topology, strangers=False) for n in range(draw(integers(0, 2)))]
        new = [cp.Observed(request=draw(one)) for one in wanted]
        there = [cp.Observed(request=one.request, cpus=one.cpus, mems=one.mems) for one in state.assignments.values()]
        asked |= {one.request.container_id: one.request for one in new}
        born = tuple(one.request.container_id for one in new)
        return World(state, cp.synchronize(state, [*there, *new]), asked, born)
    return World(state, answer if isinstance(answer, cp.Plan) else cp.release(state, key), asked)


def check_true(kernel: FakeKernel, state: cp.HostState) -> None:
    """The kernel has just what the state says, written and in effect."""
    seen = backend(kernel).observe()
    assert {one.container_id for one in seen} == set(state.assignments)
    for key, one in state.assignments.items():
        group = seen[key]
        assert (group.cpus or group.effective_cpus) == one.cpus
        assert group.effective_cpus == one.cpus & state.topology.online or one.degraded
        if one.mems:
            assert group.mems == group.effective_mems == one.mems


def mended(kernel: FakeKernel, state: cp.HostState, asked: dict[str, cp.ContainerRequest]) -> cp.HostState:
    """What a restarted process makes of what it finds; it remembers `state` and knows who was asked for."""
    ours = backend(kernel)
    ours.sweep(asked)
    seen = ours.observe()
    plan = cp.synchronize(state, observed(seen, {key: one for key, one in asked.items() if key in seen}))
    outcome = ours.carry_out(plan)
    assert outcome.ok, str(outcome)
    return cp.apply(state, plan)
