"""One field of a sysfs tree at a time: numbers and CPU sets, with the file's path in every error."""

import re
from collections.abc import Iterable
from typing import Final

from cpuplace.cpulist import MAX_ID, parse_list, parse_mask
from cpuplace.errors import BadInput
from cpuplace.formats.tree import Tree

CPU: Final = "sys/devices/system/cpu"
NODE: Final = "sys/devices/system/node"

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_KIB: Final = re.compile(r"MemTotal:\s*([0-9]{1,15}) kB", re.ASCII)


class Fields:
    """Reads fields of one tree; equal texts are parsed once (siblings repeat the same lists)."""

    def __init__(self, tree: Tree) -> None:
        """Start with nothing remembered."""
        self.tree = tree
        self._known: dict[tuple[bool, str], int] = {}

    def number(self, path: str) -> int | None:
        """The number in this file; None when it is absent or empty."""
        text = self.tree.text(path)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise BadInput(f"expected a number, found {text[:20]!r}", source=path)
        return int(text)

    def list_of(self, path: str) -> int | None:
        """The set a list file names; None when the file is absent. "(null)" is the empty set."""
        return self._set(path, masked=False)

    def first_set(self, folder: str, names: Iterable[str]) -> int | None:
        """The set in the first of these files that exists; a `..list` is a list, any other a mask."""
        for name in names:
            found = self._set(f"{folder}/{name}", masked=not name.endswith("list"))
            if found is not None:
                return found
        return None

    def _set(self, path: str, *, masked: bool) -> int | None:
        text = self.tree.text(path)
        if text is None:
            return None
        known = self._known.get((masked, text))
        if known is None:
            known = _parse(text, path, masked=masked)
            self._known[masked, text] = known
        return known

    def numbered(self, folder: str, prefix: str) -> list[int]:
        """The ids of the entries "<prefix><id>" of a folder, ascending; BadInput for an id above 65536."""
        tails = [name[len(prefix) :] for name in self.tree.names(folder) if name.startswith(prefix)]
        ids = [tail for tail in tails if tail.isascii() and tail.isdigit()]
        for one in ids:
            if len(one) > 5 or int(one) > MAX_ID:
                raise BadInput(f"{prefix}{one[:20]} is above id {MAX_ID}", source=folder)
        return sorted(set(map(int, ids)))

    def memory(self, path: str) -> int | None:
        """The bytes that a meminfo file calls MemTotal; None when it does not say."""
        found = _KIB.search(self.tree.text(path) or "")
        return int(found[1]) * 1024 if found else None

    def huge_pages(self, folder: str) -> dict[int, int]:
        """Page size in bytes -> pages, ascending."""
        pages = {}
        for name in self.tree.names(folder):
            size = re.fullmatch(r"hugepages-([0-9]{1,12})kB", name, re.ASCII)
            count = self.number(f"{folder}/{name}/nr_hugepages") if size else None
            if size and count is not None:
                pages[int(size[1]) * 1024] = count
        return dict(sorted(pages.items()))


def _parse(text: str, path: str, *, masked: bool) -> int:
    if text in ("", "(null)"):
        return 0
    return parse_mask(text, source=path) if masked else parse_list(text, source=path)
