"""Deciding: one decision at a time, on a thread of its own, never later than the runtime waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

T = TypeVar("T")

SHARE: Final = 0.75
"""Of the runtime's patience: the rest is for the way back."""
PATIENCE: Final = 2.0
"""Seconds that a runtime waits where it does not say."""


class TooLate(Exception):  # noqa: N818
    """No decision in time; what becomes of it later is dropped."""


def deadline(timeout: float | None) -> float:
    """When an answer must be there, by the loop's clock; `timeout`: seconds that the runtime waits."""
    return asyncio.get_running_loop().time() + SHARE * (timeout or PATIENCE)


class Deciding:
    """Runs decisions; whoever holds `turn` knows that nobody else decides meanwhile.

    A search holds the interpreter, not the loop: the thread that answers gets its turn every few milliseconds.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decide")

    @property
    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this to read, decide and commit as one."""
        return self._lock

    @asynccontextmanager
    async def turn_by(self, deadline: float) -> AsyncIterator[None]:
        """The same for who cannot wait: TooLate when others hold it until then."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._lock.acquire()
        except TimeoutError:
            raise TooLate from None
        try:
            yield
        finally:
            self._lock.release()

    async def by(self, deadline: float, ask: Callable[[], T]) -> T:
        """What `ask` returns; TooLate when it does not by then. Hold the turn."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, ask)
        done, _ = await asyncio.wait({running}, timeout=deadline - loop.time())
        if done:
            return running.result()
        running.add_done_callback(_dropped)
        raise TooLate

    async def finished(self, ask: Callable[[], T]) -> T:
        """What `ask` returns, however long that takes. Hold `turn`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)

    def close(self) -> None:
        """No more decisions."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _dropped(late: "asyncio.Future[T]") -> None:
    """Nobody waits for it any more, so nobody else hears that it failed."""
    if not late.cancelled():
        late.exception()
