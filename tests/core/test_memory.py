"""Memory as a flow: `room` against Hall's condition written out over all sets of nodes."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from cpuplace.idset import NodeSet
from cpuplace.memory import Demand, room, sized

NODES = (0, 1, 5, 8)
node_sets = st.sets(st.sampled_from(NODES), min_size=1).map(NodeSet)


def subsets(items: tuple[int, ...]) -> list[NodeSet]:
    return [NodeSet(some) for size in range(len(items) + 1) for some in combinations(items, size)]


def hall_room(capacity: dict[int, int], demands: list[Demand], nodes: NodeSet) -> int:
    """The largest amount for which every set of nodes still holds what is bound inside it."""
    return min(
        sum(capacity.get(node, 0) for node in inside) - sum(amount for one, amount in demands if one <= inside)
        for inside in subsets(NODES)
        if nodes <= inside
    )


def fits(capacity: dict[int, int], demands: list[Demand]) -> bool:
    return all(
        sum(amount for one, amount in demands if one <= inside) <= sum(capacity.get(node, 0) for node in inside)
        for inside in subsets(NODES)
    )


@given(
    st.dictionaries(st.sampled_from(NODES), st.integers(0, 12)),
    st.lists(st.tuples(node_sets, st.integers(0, 8)), max_size=5),
    node_sets,
)
def test_room_is_what_hall_allows(capacity: dict[int, int], demands: list[Demand], nodes: NodeSet) -> None:
    kept: list[Demand] = []
    for demand in demands:
        if fits(capacity, [*kept, demand]):
            kept.append(demand)
    assert room(capacity, kept, nodes) == hall_room(capacity, kept, nodes)


def test_demands_that_do_not_fit_leave_no_room() -> None:
    assert room({0: 4}, [(NodeSet([0]), 9)], NodeSet([0])) == 0


def test_a_node_without_capacity_holds_nothing() -> None:
    assert room({0: 4}, [], NodeSet([7])) == 0


def test_sizes_beyond_the_last_unit_stay_in_it() -> None:
    assert (sized(0), sized(1 << 61)) == ("0 B", "2048 PiB")
