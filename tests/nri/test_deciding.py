"""One decision at a time, and none later than the runtime waits: neither for its turn nor while it is made."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cpuplace_nri.deciding import Deciding, TooLate, deadline
from nri.test_plugin import asynchronous


@asynccontextmanager
async def deciding() -> AsyncIterator[Deciding]:
    made = Deciding()
    try:
        yield made
    finally:
        made.close()


@asynchronous
async def test_who_waits_for_the_turn_too_long_is_too_late_and_leaves_no_trace() -> None:
    async with deciding() as one:
        async with one.turn:
            with pytest.raises(TooLate):
                async with one.turn_by(deadline(0.1)):
                    raise AssertionError("two at once")
        async with one.turn_by(deadline(30)):
            pass


@asynchronous
async def test_waiting_for_the_turn_counts() -> None:
    async with deciding() as one:
        by, start = deadline(2.0), time.monotonic()
        async with one.turn:
            await asyncio.sleep(1.0)
        async with one.turn_by(by):
            with pytest.raises(TooLate):
                await one.by(by, lambda: time.sleep(1.5))
        assert time.monotonic() < start + 2.0


@asynchronous
async def test_the_turn_is_given_back_when_its_holder_fails() -> None:
    async with deciding() as one:
        with pytest.raises(ZeroDivisionError):
            async with one.turn_by(deadline(30)):
                await one.by(deadline(30), lambda: 1 // 0)
        async with one.turn_by(deadline(30)):
            assert await one.by(deadline(30), lambda: 7) == 7


@asynchronous
async def test_who_is_given_up_while_it_waits_keeps_nobody_from_the_turn() -> None:
    async with deciding() as one:

        async def wait() -> None:
            async with one.turn_by(deadline(30)):
                raise AssertionError("given up")

        async with one.turn:
            waiting = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)
        async with one.turn_by(deadline(30)):
            pass
