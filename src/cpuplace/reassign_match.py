"""Match: when every mover gives up one CPU and keeps the others, who gets which free CPU is an assignment problem.

Costs of movers do not depend on each other, and giving up one CPU is the least each can, so the cheapest matching of
movers and CPUs is the best answer of all. Costs are tuples that are compared from the left; as one number each, in
a base that no sum reaches, they add up and compare the same way. Below them each mover has a digit of its own, the
first mover the highest, for the rank of its new CPU: of equal costs the lowest ids win, as the CPUs kept are the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from cpuplace.cpulist import ids_of, union_of
from cpuplace.hostmap import HostMap
from cpuplace.reassign_seat import SUMMED, Cost, Mover, Seat
from cpuplace.task import one

_BITS: Final = 32
"""Enough for any sum of one element over all movers."""


def matched(movers: Sequence[Mover]) -> tuple[Seat, ...] | None:
    """The seats of least cost when each mover gives up exactly one CPU; None where that is not the question.

    O(movers^2 * free CPUs) after some 10 measurements a mover.
    """
    if not movers or not all(_gives_one(mover) for mover in movers):
        return None
    kept = union_of(mover.task.allowed & mover.held.cpus.mask for mover in movers)
    places = _places(movers[0].task.host, union_of(mover.task.allowed for mover in movers) & ~kept)
    rows = [_choices(mover, places) for mover in movers]
    columns = sorted({cpu for row in rows for cpu in row})
    if len(columns) < len(rows):
        return None
    digit = len(columns).bit_length()
    never = 1 << _BITS * (len(SUMMED) + 3) + digit * len(rows)
    costs = []
    for number, row in enumerate(rows):
        below = digit * (len(rows) - 1 - number)
        high = digit * len(rows)
        costs.append(
            [
                _number(row[cpu].cost) << high | rank << below if cpu in row else never
                for rank, cpu in enumerate(columns)
            ]
        )
    chosen = assign(costs)
    if any(costs[number][column] == never for number, column in enumerate(chosen)):
        return None
    return tuple(row[columns[column]] for row, column in zip(rows, chosen, strict=True))


def _gives_one(mover: Mover) -> bool:
    """Whether it loses one CPU, needs one for it, and nothing else weighs more (memory) or comes along (cores)."""
    kept = mover.task.allowed & mover.held.cpus.mask
    bound = mover.held.mems or mover.held.preferred
    return not mover.by_core and not bound and kept.bit_count() == mover.task.count - 1


def _places(host: HostMap, cpus: int) -> dict[int, tuple[int, tuple[int, ...]]]:
    """The core of each CPU, and all else of it that the elements before node_leftover look at."""
    sorts = (host.isolated, host.of_kind("performance"), host.of_kind("efficiency"), host.torn)
    groups = (host.node_cpus, host.packages, host.l3s)
    places = {}
    for core in host.cores:
        near = [next((rank for rank, group in enumerate(ranked) if group & core), -1) for ranked in groups]
        for cpu in ids_of(core & cpus):
            package = next(rank for rank, group in enumerate(host.packages) if group >> cpu & 1)
            places[cpu] = core, (*near, package, *(sort >> cpu & 1 for sort in sorts))
    return places


def _choices(mover: Mover, places: Mapping[int, tuple[int, tuple[int, ...]]]) -> dict[int, Seat]:
    """What each free CPU would cost; CPUs that are alike to the preference are measured once."""
    task, kept = mover.task, mover.task.allowed & mover.held.cpus.mask
    seats: dict[int, Seat] = {}
    known: dict[tuple[int, ...], Seat | None] = {}
    for cpu, (core, place) in places.items():
        bit = 1 << cpu
        if not task.allowed & bit:
            continue
        ours, left = core & kept, core & task.free & ~(kept | bit)
        alike = (*place, ours, int(bool(left)), int(bool(task.others & bit)), int(core == ours | bit))
        if alike not in known:
            known[alike] = mover.seat_of(kept | bit) if _may(mover, kept | bit) else None
        seat = known[alike]
        if seat is not None:
            seats[cpu] = Seat(kept | bit, 0, seat.cost)
    return seats


def _may(mover: Mover, grant: int) -> bool:
    """Whether hard wishes about where a grant lies hold."""
    task, host, wishes = mover.task, mover.task.host, mover.task.wishes
    if not task.nodes_allowed(host.nodes_met(grant)):
        return False
    if wishes.one_package and not one(host.packages, grant):
        return False
    return wishes.l3 != "require-one" or not host.l3s or one(host.l3s, grant)


def _number(cost: Cost) -> int:
    """A cost as one number."""
    total = 0
    for value in cost:
        total = total << _BITS | value
    return total


def assign(costs: Sequence[Sequence[int]]) -> list[int]:
    """For each row a column of its own, so that the sum is least; at least as many columns as rows.

    The Hungarian method: rows join one after another, each along the cheapest chain of exchanges (with prices on rows
    and columns, so that no edge is cheaper than its prices). O(rows^2 * columns).

    >>> assign([[1, 2], [1, 5]])
    [1, 0]
    """
    width = len(costs[0])
    row_price, column_price = [0] * len(costs), [0] * width
    owner = [-1] * width
    for row in range(len(costs)):
        reach: list[int | None] = [None] * width
        before, done = [-1] * width, [False] * width
        at, column = row, -1
        while True:
            least, best = -1, -1
            for other in range(width):
                if done[other]:
                    continue
                step = costs[at][other] - row_price[at] - column_price[other]
                known = reach[other]
                if known is None or step < known:
                    known = reach[other] = step
                    before[other] = column
                if best < 0 or known < least:
                    least, best = known, other
            row_price[row] += least
            for other in range(width):
                if done[other]:
                    row_price[owner[other]] += least
                    column_price[other] -= least
                else:
                    reach[other] = (reach[other] or 0) - least
            column = best
            done[column] = True
            if owner[column] < 0:
                break
            at = owner[column]
        while column >= 0:
            earlier = before[column]
            owner[column] = owner[earlier] if earlier >= 0 else row
            column = earlier
    return [owner.index(row) for row in range(len(costs))]
