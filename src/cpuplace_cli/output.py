"""What every command prints with: plain text, JSON, or styled lines where a terminal shows them."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from cpuplace_cli.looks import ink
from cpuplace_cli.streams import speaks_utf8
from cpuplace_cli.textmap import Line, Style, plain_text

SCHEMA = 1
"""The version of everything that `-o json` prints (docs/json-output.md)."""

_WIDTH_WHEN_UNKNOWN = 100
_STATE_STYLES = {
    "offline": "red",
    "withheld": "dim",
    "unusable": "dim",
    "pool": "dim",
    "reserved": "bold",
    "isolated": "bold",
}


def emit(text: str) -> None:
    """Write text to standard output, as it is."""
    sys.stdout.write(text)


def emit_svg(text: str) -> None:
    """Write an SVG picture; readers take it for UTF-8, whatever standard output speaks."""
    emit(text if speaks_utf8() else text.encode("ascii", "xmlcharrefreplace").decode())


def emit_json(value: Mapping[str, Any], *, line: bool = False) -> None:
    """Write one JSON object with `"schema"` first, and a newline; `line` = all of it on one line, for streams."""
    plain = not speaks_utf8()  # readers take JSON for UTF-8
    emit(json.dumps({"schema": SCHEMA, **value}, indent=None if line else 2, ensure_ascii=plain) + "\n")


def emit_lines(lines: Iterable[Line], *, no_color: bool = False) -> None:
    """Write the lines of a map, coloured where standard output is a terminal that wants colour."""
    if not wants_color(no_color=no_color):
        emit(plain_text(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*((span.text, _rich_style(span.style)) for span in line)))


def wants_color(*, no_color: bool = False) -> bool:
    """True on a terminal that can show colour, unless `--no-color` or NO_COLOR (any value but "") says no."""
    if no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def terminal_width() -> int:
    """Columns of the terminal (or COLUMNS); 100 on a pipe."""
    return shutil.get_terminal_size((_WIDTH_WHEN_UNKNOWN, 24)).columns


def _rich_style(style: Style) -> str:
    """The style as rich spells it; owners get black or white on their colour, whichever reads better."""
    if isinstance(style, str):
        return style
    if style.colour:
        return f"{ink(style.colour)} on {style.colour}"
    return {
        "offline": "red",
        "pool": "dim",
        "reserved": "bold",
        "withheld": "dim",
        "unusable": "dim",
        "isolated": "bold",
    }.get(style.state, "")
