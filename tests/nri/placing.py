"""A fake runtime with the real plugin at it, and what the kernel has in reach of both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field

import cpuplace as cp
from cpuplace_nri.cgroups import Cpuset
from cpuplace_nri.config import Config, nri_policy
from cpuplace_nri.deciding import Deciding
from cpuplace_nri.decision import Decision
from cpuplace_nri.delivering import deliver
from cpuplace_nri.following import Following
from cpuplace_nri.identity import Identity
from cpuplace_nri.manners import Manners
from cpuplace_nri.node import Node
from cpuplace_nri.plugin import Plugin
from cpuplace_nri.proto.nri_pb2 import ContainerUpdate
from nri.fake_runtime import FakeRuntime
from nri.kernel import CannotSetError

HOST = cp.Topology.uniform(packages=1, nodes_per_package=2, cores_per_l3=4)
"""Eight CPUs, 0-3 on node 0, 4-7 on node 1."""


@define
class Heard:
    """A voice that remembers."""

    lines: list[str] = field(factory=list)
    counts: dict[str, int] = field(factory=dict)

    def say(self, level: str, event: str, **fields: object) -> None:
        said = " ".join(f"{name}={value}" for name, value in fields.items())
        self.lines.append(f"{level}: {event} {said}".strip())

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        key = "/".join((name, *labels))
        self.counts[key] = self.counts.get(key, 0) + by

    def time(self, name: str, label: str, seconds: float) -> None:
        assert seconds >= 0, (name, label)


class FakeCgroups:
    """The cgroups of the containers of a fake runtime; `readonly` = nobody may write them."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime
        self.readonly = False
        self.writes: list[str] = []

    def read(self, place: str) -> Cpuset | None:
        kernel, key = self._runtime.kernel, place.rpartition("/")[2]
        if key not in kernel.running:
            return None
        text = kernel.running[key]
        mems = kernel.specs[key].linux.resources.cpu.mems
        return Cpuset(cpus=cp.CpuSet.parse(text), effective=kernel.effective(text), mems=cp.NodeSet.parse(mems))

    def write(self, place: str, held: cp.Held) -> None:
        key = place.rpartition("/")[2]
        if self.readonly:
            raise PermissionError("read-only file system")
        if key not in self._runtime.kernel.running:
            raise FileNotFoundError(place)
        self.writes.append(f"{key} {held.cpus}")
        try:
            self._runtime.kernel.write(key, str(held.cpus))
        except CannotSetError as error:
            raise OSError(str(error)) from None


class Placing:
    """Everything of one plugin at one fake runtime."""

    def __init__(self, runtime: FakeRuntime, config: Config) -> None:
        self.runtime, self.config = runtime, config
        self.heard = Heard()
        self.decisions: list[Decision] = []
        self.errors: list[Exception] = []
        self.cgroups = FakeCgroups(runtime)
        self.begin()

    def begin(self) -> None:
        """A plugin that knows nothing."""
        self.node = Node(self.runtime.kernel.host, self.config.policy, self.decisions.append)
        self.deciding = Deciding()
        self.manners = Manners.of(self.config)
        courier = self.deliver if self.config.second_connection else None
        self.following = Following(self.node, self.deciding, self.cgroups, self.heard, self.manners, courier)
        self.plugin = Plugin(self.node, self.deciding, self.following, self.heard, self.manners)

    async def deliver(self, updates: list[ContainerUpdate]) -> bool:
        """By a second connection, as the process does."""
        return await deliver(self.runtime.connect(), updates, Identity(), on_error=self.errors.append)

    async def start_anew(self) -> None:
        """The process ends, another one begins."""
        await self.close()
        self.begin()
        await self.attach()

    async def attach(self) -> None:
        await self.runtime.attach(self.plugin)

    async def close(self) -> None:
        await self.following.close()
        self.deciding.close()

    async def until(self, what: Any, *, steps: int = 400) -> None:
        """Wait until something holds; AssertionError when it does not within some seconds."""
        for _ in range(steps):
            if what():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"still not so: {self.heard.lines[-5:]}")

    @property
    def cpus(self) -> dict[str, str]:
        """What each container runs on, as text."""
        return {key: str(cpus) for key, cpus in self.runtime.cpus.items()}


@asynccontextmanager
async def placing(
    version: str = "0.8", *, host: cp.Topology = HOST, policy: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Placing]:
    """The plugin attached to a runtime of this version; `options` that a Config has are its, the rest the runtime's."""
    names = {"fail_closed", "exclusive_quota", "widen_delay", "check", "second_connection"}
    config = Config(policy=nri_policy(**(policy or {})), **{name: options.pop(name) for name in names & options.keys()})
    patient = {"request_timeout": 30.0, "registration_timeout": 30.0}  # a busy machine is no fault of the plugin
    async with FakeRuntime(version, host, **patient | options) as runtime:
        made = Placing(runtime, config)
        try:
            await made.attach()
            yield made
        finally:
            await made.close()
