"""Which CPUs: the best grant for a request, or what is missing (section 5 of the rules)."""

from typing import Any, Final, NamedTuple

from attrs import evolve

from cpuplace.exact import ExactSearch
from cpuplace.hostmap import HostMap
from cpuplace.idset import NodeSet
from cpuplace.preference import Value, counts_cores
from cpuplace.regions import Answer, straight_choice
from cpuplace.sparing import sparing_choice
from cpuplace.straight import Straight
from cpuplace.task import NodesOk, Task, compile_task, siblings
from cpuplace.wishes import PLAIN_WISHES, ResolvedWishes

DEFAULT_BUDGET: Final = 4000
_SHOWN: Final = 8
"""How many alternatives `explain_choice` compares before it stops looking at ones that cannot win."""


class Choice(NamedTuple):
    """The CPUs granted, their siblings that stay idle (`isolate`), and whether the search was exact to the end."""

    mask: int
    withheld: int
    optimal: bool


class Shortfall(NamedTuple):
    """Why there is no grant: the hard wish in the way ("" = too few CPUs) and what is missing.

    `proved` False: the budget was spent before every possibility had been looked at.
    """

    wish: str
    missing: str
    proved: bool = True


class Candidate(NamedTuple):
    """One grant that was compared: its CPUs, its tuple by element name, and whether it won."""

    cpus: int
    measures: dict[str, Value]
    won: bool


def choose(
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
    budget: int = DEFAULT_BUDGET,
) -> Choice | Shortfall:
    """The grant of `count` CPUs that the preference likes best, or what is missing; all sets are masks of CPU ids.

    `free` are the CPUs this request may use before its wishes, `isolated_free` those it may use besides when it
    wishes kernel-isolated ones, `others` those remembered for others, `base` those it holds and keeps (they count),
    `usable` all that may be managed, of which `reserved` is never given out (require-fewest asks what an idle host
    could give, isolate for cores that are idle as a whole). `nodes_ok` says whether
    the memory of a set of node ids will do; a larger set must do when a smaller one does. `barred` are free CPUs that
    have to stay so.

    Exact unless `optimal` is False. Microseconds for plain wishes, bounded by `budget` search nodes otherwise.

    >>> from cpuplace.topology import Topology
    >>> tiny = HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    >>> choose(tiny, 0b11111111, 3)
    Choice(mask=19, withheld=0, optimal=True)
    >>> choose(tiny, 0b1111, 5)
    Shortfall(wish='', missing='5 CPUs asked for, 4 free', proved=True)
    """
    if wishes is PLAIN_WISHES and not base and nodes_ok is None:
        if free.bit_count() < count:
            return _too_few(count, free)
        way = Straight.of(host)
        if way is not None:
            found, spared = straight_choice(way, free, count), others | barred
            if found is not None and found.grant & spared:
                found = sparing_choice(way, free, spared, count, found)
            if found is not None and not (barred and found.grant & spared):
                return Choice(found.grant, 0, not found.cut)
    given: dict[str, Any] = {
        "others": others,
        "base": base,
        "usable": usable,
        "reserved": reserved,
        "isolated_free": isolated_free,
        "nodes_ok": nodes_ok,
        "barred": barred,
    }
    task = compile_task(host, free, count, wishes=wishes, **given)
    found = _straight(task)
    if found is None:
        search = ExactSearch(budget)
        search.run(task)
        if search.best is None:
            return _shortfall(host, free, count, wishes, given, budget)._replace(proved=not search.budget.cut)
        found = Answer(search.best.grant, search.budget.cut)
    return Choice(found.grant, _withheld(host, found.grant, usable, wishes), not found.cut)


def _straight(task: Task) -> Answer | None:
    """The best grant the straight way, or None when that is not sure to be the answer.

    Hard wishes about nodes, packages, L3 groups or memory, and CPUs remembered for others, are left out at first:
    when the best grant without them satisfies them, it is the best with them.
    """
    wishes = task.wishes
    soft = wishes.devices_soft or wishes.kind_soft or wishes.spread is not None or wishes.isolated == "prefer"
    if soft or task.must or wishes.cores == "require-full" or task.free.bit_count() < task.count:
        return None
    way = Straight.of(task.host, cores=counts_cores(wishes), l3=wishes.l3 != "ignore")
    found = None if way is None else straight_choice(way, task.free, task.count)
    return found if found is not None and task.allows(found.grant) else None


def _too_few(count: int, free: int) -> Shortfall:
    return Shortfall("", f"{count} CPUs asked for, {free.bit_count()} free")


def _withheld(host: HostMap, grant: int, usable: int | None, wishes: ResolvedWishes) -> int:
    """The usable siblings of an isolated grant."""
    if wishes.cores != "isolate":
        return 0
    return siblings(host, grant) & (host.online if usable is None else usable) & ~grant


def explain_choice(
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
    budget: int = DEFAULT_BUDGET,
) -> tuple[Candidate, ...]:
    """What `choose` answers, and the best grants of node sets it weighs that against, best first; () when refused.

    The winner is first; a better one behind it means that the search was cut. About 10 ms on the largest hosts.

    >>> from cpuplace.topology import Topology
    >>> tiny = HostMap.of(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2))
    >>> [(one.cpus, one.measures["node_leftover"], one.won) for one in explain_choice(tiny, 0b11101111, 2)][:2]
    [(34, 1, True), (68, 2, False)]
    """
    given: dict[str, Any] = {
        "wishes": wishes,
        "others": others,
        "base": base,
        "usable": usable,
        "reserved": reserved,
        "isolated_free": isolated_free,
    }
    answer = choose(host, free, count, **given, nodes_ok=nodes_ok, budget=budget)
    if isinstance(answer, Shortfall):
        return ()
    task = compile_task(host, free, count, **given, nodes_ok=nodes_ok or _any_nodes)
    search = ExactSearch(budget, keep=_SHOWN)
    search.run(task)
    others_seen = sorted(found for found in set(search.seen) if found.grant != answer.mask)
    names = task.names()
    return tuple(
        Candidate(grant, dict(zip(names, measure, strict=True)), grant == answer.mask)
        for measure, grant in [(task.measure(answer.mask), answer.mask), *others_seen[: _SHOWN - 1]]
    )


def _any_nodes(_: int) -> bool:
    """Every set of nodes will do; that there is a rule at all makes the search look at each set by itself."""
    return True


def _without_hard(wishes: ResolvedWishes) -> ResolvedWishes:
    """The soft wishes alone."""
    return evolve(
        wishes,
        limit=None,
        nodes=None,
        cores="any" if wishes.cores == "any" else "prefer-full",
        l3="ignore" if wishes.l3 == "ignore" else "prefer",
        one_package=False,
        devices_hard=(),
        kind_hard=None,
        isolated="avoid" if wishes.isolated == "avoid" else "prefer",
    )


_STAGES: Final = (
    ("isolated", "isolated"),
    ("core_kind", "kind_hard"),
    ("numa", "nodes"),
    ("cores", "cores"),
    ("devices", "devices_hard"),
    ("package", "one_package"),
    ("l3", "l3"),
    ("numa", "limit"),
)
"""The hard wishes and their fields, in the order in which they are added until there is no answer."""


def _shortfall(
    host: HostMap, free: int, count: int, wishes: ResolvedWishes, given: dict[str, Any], budget: int
) -> Shortfall:
    """Which hard wish is in the way: the first that leaves no grant when they are added one by one."""
    held = _without_hard(wishes)
    without_memory = given | {"nodes_ok": None}
    task = compile_task(host, free, count, wishes=held, **without_memory)
    if not task.must.bit_count() <= count <= task.allowed.bit_count():
        return _too_few(count, task.allowed)
    for wish, name in _STAGES:
        if getattr(wishes, name) == getattr(held, name):
            continue
        held = evolve(held, **{name: getattr(wishes, name)})
        task = compile_task(host, free, count, wishes=held, **without_memory)
        search = ExactSearch(budget)
        search.run(task)
        if search.best is None:
            return Shortfall(wish, _missing(name, task))
    return Shortfall("memory", f"no NUMA nodes that have both {count} free CPUs and enough memory")


def _missing(name: str, task: Task) -> str:
    """What a hard wish asks for and the free CPUs do not give, as a phrase."""
    wishes, count, may = task.wishes, task.count, task.allowed.bit_count()
    nodes = "one NUMA node" if wishes.limit == "one" else f"{task.node_limit} NUMA nodes"
    phrases = {
        "isolated": f"{count} kernel-isolated CPUs asked for, {may} free",
        "kind_hard": f"{count} {wishes.kind_hard} CPUs asked for, {may} free",
        "nodes": f"{count} CPUs of NUMA nodes {wishes.nodes} asked for, {may} free{_useless(task)}",
        "cores": f"{count} CPUs of whole cores asked for, {task.allowed.bit_count()} free",
        "devices_hard": f"{count} free CPUs, some of them in the NUMA node of {', '.join(wishes.devices_hard)}",
        "one_package": f"one package with {count} such CPUs",
        "l3": f"one L3 group with {count} such CPUs",
        "limit": f"{nodes} with {count} such CPUs",
    }
    unknown = [device for device in wishes.devices_hard if task.host.device_nodes(device) is None]
    if name == "devices_hard" and unknown:
        return f"the host has no device {unknown[0]}"
    if name == "cores" and wishes.cores == "isolate":
        return f"{count} wholly free cores asked for, {may} there"
    size = _size_of_whole(task)
    if name == "cores" and size and count % size:
        return f"whole cores of {size} CPUs each asked for, so only a multiple of {size} can be had"
    return phrases[name]


def _useless(task: Task) -> str:
    """Which of the nodes wished for can give no CPU whatever is free, as the end of a phrase."""
    wished = task.wishes.nodes or NodeSet()
    bare = wished & NodeSet(node.id for node in task.host.topology.nodes if not node.cpus)
    said = [lacking(task.host, wished), f"no CPUs in node {bare}" if bare else ""]
    useless = ", ".join(filter(None, said))
    return f": {useless}" if useless else ""


def lacking(host: HostMap, wished: NodeSet) -> str:
    """Which of the nodes wished for the host does not have, "" when it has them all."""
    known = NodeSet(node.id for node in host.topology.nodes)
    absent = wished - known
    return f"no node {absent} on this host (it has {known})" if absent else ""


def _size_of_whole(task: Task) -> int:
    """The threads of each core that may be taken whole, 0 when they differ or there is none."""
    sizes = {core.bit_count() for core in task.host.cores if not core & ~task.allowed}
    return sizes.pop() if len(sizes) == 1 else 0
