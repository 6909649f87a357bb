"""Manifest files to pods: files, folders of them, or standard input."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cpuplace.errors import BadInput
from cpuplace_k8s.manifests import Manifests, read_manifests

MAX_BYTES: Final = 64 << 20
"""A larger file is refused."""

_SUFFIXES: Final = (".yaml", ".yml", ".json")


def read_files(paths: Iterable[str | Path], *, node: str | None = None) -> Manifests:
    """The pods of these files in order; a folder stands for its .yaml, .yml and .json files by name, - for stdin.

    `node`: only those of this cluster node.
    """
    return read_manifests([(name, _text(name)) for path in paths for name in _files(str(path))], node=node)


def _files(path: str) -> Iterator[str]:
    if path == "-" or not Path(path).is_dir():
        yield path
        return
    found = sorted(str(file) for file in Path(path).iterdir() if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise BadInput("no manifest in this folder", source=path, hint="files that end in " + ", ".join(_SUFFIXES))
    yield from found


def _text(path: str) -> str:
    try:
        content = _content(path)
        large = len(content) > MAX_BYTES
        text = "" if large else content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a ValueError: no UTF-8, or NUL in the name
        raise BadInput(f"cannot be read: {getattr(error, 'strerror', None) or error}", source=path) from None
    if large:
        raise BadInput(f"more than {MAX_BYTES >> 20} MiB", source=path)
    return text


def _content(path: str) -> bytes:
    """At most one byte more than is taken."""
    if path == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(path).open("rb") as stream:
        return stream.read(MAX_BYTES + 1)
