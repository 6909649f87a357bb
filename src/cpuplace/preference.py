"""The preference of section 5 of the rules as one table: what is compared, in which order, and when an element applies.

A grant is better when its tuple is smaller. `measure` gives the tuple of any grant, straight from the definitions;
the search, `explain` and the docs all use this table, so that they cannot say different things.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from cpuplace.cpulist import ids_of
from cpuplace.hostmap import HostMap, ranks_met
from cpuplace.wishes import PLAIN_WISHES, ResolvedWishes

Value = int | tuple[int, ...]


class Weighed(NamedTuple):
    """A grant and what its value depends on; `free` includes the grant, `want` is what `spread` aims at."""

    host: HostMap
    grant: int
    free: int
    wishes: ResolvedWishes
    others: int
    want: int

    @property
    def nodes(self) -> int:
        """The NUMA nodes met, as ranks."""
        return self.host.nodes_met(self.grant)


class Element(NamedTuple):
    """One element of the tuple: `applies` says under which wishes it counts, `value` what a grant is worth."""

    name: str
    doc: str
    applies: Callable[[ResolvedWishes], bool]
    value: Callable[[Weighed], Value]


def _not_isolated(at: Weighed) -> int:
    return (at.grant & ~at.host.isolated).bit_count()


def _other_kind(at: Weighed) -> int:
    assert at.wishes.kind_soft is not None
    return (at.grant & ~at.host.of_kind(at.wishes.kind_soft)).bit_count()


def _device_distance(at: Weighed) -> int:
    return device_distance(at.host, at.nodes, at.wishes.devices_soft)


def device_distance(host: HostMap, nodes: int, names: tuple[str, ...]) -> int:
    """Sum over devices of the distance, there and back, to the nearest of these nodes (ranks)."""
    return sum(min(d for rank, d in enumerate(host.device_distances(name)) if nodes >> rank & 1) for name in names)


def _nodes_off(at: Weighed) -> int:
    return abs(at.nodes.bit_count() - at.want)


def _split_cores(at: Weighed) -> int:
    touched = [core for core in at.host.cores if core & at.grant]
    return int(bool(at.grant & at.host.torn) or any(core & ~at.grant for core in touched))


def _uneven(at: Weighed) -> int:
    shares = [(cpus & at.grant).bit_count() for cpus in at.host.node_cpus if cpus & at.grant]
    return max(shares) - min(shares)


def _nodes(at: Weighed) -> int:
    return at.nodes.bit_count()


def _distance(at: Weighed) -> int:
    return at.host.spread_of(at.nodes)


def _packages(at: Weighed) -> int:
    return ranks_met(at.host.packages, at.grant).bit_count()


def _l3_groups(at: Weighed) -> int:
    return ranks_met(at.host.l3s, at.grant).bit_count()


def _others_remembered(at: Weighed) -> int:
    return int(bool(at.grant & at.others))


def _broken_cores(at: Weighed) -> int:
    return sum(1 for core in at.host.cores if core & at.grant and core & at.free & ~at.grant)


def _cores(at: Weighed) -> int:
    return ranks_met(at.host.cores, at.grant).bit_count()


def _left(groups: tuple[int, ...], at: Weighed) -> int:
    return sum((group & at.free & ~at.grant).bit_count() for group in groups if group & at.grant)


def _node_leftover(at: Weighed) -> int:
    return _left(at.host.node_cpus, at)


def _l3_leftover(at: Weighed) -> int:
    return _left(at.host.l3s, at)


def _ids(at: Weighed) -> tuple[int, ...]:
    return ids_of(at.grant)


def _always(_: ResolvedWishes) -> bool:
    return True


def _spreads(wishes: ResolvedWishes) -> bool:
    return wishes.spread is not None


def _keeps_together(wishes: ResolvedWishes) -> bool:
    return wishes.spread is None


def _counts_l3(wishes: ResolvedWishes) -> bool:
    return wishes.l3 != "ignore"


def counts_cores(wishes: ResolvedWishes) -> bool:
    """Whether cores matter: not for `any`, and not for `isolate`, which takes one CPU of each anyway."""
    return wishes.cores not in ("any", "isolate")


ELEMENTS: Final[tuple[Element, ...]] = (
    Element("not_isolated", "CPUs that the kernel does not isolate", lambda w: w.isolated == "prefer", _not_isolated),
    Element("other_kind", "CPUs of another kind than wished", lambda w: w.kind_soft is not None, _other_kind),
    Element(
        "device_distance",
        "sum over wished devices of the distance to the nearest node spanned",
        lambda w: bool(w.devices_soft),
        _device_distance,
    ),
    Element("nodes_off", "nodes more or fewer than the spread aims at", _spreads, _nodes_off),
    Element(
        "split_cores",
        "1 when a core is taken in part, else 0",
        lambda w: _spreads(w) and counts_cores(w),
        _split_cores,
    ),
    Element("uneven", "most minus fewest CPUs in a node spanned", _spreads, _uneven),
    Element("nodes", "NUMA nodes spanned", _keeps_together, _nodes),
    Element("distance", "sum of distances, there and back, over pairs of them", _keeps_together, _distance),
    Element("packages", "packages spanned", _always, _packages),
    Element("l3_groups", "L3 groups spanned; CPUs without L3 are one group a package", _counts_l3, _l3_groups),
    Element("others_remembered", "1 when CPUs remembered for others are taken, else 0", _always, _others_remembered),
    Element("broken_cores", "cores taken in part while another free thread stays", counts_cores, _broken_cores),
    Element("cores", "cores touched: a whole core before two orphans", counts_cores, _cores),
    Element("node_leftover", "free CPUs left in the nodes touched (best fit)", _always, _node_leftover),
    Element("l3_leftover", "free CPUs left in the L3 groups touched (best fit)", _counts_l3, _l3_leftover),
    Element("ids", "the CPU ids, ascending", _always, _ids),
)
"""The tuple, in order. `free` means the CPUs this request may use: hard filters (a node list, a required kind of
core, kernel-isolated CPUs) taken off, CPUs it holds already added; for `isolate` one CPU of each wholly free core."""


def elements(wishes: ResolvedWishes) -> tuple[Element, ...]:
    """The elements that count under these wishes, in order.

    >>> [element.name for element in elements(PLAIN_WISHES)][:3]
    ['nodes', 'distance', 'packages']
    """
    return tuple(element for element in ELEMENTS if element.applies(wishes))


LEFTOVERS: Final = ("node_leftover", "l3_leftover")
"""What looks at the CPUs that a grant leaves: best fit."""


def spread_goal(host: HostMap, free: int, count: int, wishes: ResolvedWishes) -> int:
    """How many nodes a spread aims at: k as asked, by default one a core asked; never more than have free CPUs."""
    asked = wishes.spread or -(-count // (1 if wishes.cores == "isolate" else host.widest_core))
    return min(asked, count, host.nodes_met(free).bit_count())


def measure(
    host: HostMap,
    grant: int,
    *,
    free: int,
    wishes: ResolvedWishes = PLAIN_WISHES,
    others: int = 0,
) -> tuple[Value, ...]:
    """The tuple of a grant, one value for each of `elements(wishes)`; O(cores), for explaining rather than searching.

    `free` is what `ELEMENTS` calls free and includes the grant.

    >>> from cpuplace.topology import Topology
    >>> tiny = HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    >>> measure(tiny, 0b010011, free=0xFF)
    (1, 0, 1, 1, 0, 1, 2, 1, 1, (0, 1, 4))
    """
    weighed = Weighed(host, grant, free, wishes, others, spread_goal(host, free, grant.bit_count(), wishes))
    return tuple([element.value(weighed) for element in elements(wishes)])
