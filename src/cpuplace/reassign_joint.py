"""Joint: seats for several movers at once, of least cost together.

    every mover its own best seat --two want one CPU--> one of them does without it, or the other does
        --a set of seats apart that is refused as a whole--> some mover does without one of its CPUs
        --apart and not refused--> the answer

Each branch only takes CPUs away, so costs only grow, and where no cost grows no mover's ids get lower: the branch of
least (cost, ids of the first mover, of the second, ...) is looked at first, and the first answer is the best. Before
that, seats are given one mover after another, in their order; when that costs no more than the best seats of all do by
themselves, it is the answer at once: whoever comes first has its lowest ids.
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


class Answer(NamedTuple):
    """Seats in the order of the movers, their costs added up, and what decides between equal costs."""

    cost: Cost
    ids: Ids
    seats: Seats

    @staticmethod
    def of(seats: Seats) -> "Answer":
        """These seats as an answer; the lesser is the better."""
        return Answer(added(seats), tuple([seat.ids for seat in seats]), seats)


class Branch(NamedTuple):
    """What is known of a branch; compared from the left. `bans`: CPUs that each mover does without."""

    best: Answer
    number: int
    bans: tuple[int, ...]


def solve(movers: Sequence[Mover], purse: Purse, accept: Callable[[Seats], bool]) -> Answer | None:
    """The answer of least cost, then ids, that `accept` takes; None when there is none, or the purse is empty."""
    pairs = matched(movers)
    if pairs is not None and accept(pairs):
        return Answer.of(pairs)
    first = _seats(movers, (0,) * len(movers))
    if first is None:
        return None
    best, in_order = _one_by_one(movers, accept)
    if best is not None and in_order and best.cost == added(first):
        return best
    return _branched(movers, purse, accept, Answer.of(first), best)


def _branched(
    movers: Sequence[Mover], purse: Purse, accept: Callable[[Seats], bool], first: Answer, best: Answer | None
) -> Answer | None:
    """Best first; every set of bans is looked at once."""
    bans = (0,) * len(movers)
    todo, seen = [Branch(first, 0, bans)], {bans}
    while todo:
        branch = heappop(todo)
        if best is not None and branch.best >= best:
            return best
        clash = next(_clashing(branch.best.seats), None)
        if clash is None and accept(branch.best.seats):
            return branch.best
        purse.left -= _BRANCH
        for bans in _children(branch, clash):
            if purse.empty:
                return best
            if bans not in seen:
                seen.add(bans)
                seats = _seats(movers, bans)
                if seats is not None:
                    heappush(todo, Branch(Answer.of(seats), len(seen), bans))
    return best


def _children(branch: Branch, clash: tuple[int, int] | None) -> Iterator[tuple[int, ...]]:
    """Bans of which every other answer of this branch has at least one."""
    seats = branch.best.seats
    if clash is not None:
        a, b = clash
        both = seats[a].claim & seats[b].claim
        yield from (_banned(branch.bans, one, both & -both) for one in clash)
        return
    for number, seat in enumerate(seats):
        rest = seat.grant
        while rest:
            yield _banned(branch.bans, number, rest & -rest)
            rest &= rest - 1


def _banned(bans: tuple[int, ...], number: int, cpu: int) -> tuple[int, ...]:
    return (*bans[:number], bans[number] | cpu, *bans[number + 1 :])


def _clashing(seats: Seats) -> Iterator[tuple[int, int]]:
    return (pair for pair in combinations(range(len(seats)), 2) if seats[pair[0]].claim & seats[pair[1]].claim)


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


def _one_by_one(movers: Sequence[Mover], accept: Callable[[Seats], bool]) -> tuple[Answer | None, bool]:
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
