"""Laws of both ends of ttrpc, talking over a fake wire: ids, answers in any order, and what each does with garbage."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cpuplace_nri.proto.ttrpc_pb2 import Request
from cpuplace_nri.ttrpc import (
    MAX_SENT,
    Answered,
    ClientConnection,
    Code,
    Framing,
    Message,
    ProtocolError,
    Refused,
    Rejected,
    Requested,
    ServerConnection,
    TtrpcError,
    Type,
    encoded,
)
from nri.wires import cuts, messages, payloads


class TwoEnds(RuleBasedStateMachine):
    """A client, a server, and the bytes that are on their way, delivered in pieces of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.client, self.server = ClientConnection(), ServerConnection()
        self.up, self.down = bytearray(), bytearray()
        self.asked: dict[int, tuple[str, bytes]] = {}
        self.said: dict[int, bytes | TtrpcError] = {}
        self.open: list[int] = []
        self.waiting: set[int] = set()

    @rule(method=st.text(max_size=5), payload=payloads(), timeout=st.none() | st.floats(0.001, 100))
    def call(self, method: str, payload: bytes, timeout: float | None) -> None:
        stream, data = self.client.call("service", method, payload, timeout=timeout)
        assert stream % 2 == 1
        assert stream > max(self.asked, default=0)
        self.asked[stream] = (method, payload)
        self.waiting.add(stream)
        self.up += data

    @rule(size=st.integers(0, 9000))
    def carry_up(self, size: int) -> None:
        part, self.up = bytes(self.up[:size]), self.up[size:]
        for event in self.server.receive(part):
            assert isinstance(event, Requested)
            assert self.asked[event.stream_id] == (event.method, event.payload)
            self.open.append(event.stream_id)

    @rule(which=st.integers(0, 9), payload=payloads())
    def answer(self, which: int, payload: bytes) -> None:
        if self.open:
            stream = self.open.pop(which % len(self.open))
            self.said[stream] = payload
            self.down += self.server.answer(stream, payload)

    @rule(which=st.integers(0, 9), code=st.sampled_from(list(Code)[1:]), sentence=st.text(max_size=9))
    def refuse(self, which: int, code: Code, sentence: str) -> None:
        if self.open:
            stream = self.open.pop(which % len(self.open))
            self.said[stream] = TtrpcError(code, sentence)
            self.down += self.server.refuse(stream, TtrpcError(code, sentence))

    @rule(which=st.integers(0, 9))
    def forget(self, which: int) -> None:
        if self.waiting:
            stream = sorted(self.waiting)[which % len(self.waiting)]
            self.waiting.remove(stream)
            self.client.forget(stream)

    @rule(size=st.integers(0, 9000))
    def carry_down(self, size: int) -> None:
        part, self.down = bytes(self.down[:size]), self.down[size:]
        for event in self.client.receive(part):
            assert event.stream_id in self.waiting
            self.waiting.remove(event.stream_id)
            said = self.said[event.stream_id]
            if isinstance(event, Answered):
                assert event.payload == said
            else:
                assert isinstance(said, TtrpcError)
                assert (event.error.code, event.error.message) == (said.code, said.message)

    @invariant()
    def both_know_what_is_open(self) -> None:
        assert self.client.pending == self.waiting
        assert self.server.open == set(self.open)


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=40, stateful_step_count=30)


@given(st.floats(1e-9, 1e6))
def test_a_timeout_travels_as_nanoseconds(timeout: float) -> None:
    _, data = ClientConnection().call("s", "m", b"", timeout=timeout)
    (event,) = ServerConnection().receive(data)
    assert isinstance(event, Requested)
    assert event.timeout == pytest.approx(timeout, abs=1e-9)


@pytest.mark.parametrize("timeout", [0.0, 1e-30, 1e30, float("inf")])
def test_an_odd_timeout_is_still_one(timeout: float) -> None:
    _, data = ClientConnection().call("s", "m", b"", timeout=timeout)
    (event,) = ServerConnection().receive(data)
    assert isinstance(event, Requested)
    assert event.timeout is not None


def test_metadata_travel() -> None:
    _, data = ClientConnection().call("s", "m", b"", metadata=[("traceparent", "00-1"), ("a", "")])
    (event,) = ServerConnection().receive(data)
    assert isinstance(event, Requested)
    assert event.metadata == (("traceparent", "00-1"), ("a", ""))


def request(stream: int, flags: int = 0) -> bytes:
    data = Request(service="s", method="m").SerializeToString()
    return encoded(Message(stream, Type.REQUEST, data, flags))


@pytest.mark.parametrize(
    ("before", "stream", "flags", "code"),
    [
        ((), 2, 0, Code.INVALID_ARGUMENT),
        ((), 0, 0, Code.INVALID_ARGUMENT),
        ((1,), 1, 0, Code.INVALID_ARGUMENT),
        ((7,), 5, 0, Code.INVALID_ARGUMENT),
        ((), 1, 2, Code.UNIMPLEMENTED),
    ],
)
def test_a_call_that_cannot_be_is_refused_and_the_rest_goes_on(
    before: tuple[int, ...], stream: int, flags: int, code: Code
) -> None:
    server = ServerConnection()
    for earlier in before:
        server.receive(request(earlier))
    open_before = server.open
    (event,) = server.receive(request(stream, flags))
    assert isinstance(event, Rejected)
    assert event.error.code == code
    (told,) = Framing().receive(event.answer)
    assert (told.stream_id, told.type) == (stream, Type.RESPONSE)
    assert server.open == open_before
    (good,) = server.receive(request(99))
    assert isinstance(good, Requested)


def test_a_call_that_streams_is_refused_once_not_for_each_of_its_parts() -> None:
    server = ServerConnection()
    (event,) = server.receive(request(1, flags=2))
    assert isinstance(event, Rejected)
    assert server.receive(encoded(Message(1, Type.DATA, b"part"))) == []
    with pytest.raises(ProtocolError):
        server.receive(encoded(Message(3, Type.DATA, b"part")))


def test_a_request_that_is_no_protobuf_is_refused() -> None:
    (event,) = ServerConnection().receive(encoded(Message(1, Type.REQUEST, b"\xff\xff")))
    assert isinstance(event, Rejected)
    assert event.error.code == Code.INVALID_ARGUMENT


def test_a_request_too_long_is_refused_here_and_costs_no_stream() -> None:
    client = ClientConnection()
    with pytest.raises(TtrpcError) as refused:
        client.call("s", "m", bytes(MAX_SENT))
    assert refused.value.code == Code.RESOURCE_EXHAUSTED
    assert client.pending == frozenset()
    assert client.call("s", "m", b"")[0] == 1


def test_an_answer_too_long_is_refused_here_and_the_stream_waits_for_a_shorter_one() -> None:
    client, server = ClientConnection(), ServerConnection()
    stream, data = client.call("s", "m", b"")
    server.receive(data)
    with pytest.raises(TtrpcError) as refused:
        server.answer(stream, bytes(MAX_SENT))
    (event,) = client.receive(server.refuse(stream, refused.value))
    assert isinstance(event, Refused)
    assert event.error.code == Code.RESOURCE_EXHAUSTED


def test_nobody_answers_twice() -> None:
    server = ServerConnection()
    server.receive(request(1))
    server.answer(1, b"")
    with pytest.raises(ValueError, match="not open"):
        server.answer(1, b"")


@pytest.mark.parametrize("stream", [0, 2, 3, 2**32 - 1])
def test_an_answer_that_nobody_asked_for_is_a_protocol_error(stream: int) -> None:
    client = ClientConnection()
    client.call("s", "m", b"")
    with pytest.raises(ProtocolError):
        client.receive(encoded(Message(stream, Type.RESPONSE, b"")))


def test_an_error_that_is_no_text_still_travels() -> None:
    client, server = ClientConnection(), ServerConnection()
    stream, data = client.call("s", "m", b"")
    server.receive(data)
    (event,) = client.receive(server.refuse(stream, TtrpcError(0, "half a \ud800 pair " + "x" * 10**6)))
    assert isinstance(event, Refused)
    assert event.error.code == Code.UNKNOWN
    assert event.error.message.startswith("half a ? pair xxx")
    assert len(event.error.message) < 10_000


@given(st.lists(messages(), max_size=5), st.data())
def test_no_message_makes_either_end_fail_otherwise(sent: list[Message], data: st.DataObject) -> None:
    wire = b"".join(map(encoded, sent))
    client, server = ClientConnection(), ServerConnection()
    client.call("s", "m", b"")
    for end in (client, server):
        with suppress(ProtocolError):
            for part in data.draw(cuts(wire)):
                end.receive(part)


def test_an_answer_that_is_no_protobuf_is_a_protocol_error() -> None:
    client = ClientConnection()
    client.call("s", "m", b"")
    with pytest.raises(ProtocolError, match="cannot be decoded"):
        client.receive(encoded(Message(1, Type.RESPONSE, b"\xff\xff")))


def test_when_all_streams_are_used_up_it_says_so() -> None:
    client = ClientConnection()
    client._next_id = 2**32 - 1
    assert client.call("s", "m", b"")[0] == 2**32 - 1
    with pytest.raises(TtrpcError, match="connect anew"):
        client.call("s", "m", b"")
