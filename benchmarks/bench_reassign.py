"""A pin that meets integer containers: clearing it, and the steps of the whole plan.

The hard kind has no room to speak of: every container must stay in one node, and 90 % of all CPUs are taken.
"""

from collections.abc import Callable, Iterator
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import HOSTS
from cpuplace.reassign import clear

HOST = "256 CPUs / 8 nodes"
ROUNDS = 40

Conflict = tuple[cp.HostState, cp.ContainerRequest]


def crowded(seed: int, *, share: float, wishes: cp.Wishes, most: int) -> cp.HostState:
    """Up to `most` integer containers of 1 to 6 CPUs on `share` of the host, scattered as they come."""
    host, random = HOSTS[HOST], Random(seed)
    state = cp.HostState.empty(host)
    number = 0
    while len(state.owners) < most and len(state.exclusive) < share * len(host.online):
        number += 1
        size = random.randint(1, 6)
        answer = cp.place(state, cp.ContainerRequest.integer(f"c{number}", size, wishes=wishes))
        if isinstance(answer, cp.Plan):
            state = cp.apply(state, answer)
    return state


def pin_on(state: cp.HostState, seed: int, holders: int) -> cp.ContainerRequest:
    """An exclusive pin on one CPU of each of so many containers."""
    random = Random(seed)
    met = random.sample(sorted(state.owners), holders)
    cpus = cp.CpuSet(random.choice(sorted(state[key].cpus)) for key in met)
    return cp.ContainerRequest.pinned("pin", cpus, exclusive=True)


def plain() -> Iterator[Conflict]:
    """60 containers without wishes on some 200 CPUs; the pin meets 10 of them."""
    for seed in range(10**6):
        state = crowded(seed, share=1, wishes=cp.Wishes(), most=60)
        yield state, pin_on(state, seed, 10)


def hard() -> Iterator[Conflict]:
    """Nobody may leave its node for two, and one CPU in ten is free."""
    for seed in range(10**6):
        state = crowded(seed, share=0.9, wishes=cp.Wishes(numa="require-one"), most=1000)
        yield state, pin_on(state, seed, 10)


@pytest.mark.parametrize(
    ("what", "conflicts", "budget"),
    [
        ("a pin that meets 10 of 60 integer containers", plain, 20_000),
        ("the same, all require-one, 90 % full", hard, 500_000),
    ],
    ids=("plain", "hard"),
)
def bench_clear(
    benchmark: BenchmarkFixture, what: str, conflicts: Callable[[], Iterator[Conflict]], budget: int
) -> None:
    asked = conflicts()
    benchmark.extra_info |= {"what": what, "host": HOST, "budget_us": budget}
    benchmark.pedantic(clear, setup=lambda: (next(asked), {}), rounds=ROUNDS, warmup_rounds=2)
