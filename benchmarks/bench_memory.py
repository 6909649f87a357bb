"""What a state weighs: 768 CPUs with 400 integer and 100 shared containers, counted by tracemalloc."""

import gc
import tracemalloc

from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.hosts import placed

INTEGER, SHARED = 400, 100


def full_state() -> cp.HostState:
    """A new topology and state, so that everything it holds is counted."""
    host = cp.Topology.uniform(packages=2, nodes_per_package=12, cores_per_l3=16, threads_per_core=2)
    state = cp.HostState.empty(host)
    for number in range(INTEGER):
        state = placed(state, cp.ContainerRequest.integer(f"integer-{number}", 1 + number % 2))
    for number in range(SHARED):
        state = placed(state, cp.ContainerRequest.shared(f"shared-{number}"))
    return state


def weigh() -> int:
    """Bytes that the state keeps alive, its topology and all that was computed for it included."""
    full_state()  # what is made once for all states is not counted
    gc.collect()
    tracemalloc.start()
    try:
        state = full_state()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(state.assignments) == INTEGER + SHARED
    return held


def bench_memory(benchmark: BenchmarkFixture) -> None:
    held = benchmark.pedantic(weigh, rounds=1)
    benchmark.extra_info |= {
        "what": f"HostState with {INTEGER + SHARED} containers, topology included",
        "host": "768 CPUs / 24 nodes",
        "bytes": held,
        "budget_bytes": 2 * 2**20,
    }
