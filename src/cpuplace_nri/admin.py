"""Admin: a local socket for `cpuplace nri status` and its sisters: JSON lines, one request, its answers, the end.

A request is `{"cmd": "status"}`, an answer one object; streams (`events`, `record`) send objects until one side ends.
What goes wrong is an object with the key `error`. The socket is its owner's alone (0600): containers' names are no
secret to root, and nobody else needs them.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cpuplace import BadInput
from cpuplace_nri.parting import part

LONGEST: Final = 1 << 16
"""Bytes that a request may have."""
PATIENCE: Final = 5.0
"""Seconds that a client has to ask, and to take each line."""
MOST: Final = 16
"""Clients at once; more are told to come later."""

Answer = Mapping[str, Any]
Ask = Callable[[Answer], "Answer | AsyncIterator[Answer]"]
"""What answers a request: one object, or a stream of them; raises BadInput for what cannot be answered."""


class Admin:
    """The listening side."""

    def __init__(self, answer: Ask) -> None:
        self._answer = answer
        self._open = 0

    async def serve(self, path: str | Path) -> asyncio.Server:
        """Listen at this path from now on, for the owner only; a socket that was left there is replaced.

        Raises BadInput when it cannot be made. One plugin holds the lock, so nobody else listens there.
        """
        return await asyncio.start_unix_server(self._client, sock=_bound(Path(path)), limit=LONGEST)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > MOST:
                await _send(writer, {"error": f"{MOST} clients are connected already"})
            else:
                await self._talk(reader, writer)
        except (TimeoutError, OSError, EOFError, asyncio.CancelledError):
            pass  # gone, too slow, or the plugin ends (asyncio 3.11 reports a cancelled client as a bug)
        finally:
            self._open -= 1
            await part(writer, PATIENCE)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                request = _request(await reader.readline())
            answer = self._answer(request)
        except (BadInput, ValueError) as bad:  # a ValueError: a line that is too long
            await _send(writer, {"error": str(bad)})
            return
        if isinstance(answer, Mapping):
            await _send(writer, answer)
            return
        await _until_gone(reader, _stream(writer, answer))


async def _stream(writer: asyncio.StreamWriter, answers: AsyncIterator[Answer]) -> None:
    async for one in answers:
        await _send(writer, one)


async def _until_gone(reader: asyncio.StreamReader, stream: Awaitable[None]) -> None:
    """The stream, or its end when the client closes its side: it has nothing more to say."""
    sending = asyncio.ensure_future(stream)
    gone = asyncio.ensure_future(reader.read())
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (sending, gone):
            task.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


def _request(line: bytes) -> Answer:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("a request is one line of JSON", source="admin socket", hint='{"cmd": "status"}') from None
    if not isinstance(request, dict) or not isinstance(request.get("cmd"), str):
        raise BadInput("a request names what it wants", source="admin socket", hint='{"cmd": "status"}')
    return request


def _bound(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
        with _owner_only():
            made.bind(str(path))
    except OSError as error:
        made.close()
        problem = f"the admin socket cannot be made: {error.strerror or error}"
        raise BadInput(problem, source=str(path), hint="another admin_socket, or none") from None
    return made


@contextmanager
def _owner_only() -> Iterator[None]:
    """What is made meanwhile is for its owner only, from its first moment."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
