"""Seating: CPUs for some pieces at once, each within a region of its own, the cheapest together first.

What a grant costs beside its region is a sum over cores: broken ones (also those of who stays), CPUs of an unwished
sort, CPUs changed, and ids. So cores are decided one after another:

    cores 0..i decided --one option for core i+1: who takes which of its threads--> cores 0..i+1 decided
                       --all decided, everybody has enough--> seats

What the cores still to come cost at least is known exactly beforehand (a dynamic program over how many CPUs each piece
still needs, from the last core back), so seats come out in order, and no branch is looked at that leads nowhere.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from attrs import frozen

from cpuplace.cpulist import ids_of
from cpuplace.nodesets import Budget
from cpuplace.rebalance_board import BROKEN, CHANGED, MOVE, Board, Piece, lifted, task_of, weight
from cpuplace.task import Task, siblings

_FIELD: Final = 16
"""Bits of the number of CPUs that one piece needs, the highest of them a guard."""
_OPTIONS: Final = 8
"""How many entries of the dynamic program count as one step of the budget."""


class Option(NamedTuple):
    """Who takes what of one core: how many CPUs each as one number, what it costs, the CPUs of each."""

    taken: int
    cost: int
    masks: tuple[int, ...]


class Partial(NamedTuple):
    """Some cores decided: what all counts for in the end, ids included, how many are decided, what is needed."""

    total: int
    decided: int
    need: int
    masks: tuple[int, ...]


@frozen(eq=False)
class Lift:
    """A board with some pieces lifted off it, and what it counts for without them."""

    board: Board
    movers: tuple[Piece, ...]
    tasks: tuple[Task, ...]
    free: int
    worth: int

    @staticmethod
    def of(board: Board, movers: tuple[Piece, ...]) -> "Lift":
        """These pieces lifted; in `worth` each counts as a move that changes all of its CPUs."""
        state = lifted(board.state, (piece.held for piece in movers))
        free = state.free_mask | state.isolated_free_mask
        worth = (
            board.worth - sum(piece.worth for piece in movers) + (board.broken - sum(p.broken for p in movers)) * BROKEN
        )
        left = {core for core in board.present for piece in movers if piece.cpus & core}
        for core in left:
            stay = [piece for piece in board.present[core] if piece not in movers]
            now = sum(piece.is_broken(piece.cpus, core, board.free) for piece in stay)
            worth += (sum(piece.is_broken(piece.cpus, core, free) for piece in stay) - now) * BROKEN
        worth += sum(MOVE + piece.cpus.bit_count() * CHANGED for piece in movers)
        return Lift(board, movers, tuple(task_of(state, piece) for piece in movers), free, worth)

    def options(self, unit: int, parts: tuple[int, ...], allowed: tuple[int, ...], width: int) -> tuple["Option", ...]:
        """All ways to give threads of one core to the movers; where none of them is now, they are worked out once."""
        if any(unit & piece.claim for piece in self.movers):
            return tuple(_options(self, parts, allowed, width))
        asked = tuple(
            (cpus, cpus and (piece.room & unit, piece.wishes)) for cpus, piece in zip(allowed, self.movers, strict=True)
        )
        known = self.board.options_known
        if (unit, asked) not in known:
            known[unit, asked] = tuple(_options(self, parts, allowed, width))
        return known[unit, asked]


@frozen(eq=False)
class Seating:
    """One region for each mover, the options of every core in them, and what the later cores cost at least."""

    lift: Lift
    options: tuple[tuple[Option, ...], ...]
    to_go: tuple[dict[int, int], ...]
    start: int
    needed: int
    width: int

    @staticmethod
    def of(lift: Lift, regions: Sequence[int], worth: int, budget: Budget) -> "Seating":
        """`worth`: what the regions count for; ends early, and so has no seats, when the budget is spent."""
        movers, width = lift.movers, lift.board.host.online.bit_length()
        allowed = [task.allowed & cpus for task, cpus in zip(lift.tasks, regions, strict=True)]
        needed = sum(piece.cpus.bit_count() << _FIELD * place for place, piece in enumerate(movers))
        options, to_go = [], [{0: 0}]
        everywhere = 0
        for cpus in allowed:
            everywhere |= cpus
        for unit, parts in reversed(lift.board.units_in(everywhere)):
            choices = lift.options(unit, parts, tuple(unit & cpus for cpus in allowed), width)
            later = to_go[-1]
            if not budget.spend(1 + len(later) * len(choices) // _OPTIONS):
                later, choices = {}, ()
            options.append(choices)
            to_go.append(_joined(later, choices, needed, len(movers)))
        ids = width * len(movers)
        start = (lift.worth + worth << ids) + (1 << ids) - 1
        return Seating(lift, tuple(reversed(options)), tuple(reversed(to_go)), start, needed, ids)

    def root(self) -> Partial | None:
        """Nothing decided; None when there are not enough CPUs."""
        to_go = self.to_go[0].get(self.needed)
        return None if to_go is None else Partial(self.start + to_go, 0, self.needed, (0,) * len(self.lift.movers))

    def next_of(self, partial: Partial) -> Iterator[Partial]:
        """One core more decided, in each way from which seats can be reached."""
        later = self.to_go[partial.decided + 1]
        spent = partial.total - self.to_go[partial.decided][partial.need]
        for taken, cost, masks in self.options[partial.decided]:
            to_go = later.get(partial.need - taken)
            if to_go is not None:
                held = tuple(a | b for a, b in zip(partial.masks, masks, strict=True))
                yield Partial(spent + cost + to_go, partial.decided + 1, partial.need - taken, held)

    def is_done(self, partial: Partial) -> bool:
        """Whether everybody has a seat."""
        return partial.decided == len(self.options)

    def split(self, total: int) -> tuple[int, int]:
        """(what seats count for, a number for the ids: those of the first mover weigh most, lower ones are less)."""
        return total >> self.width, total & (1 << self.width) - 1


def _joined(later: dict[int, int], choices: Sequence[Option], needed: int, movers: int) -> dict[int, int]:
    """What these cores and the later ones cost at least, for every number of CPUs that can be taken of them."""
    guard = sum(1 << _FIELD * place + _FIELD - 1 for place in range(movers))
    limit = needed | guard
    least: dict[int, int] = {}
    for taken, cost in later.items():
        for option in choices:
            both = taken + option.taken
            if (limit - both) & guard == guard:
                total = cost + option.cost
                if total < least.get(both, total + 1):
                    least[both] = total
    return least


def _options(lift: Lift, parts: tuple[int, ...], allowed: Sequence[int], width: int) -> Iterator[Option]:
    """All ways to give threads of one core to the movers, the core left alone first."""
    movers, host, usable = lift.movers, lift.board.host, lift.board.state.ground.usable
    stay = [(core, [p for p in lift.board.present.get(core, ()) if p not in movers]) for core in parts]
    alone = sum(piece.is_broken(piece.cpus, core, lift.free) for core, some in stay for piece in some)
    for masks in _splits(allowed):
        claims = [
            siblings(host, mask) & usable if mask and piece.wishes.cores == "isolate" else mask
            for piece, mask in zip(movers, masks, strict=True)
        ]
        together = sum(claims)
        if together.bit_count() < sum(claim.bit_count() for claim in claims) or not _whole(lift, parts, masks):
            continue
        free = lift.free & ~together
        broken = sum(piece.is_broken(piece.cpus, core, free) for core, some in stay for piece in some) - alone
        for piece, mask in zip(movers, masks, strict=True):
            if mask and piece.counts_cores:
                broken += sum(piece.is_broken(mask, core, free) for core in parts)
        taken = sum(mask.bit_count() << _FIELD * place for place, mask in enumerate(masks))
        cost = broken * BROKEN + sum(_sorts(lift, piece, mask) for piece, mask in zip(movers, masks, strict=True))
        yield Option(taken, (cost << width * len(movers)) - _ids(masks, width), masks)


def _splits(allowed: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every way to give each CPU to one of those who may have it, or to nobody."""
    ways: list[tuple[int, ...]] = [(0,) * len(allowed)]
    everywhere = 0
    for cpus in allowed:
        everywhere |= cpus
    for cpu in ids_of(everywhere):
        bit = 1 << cpu
        takers = [place for place, cpus in enumerate(allowed) if cpus & bit]
        ways += [(*way[:taker], way[taker] | bit, *way[taker + 1 :]) for way in ways for taker in takers]
    return iter(ways)


def _whole(lift: Lift, parts: tuple[int, ...], masks: Sequence[int]) -> bool:
    """Whether who wants whole cores takes none in part."""
    for task, mask in zip(lift.tasks, masks, strict=True):
        if mask and task.whole_cores and any(mask & core not in (0, core) for core in parts):
            return False
    return True


def _sorts(lift: Lift, piece: Piece, mask: int) -> int:
    """What single CPUs count for: those of an unwished sort, and fewer changed for each that is held already."""
    host, wishes = lift.board.host, piece.wishes
    cost = -(mask & piece.cpus).bit_count() * CHANGED
    if wishes.isolated == "prefer":
        cost += (mask & ~host.isolated).bit_count() * weight("not_isolated")
    if wishes.kind_soft is not None:
        cost += (mask & ~host.of_kind(wishes.kind_soft)).bit_count() * weight("other_kind")
    return cost


def _ids(masks: Sequence[int], width: int) -> int:
    """The greater, the lower the ids: of two sets of one size that with the lowest id that the other lacks."""
    total = 0
    for mask in masks:
        total = total << width | sum(1 << width - 1 - cpu for cpu in ids_of(mask))
    return total
