"""What partitions are planned from: NUMA nodes with their devices, and the roles that each partition has (P1, P3)."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet


def _cpu_set(cpus: Iterable[int]) -> CpuSet:
    return cpus if isinstance(cpus, CpuSet) else CpuSet(cpus)


@frozen(slots=True)
class DeviceSpec:
    """A device and its queues, 0 to `queues` - 1.

    Where the kernel manages the interrupts (`steerable=False`), `queue_cpus` says which CPUs each queue runs on
    (queue -> CPUs, as /proc/irq/N/effective_affinity_list or blk-mq's cpu_list show it), and names the queues.

    >>> DeviceSpec("nvme0", steerable=False, queue_cpus={1: CpuSet([0, 4]), 2: CpuSet([1, 5])}).queue_ids
    (1, 2)
    """

    name: str
    queues: int = 0
    steerable: bool = field(default=True, kw_only=True)
    queue_cpus: Mapping[int, CpuSet] = field(factory=dict, kw_only=True, hash=False)

    def __attrs_post_init__(self) -> None:
        """Refuse numbers and maps that cannot be meant."""
        if not self.name:
            raise BadInput("a device needs a name", source="device")
        if self.queues < 0 or any(queue < 0 for queue in self.queue_cpus):
            raise self._bad("a negative number of queues, or of a queue")
        if self.steerable and self.queue_cpus:
            raise self._bad("a steerable queue runs where it is told", "leave queue_cpus out, or say steerable=False")
        if not self.steerable and self.queues not in (0, len(self.queue_cpus)):
            raise self._bad(f"{self.queues} queues, but queue_cpus has {len(self.queue_cpus)}", "leave queues out")

    @property
    def queue_ids(self) -> tuple[int, ...]:
        """The queues by number."""
        return tuple(range(self.queues)) if self.steerable else tuple(sorted(self.queue_cpus))

    def _bad(self, problem: str, hint: str = "") -> BadInput:
        return BadInput(problem, source=f"device {self.name}", hint=hint)


def _devices(devices: Iterable[DeviceSpec]) -> tuple[DeviceSpec, ...]:
    return tuple(devices)


def _kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


@frozen(slots=True)
class NumaNodeSpec:
    """A NUMA node as partitions see it: its usable CPUs, its memory budget in bytes, the devices at it.

    `other` holds devices of further kinds (kind -> devices), for roles that ask for them. A device that several
    nodes list is one device near to all of them; its queues are counted once.

    >>> NumaNodeSpec(0, range(4), 64 << 30, nvme=[DeviceSpec("nvme0", 2)]).devices("nvme")[0].name
    'nvme0'
    """

    id: int
    cpus: CpuSet = field(converter=_cpu_set)
    memory_bytes: int = 0
    nvme: tuple[DeviceSpec, ...] = field(default=(), converter=_devices, kw_only=True)
    nic: tuple[DeviceSpec, ...] = field(default=(), converter=_devices, kw_only=True)
    other: Mapping[str, tuple[DeviceSpec, ...]] = field(factory=dict, kw_only=True, hash=False)

    def __attrs_post_init__(self) -> None:
        """Refuse a negative id or amount of memory."""
        if self.id < 0 or self.memory_bytes < 0:
            raise BadInput(f"id {self.id}, {self.memory_bytes} bytes: negative", source="NUMA node")

    def devices(self, kind: str) -> tuple[DeviceSpec, ...]:
        """The devices of one kind at this node."""
        return self.kinds.get(kind, ())

    @property
    def kinds(self) -> Mapping[str, tuple[DeviceSpec, ...]]:
        """Kind -> devices."""
        return {"nvme": self.nvme, "nic": self.nic, **self.other}

    @property
    def all_devices(self) -> tuple[DeviceSpec, ...]:
        """The devices of every kind."""
        return tuple(device for devices in self.kinds.values() for device in devices)


@frozen(slots=True)
class PartitionRole:
    """One thread of a partition: its name, the kinds of device it has a queue of, and whether it is kept `apart`.

    Two roles that are kept apart never share a core while a free core exists (P5). The five usual roles are
    constants of this class; `DEFAULT_ROLES` lists them.

    >>> PartitionRole.IO_REACTOR
    PartitionRole(name='io-reactor', devices=('nvme', 'nic'), apart=True)
    """

    name: str
    devices: tuple[str, ...] = field(default=(), converter=_kinds)
    apart: bool = field(default=False, kw_only=True)

    IO_REACTOR: ClassVar["PartitionRole"]
    WAL_WRITER: ClassVar["PartitionRole"]
    APPLY_WORKER: ClassVar["PartitionRole"]
    CHECKPOINT_WORKER: ClassVar["PartitionRole"]
    TELEMETRY_WORKER: ClassVar["PartitionRole"]

    def __attrs_post_init__(self) -> None:
        """Refuse a role without a name, and a kind of device named twice."""
        if not self.name:
            raise BadInput("a role needs a name", source="role")
        if len(set(self.devices)) < len(self.devices):
            raise BadInput("a kind of device is named twice", source=f"role {self.name}")


PartitionRole.IO_REACTOR = PartitionRole("io-reactor", ("nvme", "nic"), apart=True)
PartitionRole.WAL_WRITER = PartitionRole("wal-writer", ("nvme",), apart=True)
PartitionRole.APPLY_WORKER = PartitionRole("apply-worker")
PartitionRole.CHECKPOINT_WORKER = PartitionRole("checkpoint-worker", ("nvme",))
PartitionRole.TELEMETRY_WORKER = PartitionRole("telemetry-worker")

DEFAULT_ROLES: Final = (
    PartitionRole.IO_REACTOR,
    PartitionRole.WAL_WRITER,
    PartitionRole.APPLY_WORKER,
    PartitionRole.CHECKPOINT_WORKER,
    PartitionRole.TELEMETRY_WORKER,
)
"""The roles of a storage or stream engine, in the order in which they are shown."""
