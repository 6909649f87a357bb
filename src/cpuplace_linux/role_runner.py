"""One role while it runs: a thread of this program, or a process, on the CPUs of its pin."""

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen, mutable

from cpuplace.idset import CpuSet, NodeSet
from cpuplace.partitions_pinning import PartitionId, ThreadPinTarget
from cpuplace_linux.affinity import pin
from cpuplace_linux.hostfiles import KernelRefused
from cpuplace_linux.inbox import Inbox, RoleEnded
from cpuplace_linux.memory_policy import MemoryMode, set_memory_policy
from cpuplace_linux.role_activity import (
    ActivityLog,
    Died,
    NotPinned,
    Pinned,
    Restarted,
    RoleActivity,
    Started,
    Stopped,
)


@frozen(slots=True)
class RoleSeat:
    """What a role's factory is given, in the role's own pinned thread: where it is, and its way to the others.

    `cpus` are what the kernel confirmed, `target` also names its device queues. A body that works on its own looks at
    `stopping`, or waits with `pause`.
    """

    partition_id: PartitionId
    role: str
    target: ThreadPinTarget
    cpus: CpuSet
    tid: int
    _inbox: Inbox = field(repr=False)
    _stop: threading.Event = field(repr=False)
    _send: Callable[[str, object, float | None], None] = field(repr=False)

    @property
    def stopping(self) -> bool:
        """Whether the layout was told to stop."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> bool:
        """Sleep so long, or until the layout is told to stop; whether it is."""
        return self._stop.wait(seconds)

    def receive(self, timeout: float | None = None) -> Any:
        """The oldest item sent to this role; raises queue.Empty after `timeout`, RoleEnded when it is time to end."""
        return self._inbox.get(timeout)

    def send(self, role: str, item: object, timeout: float | None = None) -> None:
        """Send to another role of the partition; see `PartitionThreadLayout.send`."""
        self._send(role, item, timeout)


Handler: TypeAlias = Callable[[Any], object]
Factory: TypeAlias = Callable[[RoleSeat], Handler | None]
"""Called once for each start. What it returns handles each item sent to the role; None = it did its work itself."""


def call_items(_seat: RoleSeat) -> Handler:
    """The factory of a role that has none: it calls what it is sent, like an executor of one thread."""
    return lambda item: item()


@mutable(slots=True, kw_only=True)
class Role:
    """What thread and process have in common: whose they are, where they go, how often they may come again."""

    partition_id: PartitionId
    name: str
    target: ThreadPinTarget
    log: ActivityLog
    restarts: int
    memory: tuple[MemoryMode, NodeSet] | None
    stop: threading.Event = field(factory=threading.Event)
    online: threading.Event = field(factory=threading.Event)
    refused: KernelRefused | None = None
    worker: threading.Thread | None = None

    def start(self) -> None:
        """Begin; `online` is set when it is pinned, or `refused`."""
        self.worker = threading.Thread(target=self.run, name=f"{self.partition_id}/{self.name}", daemon=True)
        self.worker.start()

    def run(self) -> None:
        """What its own thread does."""
        raise NotImplementedError

    def settle(self, tid: int) -> CpuSet | None:
        """The confirmed CPUs of the calling thread; None when the kernel refused, which is published."""
        try:
            cpus = pin(0, self.target.cpus)
            if self.memory is not None:
                set_memory_policy(*self.memory)
        except KernelRefused as refused:
            self.refuse(tid, refused)
            return None
        return cpus

    def refuse(self, tid: int, refused: KernelRefused) -> None:
        """It does not run."""
        self.refused = refused
        self.publish(NotPinned(role=self.name, tid=tid, error=str(refused)))
        self.online.set()

    def publish(self, activity: RoleActivity) -> None:
        """Tell the layout's log."""
        self.log.publish(activity)

    def tell_to_stop(self, *, drop: bool) -> None:
        """Ask it to end soon."""
        raise NotImplementedError

    def has_ended(self, timeout: float) -> bool:
        """Whether it ends within so many seconds; a role that asks about itself ends when it returns."""
        if self.worker is threading.current_thread():
            return True
        if self.worker is not None:
            self.worker.join(timeout)
        return self.worker is None or not self.worker.is_alive()

    @property
    def tid(self) -> int:
        """The kernel's number of it, 0 = none yet."""
        return 0 if self.worker is None else self.worker.native_id or 0


@mutable(slots=True, kw_only=True)
class RoleThread(Role):
    """A role as a thread of this program."""

    factory: Factory
    inbox: Inbox
    send: Callable[[str, object, float | None], None]

    def run(self) -> None:
        """Pin the thread, then live as often as the restarts allow."""
        tid = threading.get_native_id()
        self.publish(Started(role=self.name, tid=tid))
        try:
            for times in range(self.restarts + 1):
                cpus = self.settle(tid)
                if cpus is None:
                    return
                if times:
                    self.publish(Restarted(role=self.name, tid=tid, times=times))
                self.publish(Pinned(role=self.name, tid=tid, cpus=cpus))
                self.online.set()
                if self._lived(tid, cpus) or self.stop.is_set():
                    return
        finally:
            self.inbox.close()

    def _lived(self, tid: int, cpus: CpuSet) -> bool:
        """Whether it came to a good end; an error of any kind is published, and ends nobody else."""
        seat = RoleSeat(self.partition_id, self.name, self.target, cpus, tid, self.inbox, self.stop, self.send)
        try:
            self._live(seat)
        except BaseException as error:
            self.publish(Died(role=self.name, tid=tid, error=f"{type(error).__name__}: {error}"))
            return False
        self.publish(Stopped(role=self.name, tid=tid))
        return True

    def _live(self, seat: RoleSeat) -> None:
        handle = self.factory(seat)
        while handle is not None:
            try:
                item = self.inbox.get()
            except RoleEnded:
                return
            handle(item)

    def tell_to_stop(self, *, drop: bool) -> None:
        """Take nothing more; what is in the box is still worked on, or dropped."""
        self.stop.set()
        self.inbox.close(drop=drop)


@mutable(slots=True, kw_only=True)
class RoleProcess(Role):
    """A role as a process: started by a thread that is pinned itself, since CPUs and memory policy are inherited.

    (Pinning between fork and exec would need code there, which is not safe in a program with threads.)
    """

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def run(self) -> None:
        """Start the process as often as the restarts allow, and wait for it."""
        for times in range(self.restarts + 1):
            if not self._started(times) or self._lived() or self.stop.is_set():
                return

    def _started(self, times: int) -> bool:
        mine = threading.get_native_id()
        if self.settle(mine) is None:
            return False
        try:
            self.process = subprocess.Popen(self.argv, env=self.env, cwd=self.cwd)
            self.publish(Started(role=self.name, tid=self.tid))
            if self.stop.is_set():  # told to stop while there was no process to tell
                self.process.terminate()
            cpus = pin(self.tid, self.target.cpus)
        except OSError as error:
            code = error.errno or 0
            self.refuse(mine, KernelRefused(f"exec of {self.argv[0]}", " ".join(self.argv), code))
            return False
        except KernelRefused as refused:
            self._kill()
            self.refuse(self.tid, refused)
            return False
        if times:
            self.publish(Restarted(role=self.name, tid=self.tid, times=times))
        self.publish(Pinned(role=self.name, tid=self.tid, cpus=cpus))
        self.online.set()
        return True

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _lived(self) -> bool:
        """Whether it ended well, or because it was told to."""
        assert self.process is not None
        status = self.process.wait()
        if status == 0 or self.stop.is_set():
            self.publish(Stopped(role=self.name, tid=self.tid))
            return True
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self.publish(Died(role=self.name, tid=self.tid, error=how))
        return False

    def tell_to_stop(self, *, drop: bool) -> None:
        """SIGTERM."""
        self.stop.set()
        if self.process is not None:
            self.process.terminate()

    def has_ended(self, timeout: float) -> bool:
        """As above; one that does not end in time is killed."""
        if super().has_ended(timeout):
            return True
        if self.process is not None:
            self.process.kill()
        return super().has_ended(1.0)

    @property
    def tid(self) -> int:
        """The number of the process."""
        return 0 if self.process is None else self.process.pid
