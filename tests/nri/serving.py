"""A node with its admin socket on a thread of its own, for tests of who asks it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cpuplace_nri.admin import Admin
from cpuplace_nri.answering import Answering
from cpuplace_nri.config import Config
from cpuplace_nri.decision import Decision
from cpuplace_nri.logs import Log
from cpuplace_nri.tally import Tally
from cpuplace_nri.watching import Watch
from nri.nodes import KnownNode


class Running:
    """A node with its admin socket, on a thread of its own."""

    def __init__(self, path: Path, node: KnownNode | None) -> None:
        self.path, self.node = str(path), node
        self.watch = Watch(Log(), Tally(), clock=lambda: 0.0)
        self.loop = asyncio.new_event_loop()
        self.answering = Answering(
            node=lambda: self.node, watch=self.watch, config=Config, runtime=lambda: {"missing": "no runtime"}
        )

    def do(self, action: Callable[[], None]) -> None:
        """Have something done on the loop, and wait for it."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(action)
        self.loop.call_soon_threadsafe(done.set)
        assert done.wait(30)

    def decide(self, decision: Decision) -> None:
        self.do(lambda: self.watch.decided(decision))

    def readers(self) -> int:
        return len(self.watch._readers)


@contextmanager
def running(path: Path, node: KnownNode | None) -> Iterator[Running]:
    made = Running(path, node)
    ready, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with await Admin(made.answering).serve(path):
            ready.set()
            await end.wait()
            made.watch.close()

    thread = threading.Thread(target=lambda: made.loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield made
    finally:
        made.loop.call_soon_threadsafe(end.set)
        thread.join(30)
        made.loop.run_until_complete(made.loop.shutdown_asyncgens())
        for task in asyncio.all_tasks(made.loop):
            task.cancel()
            made.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        made.loop.close()


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("never")
