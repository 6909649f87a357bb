"""Rebalancing: a few moves that make the sum of all tuples smaller, on a host that had time to fragment."""

from fractions import Fraction
from functools import partial
from typing import Final

from cpuplace.explaining import explain_fixed
from cpuplace.nodesets import Budget
from cpuplace.placing import Placed
from cpuplace.rebalance_board import Board
from cpuplace.rebalance_greedy import MoveByMove
from cpuplace.rebalance_regions import Regions
from cpuplace.rebalance_search import Answer, Goal, Search, answer_of, blind, moved, nothing, prospects
from cpuplace.rebalance_sum import COUNTED, tuple_of
from cpuplace.state import Assignment, HostState

STEPS: Final = 8
"""Steps of the search that count as one search node."""
_SOON: Final = Fraction(3, 4)
"""How much of the budget goes to good answers soon, when several may move."""


def rebalanced(
    state: HostState, max_moves: int, *, search_budget: int, move_memory: bool, one_step_per_container: bool
) -> Placed:
    """The state in which at most so many containers moved and the sum is least, as far as the budget goes."""
    goal, steps = Goal(state, one_step_per_container), search_budget * STEPS

    def board_of(some: HostState) -> Board:
        return Board.of(some, max_moves, move_memory=move_memory)

    board, regions = board_of(state), Regions(state.ground.host_map)
    most = min(max_moves, sum(piece.movable for piece in board.pieces))
    best, budget = nothing(board), Budget(steps)
    if most > 1:
        hurried = Budget(int(steps * _SOON))
        for after in MoveByMove(board_of, goal, regions, hurried).states(most):
            best = min(best, answer_of(board, after), key=lambda one: one.rank)
        budget = Budget(steps - int(steps * _SOON) + max(0, hurried.left))
    best = _together(board, goal, regions, best, most, budget)
    return _placed(state, best.after, optimal=not budget.cut)


def _together(board: Board, goal: Goal, regions: Regions, best: Answer, most: int, budget: Budget) -> Answer:
    """The best of all ways to move up to so many together."""
    known = prospects(board, regions, budget) if most > 1 else blind(board)
    sizes = range(1, min(most, len(known)) + 1)
    return Search(board, goal, regions, known, budget, best).run(tuple(range(size)) for size in sizes)


def _placed(before: HostState, after: HostState, *, optimal: bool) -> Placed:
    """The answer with what is worth saying about it: who moves, and why."""
    gone = moved(before, after)
    ways = [(one.container_id, _way(before, after, one)) for one in gone]
    reasons = tuple(partial(explain_fixed, key, "R4", f"moves {way}") for key, way in ways)
    return Placed(after, tuple(f"{key}: moves {way}" for key, way in ways), optimal, reasons)


def _way(before: HostState, after: HostState, one: Assignment) -> str:
    """From where to where, and what of its own tuple changes."""
    now = after.owners[one.container_id]
    values = zip(COUNTED, tuple_of(before, one), tuple_of(after, now), strict=True)
    changed = [f"{element.name} {was} -> {will}" for element, was, will in values if will != was]
    return f"from {one.cpus} to {now.cpus}, {', '.join(changed) or 'so that others gain'}"
