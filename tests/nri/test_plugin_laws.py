"""Anything a kubelet may do, at a runtime that merges like the real ones: the kernel is asked after each change."""

import asyncio
from collections.abc import Mapping

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from nri.fake_runtime import VERSIONS, CriError, a_container, a_pod
from nri.placing import HOST, Placing, placing

Deed = tuple[str, int, int]
"""What is done, to which container (modulo those that are there), and a number."""

deeds = st.tuples(
    st.sampled_from(
        ["run", "run", "run", "share", "pin", "resize", "kubelet", "stop", "exit", "remove", "pod", "away"]
    ),
    st.integers(0, 9),
    st.integers(1, 4),
)


@define
class Node:
    """What a kubelet knows: pods, and containers with CPUs of their own, with how many."""

    at: Placing
    pods: list[str] = field(factory=list)
    owners: dict[str, int] = field(factory=dict)
    pins: dict[str, cp.CpuSet] = field(factory=dict)
    untold: list[str] = field(factory=list)
    number: int = 0

    def check(self, now: Mapping[str, cp.CpuSet]) -> None:
        """At this moment nobody runs on what an owner has, nobody has nothing, and pins are as written."""
        for key, cpus in now.items():
            assert cpus, key
            others = [one for other, one in now.items() if other != key]
            if key in self.owners:
                assert len(cpus) == self.owners[key], (key, cpus)
                assert not any(cpus & one for one in others), now
            assert key not in self.pins or cpus == self.pins[key]

    @property
    def running(self) -> list[str]:
        return sorted(self.at.runtime.kernel.running)

    async def do(self, deed: Deed) -> None:
        what, which, count = deed
        self.number += 1
        if what in ("run", "share", "pin"):
            await self.begin(what, which, count)
        elif what == "away":
            await self.away(count)
        elif what == "pod":
            await self.end_pod(which)
        elif self.running:
            await self.change(what, self.running[which % len(self.running)], count)

    async def begin(self, what: str, which: int, count: int) -> None:
        key = f"c{self.number}"
        annotations = {"cpuplace.dev/cores": str(which % 8)} if what == "pin" else {}
        pod = a_pod(f"p{self.number}", qos="burstable" if what == "share" else "guaranteed", annotations=annotations)
        cpu = 1 if what == "pin" else count
        made = a_container(key, pod.id, cpu=cpu, limited=what != "share")
        self.pods.append(pod.id)
        # An owner from the moment on at which it runs: who makes way does so before.
        try:
            await self.at.runtime.create(pod, made)
        except CriError as error:
            assert error.message.startswith("cpuplace: default/"), error
            return
        if what == "pin":
            self.pins[key] = cp.CpuSet([which % 8])
        if what != "share":
            self.owners[key] = cpu
        await self.at.runtime.start(key)

    async def change(self, what: str, key: str, count: int) -> None:
        runtime = self.at.runtime
        if what == "kubelet":
            await runtime.update(key, cpus="0-7")
        elif what == "resize" and key in self.owners and key not in self.pins:
            await self.resize(key, count)
        elif what == "exit":
            runtime.exit(key)
            self.untold.append(key)
        elif what == "stop":
            await runtime.stop(key)
        elif what == "remove":
            await runtime.remove(key)
        if what == "exit" and self.number % 2:
            await runtime.tell_exit(self.untold.pop())

    async def resize(self, key: str, count: int) -> None:
        """While it is under way it may have either number."""
        before = self.owners.pop(key)
        try:
            await self.at.runtime.update(key, a_container("x", "x", cpu=count, limited=True).linux.resources)
        except CriError:
            count = before
        self.owners[key] = count
        self.check(self.at.runtime.moments[-1])

    async def end_pod(self, which: int) -> None:
        if self.pods:
            pod = self.pods.pop(which % len(self.pods))
            if pod in self.at.runtime.pods:
                self.untold = [key for key in self.untold if self.at.runtime.kernel.specs[key].pod_sandbox_id != pod]
                await self.at.runtime.remove_pod(pod)

    async def away(self, count: int) -> None:
        """The runtime starts again, or the plugin does, with or without what it knew."""
        if count > 1:
            await self.at.runtime.restart()
        else:
            self.at.runtime.lose(self.at.runtime.plugins[0], "gone")
        if count > 2:
            await self.at.start_anew()
        else:
            await self.at.attach()


@given(st.sampled_from(VERSIONS), st.lists(deeds, min_size=5, max_size=25))
def test_whatever_a_kubelet_does_owners_are_alone(version: str, todo: list[Deed]) -> None:
    async def main() -> None:
        async with placing(version, host=HOST, widen_delay=0) as at:
            node = Node(at)
            at.runtime.kernel.on_change = node.check
            for deed in todo:
                await node.do(deed)
            check_at_rest(at, node)
            assert not at.runtime.wedged

    asyncio.run(main())


def check_at_rest(at: Placing, node: Node) -> None:
    state = at.node.state
    assert cp.violations(state) == ()
    for key in at.runtime.kernel.running:
        assert at.runtime.cpus[key] <= state[key].cpus
        assert state[key].exclusive == (key in node.owners)
    assert {key for key in state.assignments if key in at.runtime.kernel.running} == set(at.runtime.kernel.running)
    assert not any("error" in line for line in at.heard.lines), at.heard.lines
