"""Errands: what one plugin has to do by a second connection, and when; `delivering` holds how."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cpuplace_nri.delivering import deliver, fetch
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import connected_socket
from cpuplace_nri.service import PluginService
from cpuplace_nri.standing import Standing

TOLD: Final = 1.0
"""Seconds that a runtime has to tell a plugin it started what runs, before that asks by another connection."""
ASKED: Final = 250
"""Tries to ask, a fiftieth of a second each: its socket is there only after it has started its plugins."""
_SOON: Final = 0.02


class Errands:
    """Second connections to the runtime whose socket is at `path`; what goes wrong with them goes to `on_error`."""

    def __init__(self, path: Path, identity: Identity, on_error: Callable[[Exception], None]) -> None:
        self._path, self._identity, self._on_error = path, identity, on_error

    async def deliver(self, updates: list[nri.ContainerUpdate]) -> bool:
        """False when nobody took the updates."""
        try:
            sock = await connected_socket(self._path)
        except OSError:
            return False
        return await deliver(sock, updates, self._identity, on_error=self._on_error)

    async def ask_what_runs(self, standing: Standing, plugin: PluginService) -> None:
        """Have `plugin` told what runs, if the runtime does not tell it by itself within a while."""
        await _introduced(standing)
        for _ in range(ASKED):
            if not standing.missing():
                return
            await self._fetched(plugin)

    async def _fetched(self, plugin: PluginService) -> None:
        try:
            sock = await connected_socket(self._path)
            await fetch(sock, plugin, self._identity, on_error=self._on_error)
        except (OSError, TtrpcError):
            await asyncio.sleep(_SOON)


async def _introduced(standing: Standing) -> None:
    """Wait until the runtime has said who it is, and has had time to tell what runs if it is one that tells."""
    while not standing.introduced or standing.link is None:
        await asyncio.sleep(_SOON)
    if standing.link.abilities.chunks:  # newer ones tell
        await asyncio.sleep(TOLD)
