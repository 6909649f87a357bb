"""place + apply of an integer request on a half-full fragmented host, alone and beside 100 shared containers.

Every pass over the sizes has a half-full host of its own (its number is the seed), and before each question one small
container ends and another starts, so that every state is new, as in use: nothing is asked twice, nothing is remembered.
"""

from collections.abc import Iterator
from random import Random
from time import perf_counter
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import HOSTS, half_full, stirred, with_shared

PASSES = 30
SHARED = 100
BUDGETS_US = dict(zip(HOSTS, ((15, 12), (20, 18), (45, 15), (30, 15), (70, 25)), strict=True))
"""Host -> (sizes 1-64, sizes 1-16)."""

Question = tuple[cp.HostState, cp.ContainerRequest]


def questions(host: cp.Topology, largest: int, shared: int = 0) -> Iterator[Question]:
    """One host a pass, one new state and request a size; sizes that exceed what is free are left out. Endless."""
    seed = 0
    while True:
        state = with_shared(half_full(host, seed), shared)
        random = Random(seed)
        for size in range(1, largest + 1):
            state = stirred(state, random)
            if size < len(state.free):  # one CPU stays for shared containers
                yield state, cp.ContainerRequest.integer("asked", size)
        seed += 1


def decide(state: cp.HostState, request: cp.ContainerRequest) -> cp.HostState:
    """What is timed: the decision and the next state."""
    return cp.apply(state, cp.place(state, request).unwrap())


def decide_and_look(state: cp.HostState, request: cp.ContainerRequest) -> tuple[cp.Step, ...]:
    """The same, and the steps that an adapter would carry out."""
    plan = cp.place(state, request).unwrap()
    cp.apply(state, plan)
    return plan.steps


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("largest", (64, 16))
def bench_place(benchmark: BenchmarkFixture, name: str, largest: int) -> None:
    asked = questions(HOSTS[name], largest)
    benchmark.extra_info |= {
        "what": f"place + apply, sizes 1-{largest}",
        "host": name,
        "budget_us": BUDGETS_US[name][0 if largest == 64 else 1],
    }
    benchmark.pedantic(decide, setup=lambda: (next(asked), {}), rounds=PASSES * largest, warmup_rounds=largest)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    ("what", "target", "budget"),
    [("not looked at", decide, 5), ("looked at", decide_and_look, 60)],
    ids=("not-looked-at", "looked-at"),
)
def bench_beside_shared(benchmark: BenchmarkFixture, name: str, what: str, target: Any, budget: int) -> None:
    asked = zip(questions(HOSTS[name], 64), questions(HOSTS[name], 64, SHARED), strict=False)
    alone: list[float] = []

    def setup() -> tuple[Question, dict[str, Any]]:
        plain, beside = next(asked)
        start = perf_counter()
        decide(*plain)
        alone.append(perf_counter() - start)
        return beside, {}

    benchmark.extra_info |= {
        "what": f"more for {SHARED} running shared containers, steps {what}",
        "host": name,
        "budget_us": budget,
        "minus": alone,
    }
    benchmark.pedantic(target, setup=setup, rounds=PASSES * 64)
