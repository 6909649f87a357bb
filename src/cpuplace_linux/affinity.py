"""Threads and processes on CPUs: set, and confirmed by what the kernel then says."""

import os

from cpuplace.idset import CpuSet
from cpuplace_linux.hostfiles import KernelRefused


def pin(tid: int, cpus: CpuSet) -> CpuSet:
    """The CPUs the kernel confirms for this thread (0 = the calling one; of any process): exactly `cpus`.

    Raises KernelRefused when the kernel says no, or takes only some of them (a cpuset allows no more); then the
    thread is where it was. Source: sched_setaffinity(2).

    >>> before = CpuSet(os.sched_getaffinity(0))
    >>> pin(0, before) == before
    True
    """
    target = f"sched_setaffinity({tid})"
    try:
        before = os.sched_getaffinity(tid)
        os.sched_setaffinity(tid, cpus)
        now = CpuSet(os.sched_getaffinity(tid))
        if now != cpus:
            os.sched_setaffinity(tid, before)
    except OSError as error:
        raise KernelRefused(target, str(cpus), error.errno or 0, hint=_hint(error)) from None
    if now != cpus:
        raise KernelRefused(target, str(cpus), 0, shows=str(now), hint="its cpuset allows no more")
    return now


def _hint(error: OSError) -> str:
    hints = {
        22: "none of these CPUs is online and allowed here",
        3: "there is no such thread",
        1: "it is another user's",
    }
    return hints.get(error.errno or 0, "")
