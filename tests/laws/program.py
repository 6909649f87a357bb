"""A mixed-integer program, put together constraint by constraint and solved by scipy (HiGHS)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

Terms = Mapping[int, int]
"""Variable -> coefficient."""


def added(*sums: Terms) -> dict[int, int]:
    """The sum of linear expressions."""
    total: dict[int, int] = {}
    for terms in sums:
        for variable, factor in terms.items():
            total[variable] = total.get(variable, 0) + factor
    return total


def times(factor: int, terms: Terms) -> dict[int, int]:
    return {variable: factor * one for variable, one in terms.items()}


def total(variables: Iterable[int]) -> dict[int, int]:
    return added(*({one: 1} for one in variables))


class Program:
    """Variables are 0 or 1 and known by their number; rows are `terms >= least`."""

    def __init__(self) -> None:
        self.size = 0
        self.rows: list[tuple[Terms, int]] = []

    def variable(self) -> int:
        self.size += 1
        return self.size - 1

    def at_least(self, terms: Terms, least: int) -> None:
        self.rows.append((terms, least))

    def at_most(self, terms: Terms, most: int) -> None:
        self.at_least(times(-1, terms), -most)

    def equal(self, terms: Terms, value: int) -> None:
        self.at_least(terms, value)
        self.at_most(terms, value)

    def implies(self, cause: int, *effects: int) -> None:
        """Where `cause` is 1, each effect is 1."""
        for effect in effects:
            self.at_least({effect: 1, cause: -1}, 0)

    def least(self, goal: Terms) -> tuple[int, Sequence[bool]] | None:
        """The least value of the goal and the variables that give it; None when no values hold all rows."""
        cost = np.zeros(self.size)
        for variable, factor in goal.items():
            cost[variable] = factor
        found = milp(
            cost,
            integrality=np.ones(self.size, dtype=np.int64),
            bounds=Bounds(0, 1),
            constraints=self._constraints(),
            options={"mip_rel_gap": 0},
        )
        if found.status == 2:
            return None
        assert found.status == 0, found.message
        values = [bool(one > 0.5) for one in found.x]
        return sum(factor for variable, factor in goal.items() if values[variable]), values

    def _constraints(self) -> list[LinearConstraint]:
        places = [
            (row, variable, factor) for row, (terms, _) in enumerate(self.rows) for variable, factor in terms.items()
        ]
        rows, columns, factors = zip(*places, strict=True)
        matrix = csr_matrix((factors, (rows, columns)), shape=(len(self.rows), self.size))
        return [LinearConstraint(matrix, np.array([least for _, least in self.rows]), np.inf)]

    def least_in_turn(self, *goals: Terms, base: int) -> tuple[tuple[int, ...], Sequence[bool]] | None:
        """Each goal as small as those before it let it be, which stays so; none of them can reach `base`."""
        weighed = added(*(times(base**power, goal) for power, goal in enumerate(reversed(goals))))
        found = self.least(weighed)
        if found is None:
            return None
        self.equal(weighed, found[0])
        chosen = found[1]
        return tuple(sum(factor for one, factor in goal.items() if chosen[one]) for goal in goals), chosen
