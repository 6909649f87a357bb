"""PartitionPlan: where every partition runs, as one value (P6), and what changes between two of them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NoReturn, Self, TypeVar

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.partitions_pinning import PartitionId, PartitionPinning, ThreadPinTarget
from cpuplace.partitions_spec import PartitionRole

Used = TypeVar("Used")


@frozen(slots=True)
class LeftoverQueues:
    """The queues of a device that no role uses."""

    device: str
    queues: tuple[int, ...]


@frozen(slots=True)
class SharedCpu:
    """A CPU with several roles (`partition/role`); only with `oversubscribe=True`."""

    cpu: int
    users: tuple[str, ...]


@frozen(slots=True)
class SharedQueue:
    """A queue of a device with several roles (`partition/role`); only with `oversubscribe=True`."""

    device: str
    queue: int
    users: tuple[str, ...]


@frozen(slots=True, kw_only=True)
class PartitionPlan:
    """Where every partition runs, in the order asked for; iterates over its `PartitionPinning`s.

    `left_over` lists the devices with unused queues, `notes` everything else worth saying. What is shared is
    computed. Saved and read by `cpuplace.formats.partitions`.
    """

    pinnings: tuple[PartitionPinning, ...]
    roles: tuple[PartitionRole, ...]
    page_bytes: int
    left_over: tuple[LeftoverQueues, ...] = ()
    notes: tuple[str, ...] = ()
    host: str = ""

    def __iter__(self) -> Iterator[PartitionPinning]:
        return iter(self.pinnings)

    def __len__(self) -> int:
        return len(self.pinnings)

    def __bool__(self) -> NoReturn:
        raise TypeError("a plan has no truth value: ask len(plan), or isinstance(answer, PartitionPlan)")

    def __getitem__(self, partition_id: PartitionId) -> PartitionPinning:
        """The partition with this id; raises BadInput when there is none."""
        found = next((one for one in self.pinnings if one.partition_id == partition_id), None)
        if found is None:
            raise BadInput(f"no partition {partition_id!r}", source="partition plan")
        return found

    def __str__(self) -> str:
        """One line a role: partition, node, memory, role, CPU, queues."""
        return "\n".join(
            f"{one.partition_id}  node {one.numa_node}  {one.memory_bytes} B  {role}  CPU {target.cpus}"
            + "".join(f" {queue}" for queue in target.queues)
            for one in self.pinnings
            for role, target in one.pins.items()
        )

    @property
    def cpus(self) -> CpuSet:
        """All CPUs that some role runs on."""
        cpus = NO_CPUS
        for one in self.pinnings:
            cpus |= one.cpus
        return cpus

    @property
    def memory_bytes(self) -> int:
        """The slices of all partitions together."""
        return sum(one.memory_bytes for one in self.pinnings)

    @property
    def shared_cpus(self) -> tuple[SharedCpu, ...]:
        """The CPUs with several roles, by id."""
        users = _users(self.pinnings, lambda target: tuple(target.cpus))
        return tuple(SharedCpu(cpu, tuple(who)) for cpu, who in sorted(users.items()) if len(who) > 1)

    @property
    def shared_queues(self) -> tuple[SharedQueue, ...]:
        """The queues with several roles, by device and number."""
        users = _users(self.pinnings, lambda target: tuple((one.device, one.queue) for one in target.queues))
        return tuple(SharedQueue(*queue, tuple(who)) for queue, who in sorted(users.items()) if len(who) > 1)

    def unwrap(self) -> Self:
        """The plan itself (a `PartitionRefusal` raises instead)."""
        return self

    def changes(self, later: "PartitionPlan") -> tuple["PartitionChange", ...]:
        """What differs in a later plan, partition by partition: those that stay or go, then new ones."""
        before = {one.partition_id: one for one in self.pinnings}
        after = {one.partition_id: one for one in later.pinnings}
        return tuple(change for key in before | after for change in _changes(key, before.get(key), after.get(key)))


def _users(
    pinnings: Iterable[PartitionPinning], used: Callable[[ThreadPinTarget], tuple[Used, ...]]
) -> dict[Used, list[str]]:
    users: dict[Used, list[str]] = {}
    for one in pinnings:
        for role, target in one.pins.items():
            for thing in used(target):
                users.setdefault(thing, []).append(f"{one.partition_id}/{role}")
    return users


What = Literal["added", "removed", "node", "memory", "cpus", "queues"]


@frozen(slots=True)
class PartitionChange:
    """One difference between two plans; `role` is empty where a whole partition is meant, texts where a side is."""

    partition_id: PartitionId
    what: What
    role: str = field(default="", kw_only=True)
    before: str = field(default="", kw_only=True)
    after: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        """The change in a few words.

        >>> print(PartitionChange("p0", "cpus", role="wal-writer", before="1", after="2"))
        p0 wal-writer: cpus 1 -> 2
        """
        about = f"{self.partition_id} {self.role}".rstrip()
        if self.what in ("added", "removed"):
            return f"{about}: {self.what}, {self.before or self.after}"
        return f"{about}: {self.what} {self.before or 'none'} -> {self.after or 'none'}"


def _changes(
    key: PartitionId, before: PartitionPinning | None, after: PartitionPinning | None
) -> Iterator[PartitionChange]:
    if before is None or after is None:
        yield PartitionChange(key, "added" if before is None else "removed", before=_where(before), after=_where(after))
        return
    pairs: tuple[tuple[What, int, int], ...] = (
        ("node", before.numa_node, after.numa_node),
        ("memory", before.memory_bytes, after.memory_bytes),
    )
    for what, was, now in pairs:
        if was != now:
            yield PartitionChange(key, what, before=str(was), after=str(now))
    for role in {**before.pins, **after.pins}:
        yield from _role_changes(key, role, before.pins.get(role, _NOWHERE), after.pins.get(role, _NOWHERE))


def _role_changes(
    key: PartitionId, role: str, before: ThreadPinTarget, after: ThreadPinTarget
) -> Iterator[PartitionChange]:
    pairs: tuple[tuple[What, str, str], ...] = (
        ("cpus", str(before.cpus), str(after.cpus)),
        ("queues", " ".join(map(str, before.queues)), " ".join(map(str, after.queues))),
    )
    for what, was, now in pairs:
        if was != now:
            yield PartitionChange(key, what, role=role, before=was, after=now)


_NOWHERE = ThreadPinTarget(NO_CPUS)


def _where(one: PartitionPinning | None) -> str:
    return "" if one is None else f"node {one.numa_node}, CPUs {one.cpus}, {one.memory_bytes} bytes"
