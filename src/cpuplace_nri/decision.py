"""Decision: what became of one request of the runtime; logs, metrics and recordings hang on it."""

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:  # logs and numbers are there before anything is decided, and need not wait for these
    from cpuplace import CpuSet, NodeSet, Refusal
    from cpuplace.events import Event


@frozen(slots=True, kw_only=True)
class Decision:
    """One decision, as the node tells it when it is made.

    `kind` is the word of what was asked (place, release, resize, synchronize, ...); `name` is namespace/pod/container,
    as people know it; `rule` and `reason` say why; `moves` are the containers that moved for it (ids); `seconds` is how
    long deciding took. `cpus` and `mems` are what the container has then, None = nothing, or not about one container.
    `event` is what a recording says of it, None = nothing that can be played again.
    """

    kind: str
    container_id: str = ""
    name: str = ""
    cpus: "CpuSet | None" = None
    mems: "NodeSet | None" = None
    rule: str = ""
    reason: str = ""
    moves: tuple[str, ...] = ()
    refusal: "Refusal | None" = None
    seconds: float = 0.0
    event: "Event | None" = None
