"""Move by move: good answers soon, each move the one that helps most; what single moves cannot do, two at once may."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from attrs import define

from cpuplace.nodesets import Budget
from cpuplace.rebalance_board import Board
from cpuplace.rebalance_regions import Regions
from cpuplace.rebalance_search import Answer, Goal, Search, alone, nothing, prospects, rebased
from cpuplace.state import HostState

_PAIR: Final = 2


@define(eq=False)
class MoveByMove:
    """One chain of moves from a state; every state on it can be reached from the start by a safe order of steps."""

    board_of: Callable[[HostState], Board]
    goal: Goal
    regions: Regions
    budget: Budget

    def states(self, max_moves: int) -> Iterator[HostState]:
        """The state after the best move, after another, ...; each a little better than the one before."""
        state = self.goal.start
        while max_moves > 0 and not self.budget.cut:
            used = 0
            for after in self._singles(state, max_moves):
                yield after
                state, used = after, used + 1
            max_moves -= used
            pair = self._pair(state) if max_moves >= _PAIR else None
            if pair is None:
                return
            yield pair
            state, max_moves = pair, max_moves - _PAIR

    def _singles(self, state: HostState, most: int) -> Iterator[HostState]:
        """Single moves; what one gains is asked again once others have moved, before it is believed."""
        board = self.board_of(state)
        keys = [piece.held.container_id for piece in board.pieces if piece.movable]
        gains = [(-self._gain(board, self._single(board, key)), place, key) for place, key in enumerate(keys)]
        heapify(gains)
        while gains and most > 0:
            _, place, key = heappop(gains)
            answer = self._single(board, key)
            gain = self._gain(board, answer)
            if gains and -gain > gains[0][0]:
                heappush(gains, (-gain, place, key))
            elif gain > 0:
                state = rebased(self.goal.start, answer.after)
                yield state
                board, most = self.board_of(state), most - 1

    def _single(self, board: Board, key: str) -> Answer:
        """The best that moving one container gives."""
        search = Search(board, self.goal, self.regions, alone(board, key), self.budget, nothing(board))
        return search.run([(0,)])

    @staticmethod
    def _gain(board: Board, answer: Answer) -> int:
        return board.count - answer.rank.cost

    def _pair(self, state: HostState) -> HostState | None:
        """The state after the best two at once, or None when none are better."""
        board = self.board_of(state)
        known = prospects(board, self.regions, self.budget)
        search = Search(board, self.goal, self.regions, known, self.budget, nothing(board))
        answer = search.run([(0, 1)] if len(known) >= _PAIR else [])
        return None if answer.after is state else rebased(self.goal.start, answer.after)
