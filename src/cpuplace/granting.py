"""Granting: which CPUs an integer container gets: R4, R6, R8 and R12 around the choice of section 5."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, TypedDict

from attrs import define

from cpuplace.binding import MemoryLimit, bound_nodes, memory_limit
from cpuplace.candidates import Choice, Shortfall, choose
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.preference import Value
from cpuplace.refusal import NotEnoughCpus, PoolExhausted, Refusal, SearchBudgetSpent, WishUnmet
from cpuplace.request import ContainerRequest
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.task import NodesOk, compile_task
from cpuplace.wishes import PLAIN_WISHES, ResolvedWishes

SEARCHES_PER_NODE = 10
"""What one whole search counts for when the best choice would leave a shared container without a CPU."""


class Granted(NamedTuple):
    """What an integer container gets; `optimal` False when the search budget cut the choice short."""

    assignment: Assignment
    optimal: bool


class Ask(NamedTuple):
    """One question to the search: what may be used, how many, and what is weighed; `base` is held and kept, `barred`
    stays free."""

    free: int
    wanted: int
    wishes: ResolvedWishes
    others: int
    isolated_free: int
    limit: MemoryLimit | None
    base: int = 0
    barred: int = 0


class Given(TypedDict):
    """The keyword arguments that `choose`, `explain_choice` and `compile_task` have in common."""

    wishes: ResolvedWishes
    others: int
    base: int
    usable: int
    reserved: int
    isolated_free: int
    nodes_ok: NodesOk | None


class Starved(NamedTuple):
    """The floor of R6 stands in the way; `holders` are shared containers that would have no CPU.

    `proved` False: the budget was spent before every other choice was ruled out. `withheld`: how many siblings the
    choice would keep idle.
    """

    holders: tuple[str, ...]
    proved: bool = True
    withheld: int = 0


Found: TypeAlias = Choice | Shortfall | Starved


def grant(state: HostState, request: ContainerRequest, within: int = -1) -> Granted | Refusal:
    """What an integer container gets, or why it gets nothing; `within` bounds the CPUs looked at.

    Cost: one choice (some 10 us); a refusal also looks for the largest count that would have fitted.
    """
    ask = ask_of(state, request, request.count, within)
    if ask.wishes.unmeetable:
        return _contradicted(request, ask)
    if state.remembered:
        again = _again(state, request, ask)
        if again is not None:
            return Granted(assignment_of(state, request, ask, again, "R8"), True)
    found = find(state, ask)
    if isinstance(found, Choice):
        return Granted(assignment_of(state, request, ask, found, "R4"), found.optimal)
    return refusal_of(state, request, ask, found)


def ask_of(state: HostState, request: ContainerRequest, count: int, within: int = -1) -> Ask:
    """The question that a request puts to the search in this state."""
    allowed = within & ~request.forbid.mask
    wishes = resolve(state.policy.wishes, request.wishes)
    return Ask(
        state.free_mask & allowed,
        count,
        wishes,
        _others(state, request) if state.remembered else 0,
        0 if wishes.isolated == "avoid" else state.isolated_free_mask & allowed,
        memory_limit(state, request, wishes),
    )


def _others(state: HostState, request: ContainerRequest) -> int:
    """CPUs remembered for others: not its own, and not what init containers of its pod left behind (R8)."""
    mask = 0
    for (pod, name), held in state.remembered.items():
        if pod != request.pod or (name != request.name and not held.init):
            mask |= held.cpus
    return mask


def _again(state: HostState, request: ContainerRequest, ask: Ask) -> Choice | None:
    """The remembered CPUs, when all of them are free, as many as asked for, and hard wishes allow them (R8)."""
    held = state.remembered.get((request.pod, request.name))
    if held is None or held.cpus & ~(ask.free | ask.isolated_free):
        return None
    only = ask._replace(free=ask.free & held.cpus, isolated_free=ask.isolated_free & held.cpus, others=0)
    found = find(state, only)
    whole = isinstance(found, Choice) and found.mask | found.withheld == held.cpus
    return found if isinstance(found, Choice) and whole else None


def find(state: HostState, ask: Ask) -> Found:
    """The choice within the floor of R6, or what stands in the way."""
    found = search(state, ask)
    return _spare(state, ask, found) if isinstance(found, Choice) else found


def search(state: HostState, ask: Ask) -> Choice | Shortfall:
    """The choice of section 5 on its own, without the floor."""
    ground = state.ground
    if ask.wishes is PLAIN_WISHES and not ask.base and ask.limit is None:  # most requests: no detours
        budget = ground.policy.search_budget
        return choose(ground.host_map, ask.free, ask.wanted, others=ask.others, barred=ask.barred, budget=budget)
    given = given_of(state, ask)
    return choose(ground.host_map, ask.free, ask.wanted, budget=ground.policy.search_budget, barred=ask.barred, **given)


def given_of(state: HostState, ask: Ask) -> Given:
    """The circumstances of a question, as the search takes them."""
    ground = state.ground
    return {
        "wishes": ask.wishes,
        "others": ask.others,
        "base": ask.base,
        "usable": ground.usable,
        "reserved": ground.reserved,
        "isolated_free": ask.isolated_free,
        "nodes_ok": None if ask.limit is None else ask.limit.allows_grant,
    }


def _spare(state: HostState, ask: Ask, found: Choice) -> Choice | Starved:
    """The choice itself when the floor holds, else the best that leaves everybody a CPU, else who starves."""
    starved = starving(state, found.mask | found.withheld)
    if starved is None:
        return found
    task = compile_task(state.ground.host_map, ask.free, ask.wanted, **given_of(state, ask))
    best: tuple[tuple[Value, ...], Choice] | None = None
    cut = Cut()
    for choice in _sparing(state, ask, found, cut):
        value = task.measure(choice.mask)
        if best is None or value < best[0]:
            best = value, choice
    if best is None:
        return starved._replace(proved=not cut.made, withheld=found.withheld.bit_count())
    return best[1]._replace(optimal=best[1].optimal and not cut.made)


@define
class Cut:
    """Whether a search was cut short."""

    made: bool = False


def _sparing(state: HostState, ask: Ask, found: Choice, cut: Cut) -> Iterator[Choice]:
    """Choices that leave every shared container a CPU: whoever would starve keeps one of its CPUs in turn.

    Depth first, so that a first answer comes soon; at most a share of the search budget is spent.
    """
    todo, seen = [(0, found)], {0}
    while todo:
        kept, choice = todo.pop()
        starved = starving(state, choice.mask | choice.withheld)
        if starved is None:
            yield choice
            continue
        for cpu in _saviours(state, ask, choice, starved):
            keep = kept | 1 << cpu
            if len(seen) > state.policy.search_budget // SEARCHES_PER_NODE:
                cut.made = True
                return
            if keep not in seen:
                seen.add(keep)
                other = search(state, ask._replace(barred=keep))
                todo += [(keep, other)] if isinstance(other, Choice) else []


def _saviours(state: HostState, ask: Ask, choice: Choice, starved: Starved) -> CpuSet:
    """CPUs of which one has to stay in the pool: for the first who would starve, or for the pool to be large enough.

    The latter only with idle siblings, since cores of unequal size leave pools of unequal size.
    """
    if starved.holders:
        return CpuSet.from_mask(state.pool_mask & ~state.shared[starved.holders[0]].forbid.mask)
    if not choice.withheld or _least_taken(state, ask) > state.pool_mask.bit_count() - state.policy.min_shared_cpus:
        return NO_CPUS
    return CpuSet.from_mask(choice.mask & ~ask.base)


def _least_taken(state: HostState, ask: Ask) -> int:
    """The fewest CPUs that so many idle cores take, siblings included."""
    usable, free = state.ground.usable, ask.free | ask.isolated_free | ask.base
    cores = [core.cpus.mask & usable for core in state.topology.cores]
    sizes = sorted((core & state.pool_mask).bit_count() for core in cores if core and not core & ~free)
    return sum(sizes[: ask.wanted])


def starving(state: HostState, taken: int) -> Starved | None:
    """Who keeps `taken` from being taken out of the pool (R6); None when nobody does."""
    pool = state.pool_mask
    left = pool & ~taken
    if left == pool:
        return None
    if left.bit_count() < state.ground.policy.min_shared_cpus:
        return Starved(())
    hungry = state.hungry(left)
    if not hungry:
        return None
    before = state.hungry(pool)  # who has no CPU there anyway loses none
    worse = tuple([key for key in hungry if key not in before])
    return Starved(worse) if worse else None


def assignment_of(state: HostState, request: ContainerRequest, ask: Ask, found: Choice, rule: str) -> Assignment:
    """What an integer container holds that is given this choice: its memory nodes, and the choice as its baseline."""
    cpus = CpuSet.from_mask(found.mask)
    mems, preferred = bound_nodes(state, request, found.mask, ask.wishes)
    withheld = CpuSet.from_mask(found.withheld) if found.withheld else NO_CPUS
    return Assignment(request, cpus, mems, withheld, cpus, preferred, rule)


def largest_fit(state: HostState, request: ContainerRequest, ask: Ask) -> int:
    """The largest count below the one asked for that would be placed; 0 when none would."""
    least = ask.base.bit_count()  # what it holds already fits
    most = min(ask.wanted - 1, (ask.free | ask.isolated_free | ask.base).bit_count())
    return next((n for n in range(most, least, -1) if isinstance(find(state, ask._replace(wanted=n)), Choice)), least)


def refusal_of(state: HostState, request: ContainerRequest, ask: Ask, found: Shortfall | Starved) -> Refusal:
    """The refusal of what `find` could not find, with the largest count that would do."""
    if isinstance(found, Starved):
        return _pool_refusal(state, request, ask, found)
    if not found.proved:
        return _spent(state, request)
    if ask.limit is not None and isinstance(search(state, ask._replace(limit=None)), Choice):
        return _memory_refusal(state, request, ask.limit)
    fits, free = largest_fit(state, request, ask), ask.free | ask.isolated_free
    if found.wish:
        return WishUnmet(
            container_id=request.container_id,
            rule="section 5",
            sentence=f"asks for {counted(ask.wanted)} with {found.wish}: {found.missing}{_fitting(ask, fits)}",
            wish=found.wish,
            asked=ask.wanted,
            fits=fits,
            missing=found.missing,
        )
    return NotEnoughCpus(
        container_id=request.container_id,
        rule="R4",
        sentence=f"asks for {counted(ask.wanted)}, {free.bit_count()} free ones may be used{_fitting(ask, fits)}",
        asked=ask.wanted,
        free=CpuSet.from_mask(free),
        fits=fits,
    )


def _contradicted(request: ContainerRequest, ask: Ask) -> WishUnmet:
    """Two hard wishes that exclude each other: nothing would fit, however little is asked for."""
    why = ask.wishes.unmeetable
    return WishUnmet(
        container_id=request.container_id,
        rule="section 5",
        sentence=f"asks for {counted(ask.wanted)} with wishes that cannot hold together: {why}",
        wish="wishes",
        asked=ask.wanted,
        fits=0,
        missing=why,
    )


def _pool_refusal(state: HostState, request: ContainerRequest, ask: Ask, found: Starved) -> Refusal:
    if not found.proved:
        return _spent(state, request)
    fits = largest_fit(state, request, ask)
    why = (
        "shared containers would be left without a CPU: " + ", ".join(found.holders[:5])
        if found.holders
        else f"the pool has {state.pool_mask.bit_count()} and must keep {state.policy.min_shared_cpus}"
    )
    return PoolExhausted(
        container_id=request.container_id,
        rule="R6",
        sentence=f"asks for {_with_siblings(ask, found)}, but {why}{_fitting(ask, fits)}",
        asked=ask.wanted,
        fits=fits,
        holders=found.holders,
    )


def _with_siblings(ask: Ask, found: Starved) -> str:
    """What would leave the pool: without the siblings that stay idle the numbers would not add up."""
    idle = found.withheld
    return counted(ask.wanted) + (f" and {idle} idle sibling{'s' * (idle > 1)}" if idle else "")


def _spent(state: HostState, request: ContainerRequest) -> Refusal:
    budget = state.policy.search_budget
    return SearchBudgetSpent(
        container_id=request.container_id,
        rule="R6",
        sentence=f"no answer within the search budget of {budget}, and none ruled out: raise search_budget",
        budget=budget,
    )


def _memory_refusal(state: HostState, request: ContainerRequest, limit: MemoryLimit) -> Refusal:
    nodes = state.ground.memory_nodes(state.ground.usable)
    return limit.refusal(request, nodes)


def counted(count: int) -> str:
    """ "1 CPU", "4 CPUs"."""
    return "1 CPU" if count == 1 else f"{count} CPUs"


def _fitting(ask: Ask, fits: int) -> str:
    """What smaller number would do, as the end of a sentence: a larger one may too (whole cores), but none is tried."""
    if fits:
        return f"; {counted(fits)} would fit"
    return "; nothing less would fit" if ask.wanted > 1 else ""
