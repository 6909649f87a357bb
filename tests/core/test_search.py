"""The search at its edges: what it says when the budget ends, and what is missing when a hard wish cannot be had."""

from random import Random

import pytest

from cpuplace import subsets as subsets_module
from cpuplace.candidates import Choice, Shortfall, choose, explain_choice
from cpuplace.exact import ExactSearch
from cpuplace.hostmap import HostMap
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.straight import lowest
from cpuplace.subsets import subsets
from cpuplace.task import compile_task
from cpuplace.topology import CoreKind, CpuRow, Device, Topology
from cpuplace.wishes import ResolvedWishes

TINY = HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))


def unstructured(nodes: int, cpus: int, seed: int) -> HostMap:
    """A host whose distances follow no rule."""
    random = Random(seed)
    rows = [CpuRow(cpu, cpu, cpu // cpus, cpu // cpus, 0) for cpu in range(nodes * cpus)]
    distances = {(a, b): 10 if a == b else random.randint(11, 99) for a in range(nodes) for b in range(nodes)}
    return HostMap.of(Topology.from_rows(rows, distances=distances))


def grant_of(answer: Choice | Shortfall) -> int:
    assert isinstance(answer, Choice)
    return answer.mask


@pytest.mark.parametrize("budget", [1, 100, 4000])
@pytest.mark.parametrize("count", [9, 18, 40])
def test_a_cut_search_has_the_fewest_nodes_all_the_same(budget: int, count: int) -> None:
    host = unstructured(40, 4, seed=7)
    answer = choose(host, host.online, count, budget=budget)
    assert host.nodes_met(grant_of(answer)).bit_count() == -(-count // 4)
    assert isinstance(answer, Choice)
    assert answer.optimal == (budget == 4000 and count < 40)


def test_a_larger_budget_finds_what_a_small_one_may_miss() -> None:
    host = unstructured(20, 4, seed=1)
    best = choose(host, host.online, 12, budget=10**6)
    cut = choose(host, host.online, 12, budget=1)
    assert isinstance(best, Choice)
    assert best.optimal
    assert host.spread_of(host.nodes_met(best.mask)) <= host.spread_of(host.nodes_met(grant_of(cut)))


def test_held_cpus_are_kept_where_nodes_are_many() -> None:
    host = unstructured(40, 4, seed=3)
    held = 1 << 77 | 1 << 5
    grant = grant_of(choose(host, host.online, 10, base=held))
    assert grant & held == held
    assert host.nodes_met(grant).bit_count() == 3
    assert grant_of(choose(host, held, 2, base=held)) == held
    inside = grant_of(choose(host, host.online, 4, base=held))
    assert host.nodes_met(inside) == host.nodes_met(held)


def test_fewest_of_unequal_nodes() -> None:
    host = unstructured(40, 4, seed=5)
    free = host.online & Random(5).getrandbits(160)
    grant = grant_of(choose(host, free, 18))
    sizes = sorted(((free & node).bit_count() for node in host.node_cpus), reverse=True)
    fewest = next(taken for taken in range(1, 40) if sum(sizes[:taken]) >= 18)
    assert host.nodes_met(grant).bit_count() == fewest


def test_the_wished_kind_gives_way_to_a_hard_wish() -> None:
    """No L3 group has two performance CPUs, so the best is one of them and one other."""
    kinds: list[CoreKind] = ["efficiency", "performance"]
    rows = [CpuRow(cpu, cpu, cpu // 3, 0, 0, kind=kinds[cpu % 3 == 2]) for cpu in range(6)]
    host = HostMap.of(Topology.from_rows(rows))
    wishes = ResolvedWishes(kind_soft="performance", l3="require-one")
    assert str(CpuSet.from_mask(grant_of(choose(host, host.online, 2, wishes=wishes)))) == "0,2"


@pytest.mark.parametrize(("count", "expected"), [(1, "1"), (2, "1,3"), (3, "1,3,5"), (5, "0-3,5")])
def test_isolated_cpus_first_then_the_wished_kind(count: int, expected: str) -> None:
    kinds: list[CoreKind] = ["performance", "efficiency"]
    rows = [CpuRow(cpu, cpu, 0, 0, 0, kind=kinds[cpu % 2]) for cpu in range(6)]
    host = HostMap.of(Topology.from_rows(rows, isolated=CpuSet([1, 3])))
    wishes = ResolvedWishes(isolated="prefer", kind_soft="efficiency")
    assert str(CpuSet.from_mask(grant_of(choose(host, host.online, count, wishes=wishes)))) == expected


REGULAR = {
    "one L3 group a node": HostMap.of(
        Topology.uniform(packages=2, nodes_per_package=6, cores_per_l3=4, threads_per_core=2)
    ),
    "four L3 groups a node": HostMap.of(
        Topology.uniform(packages=2, nodes_per_package=2, l3_per_node=4, cores_per_l3=3, threads_per_core=2)
    ),
    "two large nodes": HostMap.of(Topology.uniform(packages=2, l3_per_node=10, cores_per_l3=3, threads_per_core=2)),
}


@pytest.mark.parametrize("host", REGULAR.values(), ids=REGULAR.keys())
def test_both_ways_agree_on_fragmented_servers(host: HostMap) -> None:
    random = Random(11)
    for count in (3, 5, 6, 7, 8, 11, 14, 17, 20, 23) * 3:
        free = host.online & random.getrandbits(host.online.bit_length())
        search = ExactSearch(10**6)
        search.run(compile_task(host, free, count))
        assert search.best is not None
        assert choose(host, free, count) == Choice(search.best.grant, 0, True)


def test_the_lowest_ids() -> None:
    random = Random(5)
    for _ in range(300):
        cpus = random.getrandbits(200)
        count = random.randint(0, cpus.bit_count())
        assert [*CpuSet.from_mask(lowest(cpus, count))] == [*CpuSet.from_mask(cpus)][:count]


def test_two_whole_nodes_of_the_first_package() -> None:
    host = REGULAR["one L3 group a node"]
    assert grant_of(choose(host, host.online, 16)) == host.node_cpus[0] | host.node_cpus[1]


def test_spread_over_many_unlike_nodes() -> None:
    host = unstructured(40, 4, seed=3)
    grant = grant_of(choose(host, host.online, 6, wishes=ResolvedWishes(spread=3), nodes_ok=lambda nodes: True))
    assert sorted((grant & node).bit_count() for node in host.node_cpus if grant & node) == [2, 2, 2]


def test_the_nearest_nodes_may_not_serve() -> None:
    """Memory rules out the nearest sets, and all there are cannot be looked at."""
    host = unstructured(40, 4, seed=9)
    answer = choose(host, host.online, 20, nodes_ok=lambda nodes: not nodes & ~0b1111, budget=50)
    assert isinstance(answer, Shortfall)
    assert (answer.wish, answer.proved) == ("memory", False)


def crossing(groups: int) -> HostMap:
    """One node a CPU, and L3 groups across nodes and packages across both: nothing nests in anything."""
    rows = [CpuRow(cpu, cpu, cpu % groups, cpu // 4, cpu % 5) for cpu in range(4 * groups)]
    rows = [CpuRow(row.cpu, row.core, row.l3, row.node, row.package) for row in rows]
    return HostMap.of(Topology.from_rows(rows))


@pytest.mark.parametrize("budget", [1, 20, 4000])
def test_nothing_nests_and_still_there_is_an_answer(budget: int) -> None:
    host = crossing(15)
    answer = choose(host, host.online, 11, budget=budget)
    assert grant_of(answer).bit_count() == 11
    assert host.nodes_met(grant_of(answer)).bit_count() == 3


def test_a_search_without_an_answer_gives_up() -> None:
    host = crossing(15)
    answer = choose(host, host.online, 11, wishes=ResolvedWishes(limit="one"), budget=1)
    assert isinstance(answer, Shortfall)
    assert answer.wish == "numa"


MISSING = [
    (ResolvedWishes(isolated="require"), "isolated", "1 kernel-isolated"),
    (ResolvedWishes(kind_hard="efficiency"), "core_kind", "efficiency"),
    (
        ResolvedWishes(nodes=NodeSet([7])),
        "numa",
        "NUMA nodes 7 asked for, 0 free: no node 7 on this host (it has 0-1,9)",
    ),
    (
        ResolvedWishes(nodes=NodeSet([7, 8, 9])),
        "numa",
        "0 free: no node 7-8 on this host (it has 0-1,9), no CPUs in node 9",
    ),
    (ResolvedWishes(nodes=NodeSet([9])), "numa", "0 free: no CPUs in node 9"),
    (ResolvedWishes(cores="require-full"), "cores", "whole cores"),
    (ResolvedWishes(cores="isolate"), "cores", "wholly free cores"),
    (ResolvedWishes(devices_hard=("nic9",)), "devices", "no device nic9"),
    (ResolvedWishes(devices_hard=("nic0", "gpu0")), "devices", "NUMA node of nic0, gpu0"),
]


@pytest.mark.parametrize(("wishes", "wish", "phrase"), MISSING, ids=[row[2] for row in MISSING])
def test_what_is_missing(wishes: ResolvedWishes, wish: str, phrase: str) -> None:
    devices = [Device(name="nic0", kind="nic", node=0), Device(name="gpu0", kind="gpu", node=9)]
    rows = [CpuRow(0, 0, 0, 0, 0), CpuRow(4, 0, 0, 0, 0), CpuRow(1, 1, 1, 1, 1), CpuRow(5, 1, 1, 1, 1)]
    distances = {(9, 0): 30, (9, 1): 20}
    host = HostMap.of(Topology.from_rows(rows, nodes=[9], devices=devices, distances=distances))
    answer = choose(host, 0b10001 & ~1 | 0b10, 1, wishes=wishes)
    assert isinstance(answer, Shortfall)
    assert answer.wish == wish
    assert phrase in answer.missing
    assert answer.proved


@pytest.mark.parametrize(
    ("wishes", "wish"),
    [
        (ResolvedWishes(one_package=True), "package"),
        (ResolvedWishes(l3="require-one"), "l3"),
        (ResolvedWishes(limit="one"), "numa"),
    ],
)
def test_more_than_one_place_holds(wishes: ResolvedWishes, wish: str) -> None:
    answer = choose(TINY, TINY.online, 5, wishes=wishes)
    assert isinstance(answer, Shortfall)
    assert answer.wish == wish


def test_the_wish_in_the_way_is_named_not_one_that_is_met() -> None:
    answer = choose(TINY, TINY.online, 5, wishes=ResolvedWishes(cores="isolate", limit="one", isolated="prefer"))
    assert isinstance(answer, Shortfall)
    assert answer.wish == "cores"
    answer = choose(TINY, TINY.online, 3, wishes=ResolvedWishes(cores="isolate", limit="one"))
    assert isinstance(answer, Shortfall)
    assert answer.wish == "numa"


def test_one_package_where_the_best_nodes_lie_in_two() -> None:
    """The fewest nodes span both packages; a package of its own needs more."""
    sizes = [4, 1, 1, 1, 4]
    places = [(node, 0 if node < 4 else 1) for node, size in enumerate(sizes) for _ in range(size)]
    rows = [CpuRow(cpu, cpu, node, node, package) for cpu, (node, package) in enumerate(places)]
    host = HostMap.of(Topology.from_rows(rows))
    assert host.nodes_met(grant_of(choose(host, host.online, 6))).bit_count() == 2
    grant = grant_of(choose(host, host.online, 6, wishes=ResolvedWishes(one_package=True)))
    assert str(CpuSet.from_mask(grant)) == "0-5"


def test_too_few_and_too_many() -> None:
    assert choose(TINY, 0b11, 3) == Shortfall("", "3 CPUs asked for, 2 free")
    answer = choose(TINY, 0b11, 1, base=0b1100)
    assert isinstance(answer, Shortfall)
    assert answer.wish == ""


def test_explaining_nothing_is_empty() -> None:
    assert explain_choice(TINY, 0b1, 2) == ()


def test_require_fewest_beyond_what_could_ever_be_had_is_no_limit() -> None:
    """CPUs held already may lie outside what is usable now."""
    wishes = ResolvedWishes(limit="fewest")
    assert grant_of(choose(TINY, 0, 2, base=0b101, usable=0b1, wishes=wishes)) == 0b101


@pytest.mark.parametrize("taken", [2, 3])
@pytest.mark.parametrize("asked", [7, 8])
def test_listing_and_walking_agree(monkeypatch: pytest.MonkeyPatch, taken: int, asked: int) -> None:
    """Ids that interleave, so that leaving out a place can give lower ids."""
    random = Random(asked)
    for _ in range(200):
        places = [sum(1 << 6 * slot + place for slot in range(8)) for place in range(6)]
        free = sum(1 << cpu for cpu in range(48) if random.random() < 0.7)
        sizes = [(free & place).bit_count() for place in places]
        pairs = free & free >> 24 & 0xFFFFFF
        if sum(sorted(sizes)[-taken:]) < asked:
            continue

        def pick(cpus: int, count: int) -> int:
            return sum(1 << cpu for cpu in [*CpuSet.from_mask(cpus)][:count])

        found = []
        for listed in (100, -1):
            monkeypatch.setattr(subsets_module, "_LISTED", listed)
            best = subsets([(places, sizes, taken)], (free, pairs, asked, asked >> 1, asked & 1), pick)
            found.append((best.quality, min([*CpuSet.from_mask(pick(one, asked))] for one in best.regions())))
        assert found[0] == found[1]


@pytest.mark.parametrize("host", REGULAR.values(), ids=REGULAR.keys())
@pytest.mark.parametrize("count", [1, 9, 30])
def test_the_explanation_begins_with_the_answer(host: HostMap, count: int) -> None:
    free = host.online & Random(count).getrandbits(host.online.bit_length())
    shown = explain_choice(host, free, count)
    assert shown[0].cpus == grant_of(choose(host, free, count))
    assert [one.won for one in shown].count(True) == 1
    assert all(tuple(one.measures.values()) >= tuple(shown[0].measures.values()) for one in shown)
