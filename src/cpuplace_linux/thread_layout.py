"""The threads of one partition on the CPUs of its plan: one a role, queues between them, a clean end.

    layout = PartitionThreadLayoutBuilder(plan["orders"]).with_factory("wal-writer", make_writer).build()
    with layout:
        layout.send("wal-writer", record)

Python threads share one interpreter lock: what is pinned here pays off where roles wait, call into native code, or are
foreign threads (`attach`) and processes (`launch`).
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from attrs import evolve, field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.partitions_pinning import PartitionId, PartitionPinning, ThreadPinTarget
from cpuplace.partitions_spec import PartitionRole
from cpuplace_linux.affinity import pin
from cpuplace_linux.inbox import Inbox, RoleEnded
from cpuplace_linux.memory_policy import MemoryMode
from cpuplace_linux.role_activity import ActivityLog, Pinned, RoleActivity, Stuck
from cpuplace_linux.role_runner import Factory, Role, RoleProcess, RoleThread, call_items

_SOURCE = "thread layout"


def _name(role: PartitionRole | str) -> str:
    return role.name if isinstance(role, PartitionRole) else role


def _pins_of(pins: "Mapping[str, ThreadPinTarget] | PartitionPinning | None") -> Mapping[str, ThreadPinTarget] | None:
    return pins.pins if isinstance(pins, PartitionPinning) else pins


@frozen(slots=True)
class PartitionThreadLayoutBuilder:
    """How the threads of a partition will run; every `with_...` gives a new builder, `build` the layout.

    `partition` is a `PartitionPinning` of a plan, or an id, whose pins then come by `with_thread_pins`.

    >>> pins = {"poller": ThreadPinTarget(CpuSet([0]))}
    >>> PartitionThreadLayoutBuilder("p0").with_thread_pins(pins).build().roles
    ('poller',)
    """

    partition: PartitionPinning | PartitionId
    pins: Mapping[str, ThreadPinTarget] | None = field(default=None, kw_only=True, hash=False)
    factories: Mapping[str, Factory] = field(factory=dict, kw_only=True, hash=False)
    memory: tuple[MemoryMode, NodeSet] | None = field(default=None, kw_only=True)
    restarts: int = field(default=0, kw_only=True)
    queue_size: int = field(default=1024, kw_only=True)
    listener: Callable[[RoleActivity], object] | None = field(default=None, kw_only=True)

    def with_thread_pins(self, pins: Mapping[str, ThreadPinTarget] | PartitionPinning) -> Self:
        """Where each role runs; without this, as the `PartitionPinning` says."""
        return evolve(self, pins=_pins_of(pins))

    def with_factory(self, role: PartitionRole | str, factory: Factory) -> Self:
        """What a role does: `factory(seat)` is called in its pinned thread at each start; see `RoleSeat`.

        It returns what handles each item sent to the role, or None when it did the role's work itself. A role without
        a factory calls the items it is sent.
        """
        return evolve(self, factories={**self.factories, _name(role): factory})

    def with_memory_policy(self, mode: MemoryMode, nodes: NodeSet | None = None) -> Self:
        """The memory policy of every role's thread; `nodes` by default the partition's NUMA node."""
        if nodes is None:
            if not isinstance(self.partition, PartitionPinning):
                raise BadInput("an id does not say on which NUMA node it is", source=_SOURCE, hint="give the nodes")
            nodes = NodeSet() if mode == "default" else NodeSet([self.partition.numa_node])
        return evolve(self, memory=(mode, nodes))

    def with_restarts(self, most: int) -> Self:
        """How often a role that dies is started again (0: its death is only reported)."""
        return evolve(self, restarts=most)

    def with_queue_size(self, items: int) -> Self:
        """How many items wait for a role at most."""
        return evolve(self, queue_size=items)

    def with_listener(self, listener: Callable[[RoleActivity], object]) -> Self:
        """Call this with each activity as well, in the thread where it happens."""
        return evolve(self, listener=listener)

    def build(self) -> "PartitionThreadLayout":
        """The layout, not yet started; raises BadInput when something is missing or contradicts."""
        pins = self.pins if self.pins is not None else _pins_of_partition(self.partition)
        if not pins:
            raise BadInput("no role has a pin", source=_SOURCE, hint="with_thread_pins(...)")
        unknown = next((role for role in self.factories if role not in pins), None)
        if unknown is not None:
            raise BadInput(f"a factory for {unknown!r}, which has no pin", source=_SOURCE, hint=", ".join(pins))
        empty = next((role for role, target in pins.items() if not target.cpus), None)
        if empty is not None:
            raise BadInput(f"the role {empty!r} has no CPU", source=_SOURCE)
        if self.queue_size < 1 or self.restarts < 0:
            raise BadInput(f"{self.restarts} restarts, queues of {self.queue_size}", source=_SOURCE)
        return PartitionThreadLayout(self, pins)


def _pins_of_partition(partition: PartitionPinning | PartitionId) -> Mapping[str, ThreadPinTarget]:
    return partition.pins if isinstance(partition, PartitionPinning) else {}


class PartitionThreadLayout:
    """One pinned thread a role; `activities` tells what happens to them. As a context manager it runs inside the block.

    A layout runs once: what has been stopped is built again.
    """

    def __init__(self, builder: PartitionThreadLayoutBuilder, pins: Mapping[str, ThreadPinTarget]) -> None:
        """Made by the builder's `build`; nothing runs yet."""
        partition = builder.partition
        self.partition_id = partition.partition_id if isinstance(partition, PartitionPinning) else partition
        self.activities = ActivityLog(listener=builder.listener)
        self._builder = builder
        self._pins = dict(pins)
        self._threads = {role: self._thread(role) for role in pins}
        self._processes: list[RoleProcess] = []
        self._stopped = False
        self._ending = threading.RLock()
        """Held where it matters whether it was stopped: a process is known to `stop` before it runs, or never runs."""

    def _thread(self, role: str) -> RoleThread:
        return RoleThread(
            partition_id=self.partition_id,
            name=role,
            target=self._pins[role],
            log=self.activities,
            restarts=self._builder.restarts,
            memory=self._builder.memory,
            factory=self._builder.factories.get(role, call_items),
            inbox=Inbox(role, self._builder.queue_size),
            send=self.send,
        )

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles, in the order of their pins."""
        return tuple(self._pins)

    @property
    def tids(self) -> Mapping[str, int]:
        """Role -> the kernel's number of its thread; 0 = not started."""
        return {role: thread.tid for role, thread in self._threads.items()}

    def start(self, timeout: float = 30.0) -> Self:
        """Start every role and wait until each is pinned and confirmed.

        Raises KernelRefused when one cannot be, TimeoutError when one is not in time; then none is left running.
        """
        if self._stopped or any(thread.worker is not None for thread in self._threads.values()):
            raise BadInput("it was started or stopped before", source=_SOURCE, hint="build a new one")
        end = monotonic() + timeout
        for thread in self._threads.values():
            thread.start()
        for thread in self._threads.values():
            self._await(thread, end)
        return self

    def _await(self, role: Role, end: float) -> None:
        online = role.online.wait(max(end - monotonic(), 0))
        if role.refused is None and online:
            return
        self.stop(drop=True)
        raise role.refused or TimeoutError(f"{role.name} was not pinned in time")

    def send(self, role: PartitionRole | str, item: object, timeout: float | None = None) -> None:
        """Put an item into the role's queue, waiting for room up to `timeout` seconds (None: as long as need be).

        Raises queue.Full when there was none, `RoleEnded` when the role has ended, BadInput for an unknown role.
        """
        self._threads[self._known(role)].inbox.put(item, timeout)

    def _known(self, role: PartitionRole | str) -> str:
        name = _name(role)
        if name not in self._pins:
            raise BadInput(f"no role {name!r}", source=_SOURCE, hint=", ".join(self._pins))
        return name

    def attach(self, role: PartitionRole | str, tid: int) -> CpuSet:
        """Pin a thread that somebody else made (of any process) to the role's CPUs; the CPUs that the kernel confirms.

        Its memory policy stays as it is: only a thread itself can set that. Raises KernelRefused.
        """
        name = self._known(role)
        cpus = pin(tid, self._pins[name].cpus)
        self.activities.publish(Pinned(role=name, tid=tid, cpus=cpus))
        return cpus

    def launch(
        self,
        role: PartitionRole | str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 30.0,
    ) -> int:
        """Start a process on the role's CPUs, with the layout's memory policy from its first instruction; its number.

        It is restarted, reported and stopped like the role's thread. Raises KernelRefused when it cannot be started
        there, `RoleEnded` when the layout was stopped, before or meanwhile.
        """
        name = self._known(role)
        process = RoleProcess(
            partition_id=self.partition_id,
            name=name,
            target=self._pins[name],
            log=self.activities,
            restarts=self._builder.restarts,
            memory=self._builder.memory,
            argv=tuple(os.fspath(word) for word in argv),
            env=env,
            cwd=cwd,
        )
        with self._ending:
            self._check_not_stopped()
            self._processes.append(process)
            process.start()
        online = process.online.wait(timeout)
        self._check_not_stopped()
        if not online or process.refused is not None:
            process.tell_to_stop(drop=True)
            raise process.refused or TimeoutError(f"{name} was not pinned in time")
        return process.tid

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise RoleEnded(f"the layout of {self.partition_id} was stopped")

    def stop(self, timeout: float = 10.0, *, drop: bool = False) -> tuple[str, ...]:
        """End every role: what waits in its queue is worked on first, or dropped with `drop`; those that did not end.

        Threads that are stuck stay (Python cannot end them, they end with the program); processes are killed.
        """
        end = monotonic() + timeout
        with self._ending:
            self._stopped = True
            everyone: list[Role] = [*self._threads.values(), *self._processes]
        for role in everyone:
            role.tell_to_stop(drop=drop)
        stuck = [role for role in everyone if not role.has_ended(max(end - monotonic(), 0))]
        for role in stuck:
            self.activities.publish(Stuck(role=role.name, tid=role.tid))
        return tuple(role.name for role in stuck)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an error what waits is dropped."""
        self.stop(drop=kind is not None)
