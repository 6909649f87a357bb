"""A naive model of one host: plain sets, no cleverness, no sums carried along; what the planner must agree with."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Self

from attrs import define, field

from cpuplace import Assignment, ContainerRequest, Kind, Policy, Topology

OWNERS = (Kind.INTEGER, Kind.PINNED)


@define
class One:
    """One container: what it asked for, what it holds, and which siblings are kept idle for it."""

    request: ContainerRequest
    cpus: set[int]
    idle: set[int] = field(factory=set)

    @property
    def kind(self) -> Kind:
        return self.request.kind

    @property
    def claim(self) -> set[int]:
        return self.cpus | self.idle


@define
class Naive:
    """Who is there and what each holds; what is remembered, by pod and name. Everything else is worked out."""

    host: Topology
    policy: Policy
    there: dict[str, One] = field(factory=dict)
    remembered: dict[tuple[str, str], set[int]] = field(factory=dict)

    # --- where the CPUs are ----------------------------------------------------------------------

    @property
    def usable(self) -> set[int]:
        usable = set(self.host.online)
        if self.policy.usable is not None:
            usable &= set(self.policy.usable)
        if self.policy.isolated_cpus == "unusable":
            usable -= set(self.host.isolated)
        return usable

    def _of(self, *kinds: Kind) -> list[One]:
        return [one for one in self.there.values() if one.kind in kinds]

    @property
    def exclusive(self) -> set[int]:
        return {cpu for one in self._of(*OWNERS) for cpu in one.cpus}

    @property
    def idle(self) -> set[int]:
        return {cpu for one in self.there.values() for cpu in one.idle}

    @property
    def pinned(self) -> set[int]:
        pins = self._of(Kind.PINNED, Kind.PINNED_SHARED, Kind.UNMANAGED)
        return {cpu for one in pins for cpu in one.cpus}

    @property
    def _isolated(self) -> set[int]:
        """CPUs that only who wishes them is given."""
        return set(self.host.isolated) & self.usable if self.policy.isolated_cpus == "exclusive-only" else set()

    @property
    def aside(self) -> set[int]:
        """Kernel-isolated CPUs that nobody owns."""
        return self._isolated - self.exclusive - self.idle

    @property
    def pool(self) -> set[int]:
        pool = self.usable - self.exclusive - self.idle - self.aside
        return pool - set(self.policy.reserved) if self.policy.strict_reservation else pool

    @property
    def free(self) -> set[int]:
        return self.usable - set(self.policy.reserved) - self.exclusive - self.idle - self.pinned - self.aside

    def may_have(self, request: ContainerRequest) -> set[int]:
        """The free CPUs that an integer container may be given."""
        wished = request.wishes.isolated in ("prefer", "require")
        free = self.free | (self.aside - set(self.policy.reserved) - self.pinned if wished else set())
        return (free & set(self.host.isolated) if request.wishes.isolated == "require" else free) - set(request.forbid)

    # --- what happens ----------------------------------------------------------------------------

    def came(self, request: ContainerRequest) -> None:
        """One more container; who had its pod and name before is replaced, and what it left is its own again."""
        for key in [key for key, one in self.there.items() if _name(one.request) == _name(request)]:
            self.went(key)
        if request.kind is not Kind.SHARED:
            self.remembered.pop(_name(request), None)
        self.there[request.container_id] = One(request, set())

    def went(self, container_id: str) -> None:
        """One container less; what it owned is remembered."""
        one = self.there.pop(container_id)
        if one.kind in OWNERS:
            self.remembered[_name(one.request)] = one.claim

    def forgot(self, pod: str) -> None:
        """A pod is gone, and all that was remembered for it."""
        self.there = {key: one for key, one in self.there.items() if one.request.pod != pod}
        self.remembered = {name: held for name, held in self.remembered.items() if name[0] != pod}

    def follow(self, assignments: Mapping[str, Assignment]) -> None:
        """What each container holds is the planner's choice; who is there, and what it asked for, is not."""
        assert set(assignments) == set(self.there)
        for key, one in assignments.items():
            self.there[key] = One(one.request, set(one.cpus), set(one.withheld))

    def without(self, *requests: ContainerRequest) -> Self:
        """The model without the containers whose pod and name these have."""
        gone = {_name(request) for request in requests}
        there = {key: one for key, one in self.there.items() if _name(one.request) not in gone}
        return type(self)(self.host, self.policy, there)

    # --- what could be ---------------------------------------------------------------------------

    def leaves_enough(self, taken: set[int]) -> bool:
        """R6, word by word: a pool that shrinks keeps its floor, and everybody in it keeps a CPU."""
        left = self.pool - taken
        return left == self.pool or (len(left) >= self.policy.min_shared_cpus and self._all_eat(left))

    def _all_eat(self, pool: set[int]) -> bool:
        return all(pool - set(one.request.forbid) for one in self._of(Kind.SHARED))

    def can_place(self, request: ContainerRequest) -> bool | None:
        """Whether there is an answer; None when that hangs on a wish of which the model knows nothing."""
        model = self.without(request)
        if request.kind is Kind.UNMANAGED:
            return True
        if request.kind is Kind.SHARED:
            return bool(model.pool - set(request.forbid))
        return model._can_place_integer(request) if request.kind is Kind.INTEGER else model._can_pin(request)

    def _can_place_integer(self, request: ContainerRequest) -> bool | None:
        some = any(self.leaves_enough(claim) for claim in self._claims(request, self.may_have(request)))
        return some and (True if sure(request) else None)

    def _claims(self, request: ContainerRequest, free: set[int]) -> Iterator[set[int]]:
        """All sets of CPUs that a grant could take out of these, idle siblings included."""
        if request.wishes.cores != "isolate":
            yield from map(set, combinations(sorted(free), request.count))
            return
        cores = [threads for threads in self._cores() if threads and threads <= free]
        for some in combinations(cores, request.count):
            yield {cpu for threads in some for cpu in threads}

    def _cores(self) -> list[set[int]]:
        return [set(core.cpus) & self.usable for core in self.host.cores]

    def can_grow(self, key: str, count: int) -> bool | None:
        """Whether a container may have more CPUs beside those it holds (R10)."""
        one, free = self.there[key], self.may_have(self.there[key].request)
        if not sure(one.request) or one.request.wishes.cores == "isolate":
            return None
        return any(self.leaves_enough(set(more)) for more in combinations(sorted(free), count - len(one.cpus)))

    def _can_pin(self, request: ContainerRequest) -> bool | None:
        pin = set(request.pin)
        barred = set() if self.policy.allow_reserved_pins else set(self.policy.reserved)
        if not pin or pin & barred or not pin <= self.usable:
            return False
        if self.policy.pin_overlap == "refuse" and any(_clash(request, one) for one in self.there.values()):
            return False
        if self.in_the_way(pin):
            return self._can_make_way(request)
        return request.kind is Kind.PINNED_SHARED or self.leaves_enough(pin)

    def in_the_way(self, pin: set[int]) -> list[One]:
        return [one for one in self._of(Kind.INTEGER) if one.claim & pin]

    def _can_make_way(self, request: ContainerRequest) -> bool | None:
        """R3: whether all integer containers could be seated anew beside the pin; tries all ways."""
        movers = self._of(Kind.INTEGER)
        if self.policy.reassign == "never" or any(not _moves(one) for one in self.in_the_way(set(request.pin))):
            return False
        if not all(_moves(one) for one in movers) or len(movers) > 4:
            return None
        others = {key: one for key, one in self.there.items() if one.kind is not Kind.INTEGER}
        table = Naive(self.host, self.policy, others | {request.container_id: One(request, set(request.pin))})
        enough = min(self.policy.min_shared_cpus, len(self.pool))
        some = self._seat(movers, table, enough)
        return some and (True if all(sure(one.request) for one in movers) else None)

    def _seat(self, movers: list[One], table: "Naive", enough: int) -> bool:
        if not movers:
            left = table.pool
            return not self.pool - left or (len(left) >= enough and self._all_eat(left))
        one, *rest = movers
        key = one.request.container_id
        for claim in self._claims(one.request, table.may_have(one.request)):
            table.there[key] = One(one.request, claim)
            if self._seat(rest, table, enough):
                return True
        table.there.pop(key, None)
        return False


def _name(request: ContainerRequest) -> tuple[str, str]:
    return request.pod, request.name


def sure(request: ContainerRequest) -> bool:
    """Whether no hard wish stands in the way but those that the model reads."""
    wishes = request.wishes
    hard = (wishes.numa, wishes.cores, wishes.l3, wishes.package, wishes.core_kind)
    return not any(str(wish).startswith("require") or str(wish).endswith("!") for wish in hard)


def _moves(one: One) -> bool:
    return one.request.wishes.move != "never"


def _clash(request: ContainerRequest, one: One) -> bool:
    """R2: pins of two pods meet, and one of them is exclusive."""
    pins = one.kind not in (Kind.INTEGER, Kind.SHARED)
    apart = one.request.pod != request.pod and Kind.PINNED in (request.kind, one.kind)
    return pins and apart and not one.cpus.isdisjoint(request.pin)
