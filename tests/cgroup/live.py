"""A real kernel: processes to look at, and what it says of them. Used inside the machines of tests/e2e."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import cpuplace as cp
from cpuplace_cgroup.files import KernelFiles

MOUNT = "/sys/fs/cgroup"


class Allowed(NamedTuple):
    """What the kernel lets a process use."""

    cpus: cp.CpuSet
    mems: cp.NodeSet


def allowed(pid: int) -> Allowed:
    """From /proc/PID/status."""
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    return Allowed(cp.CpuSet.parse(fields["Cpus_allowed_list"]), cp.NodeSet.parse(fields["Mems_allowed_list"]))


def sleeper() -> int:
    """A process that only waits."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            signal.pause()
    return pid


def end(pid: int) -> None:
    """End a process that we started, and see it off."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def sleepers(count: int) -> Iterator[list[int]]:
    """So many processes that only wait."""
    pids = [sleeper() for _ in range(count)]
    try:
        yield pids
    finally:
        for pid in pids:
            end(pid)


def put(place: str, pid: int) -> None:
    """Move a process."""
    Path(f"{place}/cgroup.procs").write_text(str(pid))


def tell(file: str, text: str) -> None:
    """Write a file of the kernel's."""
    Path(file).write_text(f"{text}\n")


def ask(file: str) -> str:
    """Read one."""
    return Path(file).read_text().strip()


def clear(root: str) -> None:
    """Remove a subtree; its processes go back to the top."""
    if not Path(root).is_dir():
        return
    for below in Path(root).iterdir():
        if below.is_dir():
            clear(str(below))
    for file in ("cgroup.threads", "cgroup.procs"):
        try:
            pids = ask(f"{root}/{file}").split()
        except OSError:
            continue
        for pid in pids:
            with suppress(OSError):
                put(MOUNT, int(pid))
    partition = f"{root}/cpuset.cpus.partition"
    if Path(partition).exists() and ask(partition) != "member":
        tell(partition, "member")
    Path(root).rmdir()


class Hooked(KernelFiles):
    """The real file system, with something to be done around every change."""

    def __init__(
        self, before: Callable[[int], None] = lambda _n: None, after: Callable[[str], None] = lambda _f: None
    ) -> None:
        self.changes = 0
        self._before, self._after = before, after

    def write(self, path: str, text: str) -> None:
        self._count()
        super().write(path, text)
        self._after(path)

    def make(self, path: str) -> None:
        self._count()
        super().make(path)

    def remove(self, path: str) -> None:
        self._count()
        super().remove(path)
        self._after(path)

    def _count(self) -> None:
        self.changes += 1
        self._before(self.changes - 1)


def dies_at(number: int) -> Hooked:
    """A file system whose user is killed just before its n-th change."""

    def before(change: int) -> None:
        if change == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return Hooked(before=before)
