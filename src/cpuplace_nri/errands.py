"""Errands: what one plugin has to do by a second connection, and when; `delivering` holds how."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cpuplace_nri.backoff import Backoff
from cpuplace_nri.delivering import deliver, fetch
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import connected_socket
from cpuplace_nri.service import PluginService
from cpuplace_nri.standing import Standing

TOLD: Final = 1.0
"""Seconds that a runtime has to tell a plugin it started what runs, before that asks by another connection."""
ASKED: Final = 5.0
"""Seconds of asking in vain until it may be that there is nothing to know: the runtime's socket is there only after it
has started its plugins."""
_SOON: Final = 0.02


class Errands:
    """Second connections to the runtime whose socket is at `path`; what goes wrong with them goes to `on_error`."""

    def __init__(self, path: Path, identity: Identity, on_error: Callable[[Exception], None]) -> None:
        self._path, self._identity, self._on_error = path, identity, on_error
        self._absent = Backoff(first=0.05, most=1.0, chance=random.random)
        self._thrown_out = Backoff(first=0.25, most=30.0, chance=random.random)

    async def deliver(self, updates: list[nri.ContainerUpdate]) -> bool:
        """False when nobody took the updates."""
        try:
            sock = await connected_socket(self._path)
        except OSError:
            return False
        return await deliver(sock, updates, self._identity, on_error=self._on_error)

    async def ask_what_runs(self, standing: Standing, plugin: PluginService, untold: Callable[[], None]) -> None:
        """Have `plugin` told what runs, if the runtime does not tell it by itself within a while.

        It is asked until that is known; `untold` is called after each try that took too long to go on without a word.
        """
        await _introduced(standing)
        patient = time.monotonic() + ASKED
        while standing.missing():
            waits = await self._fetched(plugin)
            if standing.missing() and time.monotonic() >= patient:
                untold()
            await asyncio.sleep(waits.next())

    async def _fetched(self, plugin: PluginService) -> Backoff:
        """Ask once; how long to wait then. Nobody there costs the runtime nothing, a registration can hold it up."""
        try:
            sock = await connected_socket(self._path)
        except OSError:
            return self._absent
        with suppress(OSError, TtrpcError):
            await fetch(sock, plugin, self._identity, on_error=self._on_error)
        return self._thrown_out


async def _introduced(standing: Standing) -> None:
    """Wait until the runtime has said who it is, and has had time to tell what runs if it is one that tells."""
    while not standing.introduced or standing.link is None:
        await asyncio.sleep(_SOON)
    if standing.link.abilities.chunks:  # newer ones tell
        await asyncio.sleep(TOLD)
