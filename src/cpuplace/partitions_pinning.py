"""Where one partition runs: its NUMA node, a CPU and device queues for every role, a slice of memory."""

from collections.abc import Iterator, Mapping

from attrs import frozen

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.partitions_spec import PartitionRole

PartitionId = int | str


@frozen(slots=True)
class DeviceQueuePin:
    """One queue of a device and the CPU that serves it."""

    device: str
    queue: int
    cpu: int

    def __str__(self) -> str:
        return f"{self.device}:{self.queue}"


@frozen(slots=True)
class ThreadPinTarget:
    """The CPUs that the thread of a role runs on (one CPU), and the queues served there."""

    cpus: CpuSet
    queues: tuple[DeviceQueuePin, ...] = ()


@frozen(slots=True)
class PartitionThreadPins(Mapping[str, ThreadPinTarget]):
    """Every role of a partition -> its `ThreadPinTarget`; a role is looked up by itself or by its name.

    >>> pins = PartitionThreadPins((("wal-writer", ThreadPinTarget(CpuSet([3]))),))
    >>> pins[PartitionRole.WAL_WRITER] is pins["wal-writer"], pins.cpus
    (True, CpuSet('3'))
    """

    targets: tuple[tuple[str, ThreadPinTarget], ...]

    def __getitem__(self, role: PartitionRole | str) -> ThreadPinTarget:
        name = role.name if isinstance(role, PartitionRole) else role
        return dict(self.targets)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def cpus(self) -> CpuSet:
        """The CPUs of all roles."""
        cpus = NO_CPUS
        for _, target in self.targets:
            cpus |= target.cpus
        return cpus

    @property
    def queues(self) -> tuple[DeviceQueuePin, ...]:
        """The queues of all roles."""
        return tuple(queue for _, target in self.targets for queue in target.queues)


@frozen(slots=True, kw_only=True)
class PartitionPinning:
    """Where one partition runs; `memory_bytes` is its slice of the node's memory budget."""

    partition_id: PartitionId
    numa_node: int
    memory_bytes: int
    pins: PartitionThreadPins

    @property
    def cpus(self) -> CpuSet:
        """The CPUs of all its roles."""
        return self.pins.cpus
