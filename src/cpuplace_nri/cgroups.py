"""Cgroups: what the kernel says of a container's cpuset, and writing it past the runtime; cgroup v1 and v2."""

import os
from pathlib import Path
from typing import Protocol

from attrs import frozen

from cpuplace import BadInput, CpuSet, Held, NodeSet

MOUNT = Path("/sys/fs/cgroup")


@frozen(slots=True, kw_only=True)
class Cpuset:
    """One container's cpuset; `effective` is what it can really use, within its parent and what is online."""

    cpus: CpuSet
    effective: CpuSet
    mems: NodeSet


class Cgroups(Protocol):
    """What is needed of the cgroup file system; `place` is a container's `cgroups_path` as the runtime spells it."""

    def read(self, place: str) -> Cpuset | None:
        """What it has, None when it has no cgroup (not started yet, or gone)."""
        ...

    def write(self, place: str, held: Held) -> None:
        """Set it; OSError with the kernel's word, FileNotFoundError when it has no cgroup."""
        ...


class KernelCgroups:
    """The real ones below `mount`: unified (v2), or the cpuset hierarchy of v1, also of hybrid hosts."""

    def __init__(self, mount: Path = MOUNT) -> None:
        self._unified = (mount / "cgroup.controllers").exists()
        self._base = mount if self._unified else mount / "cpuset"
        self._effective = "cpuset.cpus.effective" if self._unified else "cpuset.effective_cpus"

    def read(self, place: str) -> Cpuset | None:
        """What it has, None when it has no cgroup."""
        folder = self._base / folder_of(place)
        try:
            cpus, effective, mems = (_text(folder / name) for name in ("cpuset.cpus", self._effective, "cpuset.mems"))
            return Cpuset(cpus=CpuSet.parse(cpus), effective=CpuSet.parse(effective), mems=NodeSet.parse(mems))
        except (OSError, BadInput):
            return None

    def write(self, place: str, held: Held) -> None:
        """Memory nodes first: a CPU set without memory to go with it is refused by v1."""
        folder = self._base / folder_of(place)
        if held.mems:
            _write(folder / "cpuset.mems", str(held.mems))
        _write(folder / "cpuset.cpus", str(held.cpus))

    def pods_run(self) -> bool:
        """Whether a process runs below a kubelet's groups, wherever these are."""
        return any("kubepods" in folder and _has_processes(folder) for folder, _, _ in os.walk(self._base))


def _has_processes(folder: str) -> bool:
    try:
        return bool(_text(Path(folder, "cgroup.procs")))
    except OSError:
        return False  # gone meanwhile; or a threaded group, whose processes its parent has


def folder_of(place: str) -> str:
    """The folder below the mount for a runtime's `cgroups_path`, of either cgroup driver.

    >>> folder_of("/kubepods/burstable/pod1/abc")
    'kubepods/burstable/pod1/abc'
    >>> folder_of("kubepods-burstable-pod1.slice:cri-containerd:abc")
    'kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-abc.scope'
    """
    parts = place.split(":")
    if len(parts) != 3:
        return place.lstrip("/")
    slice_, prefix, name = parts
    return f"{_slice(slice_)}/{prefix}-{name}.scope" if prefix else f"{_slice(slice_)}/{name}"


def _slice(name: str) -> str:
    """A slice below the slices that its name lists: a-b.slice is in a.slice."""
    words = name.removesuffix(".slice").split("-")
    return "/".join("-".join(words[: end + 1]) + ".slice" for end in range(len(words)))


def _text(file: Path) -> str:
    return file.read_text().strip()


def _write(file: Path, text: str) -> None:
    with file.open("r+") as opened:  # never made: a missing cgroup is an error
        opened.write(text)
