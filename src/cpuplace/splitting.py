"""split_cpus: some CPUs divided among workers that are all alike, along cores, L3 groups, NUMA nodes and packages.

The sizes come first, the places second. While there is a core for every worker, workers get whole cores; else single
CPUs. The heaviest part goes to the worker that has least, so that workers differ by one part at most.

Then there are two ways, and the one that spreads fewer workers over packages and nodes, then over L3 groups, is taken.
Downwards: each package takes as many workers as it can hold, in the mixture in which they wait, divides them in the
same way among its nodes, and these among their L3 groups; who does not fit into one place gets what its places leave
over. This makes equal places equally full. Upwards: the L3 groups take what they can hold, then nodes, then packages.
This is better at times where places are odd. Both are greedy: the fewest is not promised, that would be bin packing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapreplace
from itertools import chain, groupby
from operator import attrgetter
from typing import Final

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.hardware import Cpu
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology

_SOURCE: Final = "split"


def split_cpus(host: Topology, cpus: CpuSet, workers: int, *, share: bool = False) -> tuple[CpuSet, ...]:
    """One set for each worker, disjoint, together all of `cpus`. Neighbours are near.

    Sizes differ by one core at most (by one CPU with more workers than cores). Few workers reach over packages, nodes
    or L3 groups: none where these are all alike and each has a whole number of workers. O(CPUs log CPUs) for cores of
    one size.

    With more workers than CPUs, `share=True` gives each worker one CPU, several workers the same. Raises BadInput
    for that without `share`, for no workers or no CPUs, and for CPUs that are not online.

    >>> host = Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)
    >>> [str(cpus) for cpus in split_cpus(host, host.online, 4)]
    ['0-1,8-9', '2-3,10-11', '4-5,12-13', '6-7,14-15']
    >>> [str(cpus) for cpus in split_cpus(host, CpuSet([0, 8, 1]), 2)]
    ['0,8', '1']
    """
    _check(host, cpus, workers, share)
    single = _single_cpus([host.cpu(cpu) for cpu in cpus])
    if workers > len(single):
        return tuple(single[place * len(single) // workers].cpus for place in range(workers))
    cores = _whole_cores(single)
    parts, levels = (cores, _CORE) if workers <= len(cores) else (single, _CORE + 1)
    shares = _shares(parts, workers)
    downwards, _ = _divided(parts, shares, range(levels))
    given = min(downwards, _upwards(parts, shares, levels), key=lambda way: _spread(way, levels))
    return tuple(CpuSet.from_mask(sum(part.cpus.mask for part in taken)) for taken in sorted(given, key=_first))


def _check(host: Topology, cpus: CpuSet, workers: int, share: bool) -> None:
    if workers < 1:
        raise BadInput(f"{workers} workers", source=_SOURCE, hint="at least 1")
    absent = cpus - host.online
    if absent:
        raise BadInput(f"CPUs {absent} are not online on the host", source=_SOURCE)
    if not cpus:
        raise BadInput("no CPU to divide", source=_SOURCE)
    if workers > len(cpus) and not share:
        raise BadInput(
            f"{workers} workers, but CPUs {cpus} are only {len(cpus)}",
            source=_SOURCE,
            hint="share=True lets them share",
        )


_Place = tuple[int, ...]
"""Where a part is: the ids of places around it, each inside the one before, then its core and its CPU."""
_CORE: Final = 3
"""Where a place tells the core; before it are package and node, the larger first, and L3 group."""


@frozen(slots=True)
class _Part:
    """What is given whole to one worker: what the set has of a core, or a single CPU of it."""

    place: _Place
    cpus: CpuSet


_place = attrgetter("place")


def _first(parts: Sequence[_Part]) -> _Place:
    return parts[0].place


def _single_cpus(cpus: Iterable[Cpu]) -> list[_Part]:
    """A part for each CPU, near ones side by side. A node may span packages; those are the smaller places then.

    CPUs without L3 on a host that has some stay apart from those that have one.
    """
    nodes, packages = {cpu.node for cpu in cpus}, {cpu.package for cpu in cpus}
    found = []
    for cpu in cpus:
        package, l3 = (-1 if label is None else label for label in (cpu.package, cpu.l3))
        larger = (cpu.node, package) if len(nodes) <= len(packages) else (package, cpu.node)
        found.append(_Part((*larger, l3, cpu.core, cpu.id), cpu.cpus))
    return sorted(found, key=_place)


def _whole_cores(single: Iterable[_Part]) -> list[_Part]:
    """A part for what there is of each core, where its first CPU is: nobody says that siblings share a node."""
    cores: dict[int, list[_Part]] = {}
    for part in single:
        cores.setdefault(part.place[_CORE], []).append(part)
    return [_Part(some[0].place, CpuSet.from_mask(sum(part.cpus.mask for part in some))) for some in cores.values()]


_Share = tuple[tuple[int, int], ...]
"""How many parts of each size a worker gets: (CPUs of a part, parts), largest first."""


def _shares(parts: Sequence[_Part], workers: int) -> Counter[_Share]:
    """How many workers get what: the heaviest part to whoever has least, so that they differ by one part at most."""
    loads: list[tuple[int, int]] = [(0, worker) for worker in range(workers)]  # a heap
    given: list[Counter[int]] = [Counter() for _ in range(workers)]
    for size in sorted((len(part.cpus) for part in parts), reverse=True):
        load, worker = loads[0]
        given[worker][size] += 1
        heapreplace(loads, (load + size, worker))
    return Counter(tuple(sorted(one.items(), reverse=True)) for one in given)


_Given = list[list[_Part]]
"""What each of some workers gets, in order."""


def _divided(parts: Sequence[_Part], waiting: Counter[_Share], levels: Sequence[int]) -> tuple[_Given, list[_Part]]:
    """What each that waits gets of these parts, which hold them all, and the parts left over: the way downwards.

    The smaller places inside choose first, of those that wait here only; so who reaches beyond this place comes last.
    """
    if not levels:
        return _taken(parts, waiting)
    chosen, waiting = _chosen(parts, waiting, levels[0])
    inside = [_divided(group, shares, levels[1:]) for group, shares in chosen]
    spread, left = _taken([part for _, left in inside for part in left], waiting)
    return [*chain.from_iterable(given for given, _ in inside), *spread], left


def _upwards(parts: Sequence[_Part], waiting: Counter[_Share], levels: int) -> _Given:
    """What each that waits gets of these parts, which hold them all: the smallest places of the host choose first."""
    given: _Given = []
    for level in reversed(range(levels)):
        chosen, waiting = _chosen(parts, waiting, level)
        inside = [_taken(group, shares) for group, shares in chosen]
        given += chain.from_iterable(those for those, _ in inside)
        parts = [part for _, left in inside for part in left]
    return given + _taken(parts, waiting)[0]


def _chosen(
    parts: Sequence[_Part], waiting: Counter[_Share], level: int
) -> tuple[list[tuple[list[_Part], Counter[_Share]]], Counter[_Share]]:
    """The parts of each place of a level, and who of those that wait gets them; and who goes on waiting."""
    chosen = []
    for _, some in groupby(parts, key=lambda part: part.place[: level + 1]):
        group = list(some)
        shares = _best(Counter(len(part.cpus) for part in group), waiting)
        waiting = waiting - shares
        chosen.append((group, shares))
    return chosen, waiting


def _spread(given: _Given, levels: int) -> list[int]:
    """How many workers reach beyond one place, for each level, the largest places first."""
    ends = [(parts[0].place, parts[-1].place) for parts in given]
    return [sum(first[:level] != last[:level] for first, last in ends) for level in range(1, levels + 1)]


def _taken(parts: Sequence[_Part], waiting: Counter[_Share]) -> tuple[_Given, list[_Part]]:
    """What each that waits gets, larger ones first, wherever it is: the first parts there are; and what is left."""
    by_size: dict[int, list[_Part]] = {}
    for part in parts:
        by_size.setdefault(len(part.cpus), []).append(part)
    given = [
        sorted((part for size, count in share for part in _pop(by_size[size], count)), key=_place)
        for share in sorted(waiting.elements(), key=_cpus_of, reverse=True)
    ]
    return given, sorted((part for some in by_size.values() for part in some), key=_place)


def _pop(parts: list[_Part], count: int) -> list[_Part]:
    """The first parts, taken out of the list."""
    taken = parts[:count]
    del parts[:count]
    return taken


def _best(parts: Mapping[int, int], waiting: Counter[_Share]) -> Counter[_Share]:
    """Shares that these parts (size -> how many) hold: with as few CPUs left over as can be, then in the mixture that
    waits (so that the places after this one find the same), then the larger ones. No more of them would fit.
    """
    cpus, workers = _cpus(waiting), waiting.total()

    def worth(chosen: Counter[_Share]) -> tuple[int, int, int]:
        used, number = _cpus(chosen), chosen.total()
        return used, -abs(number * cpus - workers * used), -number

    return +max(_ways(parts, waiting), key=worth, default=Counter())


def _ways(parts: Mapping[int, int], waiting: Counter[_Share]) -> Iterator[Counter[_Share]]:
    """Every kind of share in turn first, in every number, then the others, largest first: with the two kinds there
    are on hosts with cores of one size, that is every way that leaves no room for one more.
    """
    kinds = sorted(waiting, key=_cpus_of, reverse=True)
    for first in kinds:
        for count in range(min(waiting[first], _fits(parts, first)) + 1):
            chosen, left = Counter({first: count}), _without(parts, first, count)
            for kind in kinds:
                if kind != first:
                    chosen[kind] = min(waiting[kind], _fits(left, kind))
                    left = _without(left, kind, chosen[kind])
            yield chosen


def _cpus(shares: Counter[_Share]) -> int:
    return sum(_cpus_of(share) * count for share, count in shares.items())


def _cpus_of(share: _Share) -> int:
    return sum(size * count for size, count in share)


def _fits(parts: Mapping[int, int], share: _Share) -> int:
    return min(parts.get(size, 0) // count for size, count in share)


def _without(parts: Mapping[int, int], share: _Share, times: int) -> dict[int, int]:
    return dict(parts) | {size: parts.get(size, 0) - count * times for size, count in share}
