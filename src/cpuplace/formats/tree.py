"""A tree of small files as values: what the sysfs reader asks of a host, and a mapping that answers.

Paths are written without a leading slash ("sys/devices/system/cpu/online"). A live host, a folder and a
tar file are other trees of the same three questions; they live where files may be opened.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol


class Link(str):
    """The target of a symbolic link, as `readlink` gives it; a value of the mapping beside bytes and text."""

    __slots__ = ()


Files = Mapping[str, "str | bytes | Link"]
"""Path -> what the file holds, or a `Link`; a path that ends in "/" is an empty folder."""


class Tree(Protocol):
    """The three questions a reader asks; an absent path is an answer, never an error."""

    def text(self, path: str) -> str | None:
        """What the file holds, without white space and NUL at its ends; None when there is none."""

    def names(self, path: str) -> Iterable[str]:
        """The names in this directory, in any order; none when it is absent."""

    def target(self, path: str) -> str | None:
        """The path this link leads to, from the root; None when it is no link."""


def clean(raw: str | bytes) -> str:
    r"""Text without white space and NUL at its ends: kernels end some lists in a NUL byte.

    >>> clean(b"0-3\n\x00")
    '0-3'
    """
    text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    return text.strip(" \t\r\n\0")


def follow(path: str, target: str) -> str:
    """Where the link at `path` leads, worked out from the names alone; never above the root.

    >>> follow("sys/class/net/eth0", "../../devices/pci0000:00/net/eth0")
    'sys/devices/pci0000:00/net/eth0'
    """
    parts = [] if target.startswith("/") else path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class MappingTree:
    """A tree over a mapping of files already read; O(files) once, then O(1) a question."""

    def __init__(self, files: Files) -> None:
        """Index which names each directory holds."""
        self._files = files
        self._names: dict[str, set[str]] = {"": set()}
        for path in files:
            self._note(path)

    def _note(self, path: str) -> None:
        path = path.rstrip("/")
        while True:
            folder, _, name = path.rpartition("/")
            known = self._names.get(folder)
            if known is not None:
                known.add(name)
                return
            self._names[folder] = {name}
            path = folder

    def text(self, path: str) -> str | None:
        """See `Tree`."""
        raw = self._files.get(path)
        return None if raw is None or isinstance(raw, Link) else clean(raw)

    def names(self, path: str) -> Iterable[str]:
        """See `Tree`."""
        return self._names.get(path, ())

    def target(self, path: str) -> str | None:
        """See `Tree`."""
        link = self._files.get(path)
        return follow(path, link) if isinstance(link, Link) else None
