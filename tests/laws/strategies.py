"""Odd hosts and odd questions for the laws: small enough for exhaustive search, odd in every way a host can be.

`hosts()` gives a Topology of at most 12 CPUs; `masks(host)` some of its CPUs; `resolved_wishes(host)` what a
container could wish on it. Everything that real machines do is in here: SMT 1, 2 and 4, cores of unequal size, sparse
and shuffled ids, offline CPUs, NUMA nodes without CPUs or with the CPUs of another, L3 groups smaller and larger than
nodes and across them, CPUs without L3, packages inside nodes, asymmetric distances.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from cpuplace.idset import CpuSet, NodeSet
from cpuplace.topology import CoreKind, CpuRow, Device, Topology
from cpuplace.wishes import ResolvedWishes
from laws.made_once import booleans, integers, sampled_from

MAX_CPUS = 12


@st.composite
def core_sizes(draw: st.DrawFn, limit: int = MAX_CPUS) -> list[int]:
    """Threads of each core: all alike, or a mixture; at most `limit` CPUs together."""
    threads = draw(sampled_from([1, 2, 2, 4]))
    unequal = draw(integers(0, 3)) == 0
    sizes: list[int] = []
    for _ in range(draw(integers(1, limit))):
        size = draw(sampled_from([1, 2, 3, 4])) if unequal else threads
        if sum(sizes) + size <= limit:
            sizes.append(size)
    return sizes or [1]


def labels(draw: st.DrawFn, count: int, groups: int, *, gap: bool = False) -> list[int]:
    """One of `groups` labels for each of `count` things, mostly in runs; labels have holes when `gap`."""
    if draw(booleans()):
        plain = [place * groups // count for place in range(count)]
    else:
        plain = [draw(integers(0, groups - 1)) for _ in range(count)]
    return [label * 7 + 3 if gap else label for label in plain]


@st.composite
def hosts(draw: st.DrawFn, *, max_cpus: int = MAX_CPUS, offline: bool = True) -> Topology:
    """A host of at most `max_cpus` CPUs."""
    sizes = draw(core_sizes(max_cpus))
    cores, total = len(sizes), sum(sizes)
    sparse = draw(booleans())
    node_of = labels(draw, cores, draw(integers(1, 4)), gap=draw(booleans()))
    package_of = _packages(draw, node_of)
    l3_of = _l3s(draw, node_of, package_of)
    kinds = _kinds(draw, sizes)
    ids = _cpu_ids(draw, sizes, sparse)
    extra = _overlaps(draw, sorted(set(node_of)))
    down = draw(st.sets(integers(0, total - 1), max_size=min(2, total - 1))) if offline else set()
    rows, place = [], 0
    for core, size in enumerate(sizes):
        for _ in range(size):
            nodes = (node_of[core], *extra.get(node_of[core], ()))
            rows.append(
                CpuRow(
                    ids[place],
                    core * 3 if sparse else core,
                    l3_of[core],
                    nodes,
                    package_of[core],
                    kind=kinds[core],
                    online=place not in down,
                )
            )
            place += 1
    empty = draw(st.sets(integers(40, 42), max_size=2))
    every = sorted({node for row in rows for node in _as_tuple(row.node)} | empty)
    isolated = draw(st.sets(sampled_from(ids), max_size=4)) if draw(booleans()) else set()
    return Topology.from_rows(
        rows,
        distances=_distances(draw, every),
        nodes=empty,
        isolated=CpuSet(isolated),
        devices=_devices(draw, every, ids),
    )


@st.composite
def regular_hosts(draw: st.DrawFn, *, max_cpus: int = MAX_CPUS) -> Topology:
    """A host as servers are built: everything in equal numbers, with the distances of one or two packages."""
    counts: dict[str, int] = {}
    room = max_cpus
    for name in draw(st.permutations(["threads_per_core", "packages", "nodes_per_package", "l3_per_node"])):
        most = min(room, {"threads_per_core": 2, "packages": 2}.get(name, 4))
        counts[name] = draw(integers(1, most))
        room //= counts[name]
    return Topology.uniform(
        packages=counts["packages"],
        nodes_per_package=counts["nodes_per_package"],
        l3_per_node=counts["l3_per_node"],
        threads_per_core=counts["threads_per_core"],
        cores_per_l3=draw(integers(1, max(room, 1))),
        numbering=draw(sampled_from(["blocks", "adjacent", "interleaved"])),
        distances=draw(sampled_from([None, (10, 12, 32), (10, 10, 10)])),
    )


def _as_tuple(node: int | tuple[int, ...] | None) -> tuple[int, ...]:
    assert isinstance(node, tuple)
    return node


def _packages(draw: st.DrawFn, node_of: list[int]) -> list[int | None]:
    """Packages of whole nodes, mostly; sometimes cut through nodes (NUMA switched off), sometimes not known."""
    way = draw(sampled_from(["nodes", "nodes", "cut", "none"]))
    if way == "none":
        return [None] * len(node_of)
    if way == "cut":
        return [*labels(draw, len(node_of), draw(integers(1, 3)))]
    nodes = sorted(set(node_of))
    of_node = dict(zip(nodes, labels(draw, len(nodes), draw(integers(1, 2))), strict=True))
    return [of_node[node] for node in node_of]


def _l3s(draw: st.DrawFn, node_of: list[int], package_of: list[int | None]) -> list[int | None]:
    """L3 groups as nodes, as packages, smaller, across everything; some CPUs without, or none on the host."""
    way = draw(sampled_from(["node", "package", "part", "part", "any", "none"]))
    count = len(node_of)
    if way == "none":
        return [None] * count
    if way == "node":
        l3_of: list[int | None] = [*node_of]
    elif way == "package":
        l3_of = [*package_of]
    elif way == "part":
        halves = labels(draw, count, 2)
        l3_of = [node * 2 + half for node, half in zip(node_of, halves, strict=True)]
    else:
        l3_of = [*labels(draw, count, draw(integers(1, 4)))]
    if draw(integers(0, 3)) == 0:
        l3_of = [None if draw(booleans()) else l3 for l3 in l3_of]
    return l3_of


def _kinds(draw: st.DrawFn, sizes: list[int]) -> list[CoreKind | None]:
    if draw(booleans()):
        return [None] * len(sizes)
    choices: list[CoreKind | None] = ["performance", "efficiency"]
    return [draw(sampled_from(choices)) for _ in sizes]


def _cpu_ids(draw: st.DrawFn, sizes: Sequence[int], sparse: bool) -> list[int]:
    """An id for each CPU, core by core: siblings adjacent, in blocks, or shuffled; with holes when sparse."""
    total = sum(sizes)
    way = draw(sampled_from(["adjacent", "blocks", "shuffled"]))
    if way == "blocks":
        slots = sorted((thread, core) for core, size in enumerate(sizes) for thread in range(size))
        place = {slot: number for number, slot in enumerate(slots)}
        ids = [place[thread, core] for core, size in enumerate(sizes) for thread in range(size)]
    elif way == "shuffled":
        ids = list(draw(st.permutations(range(total))))
    else:
        ids = list(range(total))
    if not sparse:
        return ids
    names = sorted(draw(st.sets(integers(0, 40), min_size=total, max_size=total)))
    return [names[number] for number in ids]


def _overlaps(draw: st.DrawFn, nodes: list[int]) -> dict[int, tuple[int, ...]]:
    """Further nodes that list the CPUs of a node: a new one with an equal set, or an existing one."""
    if draw(integers(0, 3)):
        return {}
    chosen = draw(sampled_from(nodes))
    return {chosen: (draw(sampled_from([30, *nodes])),)}


def _distances(draw: st.DrawFn, nodes: list[int]) -> dict[tuple[int, int], int]:
    way = draw(sampled_from(["none", "random", "ring", "asymmetric"]))
    if way == "none":
        return {}
    known = {}
    for a_place, a in enumerate(nodes):
        for b_place, b in enumerate(nodes):
            if way == "ring":
                steps = abs(a_place - b_place)
                known[a, b] = 10 + 6 * min(steps, len(nodes) - steps)
            elif way == "asymmetric" or (b, a) not in known:
                known[a, b] = 10 if a == b else draw(sampled_from([12, 21, 32]))
            else:
                known[a, b] = known[b, a]
    return known


def _devices(draw: st.DrawFn, nodes: list[int], ids: list[int]) -> list[Device]:
    devices = []
    for name in ("nvme0", "nic0"):
        way = draw(sampled_from(["node", "node", "cpus", "nowhere", "absent"]))
        if way == "absent":
            continue
        local = draw(st.sets(sampled_from(ids), min_size=1, max_size=3)) if way == "cpus" else set()
        node = draw(sampled_from(nodes)) if way == "node" else None
        devices.append(Device(name=name, kind="nic", node=node, local_cpus=CpuSet(local)))
    return devices


@st.composite
def masks(draw: st.DrawFn, host: Topology, *, mostly: bool = True) -> CpuSet:
    """Some of the online CPUs: all, or all but some, or any."""
    way = draw(sampled_from(["all", "some", "some"])) if mostly else "some"
    if way == "all":
        return host.online
    return CpuSet(draw(st.sets(sampled_from(sorted(host.online)), min_size=1)))


@st.composite
def resolved_wishes(draw: st.DrawFn, host: Topology) -> ResolvedWishes:
    """What a container could wish on this host: mostly one or two wishes at a time, hard or soft."""
    changes: dict[str, object] = {}
    names = draw(st.sets(sampled_from(sorted(_WISHES)), max_size=3))
    for name in sorted(names):
        changes[name] = draw(_WISHES[name])
    if "nodes" in names:
        known = sorted({cpu.node for cpu in host.cpus})
        changes["nodes"] = NodeSet(draw(st.sets(sampled_from([*known, 40]), min_size=1)))
    return ResolvedWishes(**changes)  # type: ignore[arg-type]


_NAMES = st.lists(sampled_from(["nvme0", "nic0"]), min_size=1, max_size=2, unique=True).map(tuple)
_WISHES: dict[str, st.SearchStrategy[object]] = {
    "limit": sampled_from(["one", "fewest"]),
    "nodes": st.none(),
    "spread": integers(0, 4),
    "cores": sampled_from(["any", "require-full", "isolate"]),
    "l3": sampled_from(["ignore", "require-one"]),
    "one_package": st.just(True),
    "devices_soft": _NAMES,
    "devices_hard": _NAMES,
    "kind_soft": sampled_from(["performance", "efficiency"]),
    "kind_hard": sampled_from(["performance", "efficiency"]),
    "isolated": sampled_from(["prefer", "require"]),
}
