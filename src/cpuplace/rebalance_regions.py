"""Regions: where one piece could lie as a whole, as sets of cells, and the least its tuple can be there.

A cell is the CPUs that are in one NUMA node, one package and (where that counts) one L3 group. All elements but those
of single CPUs and cores follow from the cells that a grant meets.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from attrs import define, field

from cpuplace.hostmap import HostMap
from cpuplace.nodesets import Budget
from cpuplace.preference import device_distance
from cpuplace.rebalance_board import Piece, weight
from cpuplace.task import Task

_EVERY: Final = -1


class Region(NamedTuple):
    """Some CPUs, and the least that a grant which meets all of their cells counts for."""

    worth: int
    cpus: int


class Cell(NamedTuple):
    """CPUs of one node, package and L3 group, with these ranks as masks."""

    cpus: int
    node: int
    package: int
    l3: int

    def joined(self, other: "Cell") -> "Cell":
        """Both as one."""
        cpus, node, package, l3 = other
        return Cell(self.cpus | cpus, self.node | node, self.package | package, self.l3 | l3)


@define
class Regions:
    """The regions of one host; what they count for is worked out once for all who wish the same."""

    host: HostMap
    _cells: dict[bool, tuple[Cell, ...]] = field(factory=dict)
    _known: dict[object, int] = field(factory=dict)
    _nearest: dict[tuple[str, ...], int] = field(factory=dict)

    def of(self, piece: Piece, task: Task, limit: int, budget: Budget) -> list[Region]:
        """The regions in which the piece has room and can count for at most `limit`; the least first."""
        by_l3 = piece.wishes.l3 != "ignore"
        if by_l3 not in self._cells:
            self._cells[by_l3] = tuple(_cells(self.host, by_l3=by_l3))
        cells = [cell for cell in self._cells[by_l3] if cell.cpus & task.allowed]
        return sorted(self._grown(piece, task, cells, limit, budget))

    def _grown(self, piece: Piece, task: Task, cells: list[Cell], limit: int, budget: Budget) -> Iterator[Region]:
        """Sets of cells, each made of a smaller one by adding a later cell."""
        more_at_least = _growth(piece)
        todo = [(Cell(0, 0, 0, 0), 0, 0, 0)]
        while todo and budget.spend(1):
            so_far, start, size, least = todo.pop()
            if size and (so_far.cpus & task.allowed).bit_count() >= task.count:
                worth = self._worth(piece, so_far, whole=True)
                if worth <= limit and task.nodes_allowed(so_far.node):
                    yield Region(worth, so_far.cpus)
            if size == task.count or least + more_at_least > limit:
                continue
            for place in range(start, len(cells)):
                more = so_far.joined(cells[place])
                if _may_grow(task, more):
                    least = self._worth(piece, more, whole=False)
                    if least <= limit:
                        todo.append((more, place + 1, size + 1, least))

    def _worth(self, piece: Piece, at: Cell, *, whole: bool) -> int:
        """The least that a grant counts for that meets all of these cells, or (not `whole`) these and others."""
        spread = piece.wishes.spread is not None and (piece.want, piece.cpus.bit_count())
        key = piece.wishes, spread, at.node, at.package, at.l3, whole
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._worked_out(piece, at, whole=whole)
        return known

    def _worked_out(self, piece: Piece, at: Cell, *, whole: bool) -> int:
        wishes, nodes = piece.wishes, at.node.bit_count()
        total = at.package.bit_count() * weight("packages")
        if wishes.devices_soft:
            distance = self._device_distance(at.node if whole else _EVERY, wishes.devices_soft)
            total += distance * weight("device_distance")
        if wishes.spread is None:
            total += nodes * weight("nodes") + self.host.spread_of(at.node) * weight("distance")
        else:
            total += self._spread(piece, nodes, whole=whole)
        return total + at.l3.bit_count() * weight("l3_groups") if wishes.l3 != "ignore" else total

    def _device_distance(self, nodes: int, names: tuple[str, ...]) -> int:
        if nodes != _EVERY:
            return device_distance(self.host, nodes, names)
        if names not in self._nearest:
            self._nearest[names] = sum(min(self.host.device_distances(name)) for name in names)
        return self._nearest[names]

    def _spread(self, piece: Piece, nodes: int, *, whole: bool) -> int:
        off = 0 if piece.want is None else nodes - piece.want
        if not whole:
            return max(0, off) * weight("nodes_off")
        uneven = int(piece.cpus.bit_count() % nodes != 0)
        return abs(off) * weight("nodes_off") + uneven * weight("uneven")


def _cells(host: HostMap, *, by_l3: bool) -> Iterator[Cell]:
    l3s = host.l3s if by_l3 and host.l3s else ()
    for node, cpus in enumerate(host.node_cpus):
        for package, others in enumerate(host.packages):
            if not l3s and cpus & others:
                yield Cell(cpus & others, 1 << node, 1 << package, 0)
            for l3, group in enumerate(l3s):
                if cpus & others & group:
                    yield Cell(cpus & others & group, 1 << node, 1 << package, 1 << l3)


def _growth(piece: Piece) -> int:
    """By how much one more cell raises what a region counts for at least: one node, package or L3 group is new."""
    if piece.wishes.spread is not None:
        return 0
    return weight("packages" if piece.wishes.l3 == "ignore" else "l3_groups")


def _may_grow(task: Task, at: Cell) -> bool:
    """Whether hard wishes that more cells cannot mend hold so far."""
    wishes = task.wishes
    if task.node_limit and at.node.bit_count() > task.node_limit:
        return False
    if wishes.one_package and at.package.bit_count() > 1:
        return False
    return wishes.l3 != "require-one" or at.l3.bit_count() <= 1
