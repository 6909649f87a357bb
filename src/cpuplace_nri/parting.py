"""Parting: the end of a client's connection, which nobody waits for for ever."""

import asyncio


async def part(writer: asyncio.StreamWriter, patience: float) -> None:
    """Close; what the other side has not read after `patience` seconds is dropped.

    Else a client that was stopped would hold up the end of its server, which waits for it from Python 3.12 on.
    """
    writer.close()
    try:
        async with asyncio.timeout(patience):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        pass  # it is gone already
