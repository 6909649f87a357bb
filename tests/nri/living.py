"""A whole plugin beside a runtime of ours, for as long as a test lasts."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cpuplace as cp
from cpuplace_nri.config import Config
from cpuplace_nri.identity import Identity, Preinstalled
from cpuplace_nri.process import Process
from nri.fake_runtime import FakeRuntime

HOST = cp.Topology.uniform(packages=1, nodes_per_package=2, cores_per_l3=4)
Life = Callable[[FakeRuntime], Awaitable[None]]


def config(folder: Path, rt: FakeRuntime | None = None, **more: Any) -> Config:
    sock = str(rt.path) if rt else str(folder / "nobody.sock")
    return Config(socket=sock, lock=str(folder / "run"), admin_socket=str(folder / "admin.sock"), **more)


def preinstalled(rt: FakeRuntime, index: str = "99", **how: Any) -> Preinstalled:
    """A connection that the runtime made itself, as it starts a plugin with it."""
    with rt.connect(**how) as its:
        return Preinstalled(Identity("cpuplace", index), os.dup(its.fileno()))


@asynccontextmanager
async def served(process: Process) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(process.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def live(life: Life, **options: Any) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(120), FakeRuntime(host=HOST, **options) as rt:
            await life(rt)

    asyncio.run(all_of_it())


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.01)
