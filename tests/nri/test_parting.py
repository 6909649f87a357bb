"""A client that does not read is not waited for."""

import asyncio
import socket

import pytest

from cpuplace_nri.parting import part


@pytest.mark.parametrize("reads", [True, False])
def test_what_is_not_read_is_dropped_and_what_is_arrives(reads: bool) -> None:
    text = b"x" * 10_000_000  # more than any buffer holds

    async def talk() -> None:
        ours, its = socket.socketpair()
        reader, its_writer = await asyncio.open_connection(sock=its)
        _, writer = await asyncio.open_connection(sock=ours)
        writer.write(text)
        arriving = asyncio.ensure_future(reader.read() if reads else asyncio.sleep(0))
        async with asyncio.timeout(30):
            await part(writer, 20 if reads else 0.1)
        assert not reads or await arriving == text
        its_writer.close()

    asyncio.run(talk())
