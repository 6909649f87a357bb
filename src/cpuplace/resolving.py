"""resolve: what holds for one container after the operator's and its own wishes are joined (section 5 of the rules).

A pod may narrow the operator's choice, never widen it; of two soft ones the container's wins. Field by field:

| wish | both hard | one hard | both soft |
|---|---|---|---|
| numa limit, list | both hold: require-one implies require-fewest, lists intersect | it holds | |
| numa spread, prefer | | kept inside the hard one, but for require-one | the container's |
| cores | isolate before require-full | it holds | the container's |
| l3, package, move | it holds | it holds | the container's |
| devices | all of both | hard and soft both hold | the container's |
| core_kind, isolated | equal, or `unmeetable` | it holds | the container's |

A field that says nothing is no choice, so the default `isolated: avoid` binds only an operator who wrote it down.
"""

from typing import Final, Literal, TypeVar, cast

from cpuplace.idset import NodeSet
from cpuplace.topology import CoreKind
from cpuplace.wishes import (
    NO_WISHES,
    PLAIN_WISHES,
    CoresWish,
    IsolatedWish,
    KindWish,
    L3Wish,
    NumaWish,
    ResolvedWishes,
    Wishes,
    parse_numa,
)

_W = TypeVar("_W", bound=str)
_SILENT: Final = NumaWish()


def resolve(operator: Wishes, own: Wishes = NO_WISHES) -> ResolvedWishes:
    """The wishes that hold for a container; PLAIN_WISHES itself when nobody asked for anything.

    `operator` is `Policy.wishes`, `own` the container's. Never refuses: hard wishes that exclude each other
    are said in `unmeetable`, and the planner refuses with that text.

    >>> resolve(Wishes(numa="0-3", cores="isolate"), Wishes(numa="2-5", cores="require-full")).nodes
    NodeSet('2-3')
    """
    if operator is NO_WISHES and own is NO_WISHES:
        return PLAIN_WISHES
    limit, nodes, spread = _numa(operator, own)
    hard, soft = _devices(operator.devices, own.devices)
    kind_hard, kind_soft = _core_kind(operator.core_kind, own.core_kind)
    joined = ResolvedWishes(
        limit=limit,
        nodes=nodes,
        spread=spread,
        cores=_cores(operator.cores, own.cores),
        l3=_l3(operator.l3, own.l3),
        one_package="require-one" in (operator.package, own.package),
        devices_soft=soft,
        devices_hard=hard,
        kind_soft=kind_soft,
        kind_hard=kind_hard,
        isolated=_isolated(operator.isolated, own.isolated),
        move="never" if "never" in (operator.move, own.move) else "allow",
        unmeetable="; ".join(_contradictions(operator, own, nodes)),
    )
    return PLAIN_WISHES if joined == PLAIN_WISHES else joined


def _later(operator: _W | None, own: _W | None, default: _W) -> _W:
    """Of two soft choices the container's, then the operator's, then the default."""
    return own or operator or default


def _numa(operator: Wishes, own: Wishes) -> tuple[Literal["one", "fewest"] | None, NodeSet | None, int | None]:
    """Limit, node list, spread of both; require-one leaves nothing to spread over."""
    theirs = parse_numa(operator.numa) if operator.numa else _SILENT
    mine = parse_numa(own.numa) if own.numa else _SILENT
    limits = (theirs.limit, mine.limit)
    limit: Literal["one", "fewest"] | None = "one" if "one" in limits else "fewest" if "fewest" in limits else None
    nodes = mine.nodes if theirs.nodes is None else theirs.nodes
    if theirs.nodes is not None and mine.nodes is not None:
        nodes = theirs.nodes & mine.nodes
    own_is_soft = own.numa is not None and mine.limit is None and mine.nodes is None
    spread = mine.spread if own_is_soft else theirs.spread
    return limit, nodes, None if limit == "one" else spread


def _cores(operator: CoresWish | None, own: CoresWish | None) -> CoresWish:
    """The stricter of the hard ones, else the softer voice of the container."""
    for hard in ("isolate", "require-full"):
        if hard in (operator, own):
            return cast(CoresWish, hard)
    return _later(operator, own, "prefer-full")


def _l3(operator: L3Wish | None, own: L3Wish | None) -> L3Wish:
    return "require-one" if "require-one" in (operator, own) else _later(operator, own, "prefer")


def _devices(operator: tuple[str, ...], own: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hard ones of both, soft ones of the last who named any; a device that is hard need not be soft too."""
    hard = dict.fromkeys(name[:-1] for name in operator + own if name.endswith("!"))
    soft_own = [name for name in own if not name.endswith("!")]
    soft = soft_own or [name for name in operator if not name.endswith("!")]
    return tuple(hard), tuple(name for name in dict.fromkeys(soft) if name not in hard)


def _core_kind(operator: KindWish | None, own: KindWish | None) -> tuple[CoreKind | None, CoreKind | None]:
    """(hard kind, soft kind); a soft one says nothing once a hard one holds."""
    for one in (operator, own):
        if one is not None and one.endswith("!"):
            return cast(CoreKind, one[:-1]), None
    soft = own or operator
    return None, cast(CoreKind, soft) if soft else None


def _isolated(operator: IsolatedWish | None, own: IsolatedWish | None) -> IsolatedWish:
    """Avoid and require are hard once written down; prefer is soft."""
    if operator in ("avoid", "require"):
        return operator
    return _later(operator, own, "avoid")


def _contradictions(operator: Wishes, own: Wishes, nodes: NodeSet | None) -> list[str]:
    """What the two ask for that cannot hold together, one phrase each."""
    said = []
    if nodes is not None and not nodes:
        said.append(f"the operator allows NUMA nodes {operator.numa} and the container asks for {own.numa}")
    if {operator.core_kind, own.core_kind} == {"performance!", "efficiency!"}:
        said.append(f"the operator requires {operator.core_kind} cores and the container {own.core_kind}")
    if {operator.isolated, own.isolated} == {"avoid", "require"}:
        said.append(f"for kernel-isolated CPUs the operator says {operator.isolated} and the container {own.isolated}")
    return said
