"""Messages of ttrpc on a byte stream, without I/O.

A message is 10 bytes of header, big endian: uint32 length of the data, uint32 stream, uint8 type, uint8 flags; then the
data.
"""

import struct
from enum import IntEnum
from typing import Final

from attrs import frozen

from cpuplace_nri.errors import ProtocolError, TtrpcError
from cpuplace_nri.ttrpc.status import Code

MAX_SENT: Final = 4 * 2**20  # bytes of data: what others refuse beyond
MAX_RECEIVED: Final = 64 * 2**20  # bytes of data: old senders know no limit, and a node's list of containers is long

_HEADER: Final = struct.Struct(">IIBB")


class Type(IntEnum):
    """What a message is."""

    REQUEST = 1
    RESPONSE = 2
    DATA = 3  # of calls that stream


REMOTE_CLOSED: Final = 0x01
REMOTE_OPEN: Final = 0x02  # on a request: more will follow on its stream
NO_DATA: Final = 0x04


@frozen(slots=True)
class Message:
    """One message: of which stream, what it is, what it holds."""

    stream_id: int
    type: Type
    data: bytes
    flags: int = 0


def encoded(message: Message) -> bytes:
    """The bytes of a message; TtrpcError RESOURCE_EXHAUSTED when its data is longer than others accept (4 MiB).

    >>> encoded(Message(1, Type.REQUEST, b"ab")).hex()
    '000000020000000101006162'
    """
    size = len(message.data)
    if size > MAX_SENT:
        raise TtrpcError(Code.RESOURCE_EXHAUSTED, f"a message of {size} bytes, {MAX_SENT} may be sent")
    return _HEADER.pack(size, message.stream_id, message.type, message.flags) + message.data


class Framing:
    """Takes a byte stream apart: `receive` gives the messages that are complete."""

    def __init__(self, *, max_data: int = MAX_RECEIVED) -> None:
        self._max_data = max_data
        self._buffer = bytearray()
        self._header: tuple[int, int, Type, int] | None = None

    @property
    def is_between(self) -> bool:
        """No message is half here: an end now is a clean one."""
        return not self._buffer and self._header is None

    def receive(self, data: bytes) -> list[Message]:
        """The messages that end in `data`, the same ones however the stream is cut.

        ProtocolError on an unknown type and on data longer than `max_data`, as soon as the header says so: what is held
        is never more than one message. After that the object is of no use.
        """
        self._buffer += data
        messages: list[Message] = []
        at = 0
        while True:
            if self._header is None:
                if len(self._buffer) - at < _HEADER.size:
                    break
                self._header = self._checked(at)
                at += _HEADER.size
            size, stream_id, kind, flags = self._header
            if len(self._buffer) - at < size:
                break
            messages.append(Message(stream_id, kind, bytes(memoryview(self._buffer)[at : at + size]), flags))
            at += size
            self._header = None
        del self._buffer[:at]
        return messages

    def _checked(self, at: int) -> tuple[int, int, Type, int]:
        size, stream_id, kind, flags = _HEADER.unpack_from(self._buffer, at)
        if kind not in _TYPES:
            raise ProtocolError(f"ttrpc: a message of unknown type {kind}")
        if size > self._max_data:
            raise ProtocolError(f"ttrpc: a message of {size} bytes, {self._max_data} are accepted")
        return size, stream_id, Type(kind), flags


_TYPES: Final = frozenset(Type)
