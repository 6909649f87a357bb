"""Cores in bands: how the columns of a node are cut so that they fit, the same for text and SVG.

A segment is up to eight neighbouring cores of one L3 group and kind, so that they can be counted; a band is a row of
segments. Widths count cells, with one more between two segments.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cpuplace.topology import CoreKind
from cpuplace_cli.drawing import Column, Tile

RUN: Final = 8


class Segment(NamedTuple):
    """Up to eight neighbouring cores of one L3 group; `fence` = another group begins here."""

    columns: tuple[Column, ...]
    fence: bool
    kind: CoreKind | None


def segments(columns: Sequence[Column], fence: bool) -> list[Segment]:
    """Runs of at most eight cores of one kind; the first may begin a group."""
    done: list[Segment] = []
    run: list[Column] = []
    for column in columns:
        if run and (len(run) == RUN or run[-1].kind != column.kind):
            done.append(Segment(tuple(run), fence and not done, run[0].kind))
            run = []
        run.append(column)
    done.append(Segment(tuple(run), fence and not done, run[0].kind))
    return done


def bands(tile: Tile, room: int) -> list[list[Segment]]:
    """The segments of a node in bands that fit `room`, of even length; L3 groups stay whole where they fit."""
    groups = [segments(group.columns, at > 0) for at, group in enumerate(tile.groups)]
    units = (
        groups if all(band_width(group) <= room for group in groups) else [[one] for group in groups for one in group]
    )
    most = next((k for k in range(len(units), 1, -1) if _all_fit(units, k, room)), 1)
    each = -(-len(units) // -(-len(units) // most))  # as many bands as needed, all of one length
    return [_joined(units[start : start + each]) for start in range(0, len(units), each)]


def _all_fit(units: Sequence[Sequence[Segment]], count: int, room: int) -> bool:
    return all(band_width(_joined(units[at : at + count])) <= room for at in range(0, len(units), count))


def _joined(units: Iterable[Sequence[Segment]]) -> list[Segment]:
    return [segment for unit in units for segment in unit]


def band_width(band: Sequence[Segment]) -> int:
    """Cells side by side, a separator between segments included."""
    return sum(len(segment.columns) for segment in band) + len(band) - 1


def hybrid(tile: Tile) -> bool:
    """True when the node has cores of more than one kind."""
    return len({column.kind for group in tile.groups for column in group.columns}) > 1


def depth(band: Sequence[Segment]) -> int:
    """Threads of its largest core."""
    return max(len(column.cells) for segment in band for column in segment.columns)
