"""Answer: what the node says to one request of the runtime, as values; nothing is true before it is written."""

from attrs import frozen

from cpuplace import CpuSet, Held, Plan
from cpuplace_nri.decision import Decision
from cpuplace_nri.known import Known

Changes = tuple[tuple[str, Held], ...]
"""(container id, what it holds from now on), in the order in which they are safe."""


_NOTHING = Held(CpuSet())


@frozen(slots=True, kw_only=True)
class Own:
    """What a container gets that is being created.

    `left_alone`: nothing, it is not managed; `marked`: it is told so, because its cpuset is somebody else's.
    """

    held: Held = _NOTHING
    exclusive: bool = False
    left_alone: bool = False
    marked: bool = False


@frozen(slots=True, kw_only=True)
class Answer:
    """`known` is what is known once the answer is written; `changes` are updates of containers that run already."""

    known: Known
    changes: Changes = ()
    own: Own | None = None
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()


def changes_of(plan: Plan, but: str = "") -> Changes:
    """The steps of containers that are there afterwards, `but` one; what is gone needs none."""
    return tuple([(key, after) for _, key, _, after in plan.steps if after is not None and key != but])
