"""split_cpus: some CPUs divided among workers that are all alike, along cores, L3 groups and NUMA nodes.

The sizes come first, the places second. While there is a core for every worker, workers get whole cores; else single
CPUs. The heaviest part goes to the worker that has least, so that workers differ by one part at most. Then each
worker takes its parts inside one group, the closest ones first: an L3 group of a node, a node, a package, the host.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from heapq import heapreplace
from typing import Final

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.hardware import Cpu
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.topology import Topology

_SOURCE: Final = "split"


def split_cpus(host: Topology, cpus: CpuSet, workers: int, *, share: bool = False) -> tuple[CpuSet, ...]:
    """One set for each worker, disjoint, together all of `cpus`; O(workers x groups). Neighbours are near.

    With more workers than CPUs, `share=True` gives each worker one CPU, several workers the same. Raises BadInput
    for that without `share`, for no workers or no CPUs, and for CPUs that are not online.

    >>> host = Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)
    >>> [str(cpus) for cpus in split_cpus(host, host.online, 4)]
    ['0-1,8-9', '2-3,10-11', '4-5,12-13', '6-7,14-15']
    >>> [str(cpus) for cpus in split_cpus(host, CpuSet([0, 8, 1]), 2)]
    ['0,8', '1']
    """
    _check(host, cpus, workers, share)
    found = sorted((host.cpu(cpu) for cpu in cpus), key=_order)
    if workers > len(found):
        return tuple(found[place * len(found) // workers].cpus for place in range(workers))
    cores = {_core(cpu): NO_CPUS for cpu in found}
    for cpu in found:
        cores[_core(cpu)] |= cpu.cpus
    whole = workers <= len(cores)
    parts = [_Part(host.cpu(some.min), some) for some in cores.values()] if whole else [_Part(c, c.cpus) for c in found]
    return _Division(parts, _shares(parts, workers)).carried_out(_LEVELS if whole else (_core, *_LEVELS))


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


@frozen(slots=True)
class _Part:
    """What is given whole to one worker: what the set has of a core, or a single CPU of it; `cpu` says where it is."""

    cpu: Cpu
    cpus: CpuSet


Share = tuple[tuple[int, int], ...]
"""How many parts of each size a worker gets: (CPUs of a part, parts), largest first."""

_Level = Callable[[Cpu], Hashable]


def _core(cpu: Cpu) -> Hashable:
    return cpu.core


def _l3_of_node(cpu: Cpu) -> Hashable:
    """CPUs without L3 on a host that has some stay apart from those that have one."""
    return cpu.node, cpu.l3


def _node(cpu: Cpu) -> Hashable:
    return cpu.node


def _package(cpu: Cpu) -> Hashable:
    return cpu.package


def _host(_cpu: Cpu) -> Hashable:
    return None


_LEVELS: Final[tuple[_Level, ...]] = (_l3_of_node, _node, _package, _host)


def _order(cpu: Cpu) -> tuple[int, ...]:
    """CPUs in the order in which they are near: node, L3 group, core."""
    return cpu.node, -1 if cpu.l3 is None else cpu.l3, cpu.core, cpu.id


def _shares(parts: Sequence[_Part], workers: int) -> Counter[Share]:
    """How many workers get what: the heaviest part to whoever has least, so that they differ by one part at most."""
    loads: list[tuple[int, int]] = [(0, worker) for worker in range(workers)]  # a heap
    given: list[Counter[int]] = [Counter() for _ in range(workers)]
    for size in sorted((len(part.cpus) for part in parts), reverse=True):
        load, worker = loads[0]
        given[worker][size] += 1
        heapreplace(loads, (load + size, worker))
    return Counter(tuple(sorted(one.items(), reverse=True)) for one in given)


class _Division:
    """Parts that are left, workers that wait, and what has been given."""

    def __init__(self, parts: Sequence[_Part], shares: Counter[Share]) -> None:
        self._left = list(parts)
        self._waiting = shares
        self._given: list[list[_Part]] = []

    def carried_out(self, levels: Sequence[_Level]) -> tuple[CpuSet, ...]:
        """The sets of all workers, in the order of their first parts; the last level is one group that holds all."""
        for level in levels:
            groups: dict[Hashable, list[_Part]] = {}
            for part in self._left:
                groups.setdefault(level(part.cpu), []).append(part)
            self._left = [part for group in groups.values() for part in self._filled(group)]
        given = sorted(self._given, key=lambda taken: _order(taken[0].cpu))
        return tuple(CpuSet.from_mask(sum(part.cpus.mask for part in taken)) for taken in given)

    def _filled(self, group: Sequence[_Part]) -> list[_Part]:
        """Give as many workers as can be what they wait for out of this group; the parts that are left of it."""
        by_size: dict[int, list[_Part]] = {}
        for part in group:
            by_size.setdefault(len(part.cpus), []).append(part)
        for share in _best({size: len(some) for size, some in by_size.items()}, self._waiting):
            taken = [part for size, count in share for part in _pop(by_size[size], count)]
            self._given.append(sorted(taken, key=lambda part: _order(part.cpu)))
            self._waiting[share] -= 1
        return sorted((part for some in by_size.values() for part in some), key=lambda part: _order(part.cpu))


def _pop(parts: list[_Part], count: int) -> list[_Part]:
    """The first parts, taken out of the list."""
    taken = parts[:count]
    del parts[:count]
    return taken


def _best(parts: Mapping[int, int], waiting: Counter[Share]) -> list[Share]:
    """Shares that these parts (size -> how many) hold: with as few CPUs left over as can be, then in the mixture that
    waits (so that the groups after this one find the same), then the larger ones.

    Every kind of share in turn is given first, in every number, then the others, largest first: with the two kinds
    there are on hosts with cores of one size, that is every way to do it.
    """
    kinds = sorted((share for share, count in waiting.items() if count), key=_cpus_of, reverse=True)
    cpus, workers = sum(_cpus_of(share) * count for share, count in waiting.items()), waiting.total()

    def worth(chosen: list[Share]) -> tuple[int, int, int]:
        used = sum(map(_cpus_of, chosen))
        return used, -abs(len(chosen) * cpus - workers * used), -len(chosen)

    found: list[Share] = []
    for first in kinds:
        others = [kind for kind in kinds if kind != first]
        for count in range(min(waiting[first], _fits(parts, first)) + 1):
            chosen = [first] * count
            left = _without(parts, first, count)
            for kind in others:
                more = min(waiting[kind], _fits(left, kind))
                left = _without(left, kind, more)
                chosen += [kind] * more
            found = max(found, chosen, key=worth)
    return sorted(found, key=_cpus_of, reverse=True)


def _cpus_of(share: Share) -> int:
    return sum(size * count for size, count in share)


def _fits(parts: Mapping[int, int], share: Share) -> int:
    return min(parts.get(size, 0) // count for size, count in share)


def _without(parts: Mapping[int, int], share: Share, times: int) -> dict[int, int]:
    return dict(parts) | {size: parts.get(size, 0) - count * times for size, count in share}
