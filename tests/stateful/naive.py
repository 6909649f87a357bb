"""A naive model of one host: plain sets, no cleverness, no sums carried along; what the planner must agree with."""

from itertools import combinations

from attrs import define, field

from cpuplace import ContainerRequest, CpuSet, Kind, Policy, Topology


@define
class Naive:
    """Who holds what, as sets of CPU ids; shared containers only as what they forbid."""

    host: Topology
    policy: Policy
    integer: dict[str, set[int]] = field(factory=dict)
    withheld: dict[str, set[int]] = field(factory=dict)
    pins: dict[str, ContainerRequest] = field(factory=dict)
    shared: dict[str, set[int]] = field(factory=dict)
    forbidden: dict[str, set[int]] = field(factory=dict)

    @property
    def usable(self) -> set[int]:
        usable = set(self.host.online)
        if self.policy.usable is not None:
            usable &= set(self.policy.usable)
        if self.policy.isolated_cpus == "unusable":
            usable -= set(self.host.isolated)
        return usable

    @property
    def aside(self) -> set[int]:
        """Kernel-isolated CPUs that nobody owns."""
        if self.policy.isolated_cpus != "exclusive-only":
            return set()
        return (set(self.host.isolated) & self.usable) - self.exclusive - self.idle

    @property
    def exclusive(self) -> set[int]:
        owned = {cpu for one in self.pins.values() if one.kind is Kind.PINNED for cpu in one.pin}
        return owned | {cpu for cpus in self.integer.values() for cpu in cpus}

    @property
    def idle(self) -> set[int]:
        return {cpu for cpus in self.withheld.values() for cpu in cpus}

    @property
    def pool(self) -> set[int]:
        pool = self.usable - self.exclusive - self.idle - self.aside
        return pool - set(self.policy.reserved) if self.policy.strict_reservation else pool

    @property
    def free(self) -> set[int]:
        pinned = {cpu for one in self.pins.values() for cpu in one.pin}
        return self.usable - set(self.policy.reserved) - self.exclusive - self.idle - pinned - self.aside

    def leaves_enough(self, taken: set[int]) -> bool:
        """R6, word by word: a pool that shrinks keeps its floor, and everybody in it keeps a CPU."""
        left = self.pool - taken
        if left == self.pool:
            return True
        return len(left) >= self.policy.min_shared_cpus and all(left - forbid for forbid in self.shared.values())

    def can_place_integer(self, request: ContainerRequest) -> bool:
        """True when some set of that size would do; tries them all."""
        usable = self.free - set(request.forbid)
        return any(self.leaves_enough(set(some)) for some in combinations(sorted(usable), request.count))

    def can_pin(self, request: ContainerRequest) -> bool:
        pin = set(request.pin)
        barred = set() if self.policy.allow_reserved_pins else set(self.policy.reserved)
        if not pin or pin & barred or not pin <= self.usable:
            return False
        if self.policy.pin_overlap == "refuse" and any(self._clash(request, other) for other in self.pins.values()):
            return False
        if self.in_the_way(pin):
            return self.can_make_way(request)
        return request.kind is Kind.PINNED_SHARED or self.leaves_enough(pin)

    def in_the_way(self, pin: set[int]) -> bool:
        return bool(pin & self.idle) or any(pin & cpus for cpus in self.integer.values())

    def can_make_way(self, request: ContainerRequest) -> bool:
        """R3: True when all integer containers could be seated anew beside the pin; tries all ways."""
        pinned = {cpu for one in self.pins.values() for cpu in one.pin} | set(request.pin)
        barred = pinned | set(self.policy.reserved)
        if self.policy.isolated_cpus == "exclusive-only":
            barred |= set(self.host.isolated)
        moved = Naive(self.host, self.policy, pins=self.pins | {request.container_id: request}, shared=self.shared)
        return self._seat(list(self.integer), self.usable - barred, moved)

    def _seat(self, keys: list[str], free: set[int], moved: "Naive") -> bool:
        if not keys:
            left, floor = moved.pool, min(self.policy.min_shared_cpus, len(self.pool))
            enough = len(left) >= floor and all(left - forbid for forbid in self.shared.values())
            return enough or not self.pool - left
        key, *rest = keys
        may = free - self.forbidden.get(key, set())
        for some in combinations(sorted(may), len(self.integer[key])):
            idle = self._idle_siblings(key, set(some))
            moved.integer[key], moved.withheld[key] = set(some), idle
            claim = set(some) | idle
            if claim <= may and not idle & set(some) and self._seat(rest, free - claim, moved):
                return True
        moved.drop(key)
        return False

    def _idle_siblings(self, key: str, cpus: set[int]) -> set[int]:
        if key not in self.withheld:
            return set()
        cores = [set(core.cpus) & self.usable for core in self.host.cores]
        return {cpu for core in cores if core & cpus for cpu in core - {min(core & cpus)}}

    def _clash(self, a: ContainerRequest, b: ContainerRequest) -> bool:
        either = Kind.PINNED in (a.kind, b.kind)
        return a.pod != b.pod and either and not a.pin.isdisjoint(b.pin)

    def can_share(self, request: ContainerRequest) -> bool:
        return bool(self.pool - set(request.forbid))

    def drop(self, container_id: str) -> None:
        for held in (self.integer, self.withheld, self.pins, self.shared):
            held.pop(container_id, None)

    @property
    def pool_set(self) -> CpuSet:
        return CpuSet(self.pool)
