"""The preference by exhaustive search: plain sets, written from section 5, nothing shared with the real search."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

from cpuplace.topology import Topology
from cpuplace.wishes import ResolvedWishes


@dataclass(frozen=True)
class Question:
    """One choice to make, in sets of CPU ids."""

    host: Topology
    free: frozenset[int]
    count: int
    wishes: ResolvedWishes
    others: frozenset[int] = frozenset()
    base: frozenset[int] = frozenset()
    usable: frozenset[int] | None = None
    reserved: frozenset[int] = frozenset()
    isolated_free: frozenset[int] = frozenset()
    nodes_ok: Callable[[frozenset[int]], bool] | None = None
    barred: frozenset[int] = frozenset()


class Oracle:
    """Answers one question by looking at every grant there could be."""

    def __init__(self, question: Question) -> None:
        self.q = question
        self.host = question.host
        cpus = [cpu for cpu in self.host.cpus if cpu.online]
        self.online = {cpu.id for cpu in cpus}
        self.node = {cpu.id: min(cpu.nodes) for cpu in cpus}
        self.package = {cpu.id: cpu.package for cpu in cpus}
        self.l3: dict[int, Any] = {}
        if any(cpu.l3 is not None for cpu in cpus):
            self.l3 = {cpu.id: ("no l3 in", cpu.package) if cpu.l3 is None else cpu.l3 for cpu in cpus}
        # a core that lies in several nodes or L3 groups is one core for each part
        self.core = {cpu.id: (cpu.core, self.node[cpu.id], self.l3.get(cpu.id)) for cpu in cpus}
        self.real_core = {cpu.id: cpu.core for cpu in cpus}
        self.kind = {cpu.id: cpu.kind for cpu in cpus}
        if not any(self.kind.values()):
            self.kind = dict.fromkeys(self.kind, "performance")
        self.isolated = set(self.host.isolated)
        self.usable = self.online if question.usable is None else set(question.usable)
        self.others = self._others()
        self.candidates = self._candidates()
        self.free = self.candidates | question.base
        self.want = self._want()
        self.limit = self._limit()

    def _threads(self, cpu: int) -> set[int]:
        return {other for other in self.online if self.real_core[other] == self.real_core[cpu]}

    def _others(self) -> set[int]:
        others = set(self.q.others)
        if self.q.wishes.cores == "isolate":
            others = {cpu for cpu in self.online if self._threads(cpu) & others}
        return others - self.q.base

    def _filter(self, cpus: set[int]) -> set[int]:
        wishes = self.q.wishes
        if wishes.nodes is not None:
            cpus = {cpu for cpu in cpus if self.node[cpu] in wishes.nodes}
        if wishes.kind_hard is not None:
            cpus = {cpu for cpu in cpus if self.kind[cpu] == wishes.kind_hard}
        if wishes.isolated == "require":
            cpus = cpus & self.isolated
        return cpus

    def _candidates(self) -> set[int]:
        free = set(self.q.free)
        if self.q.wishes.isolated != "avoid":
            free |= self.q.isolated_free
        may = self._filter(free)
        if self.q.wishes.cores != "isolate":
            return may
        held = {self.real_core[cpu] for cpu in self.q.base}
        return {
            cpu
            for cpu in may
            if cpu == min(self._threads(cpu) & may)
            and self.real_core[cpu] not in held
            and self._threads(cpu) & self.usable <= free
        }

    def _want(self) -> int:
        wishes = self.q.wishes
        nodes = len({self.node[cpu] for cpu in self.free})
        if wishes.spread:
            return min(wishes.spread, self.q.count, nodes)
        width = 1 if wishes.cores == "isolate" else max(len(self._core_cpus(core)) for core in self.core.values())
        return min(nodes, ceil(self.q.count / width))

    def _core_cpus(self, core: tuple[int, int, Any]) -> set[int]:
        return {cpu for cpu in self.online if self.core[cpu] == core}

    def _limit(self) -> int:
        if self.q.wishes.limit != "fewest":
            return 1 if self.q.wishes.limit == "one" else 10**6
        idle = self._filter(set(self.usable) - self.q.reserved)
        if self.q.wishes.cores == "isolate":
            idle = {cpu for cpu in idle if not self._threads(cpu) & self.q.reserved}
            idle = {cpu for cpu in idle if cpu == min(self._threads(cpu) & idle)}
        if self.q.wishes.cores == "require-full":
            idle = {cpu for cpu in idle if self._threads(cpu) <= idle and self._together(cpu)}
        nodes = {self.node[cpu] for cpu in self.online}
        for size in range(1, len(nodes) + 1):
            for some in combinations(nodes, size):
                if sum(1 for cpu in idle if self.node[cpu] in some) >= self.q.count:
                    return size
        return len(nodes)

    def _together(self, cpu: int) -> bool:
        """Whether the core of this CPU lies in one node and one L3 group."""
        return self._core_cpus(self.core[cpu]) == self._threads(cpu)

    def _whole(self, grant: set[int]) -> bool:
        return all(self._threads(cpu) <= grant and self._together(cpu) for cpu in grant)

    def _device_homes(self, name: str) -> set[int] | None:
        """The nodes a hard device asks for; None = the host does not say."""
        device = self.host.device(name)
        assert device is not None
        nodes = set(self.node.values())
        cpus = set(device.local_cpus)
        if device.node is not None and device.node in {node.id for node in self.host.nodes}:
            cpus = set(self.host.node(device.node).cpus)
            if not cpus:
                near = min(self._both_ways(device.node, node) for node in nodes)
                return {node for node in nodes if self._both_ways(device.node, node) == near}
        return {self.node[cpu] for cpu in cpus & self.online} or None

    def _both_ways(self, a: int, b: int) -> int:
        return self.host.distance(a, b) + self.host.distance(b, a)

    def _device_distance(self, nodes: set[int]) -> int:
        total = 0
        for name in self.q.wishes.devices_soft:
            device = self.host.device(name)
            if device is None:
                continue
            home = device.node
            if home is None:
                near = {self.node[cpu] for cpu in set(device.local_cpus) & self.online}
                home = near.pop() if len(near) == 1 else None
            if home is not None:
                total += min(self._both_ways(home, node) for node in nodes)
        return total

    def legal(self, grant: set[int]) -> bool:
        wishes = self.q.wishes
        nodes = {self.node[cpu] for cpu in grant}
        new = grant - self.q.base
        if len(nodes) > self.limit or (new | self.withheld(new)) & self.q.barred:
            return False
        if wishes.cores == "require-full" and not self._whole(grant):
            return False
        if wishes.l3 == "require-one" and len({self.l3.get(cpu) for cpu in grant}) > 1:
            return False
        if wishes.one_package and len({self.package[cpu] for cpu in grant}) > 1:
            return False
        for name in wishes.devices_hard:
            homes = self._device_homes(name)
            if homes is not None and not homes & nodes:
                return False
        return self.q.nodes_ok is None or self.q.nodes_ok(frozenset(nodes))

    def tuple_of(self, grant: set[int]) -> tuple[Any, ...]:
        """The whole tuple, in the order of the table of section 5 of the rules, soft wishes in front."""
        wishes = self.q.wishes
        nodes = {self.node[cpu] for cpu in grant}
        rest = self.free - grant
        values: list[Any] = []
        if wishes.isolated == "prefer":
            values.append(len(grant - self.isolated))
        if wishes.kind_soft is not None:
            values.append(sum(1 for cpu in grant if self.kind[cpu] != wishes.kind_soft))
        if wishes.devices_soft:
            values.append(self._device_distance(nodes))
        count_cores = wishes.cores not in ("any", "isolate")
        if wishes.spread is None:
            values += [len(nodes), sum(self._both_ways(a, b) for a, b in combinations(nodes, 2))]
        else:
            shares = [sum(1 for cpu in grant if self.node[cpu] == node) for node in nodes]
            values.append(abs(len(nodes) - self.want))
            values += [not self._whole(grant)] if count_cores else []
            values.append(max(shares) - min(shares))
        values.append(len({self.package[cpu] for cpu in grant}))
        l3s = {self.l3[cpu] for cpu in grant} if self.l3 else set()
        if wishes.l3 != "ignore":
            values.append(len(l3s))
        values.append(bool(grant & self.others))
        cores = {self.core[cpu] for cpu in grant}
        if count_cores:
            values += [len({self.core[cpu] for cpu in rest} & cores), len(cores)]
        values.append(sum(1 for cpu in rest if self.node[cpu] in nodes))
        if wishes.l3 != "ignore":
            values.append(sum(1 for cpu in rest if self.l3.get(cpu) in l3s))
        return (*values, tuple(sorted(grant)))

    def grants(self) -> Iterator[set[int]]:
        more = self.q.count - len(self.q.base)
        for some in combinations(sorted(self.candidates - self.q.base), max(more, 0)) if more >= 0 else ():
            grant = set(some) | self.q.base
            if self.legal(grant):
                yield grant

    def best(self) -> tuple[tuple[Any, ...], set[int]] | None:
        """The least tuple and its grant, or None when no grant is legal."""
        if any(self.host.device(name) is None for name in self.q.wishes.devices_hard):
            return None
        return min(((self.tuple_of(grant), grant) for grant in self.grants()), key=lambda one: one[0], default=None)

    def withheld(self, grant: set[int]) -> set[int]:
        if self.q.wishes.cores != "isolate":
            return set()
        return {other for cpu in grant for other in self._threads(cpu)} & self.usable - grant
