"""Joint: seats for several movers at once, of least cost together, and of those with the lowest ids.

    every mover its own best seat --two want one CPU--> one of them does without it, or the other does
        --a set of seats apart that is refused as a whole--> some mover does without one of its CPUs
        --apart and not refused--> the answer

Each branch only takes CPUs away, so costs only grow: the branch of least cost is looked at first, and the first answer
is the best. Before that, seats are given one mover after another; when that costs no more than the best seats of all
do by themselves, it is the answer at once.

Among equal costs the ids decide: of the first mover, then of the second, ... Where no cost grows no mover's ids get
lower, so the same search finds them when movers choose by ids what their cost leaves open. It runs after the other,
which chooses by best fit, since movers who all want the lowest ids clash most.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import combinations
from typing import Final, NamedTuple

from cpuplace.reassign_match import matched
from cpuplace.reassign_seat import Cost, Mover, Purse, Seat

_RETRIES: Final = 4
"""How often giving seats one after another starts anew, with those first for whom nothing was left."""
_BRANCH: Final = 5
"""What a branch counts for, in search nodes, besides the searches in it."""

Seats = tuple[Seat, ...]
Ids = tuple[tuple[int, ...], ...]
Key = tuple[Cost, Ids]
"""What answers are compared by."""
Accept = Callable[[Seats], bool]


class Answer(NamedTuple):
    """Seats in the order of the movers, their costs added up, their ids; whether no others of this cost have lower."""

    cost: Cost
    ids: Ids
    seats: Seats
    lowest: bool = False

    @staticmethod
    def of(seats: Seats, *, lowest: bool = False) -> "Answer":
        """These seats as an answer."""
        return Answer(*_by_cost_and_ids(seats), seats, lowest)


class Branch(NamedTuple):
    """What is known of a branch; compared from the left. `bans`: CPUs that each mover does without."""

    key: Key
    clashes: int
    number: int
    bans: tuple[int, ...]
    seats: Seats


def solve(movers: Sequence[Mover], purse: Purse, accept: Accept) -> Answer | None:
    """The answer of least cost that `accept` takes; None when there is none, or the purse is empty (`purse.cut`)."""
    pairs = matched(movers)
    if pairs is not None and accept(pairs):
        return Answer.of(pairs, lowest=True)
    first = _seats(movers, (0,) * len(movers))
    if first is None:
        return None
    best, _ = _one_by_one(movers, accept)
    if best is not None and best.cost == added(first):
        return best
    return _branched(movers, purse, accept, first, best, _by_cost)


def lowest(movers: Sequence[Mover], purse: Purse, accept: Accept, known: Answer) -> Answer:
    """Of the answers that cost as much as `known`, the least there is, the one of lowest ids, as far as the purse goes.

    The movers have to be those without `fit`. Whoever comes first has its lowest ids at once when seats are given in
    order and nobody is worse off for it.
    """
    first = _seats(movers, (0,) * len(movers))
    if first is None:
        return known
    soon, in_order = _one_by_one(movers, accept)
    if soon is not None and in_order and soon.cost == added(first) == known.cost:
        return soon
    best = min(known, soon) if soon is not None else known
    return _branched(movers, purse, accept, first, best, _by_cost_and_ids) or best


def _by_cost(seats: Seats) -> Key:
    return added(seats), ()


def _by_cost_and_ids(seats: Seats) -> Key:
    return added(seats), tuple([seat.ids for seat in seats])


def _branched(
    movers: Sequence[Mover],
    purse: Purse,
    accept: Accept,
    first: Seats,
    best: Answer | None,
    key: Callable[[Seats], Key],
) -> Answer | None:
    """Best first; every set of bans is looked at once."""
    bans = (0,) * len(movers)
    todo, seen = [Branch(key(first), _clashes(first), 0, bans, first)], {bans}
    goal = None if best is None else key(best.seats)
    while todo:
        branch = heappop(todo)
        if goal is not None and branch.key >= goal:
            return best
        if not branch.clashes and accept(branch.seats):
            return Answer.of(branch.seats)
        purse.left -= _BRANCH
        for bans in _children(branch):
            if purse.empty:
                return best
            if bans not in seen:
                seen.add(bans)
                seats = _seats(movers, bans)
                if seats is not None:
                    heappush(todo, Branch(key(seats), _clashes(seats), len(seen), bans, seats))
    return best


def _children(branch: Branch) -> Iterator[tuple[int, ...]]:
    """Bans of which every other answer of this branch has at least one."""
    clash = next(_clashing(branch.seats), None)
    if clash is not None:
        a, b = clash
        both = branch.seats[a].claim & branch.seats[b].claim
        yield from (_banned(branch.bans, one, both & -both) for one in clash)
        return
    for number, seat in enumerate(branch.seats):
        rest = seat.grant
        while rest:
            yield _banned(branch.bans, number, rest & -rest)
            rest &= rest - 1


def _banned(bans: tuple[int, ...], number: int, cpu: int) -> tuple[int, ...]:
    return (*bans[:number], bans[number] | cpu, *bans[number + 1 :])


def _clashing(seats: Seats) -> Iterator[tuple[int, int]]:
    return (pair for pair in combinations(range(len(seats)), 2) if seats[pair[0]].claim & seats[pair[1]].claim)


def _clashes(seats: Seats) -> int:
    return sum(1 for _ in _clashing(seats))


def _seats(movers: Sequence[Mover], bans: tuple[int, ...]) -> Seats | None:
    """The best seat of each by itself, or None when somebody has none."""
    seats = []
    for mover, ban in zip(movers, bans, strict=True):
        seat = mover.best(ban)
        if seat is None:
            return None
        seats.append(seat)
    return tuple(seats)


def added(seats: Seats) -> Cost:
    """The costs of these seats, element by element."""
    return tuple(map(sum, zip(*(seat.cost for seat in seats), strict=True)))


def _one_by_one(movers: Sequence[Mover], accept: Accept) -> tuple[Answer | None, bool]:
    """A good answer soon, each takes the best that those before left; and whether that was in their own order."""
    order = list(range(len(movers)))
    for retry in range(_RETRIES + 1):
        seats: dict[int, Seat] = {}
        taken = 0
        for number in order:
            seat = movers[number].best(taken)
            if seat is None:
                order = [number, *(one for one in order if one != number)]
                break
            seats[number], taken = seat, taken | seat.claim
        else:
            found = tuple(seats[number] for number in range(len(movers)))
            return Answer.of(found) if accept(found) else None, retry == 0
    return None, False
