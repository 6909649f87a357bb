"""A list under a title, for people: a bold line, then one folded line an item."""

from collections.abc import Iterator, Sequence
from typing import Final

from cpuplace_cli.printable import printable
from cpuplace_cli.table import fold_text
from cpuplace_cli.textmap import Line, Span, Style

DOT: Final = Span("· ", "dim")
CROSS: Final = Span("✗ ", "red")


def titled(title: str, texts: Sequence[str], width: int, *, mark: Span = DOT) -> Iterator[Line]:
    """The title, the texts in lines of at most `width`, an empty line; nothing when there is no text.

    >>> [line[-1].text for line in titled("notes", ["first"], 40) if line]
    ['notes', 'first']
    """
    if texts:
        yield (Span(title, "bold"),)
        for text in texts:
            first, *more = fold_text(printable(text), width - len(mark.text))
            yield mark, Span(first)
            yield from ((Span(" " * len(mark.text) + line),) for line in more)
        yield ()


def sum_line(head: str, rest: str, width: int, style: Style = "bold") -> Iterator[Line]:
    """What a reader sees first: the last line, its beginning in another style."""
    first, *more = fold_text(head + rest, width)
    yield Span(first[: len(head)], style), Span(first[len(head) :])
    yield from ((Span(text),) for text in more)
