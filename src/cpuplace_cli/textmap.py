"""The map of a host as lines of text: one column a core, one row a thread, tiles of nodes side by side.

Pure: a `Drawing` and a width in, lines of styled spans out; `plain_text` drops the styles.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final, NamedTuple

from cpuplace.topology import CoreKind
from cpuplace_cli.drawing import (
    Drawing,
    Tile,
    device_name,
    distances,
    kinds,
    l3_note,
    memory_lines,
    summary,
    tile_memory,
    tile_name,
)
from cpuplace_cli.layout import Segment, bands, depth, hybrid
from cpuplace_cli.looks import Look
from cpuplace_cli.printable import printable

Style = Look | str
"""A look (a cell of the map), or one of "", "bold", "dim"."""

MIN_WIDTH: Final = 40
_GAP: Final = 3  # columns between tiles
_FEW: Final = 8  # owners whose CPU lists may take a line each
_MOST_TILES: Final = 8  # side by side; more would be too narrow to read


class Span(NamedTuple):
    """Some text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def render(drawing: Drawing, width: int = 100) -> list[Line]:
    """The whole map, no line longer than `width` (40 at least): head, tiles, nodes without CPUs, legend."""
    width = max(width, MIN_WIDTH)
    lines = [*_head(drawing, width), ()]
    lines += _body(drawing, width)
    lines += [line for text in memory_lines(drawing) for line in _wrapped(text, width)]
    lines += [line for text in _rest(drawing) for line in _wrapped(text, width)]
    lines += _legend(drawing, width)
    return [_cut(line, width) for line in lines]


def plain_text(lines: Iterable[Line]) -> str:
    """The lines without styles, each ended by a newline.

    >>> plain_text([(Span("a", "bold"), Span("b"))])
    'ab\\n'
    """
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)


def _head(drawing: Drawing, width: int) -> Iterator[Line]:
    name, _, counts = summary(drawing.host).partition(": ")
    first, *more = _wrapped(f"{name}: {counts}", width)
    yield Span(first[0].text[: len(name)], "bold"), Span(first[0].text[len(name) :])
    yield from more
    yield from _wrapped(kinds(drawing.host), width)
    yield from _wrapped(distances(drawing.host), width)


def _rest(drawing: Drawing) -> Iterator[str]:
    if drawing.devices:
        yield f"devices elsewhere: {', '.join(map(device_name, drawing.devices))}"
    if drawing.elsewhere:
        yield f"offline, place unknown: {drawing.elsewhere}"


def _wrapped(text: str, width: int) -> list[Line]:
    return [(Span(line),) for line in wrap(text, width, subsequent_indent="  ")]


# --- tiles ---------------------------------------------------------------------------------------


def _body(drawing: Drawing, width: int) -> list[Line]:
    """All sections with as many tiles side by side as makes the map lowest."""
    most = min(_MOST_TILES, max(len(section.tiles) for section in drawing.sections))
    tries = [_sections(drawing, width, beside) for beside in range(1, most + 1)]
    fitting = [lines for lines, fits in tries if fits] or [tries[0][0]]
    return min(fitting, key=len)


def _sections(drawing: Drawing, width: int, beside: int) -> tuple[list[Line], bool]:
    """The sections with `beside` tiles side by side, and whether every tile fits its share of the width."""
    room = (width - _GAP * (beside - 1)) // beside
    blocks = {tile.node.id: _tile(tile, drawing, room) for section in drawing.sections for tile in section.tiles}
    widest = max(_width(line) for block in blocks.values() for line in block)
    lines: list[Line] = []
    for section in drawing.sections:
        if section.package is not None:
            lines.append((Span(f"package {section.package}", "bold"),))
        for start in range(0, len(section.tiles), beside):
            row = section.tiles[start : start + beside]
            shown = [blocks[tile.node.id] for tile in row]
            if any(tile.devices for tile in row):
                shown = [[block[0], _devices(tile, room), *block[1:]] for tile, block in zip(row, shown, strict=True)]
            lines += [*_side_by_side(shown, widest), ()]
    return lines, widest <= room


def _devices(tile: Tile, room: int) -> Line:
    return (Span(_shorten(" ".join(printable(device.name) for device in tile.devices), room), "dim"),)


def _side_by_side(blocks: Sequence[Sequence[Line]], width: int) -> Iterator[Line]:
    """The blocks as columns of `width`."""
    for row in zip_longest(*blocks, fillvalue=()):
        line: list[Span] = []
        for part in row:
            line += [*part, Span(" " * (width - _width(part) + _GAP))]
        yield tuple(line[:-1])


def _tile(tile: Tile, drawing: Drawing, room: int) -> list[Line]:
    lines = [_tile_title(tile, drawing, room)]
    label_width = _label_width(drawing)
    for band in bands(tile, room - label_width - 3):
        if hybrid(tile):
            lines.append(_kind_row(band, label_width))
        lines += [_row(band, thread, label_width, drawing.plain) for thread in range(depth(band))]
    return lines


def _tile_title(tile: Tile, drawing: Drawing, room: int) -> Line:
    name, size = tile_name(tile, drawing), tile_memory(tile)
    size = f"  {size}" if size else ""
    cpus = str(tile.cpus)
    if len(name) + len(size) + len(cpus) + 2 > room:
        cpus = f"{len(tile.cpus)} CPUs"
    return Span(name, "bold"), Span(size), Span(f"  {cpus}", "dim")


def _label_width(drawing: Drawing) -> int:
    """Room for the ids in front of each row: `a-b` of the largest ids."""
    return 2 * len(str(drawing.host.cpus[-1].id)) + 1


def _row(band: Sequence[Segment], thread: int, label_width: int, plain: bool) -> Line:
    """One thread of each core of a band: `0-15 |AAAA|....|`."""
    cells = [column.cells[thread] for one in band for column in one.columns if thread < len(column.cells)]
    ids = [cell.cpu for cell in cells]
    label = _id_label(ids).rjust(label_width)
    spans = [Span(f"{label} ", "dim"), Span("│", "dim")]
    for at, segment in enumerate(band):
        if at:
            spans.append(Span("│" if segment.fence else " ", "dim"))
        for column in segment.columns:
            if thread < len(column.cells):
                cell = column.cells[thread]
                if plain and cell.look.state == "pool":  # nothing to tell apart: help to read the ids
                    spans.append(Span(str(cell.cpu % 10), "dim" if thread else ""))
                else:
                    spans.append(Span(cell.look.glyph, cell.look))
            else:
                spans.append(Span(" "))
    return (*spans, Span("│", "dim"))


def _kind_row(band: Sequence[Segment], label_width: int) -> Line:
    """A row that names the kind of core above its first column: P or E."""
    text = " " * (label_width + 2)
    before: CoreKind | None = None
    for at, segment in enumerate(band):
        mark = "" if segment.kind == before or segment.kind is None else segment.kind[0].upper()
        text += (" " if at else "") + mark.ljust(len(segment.columns))
        before = segment.kind
    return (Span(text, "dim"),)


def _id_label(ids: Sequence[int]) -> str:
    """`a-b` for a run of ids, `a..b` when ids between are elsewhere, `a` for one."""
    if len(ids) == 1:
        return str(ids[0])
    run = ids[-1] - ids[0] == len(ids) - 1
    return f"{ids[0]}{'-' if run else '..'}{ids[-1]}"


# --- legend --------------------------------------------------------------------------------------


def _legend(drawing: Drawing, width: int) -> Iterator[Line]:
    if not drawing.plain:
        yield from _legend_entries(drawing, width)
    notes = ["one column is a core, one row a thread"]
    if any(len(tile.groups) > 1 for section in drawing.sections for tile in section.tiles):
        notes.append(f"│ between {'L3 groups' if drawing.host.l3_groups else 'packages'}")
    elif note := l3_note(drawing):
        notes.append(note)
    if drawing.plain:
        notes.append("digits end the CPU ids")
    for line in _wrapped("; ".join(notes), width):
        yield (Span(line[0].text, "dim"),)


def _legend_entries(drawing: Drawing, width: int) -> Iterator[Line]:
    """Owners in columns as wide as the longest needs (half the width where they are many), then states, one a line."""
    entries = [(look, f" {printable(look.label)}: {_held(look)}") for look in drawing.looks]
    owners = [(look, text) for look, text in entries if look.state == "owner"]
    longest = max((len(text) for _, text in owners), default=0) + 1
    room = min(longest, width if len(owners) <= _FEW else max((width - _GAP) // 2, MIN_WIDTH))
    columns = max(1, (width + _GAP) // (room + _GAP))
    deep = -(-len(owners) // columns)
    for row in range(deep):
        line: list[Span] = []
        for look, text in owners[row::deep]:
            line += [Span(look.glyph, look), Span(_shorten(text, room - 1).ljust(room - 1 + _GAP))]
        yield (*line[:-1], Span(line[-1].text.rstrip()))
    for look, text in entries[len(owners) :]:
        yield Span(look.glyph, look), Span(text)
    yield ()


def _held(look: Look) -> str:
    count = len(look.cpus)
    return f"{count} {'CPU' if count == 1 else 'CPUs'} {look.cpus}".rstrip()


# --- lines ---------------------------------------------------------------------------------------


def _width(line: Line) -> int:
    return sum(len(span.text) for span in line)


def _shorten(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def _cut(line: Line, width: int) -> Line:
    """The line, cut with an ellipsis where it is too long."""
    if _width(line) <= width:
        return line
    room, kept = width, []
    for span in line:
        text = _shorten(span.text, room)
        kept.append(Span(text, span.style))
        room -= len(text)
        if text != span.text or room <= 0:
            break
    return tuple(kept)
