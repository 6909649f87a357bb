"""Keeps a plugin connected: registers it, and does so again whenever the runtime is back."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from attrs import field, frozen

from cpuplace import BadInput
from cpuplace_nri.backoff import Backoff
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.identity import Identity
from cpuplace_nri.link import REGISTRATION, Link
from cpuplace_nri.service import PluginService

_CONNECTING: Final = 5.0  # seconds; a connection is a local matter, but the queue can be full
_FULL: Final = 0.05  # seconds until the next look at it
_SETTLED: Final = 60.0  # seconds after which a connection that ends was a good one


@frozen(slots=True, kw_only=True)
class Surroundings:
    """What the world gives, so that tests can give something else."""

    clock: Callable[[], float]  # seconds that only increase
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]  # from 0 to below 1
    on_error: Callable[[Exception], None]
    on_link: Callable[[Link], None] = field(default=lambda link: None)  # a link was registered


class Runner:
    """One plugin, one runtime, as many connections as it takes; cancel `run` to end it.

    Nobody there costs the runtime nothing, so it is looked for every second at least. Being thrown out is another
    matter: each registration can hold up the whole node while a container stops (containerd#14083), so the waits grow
    to half a minute.
    """

    def __init__(
        self,
        plugin: Callable[[], PluginService],
        identity: Identity,
        surroundings: Surroundings,
        *,
        registration: float = REGISTRATION,
    ) -> None:
        self.link: Link | None = None
        self.connections = 0  # that were registered
        self._make, self._identity, self._registration = plugin, identity, registration
        self._plugin: PluginService | None = None
        self._around = surroundings
        self._absent = Backoff(first=0.05, most=1.0, chance=surroundings.chance)
        self._thrown_out = Backoff(first=0.25, most=30.0, chance=surroundings.chance)

    async def run(self, path: Path) -> None:
        """Stay connected to the runtime whose socket is at `path`, for ever."""
        while True:
            try:
                sock = await connected_socket(path)
            except OSError:
                await self._around.sleep(self._absent.next())
                continue
            self._absent.reset()
            began = self._around.clock()
            await self.run_once(sock)
            if self._around.clock() - began >= _SETTLED:
                self._thrown_out.reset()
            await self._around.sleep(self._thrown_out.next())

    async def run_once(self, sock: socket.socket) -> None:
        """One connection over a socket that is connected, until it ends; a refusal goes to `on_error`."""
        link = await Link.over(sock, self._loaded, on_error=self._around.on_error)
        self.link = link
        try:
            await link.register(self._identity.name, self._identity.index, timeout=self._registration)
            self.connections += 1
            self._around.on_link(link)
            await link.closed.wait()
        except TtrpcError as error:
            self._around.on_error(error)
        finally:
            link.close()

    def _loaded(self) -> PluginService:
        if self._plugin is None:
            self._plugin = self._make()
        return self._plugin


async def connected_socket(path: Path) -> socket.socket:
    """A socket connected to `path`; OSError when nobody is there, or nobody accepts for some seconds."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(_CONNECTING):
            while not _connect(sock, path):
                await asyncio.sleep(_FULL)
    except TimeoutError:
        sock.close()
        raise OSError(f"{path}: nobody accepts") from None
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, path: Path) -> bool:
    """False while the queue of those who wait is full. (`loop.sock_connect` takes that for success.)"""
    try:
        sock.connect(str(path))
    except BlockingIOError:
        return False
    return True


def inherited_socket(fd: int) -> socket.socket:
    """The connected socket that a runtime left open for a plugin it started; BadInput when it is none."""
    try:
        sock = socket.socket(fileno=fd)
        sock.getpeername()
    except OSError as error:
        raise BadInput(f"file {fd} is no connected socket: {error.strerror}", source="NRI_PLUGIN_SOCKET") from None
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock
