"""One connection to a runtime: registers a plugin, serves it, and asks the runtime on its behalf, until the end."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, cast

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from cpuplace import BadInput
from cpuplace_nri.abilities import Abilities
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.mux import PLUGIN, RUNTIME, Mux, framed
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.service import PluginService
from cpuplace_nri.ttrpc import Client, Code, Handler, Server

SPOKEN: Final = "0.12.2"  # the version of NRI whose messages we have
# The runtime takes one plugin after the other and gives each 5 s, so that one that connects and says nothing holds up
# all.
REGISTRATION: Final = 20.0  # seconds

_PLUGIN: Final = nri.DESCRIPTOR.services_by_name["Plugin"]
_RUNTIME: Final = nri.DESCRIPTOR.services_by_name["Runtime"].full_name

_Call = Callable[[Message, float | None], Awaitable[Message]]


class Link(asyncio.Protocol):
    """A connection for as long as it lasts; `closed` is set when it is over, `reason` says why.

    `plugin` is called once, when the registration is on its way: what takes long to load can be loaded there. The
    runtime may ask before it has answered the registration, and is served then. Bugs of the plugin and the runtime's
    breaches of protocol go to `on_error`; only the latter end the connection.
    """

    def __init__(self, plugin: Callable[[], PluginService], *, on_error: Callable[[Exception], None]) -> None:
        self.closed = asyncio.Event()
        self.reason = ""
        self.abilities = Abilities.of("", "", "")  # until Configure says more
        self._plugin, self._on_error = plugin, on_error
        self._transport: asyncio.Transport | None = None
        self._mux = Mux()
        self._client = Client(lambda message: self._write(RUNTIME, message))
        self._made: Server | None = None

    @classmethod
    async def over(
        cls, sock: socket.socket, plugin: Callable[[], PluginService], *, on_error: Callable[[Exception], None]
    ) -> "Link":
        """A link over a connected stream socket, which it owns from now on. `register` is next."""
        link = cls(plugin, on_error=on_error)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)
        return link

    async def register(self, name: str, index: str, *, timeout: float = REGISTRATION) -> None:
        """Make the plugin known; it is served from the first moment, and gets events once it is synchronized.

        TtrpcError when the runtime refuses, does not answer within `timeout` seconds, or hangs up: the link is closed
        then.
        """
        request = nri.RegisterPluginRequest(plugin_name=name, plugin_idx=index, NRI_version=SPOKEN)
        asked = asyncio.ensure_future(self._ask("RegisterPlugin", request, timeout))
        try:
            await asyncio.sleep(0)  # the request is on its way before anything is loaded
            self._server()
            await asked
        except BaseException as error:
            asked.cancel()
            self.close(f"not registered: {error}")
            raise

    async def update_containers(
        self, updates: Iterable[nri.ContainerUpdate], *, timeout: float | None = 10
    ) -> tuple[nri.ContainerUpdate, ...]:
        """Those that failed, as far as the runtime tells: it may say nothing, so look at the cgroup.

        TtrpcError when the runtime refuses or the link ends meanwhile, and FAILED_PRECONDITION where the call would do
        harm: on a runtime that it can block for good (NRI before 0.12.1), and inside a handler, for whose answer the
        runtime waits with its lock held.
        """
        if not self.abilities.unsolicited:
            what = "UpdateContainers can block a runtime with NRI before 0.12.1: send updates with a reply"
            raise TtrpcError(Code.FAILED_PRECONDITION, what)
        if self._server().is_answering():
            raise TtrpcError(Code.FAILED_PRECONDITION, "a handler cannot call the runtime: send updates with the reply")
        answer = await self._ask("UpdateContainers", nri.UpdateContainersRequest(update=updates), timeout)
        try:
            return tuple(nri.UpdateContainersResponse.FromString(answer).failed)
        except DecodeError as error:
            raise TtrpcError(Code.INTERNAL, f"the answer of UpdateContainers cannot be decoded: {error}") from None

    def close(self, reason: str = "closed by us") -> None:
        """Hang up at once; any number of times."""
        if self._transport is None or self._transport.is_closing():
            return
        self.reason = self.reason or reason
        sock = self._transport.get_extra_info("socket")
        with suppress(OSError):
            # closing alone leaves the connection open while anybody else holds the socket, a forked child say
            sock.shutdown(socket.SHUT_RDWR)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes for any of the two connections in it; those for others are skipped, as runtimes do."""
        try:
            for connection, piece in self._mux.receive(data):
                if connection == PLUGIN:
                    self._server().receive(piece)
                elif connection == RUNTIME:
                    self._client.receive(piece)
        except Exception as error:  # a breach of protocol, or a plugin that cannot be made
            self._on_error(error)
            self.close(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self.reason = self.reason or ("the runtime closed the connection" if exc is None else f"it broke: {exc}")
        self._client.end(self.reason)
        if self._made is not None:
            self._made.end()
        self.closed.set()

    def _write(self, connection: int, message: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed(connection, message))

    async def _ask(self, method: str, request: Message, timeout: float | None) -> bytes:
        return await self._client.call(_RUNTIME, method, request.SerializeToString(), timeout=timeout)

    def _server(self) -> Server:
        if self._made is None:
            plugin = self._plugin()
            plugin.linked(self)
            services = {_PLUGIN.full_name: {name: self._knowing(name, call) for name, call in calls_of(plugin).items()}}
            self._made = Server(services, lambda message: self._write(PLUGIN, message), self._on_error)
        return self._made

    def _knowing(self, name: str, call: Handler) -> Handler:
        """Configure also tells the link what the runtime can do, before the plugin hears of it."""
        if name != "Configure":
            return call

        async def configure(payload: bytes, timeout: float | None) -> bytes:
            with suppress(DecodeError):
                self.abilities = Abilities.of_request(nri.ConfigureRequest.FromString(payload))
            return await call(payload, timeout)

        return configure


def snake_case(name: str) -> str:
    """The name of an RPC as a method is named here.

    >>> snake_case("RunPodSandbox")
    'run_pod_sandbox'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_METHODS: Final = tuple(
    (method.name, snake_case(method.name), GetMessageClass(method.input_type)) for method in _PLUGIN.methods
)


def calls_of(plugin: PluginService) -> dict[str, Handler]:
    """The RPCs of a plugin by their names on the wire, bytes in, bytes out."""
    return {name: _handler(cast(_Call, getattr(plugin, ours)), request_type) for name, ours, request_type in _METHODS}


def _handler(call: _Call, request_type: type[Message]) -> Handler:
    async def handle(payload: bytes, timeout: float | None) -> bytes:
        try:
            request = request_type.FromString(payload)
        except DecodeError as error:
            sentence = f"{request_type.DESCRIPTOR.name} cannot be decoded: {error}"
            raise TtrpcError(Code.INVALID_ARGUMENT, sentence) from None
        try:
            return (await call(request, timeout)).SerializeToString()
        except BadInput as error:  # a message that can be decoded and still cannot be, a container without an id say
            raise TtrpcError(Code.INVALID_ARGUMENT, str(error)) from None

    return handle
