"""Health: `/healthz`, `/readyz` and `/metrics` over HTTP, one short answer a connection.

`/healthz`: the event loop runs. `/readyz`: a runtime is connected and has told all containers, else 503 and why not.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from cpuplace_nri.metrics import CONTENT_TYPE, Metrics
from cpuplace_nri.parting import part

PATIENCE: Final = 5.0
"""Seconds that a client has to ask and to read."""
MOST: Final = 32
"""Connections at once; more are closed unheard."""
_LONGEST: Final = 8192
_PLAIN: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """Status, content type and body."""

    status: str
    kind: str
    body: bytes


def plain(status: str, text: str = "") -> Answer:
    """A sentence, or the status itself."""
    return Answer(status, _PLAIN, f"{text or status}\n".encode())


class Health:
    """Answers health checks; `missing` says why the plugin is not ready, "" when it is."""

    def __init__(self, missing: Callable[[], str], metrics: Metrics) -> None:
        self._missing = missing
        self._metrics = metrics
        self._open = 0

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen from now on; raises OSError when the address cannot be had."""
        return await asyncio.start_server(self._client, host, port, limit=_LONGEST)

    def answer(self, request: bytes) -> Answer:
        """The answer to the first line of a request.

        >>> from cpuplace_nri.tally import Tally
        >>> Health(lambda: "no runtime", Metrics(Tally(), lambda: None, lambda: False)).answer(b"GET /readyz HTTP/1.1")
        Answer(status='503 Service Unavailable', kind='text/plain; charset=utf-8', body=b'no runtime\\n')
        """
        words = request.split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return plain("400 Bad Request")
        if words[0] not in (b"GET", b"HEAD"):
            return plain("405 Method Not Allowed")
        path = words[1].partition(b"?")[0]
        if path == b"/healthz":
            return plain("200 OK", "ok")
        if path == b"/readyz":
            missing = self._missing()
            return plain("503 Service Unavailable", missing) if missing else plain("200 OK", "ok")
        if path == b"/metrics":
            return Answer("200 OK", CONTENT_TYPE, self._metrics.text())
        return plain("404 Not Found", "there are /healthz, /readyz and /metrics")

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST:
                async with asyncio.timeout(PATIENCE):
                    await self._talk(reader, writer)
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # gone, slow, not speaking HTTP, or the plugin ends (asyncio 3.11 reports a cancelled client as a bug)
        finally:
            self._open -= 1
            await part(writer, PATIENCE)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request = head.split(b"\r\n", 1)[0]
        answer = self.answer(request)
        lines = (
            f"HTTP/1.1 {answer.status}",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {len(answer.body)}",
            "Connection: close",
        )
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        if not request.startswith(b"HEAD "):
            writer.write(answer.body)
        await writer.drain()
