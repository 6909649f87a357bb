"""Sparing: the straight way when the best grant would take CPUs remembered for others (R8, `others_remembered`).

Whether remembered CPUs are taken counts after the nodes and L3 groups, before cores: so among the L3 groups with room
one with enough other CPUs is preferred, even where cores are broken for it; and when there is none, the best grant
that takes them anyway is the answer. A thread whose sibling is free but remembered is *tied*: it breaks its core.
"""

from cpuplace.regions import Answer
from cpuplace.straight import Straight, lowest
from cpuplace.subsets import lower


def sparing_choice(way: Straight, free: int, spared: int, count: int, greedy: Answer) -> Answer | None:
    """The best grant when `spared` CPUs are remembered for others; None when one L3 group is not enough.

    `greedy` is the best grant that does not look at what is remembered.
    """
    rooms = [(held, cell) for held, cell in _rooms(way, free) if cell.bit_count() >= count]
    if not rooms:
        return None
    fitting = [(held, cell) for held, cell in rooms if (cell & ~spared).bit_count() >= count]
    keys = [(*_cores(way, cell, spared, count), held, cell.bit_count()) for held, cell in fitting]
    best, grant = min(keys, default=None), 0
    for key, (_, cell) in zip(keys, fitting, strict=True):
        if key == best:
            other = pick_sparing(way, cell, spared, count)
            grant = other if not grant or lower(other, grant) else grant
    return Answer(grant) if grant else greedy


def _rooms(way: Straight, free: int) -> list[tuple[int, int]]:
    """The free CPUs of each L3 group, with how many its node has."""
    held = [(free & node).bit_count() for node in way.nodes]
    return [(held[home], free & cell) for home, cell in zip(way.homes, way.cells, strict=True)]


def _sorts(way: Straight, cell: int, spared: int) -> tuple[int, int, int]:
    """The lower threads of pairs that may be taken, single threads, and tied ones."""
    may = cell & ~spared
    pairs = way.pairs(may)
    broken = way.pairs(cell) & ~pairs
    tied = way.both(broken) & may
    return pairs, may & ~way.both(pairs) & ~tied, tied


def _cores(way: Straight, cell: int, spared: int, count: int) -> tuple[int, int]:
    """How many cores are broken, and how many touched, by the best grant in this L3 group."""
    pairs, singles, _ = _sorts(way, cell, spared)
    whole = min(pairs.bit_count(), count >> 1)
    return (max(0, count - 2 * whole - singles.bit_count()), count - whole) if way.paired else (0, 0)


def pick_sparing(way: Straight, cell: int, spared: int, count: int) -> int:
    """The best grant of `count` CPUs in this L3 group without the spared ones; there are so many.

    Whole cores, then single threads, then tied ones, each lowest first. One thread that is missing after whole cores
    may also be half of another whole core: what has the lower ids.
    """
    if not way.paired:
        return lowest(cell & ~spared, count)
    pairs, singles, tied = _sorts(way, cell, spared)
    whole = min(pairs.bit_count(), count >> 1)
    single = min(singles.bit_count(), count - 2 * whole)
    rest = count - 2 * whole - single
    grant = way.both(lowest(pairs, whole)) | lowest(singles, single)
    if not rest or pairs.bit_count() == whole:
        return grant | lowest(tied, rest)
    halved = way.pick(way.both(pairs), count)
    tied_one = grant | lowest(tied, 1)
    return tied_one if tied and lower(tied_one, halved) else halved
