"""split_cpus on every odd host: nothing lost or doubled, even, whole cores, and no worker spread that need not be."""

from collections import Counter
from collections.abc import Callable, Hashable
from itertools import chain, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.hardware import Cpu
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.splitting import split_cpus
from cpuplace.topology import CpuRow, Topology
from laws.strategies import hosts, masks, regular_hosts


def cores_of(host: Topology, cpus: CpuSet) -> list[CpuSet]:
    """What the set has of each core."""
    return [core.cpus & cpus for core in host.cores if core.cpus & cpus]


@given(st.data(), hosts() | regular_hosts())
def test_everything_once_and_even(data: st.DataObject, host: Topology) -> None:
    cpus = data.draw(masks(host))
    workers = data.draw(st.integers(1, len(cpus)))
    answer = split_cpus(host, cpus, workers)
    assert len(answer) == workers
    assert all(answer)
    assert sum(map(len, answer)) == len(cpus)
    assert CpuSet(cpu for one in answer for cpu in one) == cpus
    assert answer == split_cpus(host, cpus, workers)
    sizes = [len(one) for one in answer]
    cores = cores_of(host, cpus)
    if workers <= len(cores):
        assert all(any(core <= one for one in answer) for core in cores)
        assert max(sizes) - min(sizes) <= max(map(len, cores))
    else:
        assert max(sizes) - min(sizes) <= 1


Level = Callable[[Cpu], Hashable]


def levels_of(host: Topology, cpus: CpuSet) -> list[Level]:
    """Places inside one another, largest first: a node may span packages, and a package nodes."""

    def places(level: Level) -> int:
        return len({level(host.cpu(cpu)) for cpu in cpus})

    both: list[Level] = [lambda cpu: cpu.node, lambda cpu: cpu.package]
    larger, smaller = sorted(both, key=places)
    return [
        lambda _cpu: None,
        larger,
        lambda cpu: (larger(cpu), smaller(cpu)),
        lambda cpu: (cpu.node, cpu.package, cpu.l3),
    ]


@given(st.data(), hosts() | regular_hosts())
def test_no_worker_is_spread_that_fits_without_pushing_another_out_of_its_place(
    data: st.DataObject, host: Topology
) -> None:
    """Who lies in one place, but in no single smaller place inside it, fits into none of those: not even if it had for
    itself what the other spread ones, and those that reach beyond the place, hold there.

    Of the one that reaches beyond the place this is not said. It may fit into an L3 group of a package whose cores
    another one of the package holds, spread; but that one would be spread over packages then, in its stead.
    """
    cpus = data.draw(masks(host))
    workers = data.draw(st.integers(1, len(cpus)))
    answer = split_cpus(host, cpus, workers)
    cores = cores_of(host, cpus)
    whole = workers <= len(cores)
    all_parts = cores if whole else [CpuSet([cpu]) for cpu in cpus]
    parts_of = [[part for part in all_parts if part <= one] for one in answer]

    def reach(parts: list[CpuSet], level: Level) -> frozenset[Hashable]:
        return frozenset(level(host.cpu(part.min)) for part in parts)

    for outer, inner in pairwise(levels_of(host, cpus) + [lambda cpu: cpu.core] * (not whole)):
        spread = [parts for parts in parts_of if len(reach(parts, inner)) > 1]
        groups: dict[tuple[frozenset[Hashable], frozenset[Hashable]], Counter[int]] = {}
        for part in chain(*spread):
            groups.setdefault((reach([part], outer), reach([part], inner)), Counter())[len(part)] += 1
        for parts in spread:
            here = reach(parts, outer)
            if len(here) == 1:
                needs = Counter(map(len, parts))
                assert not any(needs <= held for (place, _), held in groups.items() if place == here)


@given(st.integers(1, 2), st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(1, 2), st.integers(1, 6))
@example(packages=1, nodes=3, l3s=3, cores=3, threads=2, each=5)  # the L3 groups of one node could take all small ones
def test_where_the_workers_of_a_node_divide_it_each_has_its_own(
    packages: int, nodes: int, l3s: int, cores: int, threads: int, each: int
) -> None:
    host = Topology.uniform(
        packages=packages, nodes_per_package=nodes, l3_per_node=l3s, cores_per_l3=cores, threads_per_core=threads
    )
    count = len(host.nodes)
    if each <= l3s * cores:  # so many workers for each node
        answer = split_cpus(host, host.online, each * count)
        inside = [sum(one <= node.cpus for node in host.nodes) for one in answer]
        assert inside == [1] * len(answer)
        assert len({len(one) for one in answer}) <= 2
    if each <= cores:  # for each L3 group
        answer = split_cpus(host, host.online, each * len(host.l3_groups))
        assert all(any(one <= group.cpus for group in host.l3_groups) for one in answer)
    assert split_cpus(host, host.online, count) == tuple(node.cpus for node in host.nodes)
    assert split_cpus(host, host.online, packages) == tuple(package.cpus for package in host.packages)
    assert split_cpus(host, host.online, 1) == (host.online,)


@given(st.data(), hosts())
def test_more_workers_than_cpus_share_evenly(data: st.DataObject, host: Topology) -> None:
    cpus = data.draw(masks(host))
    workers = data.draw(st.integers(len(cpus) + 1, 3 * len(cpus) + 1))
    with pytest.raises(BadInput, match="share=True"):
        split_cpus(host, cpus, workers)
    answer = split_cpus(host, cpus, workers, share=True)
    assert {len(one) for one in answer} == {1}
    users = Counter(one.min for one in answer)
    assert CpuSet(users) == cpus
    assert max(users.values()) - min(users.values()) <= 1


def test_what_cannot_be_divided() -> None:
    host = Topology.uniform(cores_per_l3=4)
    for cpus, workers, problem in (
        (host.online, 0, "0 workers"),
        (NO_CPUS, 1, "no CPU to divide"),
        (CpuSet([3, 4]), 1, "CPUs 4 are not online"),
    ):
        with pytest.raises(BadInput, match=problem):
            split_cpus(host, cpus, workers)
        with pytest.raises(BadInput, match=problem):
            split_cpus(host, cpus, workers, share=True)


@pytest.mark.parametrize(
    ("host", "workers", "expected"),
    [
        (Topology.uniform(packages=2, cores_per_l3=8), 3, ["0-5", "6-7,13-15", "8-12"]),
        (Topology.uniform(packages=2, cores_per_l3=7), 4, ["0-3", "4-6", "7-10", "11-13"]),
        (Topology.uniform(cores_per_l3=4, threads_per_core=2), 3, ["0-1,4-5", "2,6", "3,7"]),
        (Topology.uniform(cores_per_l3=4, threads_per_core=2), 6, ["0,4", "1", "5", "2,6", "3", "7"]),
        (Topology.uniform(packages=2, l3_per_node=2, cores_per_l3=3), 6, ["0-1", "2,5", "3-4", "6-7", "8,11", "9-10"]),
    ],
)
def test_examples(host: Topology, workers: int, expected: list[str]) -> None:
    assert [str(one) for one in split_cpus(host, host.online, workers)] == expected


def test_packages_count_where_a_node_spans_them() -> None:
    """As firmware shows a host of two sockets whose memory is interleaved: one node over both."""
    host = Topology.from_rows([CpuRow(cpu, node=0, package=cpu // 5) for cpu in range(10)])
    assert [str(one) for one in split_cpus(host, host.online, 4)] == ["0-2", "3-4", "5-7", "8-9"]


def test_a_core_stays_whole_where_its_siblings_say_two_nodes() -> None:
    host = Topology.from_rows([CpuRow(cpu, core=cpu % 3, node=cpu // 3, package=0) for cpu in range(6)])
    assert [str(one) for one in split_cpus(host, host.online, 3)] == ["0,3", "1,4", "2,5"]


def test_where_places_are_odd_small_ones_may_choose_first() -> None:
    """Nodes with 2, 2 and 2 cores, then 1, 2 and 1: the two of six workers with one core only go to the odd nodes."""
    host = Topology.uniform(packages=2, nodes_per_package=3, cores_per_l3=2)
    answer = split_cpus(host, host.online - CpuSet([7, 11]), 6)
    assert [str(one) for one in answer] == ["0-1", "2-3", "4-5", "6", "8-9", "10"]
