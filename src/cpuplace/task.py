"""Task: one choice to make, with every wish turned into masks and numbers the search can use directly."""

from collections.abc import Callable
from itertools import accumulate

from attrs import evolve, frozen

from cpuplace.cpulist import ids_of
from cpuplace.hostmap import HostMap, ranks_met
from cpuplace.preference import LEFTOVERS, Value, elements, measure, spread_goal
from cpuplace.wishes import PLAIN_WISHES, ResolvedWishes

NodesOk = Callable[[int], bool]
"""Whether the memory of a set of NUMA nodes (a mask of ids) will do."""


@frozen(slots=True, kw_only=True)
class Task:
    """What to choose. `free`: the CPUs the tuple calls free; `allowed`: those the grant may hold; `must`: those it
    must hold; must <= allowed <= free. `node_limit` 0 = none. `hit`: sets of nodes (ranks), each to be met; the
    empty set, for a device the host lacks, never is. `fit` False: what a grant leaves does not count.
    """

    host: HostMap
    free: int
    allowed: int
    must: int
    count: int
    wishes: ResolvedWishes
    others: int = 0
    node_limit: int = 0
    hit: tuple[int, ...] = ()
    nodes_ok: NodesOk | None = None
    want: int = 0
    fit: bool = True

    def measure(self, grant: int) -> tuple[Value, ...]:
        """The tuple of a grant of this task."""
        values = measure(self.host, grant, free=self.free, wishes=self.wishes, others=self.others)
        if self.fit:
            return values
        named = zip(elements(self.wishes), values, strict=True)
        return tuple([value for element, value in named if element.name not in LEFTOVERS])

    def restrict(self, cpus: int) -> "Task":
        """The same task on these CPUs only; what is free, and so the tuple, stays."""
        return evolve(self, allowed=self.allowed & cpus)

    @property
    def whole_cores(self) -> bool:
        """Whether only whole cores may be taken."""
        return self.wishes.cores == "require-full"

    def nodes_allowed(self, ranks: int) -> bool:
        """Whether a grant may span exactly these nodes."""
        if self.node_limit and ranks.bit_count() > self.node_limit:
            return False
        if any(not ranks & wanted for wanted in self.hit):
            return False
        return self.nodes_ok is None or self.nodes_ok(self.host.ids_of(ranks))

    def allows(self, grant: int) -> bool:
        """Whether a grant takes nothing barred or remembered for others and has every wish about where it lies."""
        host, wishes = self.host, self.wishes
        if grant & (self.others | ~self.allowed) or not self.nodes_allowed(host.nodes_met(grant)):
            return False
        if wishes.one_package and not one(host.packages, grant):
            return False
        return wishes.l3 != "require-one" or not host.l3s or one(host.l3s, grant)

    def names(self) -> tuple[str, ...]:
        """The names of the elements compared, in order."""
        names = tuple(element.name for element in elements(self.wishes))
        return names if self.fit else tuple(name for name in names if name not in LEFTOVERS)


def compile_task(
    host: HostMap,
    free: int,
    count: int,
    *,
    wishes: ResolvedWishes = PLAIN_WISHES,
    others: int = 0,
    base: int = 0,
    usable: int | None = None,
    reserved: int = 0,
    isolated_free: int = 0,
    nodes_ok: NodesOk | None = None,
    barred: int = 0,
) -> Task:
    """The task that a call of `choose` describes.

    Hard filters are taken off what is free; `isolate` leaves one CPU of each wholly free core, and a core is
    remembered for others, or barred, when one of its threads is. Barred CPUs count as free and stay out of the grant.
    """
    usable = host.online if usable is None else usable
    if wishes.isolated != "avoid":
        free |= isolated_free
    may = _filtered(host, free & host.online, wishes)
    idle = _filtered(host, usable & ~reserved, wishes)
    if wishes.cores == "isolate":
        may = _representatives(host, may & ~siblings(host, base), usable & ~free)
        idle = _representatives(host, idle, reserved)
        others, barred = siblings(host, others), siblings(host, barred)
    free = may | base
    takeable = free & ~barred | base
    return Task(
        host=host,
        free=free,
        allowed=_whole(host, takeable) | base if wishes.cores == "require-full" else takeable,
        must=base,
        count=count,
        wishes=wishes,
        others=others & ~base,
        node_limit=_node_limit(host, idle, count, wishes),
        hit=tuple(nodes or 0 for nodes in map(host.device_nodes, wishes.devices_hard) if nodes != 0),
        nodes_ok=nodes_ok,
        want=spread_goal(host, free, count, wishes),
    )


def one(groups: tuple[int, ...], cpus: int) -> bool:
    """Whether all of `cpus` lie in one of these groups."""
    return ranks_met(groups, cpus).bit_count() == 1


def siblings(host: HostMap, cpus: int) -> int:
    """All threads of the cores that have some of `cpus`."""
    threads = 0
    for cpu in ids_of(cpus & host.online):
        threads |= host.core_of[cpu]
    return threads


def _filtered(host: HostMap, cpus: int, wishes: ResolvedWishes) -> int:
    """What the wishes that name CPUs or nodes leave of `cpus`."""
    if wishes.isolated == "require":
        cpus &= host.isolated
    if wishes.kind_hard is not None:
        cpus &= host.of_kind(wishes.kind_hard)
    if wishes.nodes is not None:
        named = wishes.nodes.mask
        cpus &= sum(mask for node, mask in zip(host.node_ids, host.node_cpus, strict=True) if named >> node & 1)
    return cpus


def _whole(host: HostMap, free: int) -> int:
    """The cores that are free as a whole."""
    return sum(core for core in host.cores if not core & (~free | host.torn))


def _representatives(host: HostMap, may: int, taken: int) -> int:
    """The lowest usable thread of each core of which none is taken."""
    lowest = 0
    for core in set(host.core_of.values()):
        if not core & taken:
            lowest |= core & may & -(core & may)
    return lowest


def _node_limit(host: HostMap, idle: int, count: int, wishes: ResolvedWishes) -> int:
    """1 for require-one; for require-fewest how many nodes the same wishes would need on an idle host."""
    if wishes.limit != "fewest":
        return 0 if wishes.limit is None else 1
    lost = host.online & ~idle | host.torn if wishes.cores == "require-full" else 0
    sizes = [
        sum(core & idle for core in host.cores if core & cpus and not core & lost).bit_count()
        for cpus in host.node_cpus
    ]
    held = accumulate(sorted(sizes, reverse=True))
    return next((needed for needed, total in enumerate(held, 1) if total >= count), len(sizes))
