"""Hotplug: CPUs that go on- or offline, and memory that comes or goes, noticed: the kernel's word, else a slow look."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

KOBJECT: Final = 15  # NETLINK_KOBJECT_UEVENT
GROUP: Final = 1
SETTLE: Final = 0.2
"""Seconds to wait after an event: CPUs often go in groups."""
SLOW: Final = 10.0
"""Seconds between two looks, in case the kernel's words do not reach us (another network namespace)."""
_ABOUT: Final = (b"SUBSYSTEM=cpu\0", b"SUBSYSTEM=memory\0", b"SUBSYSTEM=node\0")
_DATAGRAM: Final = 8192


def fingerprint(root: Path = Path("/sys/devices/system")) -> str:
    """Which CPUs and which memory are there, as text: it differs when something came or went. Three reads."""
    files = ("cpu/online", "node/online", "node/has_memory")
    return "\n".join(_text(root / name) for name in files)


class Hotplug:
    """Calls `changed` whenever the host differs from before; `look` gives the fingerprint."""

    def __init__(
        self,
        changed: Callable[[], Awaitable[None]],
        look: Callable[[], str] = fingerprint,
        *,
        slow: float = SLOW,
        settle: float = SETTLE,
    ) -> None:
        self._changed, self._look, self._slow, self._settle = changed, look, slow, settle
        self._event = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        before = self._look()
        heard = _listen()
        try:
            if heard is not None:
                asyncio.get_running_loop().add_reader(heard, self._hear, heard)
            while True:
                await self._wait()
                now = self._look()
                if now != before:
                    before = now
                    await self._changed()
        finally:
            if heard is not None:
                asyncio.get_running_loop().remove_reader(heard)
                heard.close()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._slow):
                await self._event.wait()
            await asyncio.sleep(self._settle)
        self._event.clear()

    def _hear(self, heard: socket.socket) -> None:
        with suppress(OSError):
            said = heard.recv(_DATAGRAM)
            if any(word in said for word in _ABOUT):
                self._event.set()


def _listen() -> socket.socket | None:
    """The kernel's events, None where they cannot be heard."""
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, KOBJECT)
    except OSError:
        return None
    try:
        made.bind((0, GROUP))
    except OSError:
        made.close()
        return None
    return made


def _text(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).strip()
    except OSError:
        return ""
