"""The worst for a search: 64 nodes, every distance its own, and a request that five nodes hold and four do not."""

from collections.abc import Iterator

from pytest_benchmark.fixture import BenchmarkFixture

import cpuplace as cp
from benchmarks.bench_place import decide
from benchmarks.hosts import half_full, unstructured

NODES, CORES = 64, 6
ROUNDS = 60


def questions() -> Iterator[tuple[cp.HostState, cp.ContainerRequest]]:
    """Hosts of their own distances, half full, and sizes between what the four and the five fullest nodes hold."""
    for seed in range(ROUNDS):
        state = half_full(unstructured(NODES, CORES, seed), seed)
        free = sorted((len(node.cpus & state.free) for node in state.topology.nodes), reverse=True)
        least, most = sum(free[:4]) + 1, sum(free[:5])
        yield state, cp.ContainerRequest.integer("asked", least + seed % (most - least + 1))


def bench_five_of_64_nodes(benchmark: BenchmarkFixture) -> None:
    asked = list(questions())
    turns = iter(asked)
    cut = sum(not cp.place(*one).unwrap().optimal for one in asked)
    benchmark.extra_info |= {
        "what": f"five of 64 nodes without structure ({cut} of {ROUNDS} plans say optimal=False)",
        "host": f"{NODES * CORES * 2} CPUs / {NODES} nodes",
        "budget_us": 5000,
    }
    benchmark.pedantic(decide, setup=lambda: (next(turns), {}), rounds=ROUNDS)
