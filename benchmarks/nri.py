"""The NRI plugin beside one that does nothing; prints tables. Wants root, quiet cores and the programs of the e2e bed.

`nox -s bench_nri`; how each figure comes about is in README.md.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final

from cpuplace_nri.proto import nri_pb2 as nri
from e2e.bed import runtimes
from e2e.containerd import idle, serving
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Kubelet

from .nri_runtime import Asker, container, pod

HOST: Final = "256 CPUs / 8 nodes"
CREATES: Final = 500
SHARED: Final = (0, 50, 200)
STARTS: Final = 20
MANY: Final = 1000
"""Containers that a plugin finds when it starts."""
WIDENED: Final = 10
"""Creations before each of which shared containers got all CPUs back, so that all have to make way again."""
MEMORY: Final = 500
"""Containers, after which its memory is looked at."""
PLUGINS: Final = ("none", "idle", "cpuplace")


def main(only: Sequence[str]) -> None:
    """All tables, or those named: handlers, beginnings, stable, newest."""
    runtimes.prepared()
    tables: dict[str, Callable[[], None]] = {"handlers": handlers, "beginnings": beginnings}
    tables |= {name: partial(creates, name) for name in serving.NAMES}
    for name in only or tables:
        tables[name]()


# --- without a runtime --------------------------------------------------------------------------


def handlers() -> None:
    """CreateContainer on a large host: the handler alone, and the round trip beside a plugin that does nothing."""
    print()
    times = ("handler median", "p99", "round trip median", "p99", "CPU time each, its end included")
    row(f"CreateContainer, {HOST}, {CREATES} times", "shared", *times)
    print("|---|---|---|---|---|---|---|")
    for kind in ("idle", "cpuplace"):
        for shared in SHARED:
            trips, handled, spent = asked(kind, shared)
            inside = f"{ms(median(handled))} | {ms(p99(handled))}" if handled else "- | -"
            row(kind, shared, inside, ms(median(trips)), ms(p99(trips)), ms(spent))


def asked(kind: str, shared: int) -> tuple[list[float], list[float], float]:
    """(round trips, handler times, CPU time each), seconds; containers of 1 to 4 CPUs come and go, some forty stay."""
    random = Random(5)
    with Asker([sys.executable, "-m", "benchmarks.nri_child", kind, HOST]) as asker:
        asker.ask("Synchronize", found(shared))
        before = asker.spent
        live: list[tuple[nri.PodSandbox, nri.Container]] = []
        trips = []
        for serial in range(CREATES):
            of = pod(f"p{serial}", guaranteed=True)
            new = container(of, "main", 1000 * random.randint(1, 4))
            payload, seconds = asker.ask("CreateContainer", nri.CreateContainerRequest(pod=of, container=new))
            assert kind == "idle" or nri.CreateContainerResponse.FromString(payload).adjust.linux.resources.cpu.cpus
            trips.append(seconds)
            live.append((of, new))
            if len(live) > 40:
                gone = live.pop(random.randrange(len(live)))
                asker.ask("StopContainer", nri.StopContainerRequest(pod=gone[0], container=gone[1]))
                event = nri.StateChangeEvent(event=nri.Event.REMOVE_POD_SANDBOX, pod=gone[0])
                asker.ask("StateChange", event)
        spent = (asker.spent - before) / CREATES
        told = json.loads(asker.end())
    return trips, told.get("CreateContainer", []), spent


def found(count: int) -> nri.SynchronizeRequest:
    """What a runtime has: shared containers, ten a pod."""
    pods = [pod(f"web{serial}", guaranteed=False) for serial in range(-(-count // 10))]
    containers = [container(pods[serial // 10], f"c{serial}", 500) for serial in range(count)]
    return nri.SynchronizeRequest(pods=pods, containers=containers)


def crowd(count: int) -> nri.SynchronizeRequest:
    """A busy node before there was a plugin: one container in twenty wants a CPU of its own, nobody has one."""
    said = found(count)
    own = pod("own", guaranteed=True)
    said.pods.append(own)
    for serial in range(0, count, 20):
        said.containers[serial].CopyFrom(container(own, f"c{serial}", 1000))
    return said


def settled(said: nri.SynchronizeRequest, updates: nri.SynchronizeResponse) -> nri.SynchronizeRequest:
    """The same node later: everybody has what a plugin gave, as the runtime tells it to the next one."""
    placed = {one.container_id: one.linux.resources.cpu for one in updates.update}
    for one in said.containers:
        if one.id in placed:
            one.linux.resources.cpu.cpus, one.linux.resources.cpu.mems = placed[one.id].cpus, placed[one.id].mems
    return said


def beginnings() -> None:
    """Start, Synchronize, memory."""
    print("\n| what | idle | cpuplace |")
    print("|---|---|---|")
    commands = [[sys.executable, idle.__file__, "-"], [sys.executable, "-m", "cpuplace_cli", "nri", "run"]]
    row(f"cold start to registered, median of {STARTS}", *map(starts, commands))
    for what, later in (("as a plugin before left them", True), ("that nobody placed", False)):
        times = (synchronized(kind, later=later) for kind in ("idle", "cpuplace"))
        row(f"Synchronize of {MANY} containers {what}, median of 5, {HOST}", *times)
    row(f"resident memory with {MEMORY} containers", *map(memory, commands))


def row(*cells: object) -> None:
    """One line of a table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def starts(words: list[str]) -> str:
    """From the start of the process until the runtime hears who it is; the first, which compiles, does not count."""
    took, spent = [], []
    for _ in range(1 + STARTS):
        with Asker(words) as asker:
            took.append(asker.registered)
            spent.append(asker.registered_spent)
    return both(took[1:], spent[1:])


def synchronized(kind: str, *, later: bool = False) -> str:
    """The round trip, each time of a new plugin: on a node that nobody placed, or that one before did."""
    took, spent = [], []
    said = crowd(MANY)
    for serial in range(6 if later else 5):
        with Asker([sys.executable, "-m", "benchmarks.nri_child", kind, HOST]) as asker:
            before = asker.spent
            payload, seconds = asker.ask("Synchronize", said)
            after = asker.spent
        if later and serial == 0:
            said = settled(said, nri.SynchronizeResponse.FromString(payload))
        else:
            took.append(seconds)
            spent.append(after - before)
    return both(took, spent)


def memory(words: list[str]) -> str:
    """After it heard of many containers and had a while."""
    with Asker(words) as asker:
        asker.ask("Synchronize", found(MEMORY))
        time.sleep(3)
        return f"{asker.resident / (1 << 20):.1f} MiB"


# --- with a runtime -----------------------------------------------------------------------------


def creates(name: str) -> None:
    """CreateContainer as the kubelet waits for it, with shared containers running that have to make way."""
    with serving.containerd(name) as served:
        print(f"\n| CreateContainer through CRI, containerd {served.version} | shared running | median | p99 |")
        print("|---|---|---|---|")
        for shared in SHARED:
            with serving.kubelet(served) as kubelet:
                crowded(kubelet, shared)
                for plugin in PLUGINS:
                    with beside(served, plugin):
                        took = list(created(kubelet, CREATES))
                    row(plugin, shared, ms(median(took)), ms(p99(took)))
                with beside(served, "cpuplace"):
                    took = list(created(kubelet, WIDENED, 2 + shared * 0.05))
                row(f"cpuplace, {WIDENED} times, all make way", shared, ms(median(took)), ms(max(took)))


def crowded(kubelet: Kubelet, count: int) -> None:
    """Shared containers that run."""
    for serial in range(count):
        if serial % 50 == 0:
            web = kubelet.pod(f"web{serial}", qos="burstable")
        kubelet.run(web, f"c{serial}", cpus=0.5)


@contextmanager
def beside(served: Containerd, plugin: str) -> Iterator[None]:
    """With this plugin connected."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        since = len(served.log())
        if plugin == "idle":
            process = stack.enter_context(idle.running(served.nri))
            assert process.pid
            served.joined("98-idle", since=since)
        elif plugin == "cpuplace":
            stack.enter_context(serving.agents(served, folder))(settings={"widen_delay": 1000})
        yield


def created(kubelet: Kubelet, count: int, pause: float = 0) -> Iterator[float]:
    """Seconds of each creation; the container is removed again before the next, so widening mostly is not due."""
    own = kubelet.pod("own")
    for serial in range(count):
        time.sleep(pause)
        began = time.perf_counter()
        container = kubelet.create(own, f"c{serial}", cpus=1)
        yield time.perf_counter() - began
        kubelet.cri.call("RemoveContainer", {"container_id": container.id})
    kubelet.end(own)


def both(took: list[float], spent: list[float]) -> str:
    return f"{ms(median(took))}, CPU time {ms(median(spent))}"


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


if __name__ == "__main__":
    main(sys.argv[1:])
