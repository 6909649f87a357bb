"""A lock that two commands cannot hold at once, and that goes with the process that holds it (flock)."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cpuplace import BadInput, CpuplaceError

_PAUSE: Final = 0.02  # seconds between two tries; flock itself cannot wait for a limited time


class Locked(CpuplaceError):  # noqa: N818
    """Somebody else holds the lock, and did not let go in time."""


@contextmanager
def locked(path: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock at `path`, which is made and never removed; raises Locked after `wait` seconds, saying who has it.

    The kernel frees it when the process ends, however it ends. BadInput when the file cannot be made.
    """
    handle = _taken(path, time.monotonic() + wait)
    try:
        _tell(handle, {"pid": os.getpid(), "command": " ".join(sys.argv)[:200]})
        yield
    finally:
        _tell(handle, {})
        os.close(handle)


def _taken(path: Path, until: float) -> int:
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            if time.monotonic() >= until:
                raise Locked(f"{path}: another command is at work{_holder(path)}: try again later") from None
            time.sleep(_PAUSE)
            continue
        if _is(path, handle):
            return handle
        os.close(handle)  # the folder was removed and made again meanwhile: that lock is nobody's any more


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        hint = "run as root, or say --state-dir" if isinstance(error, PermissionError) else ""
        raise BadInput(f"cannot be locked: {error.strerror}", source=str(path), hint=hint) from None


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


def _tell(handle: int, who: dict[str, object]) -> None:
    """Who holds it, for others to read; a lock works without."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        if who:
            os.pwrite(handle, json.dumps(who).encode(), 0)


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_bytes())
        return f", process {int(who['pid'])} ({str(who['command'])[:200]!r})"
    except (OSError, ValueError, TypeError, KeyError):
        return ""
