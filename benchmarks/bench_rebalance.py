"""Tidying up a half-full, fragmented host by one move and by four, the default search budget.

One move is the best there is; of four the row says how many plans were cut by the budget.
"""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import HOSTS, half_full

HOST = "256 CPUs / 8 nodes"
ROUNDS = 10


def states() -> Iterator[cp.HostState]:
    for seed in range(10**6):
        yield half_full(HOSTS[HOST], seed)


@pytest.mark.parametrize("max_moves", [1, 4])
def bench_rebalance(benchmark: BenchmarkFixture, max_moves: int) -> None:
    asked = states()
    plans: list[cp.Plan] = []

    def tidy(state: cp.HostState) -> None:
        plans.append(cp.rebalance(state, max_moves=max_moves))

    benchmark.pedantic(tidy, setup=lambda: ((next(asked),), {}), rounds=ROUNDS, warmup_rounds=1)
    cut = sum(not plan.optimal for plan in plans[1:])
    said = f" ({cut} of {ROUNDS} plans say optimal=False)" if cut else ""
    moves = f"{max_moves} move{'' if max_moves == 1 else 's'}"
    benchmark.extra_info |= {"what": f"rebalance, at most {moves}{said}", "host": HOST}
