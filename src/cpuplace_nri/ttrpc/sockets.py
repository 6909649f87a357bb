"""ttrpc on a plain unix socket, for those who need no multiplexer: a client, and a server for many of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, cast

from cpuplace_nri.errors import ProtocolError
from cpuplace_nri.ttrpc.client import Client
from cpuplace_nri.ttrpc.server import Server, Services


class _End(Protocol):
    """What is at one end of a socket."""

    def receive(self, data: bytes) -> None: ...

    def end(self, reason: str) -> None: ...


class _Pump(asyncio.Protocol):
    """Carries bytes from a socket to one end; closes when they are no ttrpc."""

    def __init__(self, make: Callable[[Callable[[bytes], None]], _End], on_error: Callable[[Exception], None]) -> None:
        self._make, self._on_error = make, on_error
        self._transport: asyncio.Transport | None = None
        self._end: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._end = self._make(self._transport.write)

    def data_received(self, data: bytes) -> None:
        assert self._end is not None and self._transport is not None
        try:
            self._end.receive(data)
        except ProtocolError as error:
            self._on_error(error)
            self._end.end(str(error))
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.end("the other side closed the connection" if exc is None else f"the connection broke: {exc}")


@asynccontextmanager
async def connected(
    path: str | Path, *, on_error: Callable[[Exception], None] = lambda error: None
) -> AsyncIterator[Client]:
    """A client of the server at this path, for the length of a block; OSError when nobody is there.

    When the server sends what is no ttrpc, calls end with UNAVAILABLE, and `on_error` hears of it too.
    """
    made: list[Client] = []

    def make(write: Callable[[bytes], None]) -> _End:
        made.append(Client(write))
        return made[0]

    transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: _Pump(make, on_error), str(path))
    try:
        yield made[0]
    finally:
        transport.close()


@asynccontextmanager
async def serving(
    path: str | Path, services: Services, *, on_error: Callable[[Exception], None]
) -> AsyncIterator[asyncio.Server]:
    """A server at this path, for the length of a block; `on_error` hears of bugs in handlers and of broken clients."""
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: _Pump(lambda write: Server(services, write, on_error), on_error), str(path)
    )
    try:
        yield server
    finally:
        server.close()
