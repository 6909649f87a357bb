"""What a host shows about its interrupts and device queues, as values: who is served where, and what can be moved."""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from cpuplace.idset import NO_CPUS, CpuSet


@frozen(slots=True, kw_only=True)
class Interrupt:
    """One interrupt: the CPUs it may come to (`cpus`), those it really comes to (`effective`, empty = not said).

    `managed` = the kernel keeps it where it is, and refuses a write. `device` and `queue` None = not known.
    """

    number: int
    names: tuple[str, ...] = ()
    cpus: CpuSet = NO_CPUS
    effective: CpuSet = NO_CPUS
    node: int | None = None
    device: str | None = None
    queue: int | None = None
    managed: bool = False

    @property
    def label(self) -> str:
        """Its names as one text."""
        return ", ".join(self.names)


@frozen(slots=True, kw_only=True)
class DeviceQueue:
    """One queue of a device: the CPUs that it serves or runs on, and the numbers of its interrupts.

    `rps` and `xps` are the CPUs that the kernel's software spreads a network queue over; None = there is no such file.
    """

    device: str
    queue: int
    cpus: CpuSet = NO_CPUS
    irqs: tuple[int, ...] = ()
    rps: CpuSet | None = None
    xps: CpuSet | None = None


@frozen(slots=True, kw_only=True)
class HostInterrupts:
    """All interrupts of a host, by number, and all queues of its devices, by device and number.

    `default` is where new interrupts go (/proc/irq/default_smp_affinity), None = not said.
    """

    online: CpuSet
    interrupts: tuple[Interrupt, ...] = ()
    queues: tuple[DeviceQueue, ...] = ()
    default: CpuSet | None = None
    nodes: Mapping[int, CpuSet] = field(factory=dict, hash=False)

    def queue(self, device: str, queue: int) -> DeviceQueue | None:
        """This queue of this device, or None."""
        return next((one for one in self.queues if (one.device, one.queue) == (device, queue)), None)

    def of_numbers(self, numbers: Iterable[int]) -> tuple[Interrupt, ...]:
        """The interrupts with these numbers, by number."""
        wanted = set(numbers)
        return tuple(one for one in self.interrupts if one.number in wanted)

    @property
    def managed_queues(self) -> Mapping[str, Mapping[int, CpuSet]]:
        """Device -> queue -> CPUs, for devices whose queues the kernel keeps where they are: what `node_specs` takes.

        >>> irq = Interrupt(number=24, names=("nvme0q1",), device="nvme0", queue=0, managed=True)
        >>> queue = DeviceQueue(device="nvme0", queue=0, cpus=CpuSet([0, 2]), irqs=(24,))
        >>> HostInterrupts(online=CpuSet([0, 1, 2]), interrupts=(irq,), queues=(queue,)).managed_queues
        {'nvme0': {0: CpuSet('0,2')}}
        """
        managed = {one.number for one in self.interrupts if one.managed}
        found: dict[str, dict[int, CpuSet]] = {}
        for queue in self.queues:
            if managed.intersection(queue.irqs):
                found.setdefault(queue.device, {})[queue.queue] = queue.cpus & self.online
        return found
