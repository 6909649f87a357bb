"""The multiplexer below ttrpc, without I/O: several byte streams over one connection.

A frame is 8 bytes of header, big endian: uint32 connection, uint32 length; then the payload. There is no handshake,
opening a connection is a local act, and what a connection carries is a stream: frames may cut a message anywhere.
"""

import struct
from typing import Final

from cpuplace_nri.errors import ProtocolError

PLUGIN: Final = 1  # the connection on which the runtime calls the plugin
RUNTIME: Final = 2  # the connection on which the plugin calls the runtime
MAX_FRAME: Final = 64 * 2**20 + 10  # a message as long as we accept, its header included

_HEADER: Final = struct.Struct(">II")
# Runtimes read a message through a buffer of so many bytes, and give up the plugin when a frame is longer than what is
# free in it: their first read is for this many, the second for the rest of the message, however long.
_FIRST: Final = 4096


def framed(connection: int, message: bytes) -> bytes:
    """The frames that carry one whole message so that every runtime can read it.

    One frame up to 4096 bytes, else one of 4096 and one of the rest. Give exactly one message: frames with the end of
    one and the begin of another lose bytes at the other side.

    >>> framed(2, b"abc").hex()
    '0000000200000003616263'
    """
    head, rest = message[:_FIRST], message[_FIRST:]
    frames = _HEADER.pack(connection, len(head)) + head
    return frames + _HEADER.pack(connection, len(rest)) + rest if rest else frames


class Mux:
    """Takes the bytes of a connection apart: `receive` gives the pieces of each stream, in order."""

    def __init__(self, *, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._header = b""  # what of one has come
        self._connection, self._missing = 0, 0  # whose payload comes, and how much of it is still to come

    @property
    def is_between(self) -> bool:
        """No frame is half here: an end now is a clean one."""
        return not self._header and not self._missing

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces in `data`, each with its connection; a piece is handed on at once, so nothing is held back.

        Joined by connection they are the same however the bytes were cut. ProtocolError on the reserved connection 0
        and on a frame longer than `max_frame`; after that the object is of no use.

        >>> Mux().receive(framed(1, b"ab") + framed(2, b"c")[:-1])
        [(1, b'ab')]
        """
        pieces: list[tuple[int, bytes]] = []
        view, at = memoryview(data), 0
        while at < len(view):
            if self._missing:
                piece = bytes(view[at : at + self._missing])
                pieces.append((self._connection, piece))
                self._missing -= len(piece)
                at += len(piece)
                continue
            wanted = _HEADER.size - len(self._header)
            self._header += bytes(view[at : at + wanted])
            at += wanted
            if len(self._header) == _HEADER.size:
                self._open()
        return pieces

    def _open(self) -> None:
        self._connection, self._missing = _HEADER.unpack(self._header)
        self._header = b""
        if self._connection == 0:
            raise ProtocolError("mux: a frame for connection 0, which is reserved")
        if self._missing > self._max_frame:
            raise ProtocolError(f"mux: a frame of {self._missing} bytes, {self._max_frame} are accepted")
