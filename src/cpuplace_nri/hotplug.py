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
    """Which CPUs and how much memory are there, as text: it differs when something came or went. A few reads."""
    files = ("cpu/online", "node/online", "node/has_memory")
    sizes = (_memory(file) for file in sorted(root.glob("node/node[0-9]*/meminfo")))
    return "\n".join((*(_text(root / name) for name in files), *sizes))


class Hotplug:
    """Calls `changed` whenever `look`, the fingerprint, differs from `before`, and again until it says that it is done.

    `before` is of a moment before the host was read, so that nothing falls between. Errors go to `on_error`, and end
    nothing.
    """

    def __init__(
        self,
        changed: Callable[[], Awaitable[bool]],
        look: Callable[[], str],
        *,
        before: str,
        on_error: Callable[[Exception], None],
        slow: float = SLOW,
        settle: float = SETTLE,
    ) -> None:
        self._changed, self._look, self._before, self._on_error = changed, look, before, on_error
        self._slow, self._settle = slow, settle
        self._event = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        heard = _listen()
        try:
            if heard is not None:
                asyncio.get_running_loop().add_reader(heard, self._hear, heard)
            while True:
                await self._wait()
                await self._compare()
        finally:
            if heard is not None:
                asyncio.get_running_loop().remove_reader(heard)
                heard.close()

    async def _compare(self) -> None:
        try:
            now = self._look()
            if now != self._before and await self._changed():
                self._before = now
        except Exception as error:
            self._on_error(error)

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


def _memory(file: Path) -> str:
    """The line that says how much there is; the others say how much of it is used."""
    return _text(file).partition("\n")[0]
