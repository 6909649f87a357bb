"""What we send, read as Go reads it: through a buffer of 4096 bytes, a frame at a time."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace_nri.mux import RUNTIME, framed
from cpuplace_nri.ttrpc import Message, Type, encoded
from nri.gowire import GoneError, GoReader
from nri.wires import payloads


def frames_of(wire: bytes) -> list[bytes]:
    frames = []
    while wire:
        size = struct.unpack(">I", wire[4:8])[0]
        frames.append(wire[8 : 8 + size])
        wire = wire[8 + size :]
    return frames


def read(frames: list[bytes], messages: int) -> list[bytes]:
    """The data of so many messages, by the steps of ttrpc's channel: the header, then the data."""

    async def main() -> list[bytes]:
        reader = GoReader()
        for frame in frames:
            reader.frames.put_nowait(frame)
        reader.frames.put_nowait(None)
        data = []
        for _ in range(messages):
            size = struct.unpack(">I", (await reader.read_full(10))[:4])[0]
            data.append(await reader.read_full(size))
        return data

    return asyncio.run(main())


@given(st.lists(payloads() | st.integers(4000, 300_000).map(bytes), max_size=5))
def test_go_can_read_whatever_we_send(sent: list[bytes]) -> None:
    wire = b"".join(framed(RUNTIME, encoded(Message(1, Type.RESPONSE, data))) for data in sent)
    assert read(frames_of(wire), len(sent)) == sent


def test_it_could_not_read_a_long_message_in_one_frame() -> None:
    message = encoded(Message(1, Type.RESPONSE, bytes(5000)))
    with pytest.raises(GoneError, match="ENOMEM"):
        read([message], 1)


def test_it_could_not_read_the_end_of_one_message_with_the_begin_of_the_next() -> None:
    first, second = encoded(Message(1, Type.RESPONSE, bytes(20_000))), encoded(Message(3, Type.RESPONSE, b"x"))
    with pytest.raises(GoneError, match="ENOMEM"):
        read([first[:4096], first[4096:] + second], 2)


def test_it_reads_chunks_of_its_buffers_size() -> None:
    message = encoded(Message(1, Type.RESPONSE, bytes(20_000)))
    assert read([message[at : at + 4096] for at in range(0, len(message), 4096)], 1) == [bytes(20_000)]
