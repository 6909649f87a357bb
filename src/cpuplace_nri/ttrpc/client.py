"""The calling side over asyncio: one call, one await."""

import asyncio
from collections.abc import Callable, Iterable

from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.ttrpc.connection import Answered, ClientConnection
from cpuplace_nri.ttrpc.status import Code


class Client:
    """Calls over any byte stream: `write` takes the bytes of one message; who reads calls `receive` and, once,
    `end`."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._connection = ClientConnection()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._ended: TtrpcError | None = None

    async def call(
        self,
        service: str,
        method: str,
        payload: bytes,
        *,
        timeout: float | None = None,
        metadata: Iterable[tuple[str, str]] = (),
    ) -> bytes:
        """The payload of the answer; any number of calls may wait at once.

        `timeout` in seconds is told to the server and kept here. TtrpcError with the server's code and sentence, with
        DEADLINE_EXCEEDED when no answer comes in time, UNAVAILABLE when the connection ends, RESOURCE_EXHAUSTED when
        the request is longer than 4 MiB.
        """
        if self._ended is not None:
            raise TtrpcError(self._ended.code, self._ended.message)
        stream_id, data = self._connection.call(service, method, payload, timeout=timeout, metadata=metadata)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[stream_id] = answer
        try:
            self._write(data)
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            sentence = f"{service}/{method}: no answer within {timeout:g} s"
            raise TtrpcError(Code.DEADLINE_EXCEEDED, sentence) from None
        finally:
            self._waiting.pop(stream_id, None)
            self._connection.forget(stream_id)

    def receive(self, data: bytes) -> None:
        """Bytes have come; ProtocolError when they are no answers to what was asked: end the connection then."""
        for event in self._connection.receive(data):
            answer = self._waiting.get(event.stream_id)
            if answer is None or answer.done():
                continue
            if isinstance(event, Answered):
                answer.set_result(event.payload)
            else:
                answer.set_exception(event.error)

    def end(self, reason: str) -> None:
        """The stream has ended: whoever waits, or calls later, gets UNAVAILABLE with this reason."""
        if self._ended is None:
            self._ended = TtrpcError(Code.UNAVAILABLE, reason)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(TtrpcError(self._ended.code, self._ended.message))
