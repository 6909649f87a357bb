"""A second connection: updates where UpdateContainers is not safe (only where that was configured), and what runs.

A plugin that registers is asked what it wants changed (Synchronize), on every runtime and without the lock inversion of
UpdateContainers. So a second plugin registers for a moment, says the updates, and leaves. But each registration can
hold up the whole node while a container is being stopped (containerd#14083): rarely, then, and never by default.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

from cpuplace_nri.identity import Identity
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.link import REGISTRATION, Link
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.service import PluginService

_RARE = 1 << (nri.POST_UPDATE_CONTAINER - 1)  # an event that exists everywhere and comes seldom
_LINGER = 0.1  # seconds; a runtime that sees the end of the connection first would drop the answer


class _Courier(IdlePlugin):
    """Says its updates when asked for the last part of what exists."""

    def __init__(self, updates: Iterable[nri.ContainerUpdate]) -> None:
        super().__init__(_RARE)
        self._updates = tuple(updates)
        self.done = asyncio.Event()

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        """The updates."""
        if request.more:
            return nri.SynchronizeResponse(more=True)
        self.done.set()
        return nri.SynchronizeResponse(update=self._updates)


class _Ear(IdlePlugin):
    """Has another plugin answer what exists, once all parts of that are here: a connection can end before."""

    def __init__(self, plugin: PluginService) -> None:
        super().__init__(_RARE)
        self._plugin, self._told = plugin, nri.SynchronizeRequest()
        self.done = asyncio.Event()

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        """What the other one says."""
        self._told.MergeFrom(request)
        if request.more:
            return nri.SynchronizeResponse(more=True)
        self._told.more = False
        answer = await self._plugin.synchronize(self._told, timeout)
        self.done.set()
        return answer


async def deliver(
    sock: socket.socket,
    updates: Iterable[nri.ContainerUpdate],
    identity: Identity,
    *,
    on_error: Callable[[Exception], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    timeout: float = REGISTRATION,
) -> bool:
    """True when the runtime was told the updates over this connected socket; what it made of them the cgroups say.

    `identity` is that of the plugin, whose name gets `-sync` added. False when the runtime ended the connection or let
    `timeout` seconds pass; TtrpcError when it refused the registration.
    """
    return await _errand(sock, _Courier(updates), identity, on_error, sleep, timeout)


async def fetch(
    sock: socket.socket,
    plugin: PluginService,
    identity: Identity,
    *,
    on_error: Callable[[Exception], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    timeout: float = REGISTRATION,
) -> bool:
    """True when `plugin` was asked what is to be changed of all that runs, and its answer was given.

    For plugins that a runtime started itself and told nothing: so does containerd 1.7.24. Arguments as of `deliver`.
    """
    return await _errand(sock, _Ear(plugin), identity, on_error, sleep, timeout)


async def _errand(
    sock: socket.socket,
    errand: _Courier | _Ear,
    identity: Identity,
    on_error: Callable[[Exception], None],
    sleep: Callable[[float], Awaitable[None]],
    timeout: float,
) -> bool:
    link = await Link.over(sock, lambda: errand, on_error=on_error)
    try:
        await link.register(f"{identity.name}-sync", identity.index, timeout=timeout)
        ended = asyncio.ensure_future(link.closed.wait())
        done = asyncio.ensure_future(errand.done.wait())
        try:
            await asyncio.wait({ended, done}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            done.cancel()
        if errand.done.is_set():
            await sleep(_LINGER)
        return errand.done.is_set()
    finally:
        link.close("its errand is done")
