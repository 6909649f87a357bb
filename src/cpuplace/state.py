"""HostState: a topology, a policy, and who holds what. Pool, free, withheld and set aside are computed.

The masks a state carries (`integer`, `owned`, ...) are sums over its assignments, kept up to date as a plan
is made so that one decision costs no walk over all containers; `violations` recomputes them from nothing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

from attrs import field, frozen

from cpuplace.ground import Ground
from cpuplace.idset import NO_CPUS, CpuSet, NodeSet
from cpuplace.policy import Policy
from cpuplace.request import ContainerRequest, Kind
from cpuplace.topology import Topology

EXCLUSIVE_KINDS = frozenset({Kind.INTEGER, Kind.PINNED})


class Held(NamedTuple):
    """What a container has, or is to have; `mems` None = leave its memory nodes alone.

    `preferred` are memory nodes that are only preferred (a memory policy, never cpuset.mems).
    """

    cpus: CpuSet
    mems: NodeSet | None = None
    preferred: NodeSet | None = None


@frozen(slots=True)
class Assignment:
    """One container and what it holds; `withheld` are idle siblings of an isolate grant.

    `baseline` are the CPUs of its creation, which shrinking keeps longest (R10); `rule` gave them; `degraded`
    says what hardware, or whoever acted while we were away, made worse than the rules allow.
    """

    request: ContainerRequest
    cpus: CpuSet
    mems: NodeSet | None = None
    withheld: CpuSet = NO_CPUS
    baseline: CpuSet = NO_CPUS
    preferred: NodeSet | None = None
    rule: str = ""
    degraded: str = ""

    @property
    def container_id(self) -> str:
        """The id of the container."""
        return self.request.container_id

    @property
    def kind(self) -> Kind:
        """K0-K4."""
        return self.request.kind

    @property
    def exclusive(self) -> bool:
        """True when the CPUs belong to an owner."""
        return self.request.kind in EXCLUSIVE_KINDS

    @property
    def held(self) -> Held:
        """What an adapter writes for it."""
        return Held(self.cpus, self.mems, self.preferred)


class Remembered(NamedTuple):
    """CPUs (as a mask, withheld ones included) that a stopped container held (R8)."""

    cpus: int
    init: bool


@frozen(slots=True, hash=False, repr=False)
class HostState:
    """Who holds what on one host. Start with `HostState.empty`, go on with `apply`.

    `owners` are all containers but the shared ones; `shared` holds the latter's requests, since what they
    hold follows from `told`, the CPUs that shared containers were told of, and `apart`, what single ones
    hold that were told something else. `low_pool` is set when hardware made the pool too small (R11). The dicts
    are never changed in place.
    """

    ground: Ground
    version: int = 0
    owners: dict[str, Assignment] = field(factory=dict)
    shared: dict[str, ContainerRequest] = field(factory=dict)
    by_name: dict[tuple[str, str], str] = field(factory=dict, eq=False)
    remembered: dict[tuple[str, str], Remembered] = field(factory=dict)
    integer: int = field(default=0, eq=False)
    owned: int = field(default=0, eq=False)
    lent: int = field(default=0, eq=False)
    withheld_mask: int = field(default=0, eq=False)
    told: int = 0
    apart: dict[str, int] = field(factory=dict)
    picky: tuple[str, ...] = field(default=(), eq=False)
    low_pool: bool = False

    @staticmethod
    def empty(topology: Topology, policy: Policy | None = None) -> "HostState":
        """The state of a host on which nothing is placed; BadInput when the policy does not fit the host.

        >>> HostState.empty(Topology.uniform(cores_per_l3=4)).free
        CpuSet('0-3')
        """
        ground = Ground(topology=topology, policy=policy or Policy())
        return HostState(ground=ground, told=ground.pool_base)

    @property
    def topology(self) -> Topology:
        """The host."""
        return self.ground.topology

    @property
    def policy(self) -> Policy:
        """The operator's choices."""
        return self.ground.policy

    @property
    def claimed_mask(self) -> int:
        """What is somebody's own, and withheld for it, as a mask."""
        return self.integer | self.owned | self.withheld_mask

    @property
    def pool_mask(self) -> int:
        """Where shared containers may run, as a mask."""
        return self.ground.pool_base & ~self.claimed_mask

    @property
    def free_mask(self) -> int:
        """What an integer container can be given, as a mask."""
        return self.ground.free_base & ~(self.claimed_mask | self.lent)

    @property
    def set_aside_mask(self) -> int:
        """Kernel-isolated CPUs that nobody owns, as a mask."""
        return self.ground.isolated & ~self.claimed_mask

    @property
    def isolated_free_mask(self) -> int:
        """Set-aside CPUs that can be given to who wishes them, as a mask."""
        return self.set_aside_mask & ~(self.ground.reserved | self.lent)

    @property
    def pool(self) -> CpuSet:
        """Where shared containers may run."""
        return CpuSet.from_mask(self.pool_mask)

    @property
    def free(self) -> CpuSet:
        """What an integer container can be given."""
        return CpuSet.from_mask(self.free_mask)

    @property
    def exclusive(self) -> CpuSet:
        """CPUs that belong to an owner."""
        return CpuSet.from_mask(self.integer | self.owned)

    @property
    def withheld(self) -> CpuSet:
        """Idle siblings of isolate grants."""
        return CpuSet.from_mask(self.withheld_mask)

    @property
    def set_aside(self) -> CpuSet:
        """Kernel-isolated CPUs that nobody owns."""
        return CpuSet.from_mask(self.set_aside_mask)

    @property
    def reserved(self) -> CpuSet:
        """Usable CPUs never given out exclusively by choice."""
        return CpuSet.from_mask(self.ground.reserved)

    @property
    def usable(self) -> CpuSet:
        """CPUs that may be managed."""
        return CpuSet.from_mask(self.ground.usable)

    @property
    def digest(self) -> int:
        """A number that differs when who holds what differs; independent of hash seeds and history. O(containers)."""
        total = _spread(self.told)
        for key, one in self.assignments.items():
            total += (_spread(one.cpus.mask << 1 | 1) ^ _spread(one.withheld.mask << 2)) * _weight(key)
        for (pod, name), held in self.remembered.items():
            total += _spread(held.cpus) * _weight(f"{pod}/{name}")
        return total % _MODULUS

    @property
    def assignments(self) -> "Assignments":
        """Container id -> Assignment: owners in the order they came, then shared ones."""
        return Assignments(self)

    def __repr__(self) -> str:
        return (
            f"HostState(host={self.topology.name!r}, version={self.version}, containers={len(self.assignments)}, "
            f"free={str(self.free)!r}, pool={str(self.pool)!r})"
        )

    def __getitem__(self, container_id: str) -> Assignment:
        """The assignment of one container; KeyError when it is not there."""
        found = self.owners.get(container_id)
        return found if found is not None else self._shared_assignment(self.shared[container_id])

    def __contains__(self, container_id: object) -> bool:
        return container_id in self.owners or container_id in self.shared

    def shared_mask(self, request: ContainerRequest) -> int:
        """What a shared container holds: what all were told without what it forbids, or what it alone was told."""
        alone = self.apart.get(request.container_id)
        return self.told & ~request.forbid.mask if alone is None else alone

    def hungry(self, pool: int) -> tuple[str, ...]:
        """The shared containers that such a pool, a mask, would leave without a CPU they do not forbid."""
        if self.shared and not pool:
            return tuple(self.shared)
        return tuple([key for key in self.picky if not pool & ~self.shared[key].forbid.mask])

    def _shared_assignment(self, request: ContainerRequest) -> Assignment:
        return Assignment(request, CpuSet.from_mask(self.shared_mask(request)))


class Assignments(Mapping[str, Assignment]):
    """Read-only view of a state's assignments; those of shared containers are made when looked at."""

    __slots__ = ("_state",)

    def __init__(self, state: HostState) -> None:
        self._state = state

    def __getitem__(self, container_id: str) -> Assignment:
        return self._state[container_id]

    def __iter__(self) -> Iterator[str]:
        yield from self._state.owners
        yield from self._state.shared

    def __len__(self) -> int:
        return len(self._state.owners) + len(self._state.shared)

    def __repr__(self) -> str:
        return f"Assignments({dict(self)!r})"


_MODULUS = (1 << 61) - 1


def _spread(mask: int) -> int:
    """A mask folded to 61 bits; ints fold the same way under every hash seed."""
    return mask * 0x9E3779B97F4A7C15 % _MODULUS


def _weight(text: str) -> int:
    """An odd number for a name: sums of such products have no order, so history leaves no trace."""
    return 2 * crc32(text.encode()) + 1
