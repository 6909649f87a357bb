"""Who a plugin says it is, and that nobody else says the same."""

import fcntl
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

from attrs import frozen

from cpuplace import BadInput

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What every runtime takes for the name of a plugin."""
_INDEX: Final = re.compile(r"[0-9][0-9]")
_PAUSE: Final = 0.2  # seconds between two looks at the lock


class AlreadyRunning(BadInput):
    """Another plugin of this name runs on this node."""


@frozen(slots=True)
class Identity:
    """The name and index of a plugin. Runtimes ask plugins in the order of their indexes, 00 to 99.

    >>> Identity("cpuplace", "99").whole
    '99-cpuplace'
    """

    name: str = "cpuplace"
    index: str = "99"

    def __attrs_post_init__(self) -> None:
        """BadInput on what some runtime would refuse."""
        if not NAME.fullmatch(self.name):
            raise BadInput(f"{self.name!r} is no name", source="plugin name", hint="write a-z, 0-9 and - inside")
        if not _INDEX.fullmatch(self.index):
            raise BadInput(f"{self.index!r} is no index", source="plugin index", hint="write two digits, 00 to 99")

    @property
    def whole(self) -> str:
        """As runtimes write it, and as the program of a pre-installed plugin is called."""
        return f"{self.index}-{self.name}"


@frozen(slots=True)
class Preinstalled:
    """What a runtime gives a plugin that it starts itself: who it is, and a connected socket."""

    identity: Identity
    fd: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """None when nobody else started us; BadInput when the variables make no sense."""
        fd = environment.get("NRI_PLUGIN_SOCKET")
        if fd is None:
            return None
        if not fd.isdecimal():
            raise BadInput(f"{fd!r} is no number of an open file", source="NRI_PLUGIN_SOCKET")
        default = Identity()
        name = environment.get("NRI_PLUGIN_NAME", default.name)
        return cls(Identity(name, environment.get("NRI_PLUGIN_IDX", default.index)), int(fd))


@asynccontextmanager
async def only_one(
    folder: Path, identity: Identity, *, tries: int, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[None]:
    """Hold the lock of this name in `folder`, which both see, for the length of a block.

    Runtimes keep two plugins of one name, and then fail every container for which both want something. The other may be
    on its way out, so there are `tries` with a pause between; then AlreadyRunning. BadInput when the lock cannot be
    made. The kernel frees it when the process ends, however it ends.
    """
    path = folder / f"{identity.name}.lock"
    handle = _opened(path)
    try:
        left = max(1, tries)
        while not _taken(handle):
            left -= 1
            if not left:
                raise AlreadyRunning(
                    f"a plugin {identity.name!r} runs already (process {_holder(path)})",
                    source=str(path),
                    hint="stop that one, or remove the program that the runtime starts, so that only one is left",
                )
            await sleep(_PAUSE)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        # for its owner only: whoever can open it could hold it for ever
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BadInput(f"cannot be locked: {error.strerror}", source=str(path)) from None


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        return str(int(path.read_bytes()[:20]))
    except (OSError, ValueError):
        return "unknown"
