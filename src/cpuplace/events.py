"""What happens to a host over time, as values: what a plugin records and `replay` plays again."""

from collections.abc import Mapping

from attrs import field, frozen

from cpuplace.idset import NO_CPUS, CpuSet, NodeSet
from cpuplace.policy import Policy
from cpuplace.request import ContainerRequest


@frozen(slots=True, kw_only=True)
class Expect:
    """What must come of an event; what is None, or not in `holds`, may be anything.

    `cpus`: what the container it is about holds then; `refused`: the kind of its refusal; `holds`: container id ->
    CPUs afterwards, None = it is not there; `pool`: afterwards.
    """

    cpus: CpuSet | None = None
    refused: str | None = None
    holds: Mapping[str, CpuSet | None] = field(factory=dict, hash=False)
    pool: CpuSet | None = None


NOTHING_EXPECTED = Expect()


@frozen(slots=True, kw_only=True)
class Happening:
    """What all events have: the line of a file they came from (0 = none), when they happened, what is expected.

    `at` is a text that nobody interprets: the order of events is that of the file.
    """

    line: int = field(default=0, eq=False)
    at: str = ""
    expect: Expect = NOTHING_EXPECTED


@frozen(slots=True, kw_only=True)
class Start(Happening):
    """A container starts: `place`, or `pin` when it asks for exact CPUs."""

    request: ContainerRequest


@frozen(slots=True, kw_only=True)
class Release(Happening):
    """A container stopped."""

    container_id: str


@frozen(slots=True, kw_only=True)
class Forget(Happening):
    """A pod is gone, with everything remembered for it."""

    pod: str


@frozen(slots=True, kw_only=True)
class Resize(Happening):
    """A container asks for another number of whole CPUs; 0 = no whole number any more."""

    container_id: str
    count: int


@frozen(slots=True, kw_only=True)
class Hotplug(Happening):
    """CPUs go offline, or come back."""

    cpus: CpuSet
    online: bool


@frozen(slots=True, kw_only=True)
class Rebalance(Happening):
    """The host is tidied up by at most so many moves."""

    max_moves: int


@frozen(slots=True, kw_only=True)
class Seen:
    """A container as it runs at a restart; without `request` it is one that was there before.

    `cpus` empty = it has no cpuset of its own; `mems` None = not bound.
    """

    container_id: str
    cpus: CpuSet = NO_CPUS
    mems: NodeSet | None = None
    request: ContainerRequest | None = None


@frozen(slots=True, kw_only=True)
class Restart(Happening):
    """Whoever places was away, and rebuilds what it knew from what runs.

    `observed` None = everything runs as it was placed; `kept` = the saved state survived too; `policy` None = the same.
    """

    observed: tuple[Seen, ...] | None = None
    kept: bool = False
    policy: Policy | None = None


Event = Start | Release | Forget | Resize | Hotplug | Rebalance | Restart
