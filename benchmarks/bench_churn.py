"""A day in a minute: fill to 95 % with sizes 1-16, then 300 times one container ends and others take its place.

One operation is a placement with its apply, a refusal (which also looks for what would have fitted), or an end (release
and forget_pod, each applied).
"""

from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import HOSTS, gone

LEAST_PER_SECOND = {"112 CPUs / 2 nodes": 60_000, "256 CPUs / 8 nodes": 50_000, "768 CPUs / 24 nodes": 30_000}
FULL, FREES, ROUNDS = 0.95, 300, 20


def refill(state: cp.HostState, random: Random, started: int) -> tuple[cp.HostState, int]:
    """Start containers until 95 % is taken or the next is refused; returns how often anything was asked so far too."""
    most = FULL * len(state.topology.online)
    while state.integer.bit_count() < most:
        answer = cp.place(state, cp.ContainerRequest.integer(f"c{started}", random.randint(1, 16)))
        started += 1
        if isinstance(answer, cp.Refusal):
            break
        state = cp.apply(state, answer)
    return state, started


def churn(state: cp.HostState, seed: int) -> int:
    """The whole trace; returns the number of operations."""
    random = Random(seed)
    state, started = refill(state, random, 0)
    for _ in range(FREES):
        state = gone(state, random.choice(list(state.owners)))
        state, started = refill(state, random, started)
    return started + FREES


@pytest.mark.parametrize("name", LEAST_PER_SECOND)
def bench_churn(benchmark: BenchmarkFixture, name: str) -> None:
    empty = cp.HostState.empty(HOSTS[name])
    operations = [churn(empty, seed) for seed in range(ROUNDS)]
    seeds = iter(range(ROUNDS))
    benchmark.extra_info |= {
        "what": f"fill to 95 %, {FREES} frees with refills",
        "host": name,
        "least_per_second": LEAST_PER_SECOND[name],
        "operations": operations,
    }
    benchmark.pedantic(churn, setup=lambda: ((empty, next(seeds)), {}), rounds=ROUNDS)
