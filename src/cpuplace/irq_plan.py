"""IrqPlan: which interrupts go where, as a value: what is written to which file, what was there, what stays and why."""

from collections.abc import Iterator
from typing import Final, Literal, NoReturn

from attrs import field, frozen

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.interrupts import Interrupt
from cpuplace.partitions_pinning import DeviceQueuePin

DEFAULT_AFFINITY: Final = "proc/irq/default_smp_affinity"

Why = Literal["queue", "quiet"]
"""An interrupt goes to the CPU of the role that uses its queue, or off CPUs that are to be quiet."""


@frozen(slots=True, kw_only=True)
class FileWrite:
    """A text to write to a file (path from the root, without a leading slash), and the text that was there.

    `names` are the handlers of the interrupt: its number may mean another one after a restart.
    """

    path: str
    before: str
    after: str
    names: tuple[str, ...] = ()


@frozen(slots=True, kw_only=True)
class IrqMove:
    """Where one interrupt should go; `wanted` is what smp_affinity_list should say."""

    irq: Interrupt
    wanted: CpuSet
    why: Why
    served: CpuSet = NO_CPUS

    @property
    def movable(self) -> bool:
        """Whether a write can help: False where the kernel is known to keep the interrupt."""
        return not self.irq.managed

    @property
    def is_there(self) -> bool:
        """Nothing to do: it goes there already, or is kept by the kernel where its queue serves those CPUs."""
        return self.irq.cpus == self.wanted or (self.irq.managed and self.wanted <= self.served)

    @property
    def write(self) -> FileWrite:
        """What would move it."""
        path = f"proc/irq/{self.irq.number}/smp_affinity_list"
        return FileWrite(path=path, before=str(self.irq.cpus), after=str(self.wanted), names=self.irq.names)


@frozen(slots=True, kw_only=True)
class IrqPlan:
    """The moves by interrupt number, further writes (packet steering, where new interrupts go), and notes.

    `quiet` are the CPUs that other interrupts stay off. Nothing happens by planning; an adapter carries out `writes`.
    """

    moves: tuple[IrqMove, ...] = ()
    steering: tuple[FileWrite, ...] = ()
    quiet: CpuSet = NO_CPUS
    pins: tuple[DeviceQueuePin, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("a plan has no truth value: ask plan.writes")

    @property
    def writes(self) -> tuple[FileWrite, ...]:
        """What to write, in order: queues first. Kept interrupts of queues are tried: only a write tells for sure."""
        return tuple(self._writes())

    def _writes(self) -> Iterator[FileWrite]:
        for why in ("queue", "quiet"):
            for move in self.moves:
                if move.why == why and not move.is_there and (move.movable or why == "queue"):
                    yield move.write
        yield from (one for one in self.steering if one.before != one.after)

    @property
    def kept(self) -> tuple[Interrupt, ...]:
        """The interrupts that the kernel keeps on CPUs that are to be quiet."""
        return tuple(move.irq for move in self.moves if move.why == "quiet" and not move.movable)

    @property
    def pinned(self) -> tuple[Interrupt, ...]:
        """The interrupts of the queues that roles use."""
        return tuple(move.irq for move in self.moves if move.why == "queue")

    @property
    def irqbalance(self) -> tuple[str, ...]:
        """The lines for irqbalance's environment file, so that it undoes none of this; () when there is nothing to say.

        Source: irqbalance(1), `--banirq` and the variable IRQBALANCE_BANNED_CPULIST.
        """
        lines = [f"IRQBALANCE_BANNED_CPULIST={self.quiet}"] if self.quiet else []
        movable = [one.number for one in self.pinned if not one.managed]
        bans = " ".join(f"--banirq={number}" for number in movable)
        return (*lines, *([f'IRQBALANCE_ARGS="{bans}"'] if bans else []))
