"""A table of text that fits a width: columns as wide as needed, long cells wrapped, the last column below if it must.

Pure: rows of cells in, lines of spans out.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from cpuplace_cli.textmap import Line, Span, Style

_GAP: Final = 2
_LEAST: Final = 12
"""Columns the last cell needs to stand beside the others at all."""
_SHARE: Final = 4
"""A cell but the last wraps when it takes more than this part of the width."""
_NARROW: Final = 20
"""Columns that every cell may take."""
_NARROWEST: Final = 12
"""Columns below which no cell is squeezed, however narrow the terminal."""
_PIECE: Final = re.compile(r"[^\s,/]*[,/]?\s*")


class Cell(tuple[Span, ...]):
    """Some text in one or more styles; only the last span wraps."""

    __slots__ = ()

    @property
    def width(self) -> int:
        """Its columns on one line."""
        return sum(len(span.text) for span in self)


def cell(text: str, style: Style = "") -> Cell:
    """A cell of one style."""
    return Cell((Span(text, style),))


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> list[Line]:
    """The lines of a table; the last cell stands below its row, indented, where that takes fewer lines.

    >>> for line in table(["A", "WHY"], [[cell("one"), cell("two words")]], 40): print([span.text for span in line])
    ['A', '    ', 'WHY']
    ['one', '  ', 'two words']
    """
    titles = [cell(text, "dim") for text in head]
    most = max(_NARROW, width // _SHARE)
    wished = [min(most, max(row[at].width for row in (titles, *rows))) for at in range(len(head) - 1)]
    widths = _squeezed(wished, width - _GAP * (len(wished) - 1))
    room = width - sum(widths) - _GAP * len(widths)
    below = _below(titles, rows, widths, width)
    if room < _LEAST:
        return below
    beside = [line for row in (titles, *rows) for line in _row(row, [*widths, room])]
    return min(beside, below, key=len)


def _squeezed(widths: list[int], room: int) -> list[int]:
    """The widths, the widest made narrower until all fit into the room or none can be narrower."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _below(titles: Sequence[Cell], rows: Sequence[Sequence[Cell]], widths: Sequence[int], width: int) -> list[Line]:
    """The table with every last cell on lines of its own."""
    indent = " " * (min(widths[0], 4) + _GAP)
    lines = list(_row(titles[:-1], widths))
    for row in rows:
        lines += _row(row[:-1], widths)
        lines += [(Span(indent), *line) for line in fold(row[-1], width - len(indent))]
    return lines


def _row(cells: Sequence[Cell], widths: Sequence[int]) -> Iterator[Line]:
    columns = [fold(one, width) for one, width in zip(cells, widths, strict=True)]
    for parts in zip_longest(*columns, fillvalue=Cell()):
        line: list[Span] = []
        for part, width in zip(parts, widths, strict=True):
            line += [*part, Span(" " * (width - part.width + _GAP))]
        yield _trimmed(line)


def _trimmed(line: list[Span]) -> Line:
    """A line without the empty spans, and the blanks, at its end."""
    while line and not line[-1].text.strip() and isinstance(line[-1].style, str):
        line.pop()
    return tuple(span for span in line if span.text)


def fold(one: Cell, width: int) -> list[Cell]:
    """The cell in lines of at most `width`, cut after blanks, commas and slashes; later lines under its last span.

    >>> [line[-1].text for line in fold(cell("0-3,8-11,16-19"), 9)]
    ['0-3,8-11,', '16-19']
    """
    if one.width <= width:
        return [one]
    *first, last = one
    indent = sum(len(span.text) for span in first)
    texts = fold_text(last.text, max(width - indent, 1))
    head = Cell((*first, Span(texts[0], last.style)))
    return [head, *(Cell((Span(" " * indent), Span(text, last.style))) for text in texts[1:])]


def fold_text(text: str, width: int) -> list[str]:
    """A text in lines of at most `width`; a piece longer than that is cut anywhere."""
    lines = [""]
    for piece in _PIECE.findall(text):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]
