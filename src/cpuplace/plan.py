"""Plan: the next state of a host, and the ordered steps that lead there (SPEC section 4).

A plan is made of two states, the one it was made for and the one it leads to; the steps are their
difference, worked out when somebody looks. Applying is therefore cheap and never half done.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from itertools import repeat
from typing import NamedTuple, Self

from attrs import frozen

from cpuplace.errors import StalePlan
from cpuplace.explanation import Explanation
from cpuplace.idset import CpuSet
from cpuplace.state import Held, HostState


class Op(StrEnum):
    """What a step does to one container."""

    RELEASE = "release"
    NARROW = "narrow"
    MOVE = "move"
    GRANT = "grant"
    WIDEN = "widen"


class Step(NamedTuple):
    """One thing for an adapter to carry out; `before` None = not placed, `after` None = gone."""

    op: Op
    container_id: str
    before: Held | None
    after: Held | None


@frozen(slots=True, kw_only=True, eq=False, repr=False)
class Plan:
    """What a decision leads to. Made by the planner, carried out by adapters, taken over with `apply`.

    `notes` say everything worth knowing; `optimal` is False when the search budget cut the choice short.
    A plan has no truth value: ask `is_empty`.
    """

    before: HostState
    after: HostState
    notes: tuple[str, ...] = ()
    optimal: bool = True
    explainers: tuple[Callable[[], Explanation], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when nothing changes."""
        return self.after is self.before

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
        return tuple(_steps(self.before, self.after))

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
    """The state that the plan leads to; raises StalePlan when it was made for another one. O(1).

    >>> from cpuplace.topology import Topology
    >>> state = HostState.empty(Topology.uniform())
    >>> apply(state, Plan(before=state, after=state)) is state
    True
    """
    if state is not plan.before and (state.version, state.digest) != (plan.version, plan.digest):
        raise StalePlan(
            f"the plan was made for version {plan.version}, the state has version {state.version}: plan again"
        )
    return plan.after


def _steps(before: HostState, after: HostState) -> Iterator[Step]:
    gone = [*_missing(before.owners, after.owners), *_missing(before.shared, after.shared)]
    came = [*_missing(after.owners, before.owners), *_missing(after.shared, before.shared)]
    narrowed, moved, widened = _shared_steps(before, after)
    yield from (Step(Op.RELEASE, key, before[key].held, None) for key in gone if key not in after)
    yield from narrowed
    yield from moved
    yield from _owner_steps(before, after)
    for key in came:
        if key in before:  # from shared to integer, or back
            yield Step(Op.MOVE, key, before[key].held, after[key].held)
        else:
            yield Step(Op.GRANT, key, None, after[key].held)
    yield from widened


def _owner_steps(before: HostState, after: HostState) -> Iterator[Step]:
    """The steps of containers with CPUs of their own that hold others now: who shrinks goes first."""
    changed = [
        Step(_op(before.owners[key].cpus, one.cpus), key, before.owners[key].held, one.held)
        for key, one in after.owners.items()
        if key in before.owners and before.owners[key] is not one and before.owners[key].held != one.held
    ]
    return iter(sorted(changed, key=lambda step: (Op.NARROW, Op.MOVE, Op.WIDEN).index(step.op)))


def _op(was: CpuSet, will: CpuSet) -> Op:
    return Op.NARROW if will < was else Op.WIDEN if was < will else Op.MOVE


def _missing(ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    """Our keys that they lack, in our order; set arithmetic in C, since there may be hundreds."""
    lacking = ours.keys() - theirs.keys() if ours is not theirs else ()
    return [key for key in ours if key in lacking] if len(lacking) > 1 else list(lacking)


def _shared_steps(before: HostState, after: HostState) -> tuple[list[Step], list[Step], list[Step]]:
    """(narrowed, moved, widened) of shared containers that stay.

    Most of them hold just what all are told of, so their steps are made in bulk from one change.
    """
    sorted_steps: tuple[list[Step], list[Step], list[Step]] = ([], [], [])
    if before.told == after.told and before.apart == after.apart:
        return sorted_steps
    special = {*after.picky, *before.apart, *after.apart}
    stays = before.shared.keys() & after.shared.keys() if before.shared is not after.shared else after.shared
    plain = [key for key in after.shared if key in stays and key not in special]
    for group, op, was, will in _change(before.told, after.told):
        sorted_steps[group].extend(map(Step, repeat(op), plain, repeat(was), repeat(will)))
    for key in (key for key in after.shared if key in special and key in stays):
        request = after.shared[key]
        for group, op, was, will in _change(before.shared_mask(request), after.shared_mask(request)):
            sorted_steps[group].append(Step(op, key, was, will))
    return sorted_steps


def _change(was: int, will: int) -> Iterator[tuple[int, Op, Held, Held]]:
    """One step when a set only shrinks or only grows; else through the common part, when there is one."""
    common = was & will
    if was == will:
        return
    if not common:
        yield 1, Op.MOVE, _held(was), _held(will)
        return
    if common != was:
        yield 0, Op.NARROW, _held(was), _held(common)
    if common != will:
        yield 2, Op.WIDEN, _held(common), _held(will)


def _held(mask: int) -> Held:
    return Held(CpuSet.from_mask(mask))
