"""The search alone: `choose` on half-full fragmented hosts, and the ways that are not the straight one."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import HOSTS, half_full
from cpuplace.candidates import Choice, Shortfall, choose
from cpuplace.hostmap import HostMap
from cpuplace.wishes import PLAIN_WISHES, ResolvedWishes

SEEDS = 20
WISHES = {
    "spread": ResolvedWishes(spread=0),
    "whole cores": ResolvedWishes(cores="require-full"),
    "isolate": ResolvedWishes(cores="isolate"),
    "one L3 group": ResolvedWishes(l3="require-one"),
    "one package": ResolvedWishes(one_package=True),
}
Question = tuple[HostMap, int, int, ResolvedWishes]


def questions(name: str, sizes: range, wishes: ResolvedWishes) -> Iterator[Question]:
    """Every size on hosts that are half full in different ways; endless."""
    host = HostMap.of(HOSTS[name])
    frees = [half_full(HOSTS[name], seed).free.mask for seed in range(SEEDS)]
    while True:
        for size in sizes:
            for free in frees:
                if free.bit_count() >= size:
                    yield host, free, size, wishes


def decide(host: HostMap, free: int, count: int, wishes: ResolvedWishes) -> Choice | Shortfall:
    return choose(host, free, count, wishes=wishes)


def _measured(benchmark: BenchmarkFixture, asked: Iterator[Question], rounds: int, **info: Any) -> None:
    benchmark.extra_info |= info
    benchmark.pedantic(decide, setup=lambda: (next(asked), {}), rounds=rounds, warmup_rounds=SEEDS)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("count", (1, 2, 4, 8, 16, 32, 64))
def bench_choose(benchmark: BenchmarkFixture, name: str, count: int) -> None:
    if count > len(HOSTS[name].online) // 2:
        pytest.skip("half of the host is free, and that is less than asked for")
    asked = questions(name, range(count, count + 1), PLAIN_WISHES)
    _measured(benchmark, asked, 10 * SEEDS, what=f"choose {count}", host=name)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("wish", WISHES)
def bench_choose_with_a_wish(benchmark: BenchmarkFixture, name: str, wish: str) -> None:
    asked = questions(name, range(1, 33), WISHES[wish])
    _measured(benchmark, asked, 5 * SEEDS, what=f"choose 1-32 with {wish}", host=name, budget_us=20_000)


def bench_compile(benchmark: BenchmarkFixture) -> None:
    """The map of 768 CPUs, and the straight way on it, are made once for a topology."""
    rows = HOSTS["768 CPUs / 24 nodes"]
    benchmark.extra_info |= {"what": "compile the host", "host": "768 CPUs / 24 nodes", "budget_us": 30_000}

    def compiled() -> Choice | Shortfall:
        fresh = cp.Topology(cpus=rows.cpus, memory_bytes=rows.memory_bytes)
        return choose(HostMap.of(fresh), fresh.online.mask, 40)

    benchmark.pedantic(compiled, rounds=10)
