"""Laws of the multiplexer: cuts do not matter, frames are those that runtimes can read, garbage has one name."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace_nri.errors import ProtocolError
from cpuplace_nri.mux import MAX_FRAME, Mux, framed
from nri.wires import cuts, joined, payloads

CONNECTIONS = st.integers(1, 2**32 - 1)
SENT = st.lists(st.tuples(CONNECTIONS | st.sampled_from([1, 2]), payloads()), max_size=6)


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Taken apart the naive way; the last frame may be cut short."""
    frames = []
    while len(data) >= 8:
        connection, size = struct.unpack(">II", data[:8])
        frames.append((connection, data[8 : 8 + size]))
        data = data[8 + size :]
    return frames


@given(SENT, st.data())
def test_streams_are_the_same_however_the_bytes_are_cut(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    mux = Mux()
    wire = b"".join(framed(*message) for message in sent)
    pieces = [piece for part in data.draw(cuts(wire)) for piece in mux.receive(part)]
    assert joined(pieces) == {c: s for c, s in joined(sent).items() if s}
    assert mux.is_between


@given(SENT, st.data())
def test_pieces_come_in_the_order_of_the_wire_and_at_once(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    mux, come, got, whole = Mux(), 0, b"", b"".join(framed(*message) for message in sent)
    for part in data.draw(cuts(whole)):
        come += len(part)
        got += b"".join(piece for _, piece in mux.receive(part))
        assert got == b"".join(payload for _, payload in frames_of(whole[:come]))


@given(CONNECTIONS, st.binary(max_size=3) | st.integers(0, 20_000).map(bytes))
def test_a_message_goes_as_one_frame_or_as_4096_bytes_and_the_rest(connection: int, message: bytes) -> None:
    frames = frames_of(framed(connection, message))
    assert b"".join(payload for _, payload in frames) == message
    assert {number for number, _ in frames} == {connection}
    assert [len(payload) for _, payload in frames] == (
        [len(message)] if len(message) <= 4096 else [4096, len(message) - 4096]
    )


@pytest.mark.parametrize(("size", "frames"), [(0, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (2**20, 2)])
def test_where_the_second_frame_begins(size: int, frames: int) -> None:
    assert len(frames_of(framed(2, bytes(size)))) == frames


@given(st.binary(max_size=60), st.data())
def test_garbage_is_a_protocol_error_or_a_stream(garbage: bytes, data: st.DataObject) -> None:
    mux = Mux()
    with suppress(ProtocolError):
        for part in data.draw(cuts(garbage)):
            mux.receive(part)


@given(st.integers(0, 2**32 - 1))
def test_connection_zero_is_reserved(size: int) -> None:
    with pytest.raises(ProtocolError, match="connection 0"):
        Mux().receive(struct.pack(">II", 0, size))


def test_the_longest_frame_is_taken_and_one_byte_more_is_not() -> None:
    assert Mux().receive(struct.pack(">II", 1, MAX_FRAME)) == []
    with pytest.raises(ProtocolError, match=str(MAX_FRAME + 1)):
        Mux().receive(struct.pack(">II", 1, MAX_FRAME + 1))


def test_a_half_frame_is_not_a_clean_end() -> None:
    mux = Mux()
    mux.receive(framed(1, b"abc")[:-1])
    assert not mux.is_between
    mux.receive(b"c")
    assert mux.is_between
