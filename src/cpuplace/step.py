"""Step: one thing for an adapter to carry out, and how it is taken back."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from itertools import repeat
from typing import Final, NamedTuple

from cpuplace.state import Held


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

    def taken_back(self) -> "Step":
        """The step that leads back.

        >>> from cpuplace.idset import CpuSet
        >>> Step(Op.GRANT, "c1", None, Held(CpuSet([0]))).taken_back().op
        <Op.RELEASE: 'release'>
        """
        return Step(_BACK[self.op], self.container_id, self.after, self.before)


_BACK: Final = {
    Op.RELEASE: Op.GRANT,
    Op.NARROW: Op.WIDEN,
    Op.MOVE: Op.MOVE,
    Op.GRANT: Op.RELEASE,
    Op.WIDEN: Op.NARROW,
}


_made: Final[Callable[[Iterable[object]], Step]] = partial(tuple.__new__, Step)
"""A step of its four parts, by C alone: half the time of the named tuple's own constructor."""


def alike(op: Op, ids: Iterable[str], before: Held, after: Held) -> tuple[Step, ...]:
    """The same step of several containers: of shared ones there may be hundreds.

    >>> from cpuplace.idset import CpuSet
    >>> both, one = Held(CpuSet([0, 1])), Held(CpuSet([0]))
    >>> alike(Op.NARROW, ["a", "b"], both, one) == (Step(Op.NARROW, "a", both, one), Step(Op.NARROW, "b", both, one))
    True
    """
    return tuple(map(_made, zip(repeat(op), ids, repeat(before), repeat(after))))


def changed(container_id: str, before: Held, after: Held) -> Step:
    """The step of a container that stays."""
    return Step(op_between(before, after), container_id, before, after)


def op_between(before: Held, after: Held) -> Op:
    """Narrow for who only loses CPUs, widen for who only wins some, else move."""
    was, will = before.cpus.mask, after.cpus.mask
    if was == will or (was & ~will and will & ~was):
        return Op.MOVE
    return Op.NARROW if was & ~will else Op.WIDEN
