"""Move by move: good answers soon, each move the one that helps most; what single moves cannot do, two at once may."""

from collections.abc import Callable, Iterator

from attrs import define

from cpuplace.nodesets import Budget
from cpuplace.rebalance_board import Board
from cpuplace.rebalance_regions import Regions
from cpuplace.rebalance_search import Goal, Search, blind, nothing, prospects, rebased
from cpuplace.state import HostState


@define(eq=False)
class MoveByMove:
    """One chain of moves from a state; every state on it can be reached from the start by a safe order of steps."""

    board_of: Callable[[HostState], Board]
    goal: Goal
    regions: Regions
    budget: Budget

    def states(self, max_moves: int) -> Iterator[HostState]:
        """The state after the best move, after another, ...; each a little better than the one before."""
        board, left, size = self.board_of(self.goal.start), max_moves, 1
        while size <= min(left, 2):
            after = self._best(board, size)
            if after is None:
                size += 1
            else:
                yield after
                board, left, size = self.board_of(after), left - size, 1

    def _best(self, board: Board, size: int) -> HostState | None:
        """The state after the best move of so many at once, or None when none is better."""
        known = blind(board) if size == 1 else prospects(board, self.regions, self.budget)
        search = Search(board, self.goal, self.regions, known, self.budget, nothing(board))
        answer = search.run([tuple(range(size))] if size <= len(known) else [])
        return None if answer.after is board.state else rebased(self.goal.start, answer.after)
