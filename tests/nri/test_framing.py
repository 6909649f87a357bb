"""Laws of ttrpc messages on a stream: cuts do not matter, lengths are bounded, garbage has one name."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace_nri.ttrpc import MAX_RECEIVED, MAX_SENT, Code, Framing, Message, ProtocolError, TtrpcError, Type, encoded
from nri.wires import cuts, messages


@given(st.lists(messages(), max_size=6), st.data())
def test_messages_are_the_same_however_the_bytes_are_cut(sent: list[Message], data: st.DataObject) -> None:
    framing, wire = Framing(), b"".join(map(encoded, sent))
    got = [message for part in data.draw(cuts(wire)) for message in framing.receive(part)]
    assert got == sent
    assert framing.is_between


@given(messages(), st.data())
def test_a_message_comes_with_its_last_byte(message: Message, data: st.DataObject) -> None:
    framing, wire = Framing(), encoded(message)
    assert [got for part in data.draw(cuts(wire[:-1])) for got in framing.receive(part)] == []
    assert not framing.is_between or len(wire) == 1
    assert framing.receive(wire[-1:]) == [message]


@given(st.binary(max_size=80), st.data())
def test_garbage_is_a_protocol_error_or_messages(garbage: bytes, data: st.DataObject) -> None:
    framing = Framing()
    with suppress(ProtocolError):
        for part in data.draw(cuts(garbage)):
            framing.receive(part)


@given(st.integers(0, 255).filter(lambda kind: kind not in (1, 2, 3)), st.integers(0, 100))
def test_an_unknown_type_is_said_before_its_data_come(kind: int, size: int) -> None:
    with pytest.raises(ProtocolError, match=f"type {kind}"):
        Framing().receive(struct.pack(">IIBB", size, 1, kind, 0))


def test_receiving_is_liberal_up_to_64_mebibytes() -> None:
    assert Framing().receive(struct.pack(">IIBB", MAX_RECEIVED, 1, 1, 0)) == []
    with pytest.raises(ProtocolError, match=str(MAX_RECEIVED + 1)):
        Framing().receive(struct.pack(">IIBB", MAX_RECEIVED + 1, 1, 1, 0))


def test_a_message_that_only_old_senders_send_is_read() -> None:
    size = 6_100_000
    wire = struct.pack(">IIBB", size, 1, 1, 0) + bytes(size)
    framing = Framing()
    got = [message for at in range(0, len(wire), 65_536) for message in framing.receive(wire[at : at + 65_536])]
    assert [len(message.data) for message in got] == [size]


def test_sending_is_strict_at_4_mebibytes() -> None:
    assert len(encoded(Message(1, Type.REQUEST, bytes(MAX_SENT)))) == MAX_SENT + 10
    with pytest.raises(TtrpcError) as refused:
        encoded(Message(1, Type.REQUEST, bytes(MAX_SENT + 1)))
    assert refused.value.code == Code.RESOURCE_EXHAUSTED
