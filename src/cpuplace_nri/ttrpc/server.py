"""The answering side over asyncio: a handler per method, a task per call."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.ttrpc.connection import Rejected, Requested, ServerConnection
from cpuplace_nri.ttrpc.status import Code

Handler = Callable[[bytes, float | None], Awaitable[bytes]]  # payload and time-out in seconds -> payload of the answer
Services = Mapping[str, Mapping[str, Handler]]  # by the name of the service, then of the method


class Server:
    """Answers over any byte stream: `write` takes the bytes of one message; who reads calls `receive` and, once, `end`.

    A handler refuses with TtrpcError. Any other exception is a bug: the caller gets INTERNAL, `on_error` the exception,
    and the connection goes on. Calls begin in the order in which they came; a handler that never awaits is done before
    the next one begins.
    """

    def __init__(
        self, services: Services, write: Callable[[bytes], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._services = services
        self._write = write
        self._on_error = on_error
        self._connection = ServerConnection()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    def receive(self, data: bytes) -> None:
        """Bytes have come; ProtocolError when they are no calls: end the connection then."""
        for event in self._connection.receive(data):
            if isinstance(event, Rejected):
                self._on_error(event.error)
                self._write(event.answer)
            else:
                task = asyncio.get_running_loop().create_task(self._serve(event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def end(self, reason: str = "") -> None:
        """The stream has ended: nobody waits for answers, so those who work on one are told to stop."""
        self._ended = True
        for task in self._tasks:
            task.cancel()

    def is_answering(self) -> bool:
        """The task that asks is one that works on an answer."""
        return asyncio.current_task() in self._tasks

    async def _serve(self, call: Requested) -> None:
        answer = await self._answer(call)
        if not self._ended:
            self._write(answer)

    async def _answer(self, call: Requested) -> bytes:
        try:
            payload = await self._handler(call)(call.payload, call.timeout)
            return self._connection.answer(call.stream_id, payload)
        except TtrpcError as error:
            return self._connection.refuse(call.stream_id, error)
        except Exception as error:
            self._on_error(error)
            sentence = f"{call.method} failed inside the server: {type(error).__name__}: {error}"
            return self._connection.refuse(call.stream_id, TtrpcError(Code.INTERNAL, sentence))

    def _handler(self, call: Requested) -> Handler:
        methods = self._services.get(call.service)
        if methods is None:
            raise TtrpcError(Code.UNIMPLEMENTED, f"service {call.service!r} is not served")
        handler = methods.get(call.method)
        if handler is None:
            raise TtrpcError(Code.UNIMPLEMENTED, f"method {call.method!r} of {call.service} is not served")
        return handler
