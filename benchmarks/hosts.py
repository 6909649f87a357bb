"""The hosts of the benchmarks, and how they come to be half full and fragmented.

Randomness is seeded: the same seed makes the same state on every machine.
"""

from collections.abc import Mapping
from random import Random
from typing import Final

import cpuplace as cp

HOSTS: Final[Mapping[str, cp.Topology]] = {
    # 2x Xeon 8280: one L3 a socket
    "112 CPUs / 2 nodes": cp.Topology.uniform(packages=2, cores_per_l3=28, threads_per_core=2),
    # 2x EPYC 7742 NPS4: CCX of 4 cores
    "256 CPUs / 8 nodes": cp.Topology.uniform(
        packages=2, nodes_per_package=4, l3_per_node=4, cores_per_l3=4, threads_per_core=2
    ),
    # 2x EPYC 9965: 12 L3 of 16 cores a socket, with 1, 4 and 12 nodes a socket
    "768 CPUs / 2 nodes": cp.Topology.uniform(packages=2, l3_per_node=12, cores_per_l3=16, threads_per_core=2),
    "768 CPUs / 8 nodes": cp.Topology.uniform(
        packages=2, nodes_per_package=4, l3_per_node=3, cores_per_l3=16, threads_per_core=2
    ),
    "768 CPUs / 24 nodes": cp.Topology.uniform(packages=2, nodes_per_package=12, cores_per_l3=16, threads_per_core=2),
}
SMALL: Final = 4
"""Containers that fragment a host have 1 to 4 CPUs."""


def placed(state: cp.HostState, request: cp.ContainerRequest) -> cp.HostState:
    """The state after the request was placed; raises Refused when it cannot be."""
    return cp.apply(state, cp.place(state, request).unwrap())


def gone(state: cp.HostState, container_id: str) -> cp.HostState:
    """The state after a container stopped and its pod was deleted, so that nothing is remembered."""
    pod = state.assignments[container_id].request.pod
    state = cp.apply(state, cp.release(state, container_id))
    return cp.apply(state, cp.forget_pod(state, pod))


def filled(host: cp.Topology, random: Random, *, largest: int, share: float = 1.0) -> cp.HostState:
    """A host filled by containers of 1 to `largest` CPUs, until the next is refused or `share` of it is taken."""
    state = cp.HostState.empty(host)
    most = share * len(host.online)
    while len(state.exclusive) < most:
        size = random.randint(1, largest)
        answer = cp.place(state, cp.ContainerRequest.integer(f"small-{len(state.assignments)}", size))
        if isinstance(answer, cp.Refusal):
            break
        state = cp.apply(state, answer)
    return state


def half_full(host: cp.Topology, seed: int) -> cp.HostState:
    """A full host whose small containers ended at random until half of its CPUs were free: many holes of all sizes."""
    random = Random(seed)
    state = filled(host, random, largest=SMALL)
    running = list(state.assignments)
    random.shuffle(running)
    while len(state.free) < len(host.online) // 2:
        state = gone(state, running.pop())
    return state


def stirred(state: cp.HostState, random: Random) -> cp.HostState:
    """The same host one moment later: a random small container has ended and one of its size has started."""
    ended = random.choice([one for one in state.assignments if one.startswith("small-")])
    size = state.assignments[ended].request.count
    state = gone(state, ended)
    return placed(state, cp.ContainerRequest.integer(f"small-{state.version}v", size))


def with_shared(state: cp.HostState, count: int) -> cp.HostState:
    """The same state with so many running shared containers."""
    for number in range(count):
        state = placed(state, cp.ContainerRequest.shared(f"shared-{number}"))
    return state


def unstructured(nodes: int, cores_per_node: int, seed: int) -> cp.Topology:
    """A host whose node distances follow no pattern: every pair has one of its own, from 11 to 99."""
    random = Random(seed)
    rows = [
        cp.CpuRow(core + thread * nodes * cores_per_node, core, node, node, node)
        for core in range(nodes * cores_per_node)
        for thread in (0, 1)
        for node in (core // cores_per_node,)
    ]
    distances = {(a, b): 10 if a == b else random.randint(11, 99) for a in range(nodes) for b in range(nodes)}
    return cp.Topology.from_rows(rows, distances=distances)
