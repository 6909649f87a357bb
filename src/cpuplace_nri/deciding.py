"""Deciding: one decision at a time, on a thread of its own, never later than the runtime waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

T = TypeVar("T")

SHARE: Final = 0.75
"""Of the runtime's patience: the rest is for the way back."""
PATIENCE: Final = 2.0
"""Seconds that a runtime waits where it does not say."""


class TooLate(Exception):  # noqa: N818
    """No decision in time; what becomes of it later is dropped."""


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

    async def within(self, ask: Callable[[], T], timeout: float | None) -> T:
        """What `ask` returns; TooLate when that takes more than its share of `timeout` seconds. Hold `turn`."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, ask)
        done, _ = await asyncio.wait({running}, timeout=SHARE * (timeout or PATIENCE))
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
