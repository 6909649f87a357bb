"""A sysfs tree in a folder, or the live one: opens only what is asked, follows nothing out of the folder."""

import os
import stat
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from cpuplace import BadInput
from cpuplace.formats.sysfs import wanted
from cpuplace.formats.tree import clean, follow

MAX_FILE: Final = 1 << 20
"""Bytes of the largest file read: the longest real one (distances of 1024 nodes) has 4 KiB."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No links (a capture could point at any file), no waiting (it could hold a pipe)."""


class FolderTree:
    """A `Tree` over a folder that holds `sys/` or is a sys tree itself; files that cannot be read are absent."""

    def __init__(self, root: Path) -> None:
        """Find out which of the two it is; BadInput when it is neither."""
        self._root = os.path.realpath(root)
        self._cut = 0
        if not (root / "sys").is_dir():
            self._cut = len("sys/")
            if not (root / "devices/system/cpu").is_dir():
                raise BadInput(
                    "no sysfs tree here", source=str(root), hint="a folder that holds sys/devices/system/cpu"
                )
        self._inside = lru_cache(maxsize=None)(self._is_inside)

    def text(self, path: str) -> str | None:
        """See `Tree`; raises BadInput for a file above 1 MiB."""
        folder, _, name = path.rpartition("/")
        place = self._place(folder) if wanted(path) else None
        if place is None:
            return None
        try:
            handle = os.open(f"{place}/{name}", _FLAGS)
        except (OSError, ValueError):  # ValueError: a NUL in a name
            return None
        try:
            return _content(handle, path)
        finally:
            os.close(handle)

    def names(self, path: str) -> Iterable[str]:
        """See `Tree`."""
        place = self._place(path)
        try:
            return os.listdir(place) if place else ()  # noqa: PTH208 - thousands of names, no Paths needed
        except (OSError, ValueError):
            return ()

    def target(self, path: str) -> str | None:
        """See `Tree`."""
        folder, _, name = path.rpartition("/")
        place = self._place(folder) if wanted(path) else None
        try:
            return follow(path, os.readlink(f"{place}/{name}")) if place else None  # noqa: PTH115 - as above
        except (OSError, ValueError):
            return None

    def _place(self, folder: str) -> str | None:
        """Where this folder is on disk; None when links lead out of the root."""
        place = f"{self._root}/{folder[self._cut :]}"
        return place if self._inside(place) else None

    def _is_inside(self, place: str) -> bool:
        try:
            real = os.path.realpath(place)
        except ValueError:
            return False
        return os.path.commonpath((real, self._root)) == self._root


def _content(handle: int, path: str) -> str | None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        return None
    parts: list[bytes] = []
    left = MAX_FILE + 1
    while left > 0:
        try:
            part = os.read(handle, min(left, 1 << 16))
        except OSError:  # sysfs answers some reads with an error: the field is not there
            return None
        if not part:
            return clean(b"".join(parts))
        parts.append(part)
        left -= len(part)
    raise BadInput(f"the file is larger than {MAX_FILE} bytes", source=path)
