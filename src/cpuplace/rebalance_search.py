"""Search: who moves and where to, so that the sum of all tuples is least; the most promising branch first.

    who moves --a region for each, the best first--> regions --> seats, core by core (`rebalance_seating`) --> an answer
                                                             --is it legal, and what does it really count for?--> best

Every branch has a bound: what all count for at least when it is followed. The branch of least bound is looked at first,
so the search is over when the best answer found is not above the least bound left.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final, NamedTuple

from attrs import define, evolve, field, frozen

from cpuplace.binding import memory_limit
from cpuplace.idset import CpuSet
from cpuplace.nodesets import Budget
from cpuplace.ordering import in_one_step, ordered
from cpuplace.reassign_scene import floor_holds, seated
from cpuplace.reassign_seat import Seat
from cpuplace.rebalance_board import BROKEN, CHANGED, MOVE, Board, Piece, lifted, number, task_of
from cpuplace.rebalance_regions import Region, Regions
from cpuplace.rebalance_seating import Lift, Partial, Seating
from cpuplace.rebalance_sum import tuple_sum
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.task import siblings
from cpuplace.transitions import replaced

_UNKNOWN: Final = -1
"""Stands for ids that are not known yet: before all that can come of it."""


class Rank(NamedTuple):
    """What answers and bounds are compared by: the sum, moves and CPUs changed as one number; who moves; ids."""

    cost: int
    movers: tuple[int, ...]
    ids: int


class Answer(NamedTuple):
    """The best known: its rank, and the state it leads to."""

    rank: Rank
    after: HostState


@frozen(slots=True)
class Goal:
    """Where every answer must be legal from, and by which kind of steps."""

    start: HostState
    one_step: bool

    def allows(self, after: HostState) -> bool:
        """Whether the pool keeps its floor, memory suffices for all at once, and there is a safe order of steps."""
        if not floor_holds(self.start, after) or not _memory_suffices(self.start, after):
            return False
        return (in_one_step if self.one_step else ordered)(self.start, after) is not None


def _memory_suffices(before: HostState, after: HostState) -> bool:
    """Whether the movers can be bound one after another, each beside those bound before."""
    gone = moved(before, after)
    state = lifted(before, gone)
    for was in gone:
        one = after.owners[was.container_id]
        limit = memory_limit(state, one.request, resolve(state.policy.wishes, one.request.wishes))
        if limit is not None and one.mems is not None and not limit.allows(one.mems):
            return False
        state = evolve(state, owners=state.owners | {one.container_id: one})
    return True


def moved(before: HostState, after: HostState) -> tuple[Assignment, ...]:
    """Who holds other CPUs afterwards, as it was before."""
    return tuple(one for key, one in before.owners.items() if after.owners[key].cpus != one.cpus)


def with_seats(state: HostState, seats: Iterable[tuple[Assignment, int]]) -> HostState:
    """The state in which these containers hold these CPUs."""
    return replaced(state, *(_seated(state, one, cpus) for one, cpus in seats))


def _seated(state: HostState, one: Assignment, cpus: int) -> Assignment:
    isolate = resolve(state.policy.wishes, one.request.wishes).cores == "isolate"
    idle = siblings(state.ground.host_map, cpus) & state.ground.usable & ~cpus if isolate else 0
    return evolve(seated(state, one, Seat(cpus, idle, ())), rule="R4")


class Prospect(NamedTuple):
    """One piece that may move, what it counts for at least wherever it goes, and how many broken cores it may mend."""

    piece: Piece
    least: int
    mends: int

    @property
    def promise(self) -> int:
        """By how much the sum falls at most when it moves."""
        return self.piece.worth - self.least + self.mends * BROKEN


def prospects(board: Board, regions: Regions, budget: Budget) -> tuple[Prospect, ...]:
    """What there is to win by moving each piece, were all others out of its way; who promises most comes first.

    Each of its CPUs could mend one core, for all in it; who cannot go anywhere is left out.
    """
    pieces = [piece for piece in board.pieces if piece.movable]
    state = lifted(board.state, (piece.held for piece in pieces))
    found = []
    for piece in pieces:
        wide = regions.of(piece, task_of(state, piece), piece.worth, budget)
        least = wide[0].worth if wide else 0
        found.append(Prospect(piece, least, _mends(board, piece)))
    return tuple(sorted(found, key=lambda one: (-one.promise, one.piece.place)))


def blind(board: Board) -> tuple[Prospect, ...]:
    """The same without looking: in the order they came."""
    return tuple(Prospect(piece, 0, _mends(board, piece)) for piece in board.pieces if piece.movable)


def _mends(board: Board, piece: Piece) -> int:
    return piece.broken + piece.cpus.bit_count() * (board.host.widest_core - 1)


@frozen(eq=False)
class Crew:
    """The prospects in these positions move."""

    positions: tuple[int, ...]


@frozen(eq=False)
class Places:
    """Regions for a crew: for each of its pieces a list, and which one of it."""

    lift: Lift
    choices: tuple[list[Region], ...]
    which: tuple[int, ...]


@frozen(eq=False)
class Chosen:
    """A region for each of a crew, and what they count for."""

    lift: Lift
    cpus: tuple[int, ...]
    worth: int


@frozen(eq=False)
class Seats:
    """Seats in such regions, decided in part."""

    seating: Seating
    partial: Partial


Branch = Crew | Places | Chosen | Seats


@define(eq=False)
class Search:
    """One search on one board; `best` is the best answer so far, at first that nobody moves."""

    board: Board
    goal: Goal
    regions: Regions
    prospects: tuple[Prospect, ...]
    budget: Budget
    best: Answer
    _heap: list[tuple[Rank, int, Branch]] = field(factory=list)
    _serial: int = 0
    _seen: set[tuple[int, ...]] = field(factory=set)

    def run(self, crews: Iterable[tuple[int, ...]]) -> Answer:
        """The best answer of these crews and all of the same sizes later in the order of the prospects."""
        for positions in crews:
            self._push_crew(positions)
        while self._heap and self._heap[0][0] < self.best.rank and self.budget.spend(1):
            match heappop(self._heap)[2]:
                case Crew() as crew:
                    self._choose_places(crew)
                case Places() as places:
                    self._choose_regions(places)
                case Chosen() as chosen:
                    self._choose_seats(chosen)
                case seats:
                    self._seat(seats)
        return self.best

    def _push(self, rank: Rank, branch: Branch) -> None:
        if rank < self.best.rank:
            self._serial += 1
            heappush(self._heap, (rank, self._serial, branch))

    def _push_crew(self, positions: tuple[int, ...]) -> None:
        if positions not in self._seen:
            self._seen.add(positions)
            self._push(Rank(self._floor(positions), (), _UNKNOWN), Crew(positions))

    def _floor(self, positions: tuple[int, ...]) -> int:
        """What all count for at least when this crew moves."""
        crew = [self.prospects[position] for position in positions]
        broken = max(0, self.board.broken - sum(one.mends for one in crew))
        worth = self.board.worth - sum(one.piece.worth - one.least for one in crew)
        return worth + broken * BROKEN + len(crew) * (MOVE + CHANGED)

    def _choose_places(self, crew: Crew) -> None:
        """Regions for each that leave a chance to be better than the best, and crews that promise a little less."""
        positions = crew.positions
        for place, position in enumerate(positions):
            if position + 1 < len(self.prospects) and position + 1 not in positions:
                self._push_crew((*positions[:place], position + 1, *positions[place + 1 :]))
        some = sorted((self.prospects[position] for position in positions), key=lambda one: one.piece.place)
        lift = Lift.of(self.board, tuple(one.piece for one in some))
        slack = self.best.rank.cost - self._floor(positions)
        choices = []
        for one, task in zip(some, lift.tasks, strict=True):
            choices.append(self.regions.of(one.piece, task, one.least + slack, self.budget))
            if not choices[-1]:
                return
        self._push_places(Places(lift, tuple(choices), (0,) * len(choices)))

    def _push_places(self, places: Places) -> None:
        """These regions, ranked by what they count for; what cannot be mended is left out, so that the rank grows."""
        movers = places.lift.movers
        broken = max(0, self.board.broken - sum(_mends(self.board, piece) for piece in movers))
        count = self._around(movers) + _worth(places) + broken * BROKEN
        self._push(Rank(count, tuple(piece.place for piece in movers), _UNKNOWN), places)

    def _around(self, movers: tuple[Piece, ...]) -> int:
        """What all others count for, and the moves."""
        return self.board.worth - sum(piece.worth for piece in movers) + len(movers) * (MOVE + CHANGED)

    def _choose_regions(self, places: Places) -> None:
        """These regions, ranked by all that is known; and those that come next: each choice is reached in one way."""
        which, movers = places.which, places.lift.movers
        last = max((place for place, number in enumerate(which) if number), default=0)
        for place in range(last, len(which)):
            if which[place] + 1 < len(places.choices[place]):
                later = (*which[:place], which[place] + 1, *which[place + 1 :])
                self._push_places(evolve(places, which=later))
        cpus = tuple(some[number].cpus for some, number in zip(places.choices, which, strict=True))
        count = self._around(movers) + _worth(places) + self._unmended(movers, cpus) * BROKEN
        self._push(
            Rank(count, tuple(piece.place for piece in movers), _UNKNOWN), Chosen(places.lift, cpus, _worth(places))
        )

    def _unmended(self, movers: tuple[Piece, ...], regions: tuple[int, ...]) -> int:
        """How many broken cores of who stays there are at least: those outside the regions stay broken."""
        reach = 0
        for cpus in regions:
            reach |= cpus
        stay = self.board.broken - sum(piece.broken for piece in movers)
        mended = sum(piece.cpus.bit_count() for piece in movers) * (self.board.host.widest_core - 1)
        return stay - min(mended, self.board.broken_in(reach, movers))

    def _choose_seats(self, chosen: Chosen) -> None:
        seating = Seating.of(chosen.lift, chosen.cpus, chosen.worth, self.budget)
        root = seating.root()
        if root is not None:
            self._push_seats(seating, root)

    def _push_seats(self, seating: Seating, partial: Partial) -> None:
        count, ids = seating.split(partial.total)
        rank = Rank(count, tuple(piece.place for piece in seating.lift.movers), ids)
        self._push(rank, Seats(seating, partial))

    def _seat(self, seats: Seats) -> None:
        """One core more, or an answer."""
        if not seats.seating.is_done(seats.partial):
            for partial in seats.seating.next_of(seats.partial):
                self._push_seats(seats.seating, partial)
            return
        movers, masks = seats.seating.lift.movers, seats.partial.masks
        if any(piece.cpus == mask for piece, mask in zip(movers, masks, strict=True)):
            return  # with fewer who move this is found too
        state = self.board.state
        after = with_seats(state, ((piece.held, mask) for piece, mask in zip(movers, masks, strict=True)))
        if self.goal.allows(after):
            _, ids = seats.seating.split(seats.partial.total)
            rank = Rank(_count(state, after), tuple(piece.place for piece in movers), ids)
            self.best = min(self.best, Answer(rank, after), key=lambda one: one.rank)


def _worth(places: Places) -> int:
    """What the regions count for."""
    return sum(some[number].worth for some, number in zip(places.choices, places.which, strict=True))


def _count(before: HostState, after: HostState) -> int:
    """The sum, how many moved, and how many CPUs they changed, as one number."""
    gone = moved(before, after)
    changed = sum(len(one.cpus - after.owners[one.container_id].cpus) for one in gone)
    return number(tuple_sum(after)) + len(gone) * MOVE + changed * CHANGED


def nothing(board: Board) -> Answer:
    """The answer that moves nobody."""
    return Answer(Rank(board.count, (), _UNKNOWN), board.state)


def rebased(start: HostState, after: HostState) -> HostState:
    """The same places for all, reached from another state at once."""
    return with_seats(start, ((one, after.owners[one.container_id].cpus.mask) for one in moved(start, after)))


def answer_of(board: Board, after: HostState) -> Answer:
    """Any state that can be reached from the board's, as an answer."""
    state = board.state
    movers = [piece for piece in board.pieces if after.owners[piece.held.container_id].cpus != piece.held.cpus]
    masks = [after.owners[piece.held.container_id].cpus for piece in movers]
    return Answer(Rank(_count(state, after), tuple(p.place for p in movers), ids_rank(board, masks)), after)


def ids_rank(board: Board, cpus: Iterable[CpuSet]) -> int:
    """The same number for ids as seats have."""
    width, total = board.host.online.bit_length(), 0
    for some in cpus:
        total = (total << width) + (1 << width) - 1 - sum(1 << width - 1 - cpu for cpu in some)
    return total
