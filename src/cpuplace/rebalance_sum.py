"""The sum that rebalancing lowers: the tuples of all integer containers, added up element by element."""

from collections.abc import Iterator
from typing import Final

from cpuplace.granting import ask_of, given_of
from cpuplace.preference import ELEMENTS, Element, Weighed, spread_goal
from cpuplace.request import Kind
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.task import compile_task

_NAMES: Final = tuple(element.name for element in ELEMENTS)
COUNTED: Final[tuple[Element, ...]] = (
    *ELEMENTS[: _NAMES.index("others_remembered")],
    ELEMENTS[_NAMES.index("broken_cores")],
)
"""What is added up: all elements before `others_remembered`, and `broken_cores`."""

Sum = tuple[int, ...]
"""One number for each of `COUNTED`."""


def tuple_sum(state: HostState) -> Sum:
    """The tuples of all integer containers as they are now, added up; degraded ones are left out.

    Each is measured with what is free in this state and what the container holds. O(containers * cores).

    >>> from cpuplace.topology import Topology
    >>> set(tuple_sum(HostState.empty(Topology.uniform())))
    {0}
    """
    total = [0] * len(COUNTED)
    for one in counted_containers(state):
        total = [a + b for a, b in zip(total, tuple_of(state, one), strict=True)]
    return tuple(total)


def counted_containers(state: HostState) -> Iterator[Assignment]:
    """The integer containers that have what they asked for, in the order they came.

    What hardware took from the others is for `change_topology` and `synchronize` to mend.
    """
    return (one for one in state.owners.values() if one.kind is Kind.INTEGER and not one.degraded)


def tuple_of(state: HostState, one: Assignment) -> Sum:
    """What `COUNTED` says of one container; 0 where an element does not count for it."""
    host, grant = state.ground.host_map, one.cpus.mask
    wishes, free = resolve(state.policy.wishes, one.request.wishes), free_of(state, one)
    weighed = Weighed(host, grant, free, wishes, 0, spread_goal(host, free, grant.bit_count(), wishes))
    values = (element.value(weighed) if element.applies(wishes) else 0 for element in COUNTED)
    return tuple(value for value in values if isinstance(value, int))


def free_of(state: HostState, one: Assignment) -> int:
    """What the tuple of a running container calls free: what it could use besides, and what it holds."""
    ask = ask_of(state, one.request, len(one.cpus))._replace(base=one.cpus.mask, limit=None)
    return compile_task(state.ground.host_map, ask.free, ask.wanted, **given_of(state, ask)).free
