"""The runtime's side of the wire, written from how Go reads and writes, so that it can disagree with ours.

A frame that Go's reader could not take (longer than the buffer it reads into) ends the connection here as it does
there.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from attrs import define, field
from google.protobuf.message import Message

from cpuplace_nri.proto import ttrpc_pb2
from cpuplace_nri.ttrpc import Code, TtrpcError

BUFFER = 4096  # of Go's bufio.Reader, through which ttrpc reads
LIMIT = 4 * 2**20
SERVICE = "nri.pkg.api.v1alpha1.Plugin"


class GoneError(Exception):
    """The connection is over."""


class NoAnswerError(Exception):
    """The plugin did not answer in time."""


@define
class GoReader:
    """io.ReadFull over bufio.Reader over a connection of the mux: frames in, exactly n bytes out."""

    frames: "asyncio.Queue[bytes | None]" = field(factory=asyncio.Queue)
    _held: bytes = b""

    async def read_full(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            got += await self._read(size - len(got))
        return got

    async def _read(self, size: int) -> bytes:
        if not self._held:
            frame = await self.frames.get()
            if frame is None:
                raise GoneError("closed by the plugin")
            room = size if size >= BUFFER else BUFFER  # long reads go past the buffer
            if len(frame) > room:
                raise GoneError(f"ENOMEM: a frame of {len(frame)} bytes into {room}")
            if size >= BUFFER:
                return frame
            self._held = frame
        got, self._held = self._held[:size], self._held[size:]
        return got


class GoWire:
    """One connection: calls the plugin on 1, is called by it on 2."""

    def __init__(self, sock: socket.socket, *, frame_size: int = 0, cut: int = 0) -> None:
        """`frame_size`: longest frame sent, 0 = as Go does; `cut`: bytes of one write, 0 = all at once."""
        self._sock, self._frame_size, self._cut = sock, frame_size, cut
        self._readers = {1: GoReader(), 2: GoReader()}
        self._waiting: dict[int, asyncio.Future[ttrpc_pb2.Response]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._next = 1
        self._writing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.gone = asyncio.Event()
        self.why = ""
        self.sent: list[bytes] = []  # what crossed the socket, for recordings
        self.received: list[bytes] = []

    async def start(self, serve: Callable[[str, str, bytes], Awaitable[Message]]) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        parts = (self._demultiplex, self._take_answers, lambda: self._take_calls(serve))
        self._tasks = [asyncio.create_task(self._guarded(part)) for part in parts]

    def close(self, why: str) -> None:
        """Hang up, as the runtime does when it is displeased: without a word."""
        if self.gone.is_set():
            return
        self.why = why
        self.gone.set()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._writer is None:
            self._sock.close()
        else:
            self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(GoneError(why))
                answer.exception()  # whoever waited may be gone too
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def call(self, method: str, request: Message, timeout: float, *, service: str = SERVICE) -> bytes:
        """TtrpcError, NoAnswerError or GoneError when there is no answer."""
        if self.gone.is_set():
            raise GoneError(self.why)
        stream, self._next = self._next, self._next + 2
        call = ttrpc_pb2.Request(
            service=service,
            method=method,
            payload=request.SerializeToString(),
            timeout_nano=int(timeout * 1e9),
            metadata=[ttrpc_pb2.KeyValue(key="traceparent", value="00-0-0-00")],
        )
        answer: asyncio.Future[ttrpc_pb2.Response] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = answer
        await self.send(1, stream, 1, call.SerializeToString())
        try:
            async with asyncio.timeout(timeout):  # wait_for of Python 3.11 can swallow that it is cancelled
                response = await answer
        except TimeoutError:
            raise NoAnswerError(f"{method}: context deadline exceeded") from None
        finally:
            del self._waiting[stream]
        if response.status.code:
            raise TtrpcError(response.status.code, response.status.message)
        return response.payload

    async def send(self, connection: int, stream: int, kind: int, data: bytes, flags: int = 0) -> None:
        """One message of ttrpc."""
        message = struct.pack(">IIBB", len(data), stream, kind, flags) + data
        if self._frame_size:
            size = self._frame_size
            frames = [message[at : at + size] for at in range(0, len(message), size)]
        else:
            frames = [message[:BUFFER], message[BUFFER:]] if len(message) > BUFFER else [message]
        await self.write(b"".join(struct.pack(">II", connection, len(frame)) + frame for frame in frames))

    async def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self.sent.append(data)
        assert self._writer is not None
        async with self._writing:
            size = self._cut or len(data)
            with suppress(ConnectionError):
                for at in range(0, len(data), size):
                    self._writer.write(data[at : at + size])
                    await self._writer.drain()
                    if self._cut:
                        await asyncio.sleep(0)

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except (GoneError, OSError, asyncio.IncompleteReadError) as error:
            self.close(str(error))

    async def _demultiplex(self) -> None:
        try:
            while True:
                header = await self._reader.readexactly(8)
                connection, size = struct.unpack(">II", header)
                payload = await self._reader.readexactly(size)
                self.received.append(header + payload)
                if connection in self._readers:
                    self._readers[connection].frames.put_nowait(payload)
        finally:
            for reader in self._readers.values():
                reader.frames.put_nowait(None)

    async def _message(self, connection: int) -> tuple[int, int, bytes]:
        reader = self._readers[connection]
        size, stream, kind, _ = struct.unpack(">IIBB", await reader.read_full(10))
        if size > LIMIT:
            raise GoneError(f"a message of {size} bytes is longer than {LIMIT}")
        return stream, kind, await reader.read_full(size)

    async def _take_answers(self) -> None:
        while True:
            stream, kind, data = await self._message(1)
            if kind != 2 or stream % 2 == 0 or stream >= self._next:
                raise GoneError(f"a message of type {kind} on stream {stream} answers nothing")
            answer = self._waiting.get(stream)
            if answer is not None and not answer.done():
                answer.set_result(ttrpc_pb2.Response.FromString(data))

    async def _take_calls(self, serve: Callable[[str, str, bytes], Awaitable[Message]]) -> None:
        last, running = 0, set()
        while True:
            stream, kind, data = await self._message(2)
            if kind != 1 or stream % 2 == 0 or stream <= last:
                raise GoneError(f"a message of type {kind} on stream {stream} after {last}")
            last = stream
            task = asyncio.create_task(self._serve(stream, ttrpc_pb2.Request.FromString(data), serve))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _serve(
        self, stream: int, call: ttrpc_pb2.Request, serve: Callable[[str, str, bytes], Awaitable[Message]]
    ) -> None:
        try:
            payload = (await serve(call.service, call.method, call.payload)).SerializeToString()
            response = ttrpc_pb2.Response(status=ttrpc_pb2.Status(), payload=payload)
        except TtrpcError as error:
            response = ttrpc_pb2.Response(status=ttrpc_pb2.Status(code=error.code, message=error.message))
        if not self.gone.is_set():
            await self.send(2, stream, 2, response.SerializeToString())


def unimplemented(what: str) -> TtrpcError:
    return TtrpcError(Code.UNIMPLEMENTED, f"rpc error: {what}: not implemented")
