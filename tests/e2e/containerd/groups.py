"""What the kernel says of a container: its control group, version 1 or 2, and its process."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from cpuplace import CpuSet, NodeSet

ROOT: Final = Path("/sys/fs/cgroup")
V1: Final = (ROOT / "cpuset" / "cpuset.cpus").exists()
"""Whether the controller for CPUs has a hierarchy of its own."""
CPUSETS: Final = ROOT / "cpuset" if V1 else ROOT
SETTLING: Final = 5.0
"""Seconds that a group may take to tell its processes: a millisecond, unless the machine is busy."""
EFFECTIVE: Final = ("effective_cpus", "effective_mems") if V1 else ("cpus.effective", "mems.effective")


@attrs.frozen(slots=True)
class Seen:
    """Where a container may run: as it was asked, as it holds, and what its process has."""

    cpus: CpuSet
    mems: NodeSet
    effective: CpuSet
    effective_mems: NodeSet
    allowed: CpuSet
    allowed_mems: NodeSet

    @property
    def steady(self) -> bool:
        """Whether the group has told its processes: while its files are written they still have what they had."""
        return (self.effective, self.effective_mems) == (self.allowed, self.allowed_mems)

    @property
    def agreed(self) -> CpuSet:
        """The CPUs; raises AssertionError unless all three say the same."""
        assert self.cpus == self.effective == self.allowed, self
        return self.cpus

    @property
    def agreed_mems(self) -> NodeSet:
        """The memory nodes; raises AssertionError unless all three say the same."""
        assert self.mems == self.effective_mems == self.allowed_mems, self
        return self.mems


def look(parent: str, container: str) -> Seen:
    """What the kernel says of a running container below this parent, no change being half done."""
    folder = CPUSETS / parent.lstrip("/") / container
    return settled(lambda: read(folder))


def settled(looking: Callable[[], Seen]) -> Seen:
    """The same twice and steady; after SETTLING seconds the last one as it is.

    One look reads several files, so that a change between two of them shows a bit of before and a bit of after.
    """
    end, before, now = time.monotonic() + SETTLING, looking(), looking()
    while not (now == before and now.steady) and time.monotonic() < end:
        before, now = now, looking()
    return now


def read(folder: Path) -> Seen:
    """What the files of a group and of its first process say, one after the other."""
    status = Path(f"/proc/{first(folder)}/status").read_text()
    return Seen(
        CpuSet.parse(value(folder, "cpus")),
        NodeSet.parse(value(folder, "mems")),
        CpuSet.parse(value(folder, EFFECTIVE[0])),
        NodeSet.parse(value(folder, EFFECTIVE[1])),
        CpuSet.parse(field(status, "Cpus_allowed_list")),
        NodeSet.parse(field(status, "Mems_allowed_list")),
    )


def is_limited(parent: str, container: str) -> bool:
    """Whether a container has a quota of CPU time."""
    place = f"{parent.lstrip('/')}/{container}"
    text = (ROOT / "cpu" / place / "cpu.cfs_quota_us" if V1 else ROOT / place / "cpu.max").read_text()
    return text.split()[0] not in ("-1", "max")


def value(folder: Path, name: str) -> str:
    """The content of one file of the controller."""
    return (folder / f"cpuset.{name}").read_text().strip()


def first(folder: Path) -> int:
    """The first process of a group."""
    return int((folder / "cgroup.procs").read_text().split()[0])


def field(status: str, name: str) -> str:
    """One value of `/proc/PID/status`."""
    found = re.search(rf"^{name}:\s*(\S+)$", status, re.MULTILINE)
    assert found, status
    return found[1]


def remove(parent: str) -> None:
    """The folders of a parent and of all below it, in every hierarchy, gone; so are processes that were left there."""
    for root in ROOT.iterdir() if V1 else (ROOT,):
        top = root / parent.strip("/")
        if top.is_dir():
            for folder, _, _ in os.walk(top, topdown=False):
                empty(Path(folder))
                Path(folder).rmdir()


def empty(folder: Path) -> None:
    """End the processes of a group, none where all went well; raises AssertionError when they do not go."""
    end = time.monotonic() + 30
    while pids := (folder / "cgroup.procs").read_text().split():
        assert time.monotonic() < end, f"{folder} keeps {pids}"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
