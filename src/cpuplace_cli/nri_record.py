"""`cpuplace nri record`: the decisions of a plugin into a file that `cpuplace replay` reads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cpuplace.errors import BadInput
from cpuplace_cli.main import REFUSED, fail
from cpuplace_cli.printable import printable
from cpuplace_nri.asking import NotAnswered, ask_many


def write_recording(path: str, file: Path) -> int:
    """Write until Ctrl-C (0), or until the plugin ends or we fall behind (1)."""
    lines, written = ask_many(path, "record"), 0
    try:
        first = next(lines)["line"]  # nothing is replaced before the plugin has answered
        with _opened(file) as out:
            for text in _texts(first, lines):
                out.write(text)
                out.flush()
                written += 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{printable(str(file))}: {max(written - 2, 0)} events\n")
        return 0
    except NotAnswered as end:
        return fail(str(end), REFUSED)
    return fail(f"{path}: the plugin ended; the recording is complete up to here", REFUSED)


def _texts(first: str, lines: Iterator[dict[str, str]]) -> Iterator[str]:
    yield first
    for one in lines:
        yield one["line"]


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdout
        return
    try:
        out = file.open("w", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", source=str(file)) from None
    with out:
        yield out
