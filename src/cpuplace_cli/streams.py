"""The standard streams as the command needs them: there, and able to hold what it draws with."""

import codecs
import errno
import io
import os
import sys
from pathlib import Path
from typing import Final, TextIO, cast

STDIN: Final = "standard input"

_ALIKE: Final = {"│": "|", "·": "-", "…": ".", "✗": "x"}
"""What we draw with, as ASCII; one character each, so that columns stay where they are."""
_HANDLER: Final = "cpuplace.alike"


class _Closed(io.TextIOBase):
    """What stands for a stream that was closed before the start, which Python makes None: whoever uses it is told."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def buffer(self) -> "_Closed":
        return self

    def read(self, _size: int | None = -1) -> str:
        raise OSError(errno.EBADF, "it is closed", self._name)

    def write(self, _text: str) -> int:
        raise OSError(errno.EBADF, "it is closed", self._name)


def prepare_streams() -> None:
    """Let no closed stream and no character that a terminal lacks look like a bug, here once for all commands."""
    if sys.stdin is None:
        sys.stdin = cast(TextIO, _Closed(STDIN))
    if sys.stdout is None:
        sys.stdout = cast(TextIO, _Closed("standard output"))
    if sys.stderr is None:  # nobody wants to hear it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    codecs.register_error(_HANDLER, look_alike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def read_input(path: Path) -> tuple[bytes, str]:
    """What the file holds, and what to call it; - is standard input."""
    if str(path) == "-":
        return sys.stdin.buffer.read(), STDIN
    return path.read_bytes(), str(path)


def look_alike(error: UnicodeError) -> tuple[str, int]:
    """What to write instead of characters that the encoding lacks: an ASCII one that looks like it, or ?.

    >>> look_alike(UnicodeEncodeError("ascii", "a│é", 1, 3, ""))
    ('|?', 3)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ALIKE.get(one, "?") for one in error.object[error.start : error.end]), error.end


def speaks_utf8() -> bool:
    """Whether standard output takes every character as UTF-8, which JSON and SVG are read as."""
    return codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
