"""Choosing CPUs and queues for one partition on one NUMA node (P2, P3, P5), on plain ints and counters.

A *seat* is the CPU and the queues of one role. Everything is greedy in the order of roles, and looks only at what
earlier partitions took, so that one more partition never changes the seats of earlier ones.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from attrs import field, frozen, mutable

from cpuplace.partitions_spec import DeviceSpec, PartitionRole

Queue = tuple[str, int]
"""A device and one of its queues."""


@frozen(slots=True, kw_only=True)
class NodeMap:
    """A node with what a host says of it: CPU -> core, L3 groups, and the devices that serve it by kind."""

    id: int
    cpus: tuple[int, ...]
    core_of: Mapping[int, int]
    l3_groups: tuple[tuple[int, ...], ...]
    near: Mapping[str, tuple[DeviceSpec, ...]]
    by_cpu: Mapping[str, Mapping[int, tuple[int, ...]]]
    """Device whose interrupts the kernel manages -> CPU -> the queues that run on it."""

    def queues_at(self, device: DeviceSpec, cpu: int) -> tuple[int, ...]:
        """The queues of a device that can be served at this CPU."""
        if device.steerable:
            return device.queue_ids
        return self.by_cpu[device.name].get(cpu, ())

    def is_managed(self, kind: str) -> bool:
        """Whether the CPU decides which queue of this kind a role gets."""
        return any(not device.steerable for device in self.near[kind])


@frozen(slots=True)
class Seat:
    """The CPU and the queues of one role; `unserved` = kinds of device of which no queue runs on that CPU."""

    role: PartitionRole
    cpu: int
    queues: tuple[Queue, ...]
    unserved: tuple[str, ...] = ()


@frozen(slots=True)
class Unserved:
    """No seat for `role`: every queue of that kind of device is in use, or runs on other CPUs."""

    role: PartitionRole
    kind: str


@mutable(slots=True)
class Taken:
    """How often each CPU and queue is in use, which cores are, and how often by roles that are kept apart."""

    cpus: Counter[int] = field(factory=Counter)
    cores: set[int] = field(factory=set)
    queues: Counter[Queue] = field(factory=Counter)
    apart_cpus: Counter[int] = field(factory=Counter)
    apart_cores: Counter[int] = field(factory=Counter)

    def copy(self) -> "Taken":
        """The same, to go on from."""
        return Taken(
            self.cpus.copy(), self.cores.copy(), self.queues.copy(), self.apart_cpus.copy(), self.apart_cores.copy()
        )

    def take(self, seat: Seat, core: int) -> None:
        """Count a seat."""
        self.cpus[seat.cpu] += 1
        self.cores.add(core)
        self.queues.update(seat.queues)
        if seat.role.apart:
            self.apart_cpus[seat.cpu] += 1
            self.apart_cores[core] += 1


def find_seats(node: NodeMap, roles: Sequence[PartitionRole], taken: Taken) -> "tuple[Seat, ...] | Unserved | None":
    """A free CPU of the node for every role and a free queue of each kind it wants; None when CPUs are lacking.

    In one L3 group when one holds all roles with those that are kept apart on cores of their own, else in the fewest
    groups that do, those with the most free CPUs first; when none do, apart roles share a core (P5).
    """
    free = [cpu for cpu in node.cpus if not taken.cpus[cpu]]
    if len(free) < len(roles):
        return None
    for area in _areas(node, frozenset(free), len(roles)):
        found = _Attempt(node, taken.copy()).seats(roles, area)
        if isinstance(found, tuple) and _apart(found, node.core_of):
            return found
    return _Attempt(node, taken.copy()).seats(roles, free)


def share_seats(node: NodeMap, roles: Sequence[PartitionRole], taken: Taken) -> tuple[Seat, ...]:
    """Seats on the CPUs and queues of the node that are used least, whatever is taken."""
    found = _Attempt(node, taken.copy(), share=True).seats(roles, node.cpus)
    assert isinstance(found, tuple)
    return found


def _areas(node: NodeMap, free: frozenset[int], count: int) -> Iterator[list[int]]:
    """Where to look: each L3 group, then the two with the most free CPUs together, the three, and so on."""
    groups = sorted(([cpu for cpu in group if cpu in free] for group in node.l3_groups), key=len, reverse=True)
    yield from (group for group in groups if len(group) >= count)
    for most in range(2, len(groups) + 1):
        area = sorted(cpu for group in groups[:most] for cpu in group)
        if len(area) >= count:
            yield area


def _apart(seats: Iterable[Seat], core_of: Mapping[int, int]) -> bool:
    cores = [core_of[seat.cpu] for seat in seats if seat.role.apart]
    return len(set(cores)) == len(cores)


class _Pick(NamedTuple):
    """A queue that could serve a role; the least is taken: unused, tied to the CPU anyway, of the idlest device."""

    users: int
    steerable: bool
    load: int
    place: int
    queue: int
    device: str


class _Offer(NamedTuple):
    """A seat and how little it is liked."""

    key: tuple[int, ...]
    seat: Seat


def _key(offer: _Offer) -> tuple[int, ...]:
    return offer.key


@mutable(slots=True)
class _Attempt:
    """The seats of one partition, found role by role; `taken` is its own copy and grows with them."""

    node: NodeMap
    taken: Taken
    share: bool = False
    own_cores: set[int] = field(factory=set)
    own_apart: set[int] = field(factory=set)

    def seats(self, roles: Sequence[PartitionRole], area: Sequence[int]) -> tuple[Seat, ...] | Unserved:
        """One seat a role, in the order of `roles`; choosers with the least choice go first."""
        found: dict[str, Seat] = {}
        for role in sorted(roles, key=self._urgency):
            seat = self._seat(role, area)
            if isinstance(seat, Unserved):
                return seat
            core = self.node.core_of[seat.cpu]
            self.taken.take(seat, core)
            self.own_cores.add(core)
            if role.apart:
                self.own_apart.add(core)
            found[role.name] = seat
        return tuple(found[role.name] for role in roles)

    def _urgency(self, role: PartitionRole) -> tuple[int, bool]:
        """Roles that kernel-managed queues tie to some CPUs first, then those that are kept apart."""
        tied = sum(self.node.is_managed(kind) for kind in role.devices if self.node.near[kind])
        return -tied, not role.apart

    def _seat(self, role: PartitionRole, area: Sequence[int]) -> Seat | Unserved:
        """The best CPU of the area with the queues that serve it; the area has a free CPU, or may be shared."""
        kinds = [kind for kind in role.devices if self.node.near[kind]]
        anywhere = {kind: self._pick(kind, area[0]) for kind in kinds if not self.node.is_managed(kind)}
        offers = [
            self._offer(
                role, cpu, {kind: anywhere[kind] if kind in anywhere else self._pick(kind, cpu) for kind in kinds}
            )
            for cpu in area
            if self.share or not self.taken.cpus[cpu]
        ]
        best = min((offer for offer in offers if self.share or not offer.seat.unserved), key=_key, default=None)
        return Unserved(role, offers[0].seat.unserved[0]) if best is None else best.seat

    def _offer(self, role: PartitionRole, cpu: int, picks: Mapping[str, "_Pick | None"]) -> "_Offer":
        served = [pick for pick in picks.values() if pick is not None]
        unserved = tuple(kind for kind, pick in picks.items() if pick is None)
        queue_users = sum(pick.users for pick in served)
        key = (len(unserved), self.taken.cpus[cpu], queue_users, *self._rank(role, cpu), cpu)
        return _Offer(key, Seat(role, cpu, tuple((pick.device, pick.queue) for pick in served), unserved))

    def _rank(self, role: PartitionRole, cpu: int) -> tuple[int, ...]:
        """How little a role likes a CPU: apart ones want a core to themselves, others the rest of a used core."""
        core = self.node.core_of[cpu]
        used = core in self.taken.cores
        if role.apart:
            return core in self.own_apart, self.taken.apart_cores[core], used
        return self.taken.apart_cpus[cpu], 0 if core in self.own_cores else 1 if used else 2

    def _pick(self, kind: str, cpu: int) -> "_Pick | None":
        """The queue that would serve `kind` at this CPU; None when there is none to be had."""
        picks = [
            _Pick(users, device.steerable, load, place, queue, device.name)
            for place, device in enumerate(self.node.near[kind])
            for load in (self._load(device),)
            for queue in self.node.queues_at(device, cpu)
            if not (users := self.taken.queues[device.name, queue]) or self.share
        ]
        return min(picks, default=None)

    def _load(self, device: DeviceSpec) -> int:
        """Queues of the device that are in use, less those that it has: the idlest is the least."""
        return sum(self.taken.queues[device.name, queue] > 0 for queue in device.queue_ids) - len(device.queue_ids)
