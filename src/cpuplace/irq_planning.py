"""plan_interrupts: from the queue pins of partitions, and CPUs that are to be quiet, to an `IrqPlan`."""

from collections.abc import Iterable, Iterator
from typing import Final

from cpuplace.cpulist import format_list
from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.interrupts import DeviceQueue, HostInterrupts, Interrupt
from cpuplace.irq_plan import DEFAULT_AFFINITY, FileWrite, IrqMove, IrqPlan
from cpuplace.partitions_pinning import DeviceQueuePin

_NET: Final = "sys/class/net"


def plan_interrupts(
    seen: HostInterrupts,
    pins: Iterable[DeviceQueuePin] = (),
    *,
    quiet: CpuSet = NO_CPUS,
    rps: bool = False,
    xps: bool = False,
) -> IrqPlan:
    """Where the interrupts of the pinned queues go, and all other movable ones that touch `quiet`. O(interrupts).

    A queue with several pins goes to all their CPUs. `rps` and `xps` also steer a NIC queue's packets in software:
    received ones, and which queue a CPU sends on. An interrupt that has to leave `quiet` altogether goes to the other
    CPUs of its node, else to all others. Raises BadInput when a pin's CPU is not online, or `quiet` leaves no CPU.

    >>> from cpuplace.interrupts import DeviceQueue, HostInterrupts, Interrupt
    >>> four = CpuSet(range(4))
    >>> irq = Interrupt(number=24, names=("eth0-TxRx-1",), cpus=four, device="eth0", queue=1)
    >>> queue = DeviceQueue(device="eth0", queue=1, irqs=(24,))
    >>> seen = HostInterrupts(online=four, interrupts=(irq,), queues=(queue,))
    >>> [(one.path, one.before, one.after) for one in plan_interrupts(seen, [DeviceQueuePin("eth0", 1, 3)]).writes]
    [('proc/irq/24/smp_affinity_list', '0-3', '3')]
    """
    pins = tuple(pins)
    _check(seen, pins, quiet)
    wanted = _wanted(pins)
    queues = {key: found for key in wanted if (found := seen.queue(*key)) is not None}
    moves = {move.irq.number: move for key, queue in queues.items() for move in _of_queue(seen, queue, wanted[key])}
    moves |= {move.irq.number: move for move in _quieted(seen, quiet) if move.irq.number not in moves}
    steering = [write for key, queue in queues.items() for write in _steered(seen, queue, wanted[key], rps, xps)]
    return IrqPlan(
        moves=tuple(moves[number] for number in sorted(moves)),
        steering=(*steering, *_default(seen, quiet)),
        quiet=quiet,
        pins=pins,
        notes=tuple(_notes(seen, wanted, moves.values(), rps, xps)),
    )


def _check(seen: HostInterrupts, pins: Iterable[DeviceQueuePin], quiet: CpuSet) -> None:
    absent = CpuSet(pin.cpu for pin in pins) - seen.online
    if absent:
        raise BadInput(f"CPUs {absent} are not online", source="interrupts")
    if quiet and not seen.online - quiet:
        raise BadInput("no CPU is left for the other interrupts", source="interrupts", hint="keep one CPU out")


_Key = tuple[str, int]
"""A device and the number of a queue."""


def _wanted(pins: Iterable[DeviceQueuePin]) -> dict[_Key, CpuSet]:
    wanted: dict[_Key, CpuSet] = {}
    for pin in pins:
        key = pin.device, pin.queue
        wanted[key] = wanted.get(key, NO_CPUS) | CpuSet([pin.cpu])
    return wanted


def _of_queue(seen: HostInterrupts, queue: DeviceQueue, wanted: CpuSet) -> Iterator[IrqMove]:
    for irq in seen.of_numbers(queue.irqs):
        yield IrqMove(irq=irq, wanted=wanted, why="queue", served=queue.cpus)


def _quieted(seen: HostInterrupts, quiet: CpuSet) -> Iterator[IrqMove]:
    """Every interrupt that may come to a quiet CPU; one that is kept only when it really does."""
    for irq in seen.interrupts:
        touched = (irq.effective or irq.cpus) if irq.managed else irq.cpus
        if touched & quiet:
            yield IrqMove(irq=irq, wanted=_elsewhere(seen, irq, quiet), why="quiet")


def _elsewhere(seen: HostInterrupts, irq: Interrupt, quiet: CpuSet) -> CpuSet:
    near = NO_CPUS if irq.node is None else seen.nodes.get(irq.node, NO_CPUS)
    others = seen.online - quiet
    return (irq.cpus & others) or (near & others) or others


def _steered(seen: HostInterrupts, queue: DeviceQueue, wanted: CpuSet, rps: bool, xps: bool) -> Iterator[FileWrite]:
    """Packet steering where it was asked for and the queue has a file for it; as masks, as those files want it."""
    folder = f"{_NET}/{queue.device}/queues"
    for asked, path, now in (
        (rps, f"rx-{queue.queue}/rps_cpus", queue.rps),
        (xps, f"tx-{queue.queue}/xps_cpus", queue.xps),
    ):
        if asked and now is not None:
            yield FileWrite(path=f"{folder}/{path}", before=_mask(now), after=_mask(wanted))


def _default(seen: HostInterrupts, quiet: CpuSet) -> Iterator[FileWrite]:
    """New interrupts keep off quiet CPUs too."""
    if quiet and seen.default is not None:
        after = (seen.default - quiet) or (seen.online - quiet)
        yield FileWrite(path=DEFAULT_AFFINITY, before=_mask(seen.default), after=_mask(after))


def _mask(cpus: CpuSet) -> str:
    return cpus.format_mask()


def _notes(
    seen: HostInterrupts, wanted: dict[_Key, CpuSet], moves: Iterable[IrqMove], rps: bool, xps: bool
) -> Iterator[str]:
    for device, queue in wanted:
        found = seen.queue(device, queue)
        if found is None:
            yield f"{device}:{queue}: the host shows no such queue"
            continue
        if not found.irqs:
            yield f"{device}:{queue}: no interrupt of its own is known"
        for asked, what, now in ((rps, "RPS", found.rps), (xps, "XPS", found.xps)):
            if asked and now is None:
                yield f"{device}:{queue}: it has no {what}"
    kept = [move.irq.number for move in moves if move.why == "quiet" and not move.movable]
    if kept:
        numbers = format_list(sum(1 << number for number in kept))
        yield f"kernel-managed, they stay on quiet CPUs (a disk's come only for I/O that these CPUs begin): {numbers}"
    for move in moves:
        if move.why == "queue" and not move.movable and not move.is_there:
            yield f"{move.irq.label}: kernel-managed, it serves CPUs {move.served}, not {move.wanted}"
