"""What tests of both places use: a containerd that is up for a while, its pods, the plugin beside it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..bed.cache import cache
from ..bed.runtimes import Runtimes
from . import groups
from .agent import Agent
from .config import Patience
from .daemon import Containerd
from .kubelet import TOP, Kubelet

MEMORY: Final = Path("/dev/shm")
"""Where containerds live: starting a container is four times as fast there as on a disk, and names stay short."""
NAMES: Final = ("stable", "newest")
"""The containerds that there are."""
Settings = Mapping[str, object]
Agents = Callable[..., Agent]


def runtimes() -> Runtimes:
    """The programs; the bed put them into the cache."""
    return Runtimes(cache() / "runtimes")


@contextmanager
def containerd(name: str, *, patience: Patience | None = None, start: bool = True) -> Iterator[Containerd]:
    """One that runs, with its images; nothing of it is left afterwards."""
    base = Path(tempfile.mkdtemp(prefix="c-", dir=MEMORY))
    served = Containerd(runtimes().folder / name, runtimes(), base, patience=patience)
    try:
        if start:
            served.start()
            served.load()
        yield served
    finally:
        served.clean()
        groups.remove(TOP)
        shutil.rmtree(base)


@contextmanager
def kubelet(served: Containerd) -> Iterator[Kubelet]:
    """Pods of one test: there are none before, and none after."""
    with served.connect() as cri:
        found = Kubelet(cri)
        found.clean()
        try:
            yield found
        finally:
            found.clean()


@contextmanager
def agents(served: Containerd, folder: Path) -> Iterator[Agents]:
    """Starts plugins, each with its own folder; ends them, and fails when one had an error of its own."""
    started: list[Agent] = []

    def start(
        *,
        policy: Settings | None = None,
        settings: Settings | None = None,
        socket: Path | None = None,
        wait: bool = True,
    ) -> Agent:
        agent = Agent(served, folder / f"agent-{len(started)}", policy=policy, settings=settings, socket=socket)
        started.append(agent)
        return agent.start(wait=wait)

    try:
        yield start
    finally:
        for agent in started:
            agent.stop()
    for agent in started:
        assert "Traceback" not in agent.log(), agent.log()
