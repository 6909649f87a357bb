"""split: the CPUs that this process may use, divided among its workers; never one that its cgroup does not allow."""

import os

from cpuplace import BadInput
from cpuplace.idset import CpuSet
from cpuplace.splitting import split_cpus
from cpuplace_linux.allowance import allowed_cpus
from cpuplace_linux.read_host import read_host


def split(
    workers: int, cpus: CpuSet | None = None, *, share: bool = False, root: str | os.PathLike[str] = "/"
) -> tuple[CpuSet, ...]:
    """One set of CPUs for each worker, disjoint and as even as whole cores let it, near to each other in their order.

    `cpus` narrows what this process may use (see `allowed_cpus`); by default all of that is divided. A worker takes
    its set with `os.sched_setaffinity(0, cpus)`. Raises BadInput for more workers than CPUs (`share=True` gives several
    workers one CPU), and for CPUs that are not allowed. Reads the host: half a millisecond a CPU.

    >>> split(1) == (allowed_cpus(),)
    True
    """
    may = allowed_cpus(root=root)
    beyond = (cpus or may) - may
    if beyond:
        raise BadInput(f"CPUs {beyond} are not allowed here", source="split", hint=f"this process may use {may}")
    host = read_host(root)
    return split_cpus(host, (may if cpus is None else cpus) & host.online, workers, share=share)
