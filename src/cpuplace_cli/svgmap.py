"""The map of a host as one self-contained SVG: the same tiles, groups, columns and cells as the text map.

Pure and deterministic: a `Drawing` in, text out. Every CPU has a tooltip; owners differ by colour and by letter;
the picture follows a dark or light reader.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen

from cpuplace_cli.drawing import (
    Cell,
    Column,
    Drawing,
    Group,
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
from cpuplace_cli.svgstyle import class_of, sheet

WIDTH: Final = 1180
_MARGIN: Final = 20
_PAD: Final = 10
_GAP: Final = 14
_SMALL: Final = 11  # font sizes
_LINE: Final = 18
_LETTER_WIDTH: Final = 0.62  # of the font size, on average, generously
_MOST_TILES: Final = 8


@frozen(slots=True)
class Size:
    """The size of one cell in pixels."""

    width: int
    height: int


@frozen(slots=True)
class Box:
    """Some drawn elements with the room they take."""

    width: float
    height: float
    parts: tuple[str, ...]


def render(drawing: Drawing) -> str:
    """The whole picture as one SVG document; the same drawing gives the same bytes.

    >>> from cpuplace import catalogue
    >>> from cpuplace_cli.drawing import draw
    >>> render(draw(catalogue.host("vm-2cpu"))).startswith("<svg ")
    True
    """
    boxes = [_head(drawing), *_sections(drawing), _nodes_without_cpus(drawing), _legend(drawing)]
    width = max(box.width for box in boxes)
    parts: list[str] = []
    top: float = _MARGIN
    for box in boxes:
        if box.parts:
            parts.append(_moved(box, _MARGIN, top))
            top += box.height + _GAP
    return _document(drawing, width + 2 * _MARGIN, top - _GAP + _MARGIN, parts)


def _document(drawing: Drawing, width: float, height: float, parts: Sequence[str]) -> str:
    title, about = summary(drawing.host), "; ".join(filter(None, (kinds(drawing.host), distances(drawing.host))))
    owners = [f"{look.glyph} {look.label}: {_held(look)}" for look in drawing.looks]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" width="{_n(width)}" '
        f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">',
        f'<title id="title">{_safe(title)}</title>',
        f'<desc id="desc">{_safe(". ".join(filter(None, (about, "; ".join(owners)))))}</desc>',
        f"<style>\n{sheet()}</style>",
        f'<rect class="bg" width="{_n(width)}" height="{_n(height)}"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _head(drawing: Drawing) -> Box:
    name, _, counts = summary(drawing.host).partition(": ")
    lines = [(name, "h"), *((text, "d") for text in (counts, kinds(drawing.host), distances(drawing.host)) if text)]
    return _text_block(lines)


def _text_block(lines: Sequence[tuple[str, str]]) -> Box:
    parts = tuple(_text(0, 15 + at * _LINE, text, style) for at, (text, style) in enumerate(lines))
    return Box(max((_text_width(text) for text, _ in lines), default=0), len(lines) * _LINE, parts)


# --- sections and tiles --------------------------------------------------------------------------


def _sections(drawing: Drawing) -> list[Box]:
    """All sections with as many tiles side by side as makes the picture lowest."""
    most = min(_MOST_TILES, max(len(section.tiles) for section in drawing.sections))
    tries = [_with_beside(drawing, beside) for beside in range(1, most + 1)]
    fitting = [boxes for boxes in tries if max(box.width for box in boxes) <= WIDTH] or tries[:1]
    return min(fitting, key=lambda boxes: sum(box.height for box in boxes))


def _with_beside(drawing: Drawing, beside: int) -> list[Box]:
    frame = 2 * _PAD if any(section.package is not None for section in drawing.sections) else 0
    room = (WIDTH - frame - _GAP * (beside - 1)) / beside
    tiles = {tile.node.id: _tile(tile, drawing, room) for section in drawing.sections for tile in section.tiles}
    width, height = max(box.width for box in tiles.values()), max(box.height for box in tiles.values())
    boxes = []
    for section in drawing.sections:
        body = _grid([_framed(tiles[tile.node.id], "t", width, height) for tile in section.tiles], beside)
        boxes.append(body if section.package is None else _titled(f"package {section.package}", body))
    return boxes


def _titled(title: str, body: Box) -> Box:
    inner = Box(
        body.width + 2 * _PAD, body.height + 2 * _PAD + _LINE, (_text(_PAD, 20, title, "b"), _moved(body, _PAD, 28))
    )
    return _framed(inner, "p", inner.width, inner.height)


def _grid(boxes: Sequence[Box], beside: int) -> Box:
    """The boxes in rows of `beside`."""
    parts: list[str] = []
    top = width = 0.0
    for start in range(0, len(boxes), beside):
        left = 0.0
        row = boxes[start : start + beside]
        for box in row:
            parts.append(_moved(box, left, top))
            left += box.width + _GAP
        width = max(width, left - _GAP)
        top += max(box.height for box in row) + _GAP
    return Box(width, top - _GAP, tuple(parts))


def _stacked(boxes: Sequence[Box]) -> Box:
    """The boxes below each other."""
    parts, top = [], 0.0
    for box in boxes:
        parts.append(_moved(box, 0, top))
        top += box.height + 6
    return Box(max(box.width for box in boxes), top, tuple(parts))


def _framed(box: Box, style: str, width: float, height: float) -> Box:
    frame = f'<rect class="{style}" width="{_n(width)}" height="{_n(height)}" rx="6"/>'
    return Box(width, height, (frame, *box.parts))


def _tile(tile: Tile, drawing: Drawing, room: float) -> Box:
    size = _cell_size(drawing)
    parts = list(_tile_head(tile, drawing))
    top = 26.0
    parts += _devices(tile, top)
    if any(other.devices for section in drawing.sections for other in section.tiles):
        top += 24
    width = 2 * _PAD + _head_width(tile, drawing)
    for band in bands(tile, int((room - 2 * _PAD - 6) // size.width)):
        box = _band(band, tile, size)
        parts.append(_moved(box, _PAD, top))
        width, top = max(width, box.width + 2 * _PAD), top + box.height + 8
    return Box(width, top + 2, tuple(parts))


def _tile_head(tile: Tile, drawing: Drawing) -> Iterator[str]:
    head = f'<tspan class="b">{tile_name(tile, drawing)}</tspan> {tile_memory(tile)} '
    head += f'<tspan class="d">{_short_cpus(tile)}</tspan>'
    yield f'<text x="{_PAD}" y="18">{head}<title>CPUs {tile.cpus}</title></text>'


def _short_cpus(tile: Tile) -> str:
    return str(tile.cpus) if len(str(tile.cpus)) < 20 else f"{len(tile.cpus)} CPUs"


def _head_width(tile: Tile, drawing: Drawing) -> float:
    return _text_width(f"{tile_name(tile, drawing)} {tile_memory(tile)} {_short_cpus(tile)}")


def _devices(tile: Tile, top: float) -> Iterator[str]:
    left = float(_PAD)
    for device in tile.devices:
        width = len(printable(device.name)) * _SMALL * _LETTER_WIDTH + 12
        about = " ".join(filter(None, (device.kind, device.name, device.pci)))
        yield (
            f'<g><title>{_safe(about)}</title><rect class="v" x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" '
            f'height="17" rx="8"/>{_text(left + width / 2, top + 12.5, device.name, "d c")}</g>'
        )
        left += width + 6


# --- bands and cells -----------------------------------------------------------------------------


def _cell_size(drawing: Drawing) -> Size:
    """Large cells on small hosts; on the largest they still hold a letter or three small digits."""
    count = len(drawing.host.cpus)
    return Size(26, 22) if count <= 32 else Size(19, 16) if count <= 320 else Size(16, 14)


def _band(band: Sequence[Segment], tile: Tile, size: Size) -> Box:
    """A row of segments; the segments of one L3 group share a background."""
    rows, label = depth(band), 14 if hybrid(tile) else 0
    height = rows * size.height + label + 4
    groups = {id(column): group for group in tile.groups for column in group.columns}
    parts: list[str] = []
    left = start = 2.0
    for at, segment in enumerate(band):
        if at and segment.fence:
            parts.append(_group_background(start, left, height))
            left += 8
            start = left
        elif at:
            left += 4
        parts += _segment(segment, groups, tile, left, label, size)
        left += len(segment.columns) * size.width
    parts.append(_group_background(start, left, height))
    return Box(left + 2, height, tuple(sorted(parts, key=lambda part: not part.startswith('<rect class="g"'))))


def _group_background(start: float, end: float, height: float) -> str:
    return f'<rect class="g" x="{_n(start - 2)}" width="{_n(end - start + 3)}" height="{_n(height)}" rx="3"/>'


def _segment(
    segment: Segment, groups: dict[int, Group], tile: Tile, left: float, top: float, size: Size
) -> Iterator[str]:
    if top and segment.kind:
        yield _text(left + 1, top - 3, segment.kind, "d")
    for at, column in enumerate(segment.columns):
        group = groups[id(column)]
        for row, cell in enumerate(column.cells):
            yield _cell(cell, column, group, tile, left + at * size.width, top + 2 + row * size.height, size)


def _cell(cell: Cell, column: Column, group: Group, tile: Tile, x: float, y: float, size: Size) -> str:
    look = cell.look
    where = [f"CPU {cell.cpu}", f"core {column.core}"]
    where += [] if group.l3 is None else [f"L3 {group.l3}"]
    where += [f"node {tile.node.id}"]
    where += [] if group.package is None else [f"package {group.package}"]
    where += [] if column.kind is None else [f"{column.kind} core"]
    about = f"{', '.join(where)}: {look.label}"
    middle, low = x + size.width / 2 - 0.5, y + size.height / 2
    number = look.state == "pool"
    font = min(size.height - 5, 8 if len(str(cell.cpu)) < 3 or size.width > 20 else 7) if number else size.height - 5
    return (
        f'<g><title>{_safe(about)}</title><rect class="{class_of(look)}" x="{_n(x)}" y="{_n(y)}" '
        f'width="{size.width - 1}" height="{size.height - 1}" rx="2"/><text class="{"n" if number else "k"}" '
        f'x="{_n(middle)}" y="{_n(low + font * 0.36 - 0.5)}" style="font-size:{font}px">'
        f"{cell.cpu if number else _safe(look.glyph)}</text></g>"
    )


# --- below the tiles -----------------------------------------------------------------------------


def _nodes_without_cpus(drawing: Drawing) -> Box:
    """Nodes without CPUs: one dashed box a line of `memory_lines`, and what has no place."""
    lines = memory_lines(drawing)
    if drawing.devices:
        lines.append(f"devices elsewhere: {', '.join(map(device_name, drawing.devices))}")
    if drawing.elsewhere:
        lines.append(f"offline, place unknown: {drawing.elsewhere}")
    if not lines:
        return Box(0, 0, ())
    body = _text_block([(text, "") for text in lines])
    inner = Box(body.width + 2 * _PAD, body.height + 12, (_moved(body, _PAD, 4),))
    return _framed(inner, "m", inner.width, inner.height)


def _legend(drawing: Drawing) -> Box:
    """One swatch a look, owners first; long CPU lists are cut, the tooltip has them whole."""
    if drawing.plain:
        shades = l3_note(drawing) or ("shaded together: one L3 group" if drawing.host.l3_groups else "")
        return _text_block([("; ".join(filter(None, ("one column is a core, one row a thread", shades))), "d")])
    owners = [look for look in drawing.looks if look.state == "owner"]
    boxes = [_swatches(owners, 60), _swatches(drawing.looks[len(owners) :], 140)]
    return _stacked([box for box in boxes if box.parts])


def _swatches(shown: Sequence[Look], longest: int) -> Box:
    """The looks in columns, their labels cut to `longest` characters."""
    if not shown:
        return Box(0, 0, ())
    labels = [_shorten(f"{printable(look.label)}: {_held(look)}", longest) for look in shown]
    column = max(map(_text_width, labels)) + 34
    columns = max(1, int(WIDTH // column))
    deep = -(-len(labels) // columns)
    parts = []
    for at, (look, label) in enumerate(zip(shown, labels, strict=True)):
        x, y = at // deep * column, at % deep * 22
        glyph = "" if look.state == "pool" else _safe(look.glyph)
        parts.append(
            f'<g><title>{_safe(f"{look.label}: {_held(look)}")}</title><rect class="{class_of(look)}" x="{_n(x)}" '
            f'y="{y}" width="18" height="16" rx="2"/><text class="k" x="{_n(x + 9)}" y="{y + 12}" '
            f'style="font-size:11px">{glyph}</text>{_text(x + 25, y + 12.5, label, "")}</g>'
        )
    return Box(column * min(columns, -(-len(labels) // deep)), deep * 22, tuple(parts))


def _held(look: Look) -> str:
    return f"{len(look.cpus)} {'CPU' if len(look.cpus) == 1 else 'CPUs'} {look.cpus}".rstrip()


# --- pieces --------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    return escape(printable(text))


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{_n(x)}" y="{_n(y)}">{_safe(text)}</text>'


def _text_width(text: str) -> float:
    return len(text) * 12 * _LETTER_WIDTH


def _moved(box: Box, x: float, y: float) -> str:
    return f'<g transform="translate({_n(x)} {_n(y)})">\n' + "\n".join(box.parts) + "\n</g>"


def _shorten(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _n(value: float) -> str:
    """A number with one decimal at most, the shortest way: the same bytes everywhere."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
