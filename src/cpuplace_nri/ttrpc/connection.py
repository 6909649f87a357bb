"""Both ends of a ttrpc connection, without I/O: bytes in, events out; calls and answers in, bytes out.

Streams are opened by the client, with odd ids that only increase. Answers come in any order.

    client                                       server
    call() -> bytes                              receive() -> Requested, which is open now
    pending until receive() -> Answered,         open until answer() or refuse() -> bytes
      or forget(), when nobody waits any more    receive() -> Rejected, with the bytes that say so
"""

from collections.abc import Iterable
from typing import Final

from attrs import frozen
from google.protobuf.message import DecodeError

from cpuplace_nri.errors import ProtocolError, TtrpcError
from cpuplace_nri.proto.ttrpc_pb2 import KeyValue, Request, Response
from cpuplace_nri.ttrpc.framing import REMOTE_OPEN, Framing, Message, Type, encoded
from cpuplace_nri.ttrpc.status import Code, error_of, status_of

_LAST_ID: Final = 2**32 - 1
_MAX_NANO: Final = 2**62  # nanoseconds; a century and a half, and exact as a float


@frozen(slots=True)
class Answered:
    """A call went well."""

    stream_id: int
    payload: bytes


@frozen(slots=True)
class Refused:
    """A call did not go well."""

    stream_id: int
    error: TtrpcError


@frozen(slots=True)
class Requested:
    """A call to answer; `timeout` in seconds, None when the caller says none."""

    stream_id: int
    service: str
    method: str
    payload: bytes
    timeout: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@frozen(slots=True)
class Rejected:
    """A call that cannot be served as it came: `answer` holds the bytes that tell the caller."""

    stream_id: int
    error: TtrpcError
    answer: bytes


class ClientConnection:
    """The side that calls."""

    def __init__(self) -> None:
        self._framing = Framing()
        self._next_id = 1
        self._pending: set[int] = set()

    @property
    def pending(self) -> frozenset[int]:
        """Streams whose answer is still to come."""
        return frozenset(self._pending)

    def call(
        self,
        service: str,
        method: str,
        payload: bytes,
        *,
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str]] = (),
    ) -> tuple[int, bytes]:
        """A new stream and the bytes that open it; `timeout` (seconds) is told to the server.

        TtrpcError RESOURCE_EXHAUSTED when the request is too long or the ids are used up; then nothing happened.
        """
        if self._next_id > _LAST_ID:
            raise TtrpcError(Code.RESOURCE_EXHAUSTED, "all streams of this connection are used up: connect anew")
        pairs = [KeyValue(key=key, value=value) for key, value in metadata]
        request = Request(
            service=service, method=method, payload=payload, timeout_nano=_nanoseconds(timeout), metadata=pairs
        )
        stream_id = self._next_id
        data = encoded(Message(stream_id, Type.REQUEST, request.SerializeToString()))
        self._next_id += 2
        self._pending.add(stream_id)
        return stream_id, data

    def forget(self, stream_id: int) -> None:
        """Nobody waits for this answer any more: it is dropped when it comes."""
        self._pending.discard(stream_id)

    def receive(self, data: bytes) -> list[Answered | Refused]:
        """The answers that `data` completes; ProtocolError on anything that answers no call."""
        answers = (self._answer(message) for message in self._framing.receive(data))
        return [answer for answer in answers if answer is not None]

    def _answer(self, message: Message) -> Answered | Refused | None:
        stream_id = message.stream_id
        if message.type is not Type.RESPONSE:
            raise ProtocolError(f"ttrpc: a {message.type.name} on stream {stream_id}, where only answers can come")
        if stream_id % 2 == 0 or stream_id >= self._next_id:
            raise ProtocolError(f"ttrpc: an answer on stream {stream_id}, which was never opened")
        try:
            response = Response.FromString(message.data)
        except DecodeError as problem:
            raise ProtocolError(f"ttrpc: the answer on stream {stream_id} cannot be decoded: {problem}") from None
        if stream_id not in self._pending:
            return None
        self._pending.remove(stream_id)
        error = error_of(response.status)
        return Answered(stream_id, response.payload) if error is None else Refused(stream_id, error)


class ServerConnection:
    """The side that answers."""

    def __init__(self) -> None:
        self._framing = Framing()
        self._last_id = 0
        self._open: set[int] = set()

    @property
    def open(self) -> frozenset[int]:
        """Streams that wait for an answer."""
        return frozenset(self._open)

    def receive(self, data: bytes) -> list[Requested | Rejected]:
        """The calls that `data` completes, in order; ProtocolError on what no client sends."""
        calls = (self._call(message) for message in self._framing.receive(data))
        return [call for call in calls if call is not None]

    def answer(self, stream_id: int, payload: bytes) -> bytes:
        """The bytes of a good answer, which ends the stream.

        TtrpcError RESOURCE_EXHAUSTED when it is too long: the stream is still open then, so refuse it.
        """
        return self._end(stream_id, Response(payload=payload))

    def refuse(self, stream_id: int, error: TtrpcError) -> bytes:
        """The bytes that refuse a call, which ends the stream."""
        return self._end(stream_id, Response(status=status_of(error)))

    def _end(self, stream_id: int, response: Response) -> bytes:
        if stream_id not in self._open:
            raise ValueError(f"stream {stream_id} is not open")
        data = encoded(Message(stream_id, Type.RESPONSE, response.SerializeToString()))
        self._open.remove(stream_id)
        return data

    def _call(self, message: Message) -> Requested | Rejected | None:
        stream_id = message.stream_id
        if message.type is Type.DATA and 0 < stream_id <= self._last_id:
            return None  # the rest of a call that streams, refused when it began
        if message.type is not Type.REQUEST:
            raise ProtocolError(f"ttrpc: a {message.type.name} on stream {stream_id}, where only calls can come")
        if stream_id % 2 == 0:
            return _rejected(stream_id, Code.INVALID_ARGUMENT, "streams that a client opens have odd numbers")
        if stream_id <= self._last_id:
            return _rejected(stream_id, Code.INVALID_ARGUMENT, f"stream {stream_id} was used, numbers only increase")
        self._last_id = stream_id
        return self._decoded(message)

    def _decoded(self, message: Message) -> Requested | Rejected:
        try:
            request = Request.FromString(message.data)
        except DecodeError as error:
            return _rejected(message.stream_id, Code.INVALID_ARGUMENT, f"the request cannot be decoded: {error}")
        if message.flags & REMOTE_OPEN:
            what = f"{request.service}/{request.method}"
            return _rejected(message.stream_id, Code.UNIMPLEMENTED, f"{what}: calls that stream are not served")
        self._open.add(message.stream_id)
        return Requested(
            stream_id=message.stream_id,
            service=request.service,
            method=request.method,
            payload=request.payload,
            timeout=request.timeout_nano / 1e9 if request.timeout_nano > 0 else None,
            metadata=tuple((pair.key, pair.value) for pair in request.metadata),
        )


def _rejected(stream_id: int, code: Code, sentence: str) -> Rejected:
    error = TtrpcError(code, sentence)
    answer = Response(status=status_of(error)).SerializeToString()
    return Rejected(stream_id, error, encoded(Message(stream_id, Type.RESPONSE, answer)))


def _nanoseconds(timeout: float | None) -> int:
    """0 says none; so small a time as none at all still says that there is one."""
    return 0 if timeout is None else max(1, int(min(timeout * 1e9, _MAX_NANO)))
