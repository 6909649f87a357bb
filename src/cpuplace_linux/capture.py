"""Writes the few files that `read_host` needs into a tar.gz: the host's shape, and nothing that names the host."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cpuplace import BadInput
from cpuplace.formats import sysfs
from cpuplace.formats.sysfs import Link
from cpuplace.formats.tree import Tree
from cpuplace_linux.read_host import open_tree

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_FOLDER: Final = re.compile(r"(?:cpu|node)[0-9]+", re.ASCII)


class Recorder:
    """A tree that remembers every answer it passes on: what was read is exactly what a capture needs."""

    def __init__(self, tree: Tree) -> None:
        """Nothing asked yet."""
        self._tree = tree
        self.files: dict[str, str | Link] = {}

    def text(self, path: str) -> str | None:
        """See `Tree`."""
        text = self._tree.text(path)
        if text is not None:
            self.files[path] = f"{text}\n"
        return text

    def names(self, path: str) -> Iterable[str]:
        """See `Tree`; CPU and node folders are kept even when nothing in them is read (offline CPUs)."""
        names = self._tree.names(path)
        if path.startswith("sys/devices/system/"):
            self.files.update({f"{path}/{name}/": "" for name in names if _FOLDER.fullmatch(name)})
        return names

    def target(self, path: str) -> str | None:
        """See `Tree`; the link is kept relative, so that it says nothing about where the tree was."""
        target = self._tree.target(path)
        if target is not None:
            self.files[path] = Link("../" * path.count("/") + target)
        return target


def capture(
    path_in: str | os.PathLike[str], out_path: str | os.PathLike[str], *, overwrite: bool = False
) -> tuple[str, ...]:
    """The paths written to the tar.gz at `out_path`, from the host at `path_in` ("/" = live); same input, same bytes.

    Kept are the files and links that `read_host` reads: no serial numbers, MAC addresses, UUIDs or host name.
    Raises BadInput when there is no host at `path_in`, or when `out_path` exists and `overwrite` is False.
    """
    from cpuplace_linux.tarball import packed

    recorder = Recorder(open_tree(path_in))
    sysfs.read(recorder)
    files = nameless(recorder.files)
    out = Path(out_path)
    if out.is_dir():
        raise BadInput("is a folder", source=str(out), hint="name the file to write")
    try:
        with out.open("wb" if overwrite else "xb") as file:
            file.write(packed(files))
    except FileExistsError:
        raise BadInput(
            "the file exists", source=str(out), hint="choose another name, or replace it with --force"
        ) from None
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", source=str(out)) from None
    return tuple(sorted(files))


def nameless(files: Mapping[str, str | Link]) -> dict[str, str | Link]:
    """The same files with every UUID in a path or link (virtual buses have them) replaced by a counted one."""
    links = [text for text in files.values() if isinstance(text, Link)]
    found = sorted({uuid for text in (*files, *links) for uuid in _UUID.findall(text)})
    number = {uuid: f"00000000-0000-0000-0000-{place:012}" for place, uuid in enumerate(found)}

    def hide(text: str) -> str:
        return _UUID.sub(lambda match: number[match[0]], text)

    return {hide(path): Link(hide(text)) if isinstance(text, Link) else text for path, text in files.items()}
