"""A plugin that does nothing, on a bare socket: what any plugin costs, and a proof of the bed without our own code.

`python idle.py SOCKET [INDEX] [METHOD]`; it runs until the runtime hangs up, and refuses METHOD. "-" as the socket is
the one that it inherits, as plugins do that a runtime starts.
"""

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

OURS: Final = 1
"""Connection on which the runtime asks and the plugin answers."""
THEIRS: Final = 2
REQUEST: Final = 1
RESPONSE: Final = 2
EVENTS: Final = 0x7FF & ~(1 << 4 | 1 << 5 | 1 << 6 | 1 << 8)
"""What a plugin that places containers asks for: pods' and containers' beginnings and ends, and updates."""


def varint(number: int) -> bytes:
    """As protobuf writes a number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(field: int, value: bytes) -> bytes:
    """A field of bytes."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message that has numbers, texts and messages only."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        size, at = read_varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at : at + size]
            at += size
        else:
            yield key >> 3, size


def answer(method: bytes, payload: bytes) -> bytes:
    """The reply's payload: which events, and that chunks are welcome; nothing else."""
    if method == b"Configure":
        return b"\x10" + varint(EVENTS)
    if method == b"Synchronize" and dict(fields(payload)).get(3):
        return b"\x10\x01"
    return b""


NO: Final = text(1, b"\x08\x09" + text(2, b"not today"))
"""A response that is a status: FAILED_PRECONDITION and why."""


class Plugin:
    """One connection."""

    def __init__(self, path: str) -> None:
        if path == "-":
            self._socket = socket.socket(fileno=int(os.environ["NRI_PLUGIN_SOCKET"]))
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(path)
        self._arrived = b""

    def register(self, index: str) -> None:
        """Say who this is."""
        who = text(1, b"idle") + text(2, index.encode())
        asked = text(1, b"nri.pkg.api.v1alpha1.Runtime") + text(2, b"RegisterPlugin") + text(3, who)
        self._send(THEIRS, 1, REQUEST, asked)

    def serve(self, refused: Collection[bytes] = ()) -> None:
        """Answer until the runtime hangs up."""
        while data := self._socket.recv(1 << 20):
            for stream, message in self._requests(data):
                said = dict(fields(message))
                method, payload = said.get(2), said.get(3, b"")
                assert isinstance(method, bytes) and isinstance(payload, bytes)
                self._send(OURS, stream, RESPONSE, NO if method in refused else text(2, answer(method, payload)))

    def _send(self, connection: int, stream: int, kind: int, data: bytes) -> None:
        message = struct.pack(">IIBB", len(data), stream, kind, 0) + data
        self._socket.sendall(struct.pack(">II", connection, len(message)) + message)

    def _requests(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The requests that are whole now. A message begins a frame of its own: what follows its frames is another."""
        self._arrived += data
        while (message := self._message()) is not None:
            connection, stream, body = message
            if connection == OURS:
                yield stream, body

    def _message(self) -> tuple[int, int, bytes] | None:
        at, body, connection, wanted = 0, b"", 0, 10
        while len(body) < wanted:
            if len(self._arrived) < at + 8:
                return None
            connection, size = struct.unpack_from(">II", self._arrived, at)
            if len(self._arrived) < at + 8 + size:
                return None
            body += self._arrived[at + 8 : at + 8 + size]
            at += 8 + size
            if len(body) >= 10:
                wanted = 10 + struct.unpack_from(">I", body)[0]
        self._arrived = self._arrived[at:]
        return connection, struct.unpack_from(">I", body, 4)[0], body[10:]


@contextmanager
def running(path: Path, *, refused: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """One as a process beside a runtime, "98-idle"; `refused` is a method to which it says no."""
    words = [sys.executable, __file__, str(path), "98", *([refused] if refused else [])]
    process = subprocess.Popen(words)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def main(path: str, index: str = "98", *refused: str) -> None:
    """Register, then serve."""
    plugin = Plugin(path)
    plugin.register(index)
    plugin.serve([method.encode() for method in refused])


if __name__ == "__main__":
    main(*sys.argv[1:])
