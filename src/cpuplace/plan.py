"""Plan: the next state of a host, and the ordered steps that lead there (section 4 of the rules).

A plan is made of two states, the one it was made for and the one it leads to; the steps are their
difference, worked out when somebody looks. Applying is therefore cheap and never half done.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Self

from attrs import frozen

from cpuplace.errors import StalePlan
from cpuplace.explanation import Explanation
from cpuplace.ordering import forced, ordered, through
from cpuplace.state import HostState
from cpuplace.step import Step


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Plan:
    """What a decision leads to. Made by the planner, carried out by adapters, taken over with `apply`.

    `world` is what runs where that is not what `before` says; the steps start from it (R9).
    `notes` say everything worth knowing; `optimal` is False when the search budget cut the choice short; `given` are
    the steps where they are not to be worked out from the two states (`undo`), or have been already. `stops` are states
    on the way that the steps go through when no straight order is legal. With `one_step_per_container` no container has
    two steps, but for repairs that have no such order, which is noted.
    A plan has no truth value: ask `is_empty`.
    """

    before: HostState
    after: HostState
    notes: tuple[str, ...] = ()
    optimal: bool = True
    given: tuple[Step, ...] | None = None
    explainers: tuple[Callable[[], Explanation], ...] = ()
    world: HostState | None = None
    stops: tuple[HostState, ...] = ()
    one_step_per_container: bool = False

    @property
    def is_empty(self) -> bool:
        """True when nothing changes."""
        return self.after is self.before and not (self.world and self.steps)

    @property
    def path(self) -> tuple[HostState, ...]:
        """What a plan of which this is a part may have to go through: nothing where steps are straight anyway."""
        return (self.before, *self.stops, self.after) if self.stops else ()

    @property
    def version(self) -> int:
        """The version of the state it was made for."""
        return self.before.version

    @property
    def digest(self) -> int:
        """The digest of the state it was made for."""
        return self.before.digest

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What to carry out, in an order whose every prefix is safe: release, narrow, move, grant, widen."""
        if self.given is not None:
            return self.given
        return next(order for order in _orders(self) if order is not None)

    def undo(self, done: int | None = None) -> "Plan":
        """The plan back from the first `done` steps of this one (default: all), however it came to an end.

        Its steps take those steps back, last first, so that the world is again what it was before; prefixes are as
        safe as those of the way there. It is made for the state that this plan leads to: who has applied the plan
        applies its undoing too, who has not yet only carries it out.

        >>> from cpuplace.topology import Topology
        >>> state = HostState.empty(Topology.uniform())
        >>> Plan(before=state, after=state).undo().steps
        ()
        """
        steps = self.steps if done is None else self.steps[:done]
        back = tuple(step.taken_back() for step in reversed(steps))
        once = self.one_step_per_container
        return Plan(before=self.after, after=self.before, given=back, one_step_per_container=once)

    def unwrap(self) -> Self:
        """The plan itself (a `Refusal` raises instead)."""
        return self

    def explain(self) -> Explanation:
        """Which rule gave each container its CPUs, the candidates looked at, and why the winner won.

        Costs nothing until it is called, then as much as the decision itself.
        """
        return Explanation.joined(one() for one in self.explainers)

    def __repr__(self) -> str:
        return f"Plan(version={self.version}, steps={self.steps!r}, notes={self.notes!r}, optimal={self.optimal})"

    def __bool__(self) -> bool:
        raise TypeError("a plan has no truth value: ask plan.is_empty, or isinstance(answer, Plan)")


def apply(state: HostState, plan: Plan) -> HostState:
    """The state that the plan leads to; raises StalePlan when it was made for another one. O(1) for the state itself.

    >>> from cpuplace.topology import Topology
    >>> state = HostState.empty(Topology.uniform())
    >>> apply(state, Plan(before=state, after=state)) is state
    True
    """
    other = "" if state is plan.before else _otherness(state, plan)
    if other:
        raise StalePlan(f"the plan was made for {other}: plan again")
    return plan.after


def _otherness(state: HostState, plan: Plan) -> str:
    """What a plan was made for, where that is not this state; "" where it is."""
    if state.version != plan.version:
        return f"version {plan.version}, the state has version {state.version}"
    if state.topology != plan.before.topology:
        return "another host"
    if state.policy != plan.before.policy:
        return "another policy"
    return "" if state.digest == plan.digest else "other containers than the state has"


def _orders(plan: Plan) -> Iterator[tuple[Step, ...] | None]:
    """A safe way, else one on which somebody has fewer CPUs for a moment, else the straight one."""
    start = plan.world or plan.before
    if plan.one_step_per_container:
        yield ordered(start, plan.after, one_step_per_container=True)
    ways = [(start, plan.after)] + ([(start, *plan.stops, plan.after)] if plan.stops else [])
    for allow_dip in (False, True):
        yield from (through(way, allow_dip=allow_dip) for way in ways)
    yield forced(start, plan.after)
