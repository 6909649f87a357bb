"""Which CPUs and memory nodes a process may use: its affinity mask and the cpuset of its control group."""

import os
from collections.abc import Iterator
from typing import Final

from cpuplace import BadInput
from cpuplace.formats import proc_cgroup, proc_status
from cpuplace.formats.proc_status import Allowed
from cpuplace.idset import CpuSet, NodeSet
from cpuplace_linux.hostfiles import HostFiles

_ONLINE: Final = "sys/devices/system/cpu/online"
_V1_OR_V2: Final = {
    True: ("cpuset.effective_cpus", "cpuset.cpus", "cpuset.effective_mems", "cpuset.mems"),
    False: ("cpuset.cpus.effective", "cpuset.cpus", "cpuset.mems.effective", "cpuset.mems"),
}
"""Is it v1 -> files to look at: CPUs, then memory; what is in force before what was asked for."""


def allowed(pid: int = 0, root: str | os.PathLike[str] = "/") -> Allowed:
    """The online CPUs and the memory nodes that a process (0 = this one) may use; `mems` None = the host does not say.

    Its affinity mask, cut to the cpuset of its group (cgroup v2, or v1 as mounted) and to what is online. Raises
    BadInput when there is no such process, or nothing is left. A few file reads.

    >>> allowed().cpus <= CpuSet(os.sched_getaffinity(0))
    True
    """
    files = HostFiles(root)
    process = f"proc/{pid or 'self'}"
    status = files.text(f"{process}/status")
    if status is None:
        raise BadInput(f"there is no process {pid or 'self'}", source=files.where(process))
    found = proc_status.parse(status, source=files.where(f"{process}/status"))
    group = _group(files, process)
    cpus = found.cpus if group is None else found.cpus & group.cpus
    online = files.text(_ONLINE)
    if online is not None:
        cpus &= CpuSet.parse(online, source=files.where(_ONLINE))
    if not cpus:
        raise BadInput("no online CPU is allowed", source=files.where(process))
    if group is None or group.mems is None or found.mems is None:
        return Allowed(cpus, found.mems if group is None or group.mems is None else group.mems)
    return Allowed(cpus, (found.mems & group.mems) or found.mems)


def allowed_cpus(pid: int = 0, root: str | os.PathLike[str] = "/") -> CpuSet:
    """The online CPUs that a process (0 = this one) may use; see `allowed`.

    >>> bool(allowed_cpus())
    True
    """
    return allowed(pid, root).cpus


def _group(files: HostFiles, process: str) -> Allowed | None:
    """What the cpuset of the process's group has; None when no controller for it is mounted or says anything."""
    for folder, old in _folders(files, process):
        cpus_now, cpus_asked, mems_now, mems_asked = _V1_OR_V2[old]
        cpus = _first(files, folder, (cpus_now, cpus_asked))
        if cpus:
            mems = _first(files, folder, (mems_now, mems_asked))
            source = files.where(folder)
            return Allowed(CpuSet.parse(cpus, source=source), NodeSet.parse(mems, source=source) if mems else None)
    return None


def _first(files: HostFiles, folder: str, names: tuple[str, ...]) -> str | None:
    texts = (files.text(f"{folder}/{name}") for name in names)
    return next((text for text in texts if text), None)


def _folders(files: HostFiles, process: str) -> Iterator[tuple[str, bool]]:
    """The process's own group and those above it, for v1's cpuset where it is mounted, else for v2."""
    groups = proc_cgroup.parse(files.text(f"{process}/cgroup") or "", source=files.where(f"{process}/cgroup"))
    mounts = proc_cgroup.parse_mounts(files.text(f"{process}/mountinfo") or "")
    for old in (True, False):
        for mount in mounts:
            if ("cpuset" in mount.controllers) if old else not mount.controllers:
                for group in groups:
                    if ("cpuset" in group.controllers) if old else not group.controllers:
                        place = proc_cgroup.place_of(group, mount)
                        # A mount of another part of the tree (a container's own view): its top stands for the group.
                        yield from ((folder, old) for folder in _up(place or mount.point, mount.point))


def _up(folder: str, top: str) -> Iterator[str]:
    top = top.strip("/")
    folder = folder.strip("/")
    while folder != top and folder.startswith(f"{top}/"):
        yield folder
        folder = folder.rpartition("/")[0]
    yield top
