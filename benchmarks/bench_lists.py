"""Id lists as text: the most fragmented list that a 768-CPU host shows, and random ones."""

from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp

CPUS, LISTS = 768, 200


def fragmented() -> list[cp.CpuSet]:
    """Random halves of the CPUs: some 190 ranges each."""
    random = Random(0)
    return [cp.CpuSet(random.sample(range(CPUS), CPUS // 2)) for _ in range(LISTS)]


@pytest.mark.parametrize("way", ("parse", "print"))
def bench_list(benchmark: BenchmarkFixture, way: str) -> None:
    sets = fragmented()
    todo = iter([str(one) for one in sets] if way == "parse" else sets)
    benchmark.extra_info |= {"what": f"{way} a fragmented list", "host": f"{CPUS} CPUs", "budget_us": 50}
    target = cp.CpuSet.parse if way == "parse" else str
    benchmark.pedantic(target, setup=lambda: ((next(todo),), {}), rounds=LISTS)
