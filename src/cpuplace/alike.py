"""Alike: sets of nodes that are equal in the elements above `l3_groups`, with their L3 groups compiled to masks."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb
from operator import add, itemgetter
from typing import Final

_UNIONS: Final = 16
"""Up to so many unions of the L3 groups of one set are listed, and looked at one by one."""


class Alike:
    """Sets of as many nodes each, equally near and in as many packages, so that what is below these elements decides.

    `inside` are the L3 groups of each set, `of_cells` for each a getter of what a list of all L3 groups says about
    them. `together[n]` are for each set the unions of every n of its L3 groups; None where that is too many.
    """

    def __init__(self, sets: Sequence[Sequence[int]], homes: Sequence[int], cells: Sequence[int]) -> None:
        """`sets`: the nodes of each, by rank; `homes` and `cells`: the node and the CPUs of each L3 group."""
        positions = [[at for at, home in enumerate(homes) if home in ranks] for ranks in sets]
        self.inside = [[cells[at] for at in some] for some in positions]
        self.of_cells = [_getter(some) for some in positions]
        self.together = [_unions(self.inside, taken) for taken in range(1 + max(map(len, self.inside)))]
        self._columns = [_getter(ranks) for ranks in zip(*sets, strict=True)]

    def totals(self, held: Sequence[int]) -> Sequence[int]:
        """For each set the sum over its nodes; `held`: what each node has."""
        first, *others = self._columns
        totals = first(held)
        for column in others:
            totals = tuple(map(add, totals, column(held)))
        return totals


def _getter(positions: Sequence[int]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """What a list has at these positions; `itemgetter` alone gives no tuple for one position."""
    return itemgetter(*positions) if len(positions) > 1 else lambda some: (some[positions[0]],)


def _unions(inside: list[list[int]], taken: int) -> list[list[int]] | None:
    if any(comb(len(cells), taken) > _UNIONS for cells in inside) and taken > 1:
        return None
    return [[sum(some) for some in combinations(cells, taken)] for cells in inside]
