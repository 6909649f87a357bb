"""Observing: a walk over a subtree, group by group."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from cpuplace import CpuSet, NodeSet
from cpuplace.idset import NO_CPUS, NO_NODES
from cpuplace_cgroup.files import Files
from cpuplace_cgroup.group import Group, GroupType, Observation
from cpuplace_cgroup.names import Name, read_name

_TYPES: Final[dict[str, GroupType]] = {
    "domain threaded": "domain threaded",
    "domain invalid": "domain invalid",
    "threaded": "threaded",
}


def observe(files: Files, root: str) -> Observation:
    """Everything below `root` as it is now; a group that goes away meanwhile is not in it. Seven reads a group."""
    cpus, mems = effective(files, root)
    found: dict[str, Group] = {}
    for path, name in places(files, root):
        known = Name(container_id=path) if name.container_id in found else name  # of two of one name, by its place
        with suppress(OSError):
            found[known.container_id] = _group(files, f"{root}/{path}", path, known)
    return Observation(root=root, groups=tuple(found.values()), cpus=cpus, mems=mems)


def where(files: Files, root: str) -> dict[str, str]:
    """Container id -> relative path, of the same groups; a third of the cost."""
    found: dict[str, str] = {}
    for path, name in places(files, root):
        found[path if name.container_id in found else name.container_id] = path
    return found


def places(files: Files, root: str, path: str = "", *, above: str | None = None) -> Iterator[tuple[str, Name]]:
    """Relative path and name of every group that counts as one container; `above`: the root's place below the mount."""
    if above is None:
        above = root[len(mount_of(files, root)) :].strip("/")
    here = f"{root}/{path}" if path else root
    try:
        below = files.folders(here)
    except OSError:
        below = ()
    if path:
        name = read_name(path, above=above)
        if _is_container(files, here, name, bool(below)):
            yield path, name
            return
    for folder in below:
        yield from places(files, root, f"{path}/{folder}" if path else folder, above=above)


def _is_container(files: Files, place: str, name: Name, has_folders: bool) -> bool:
    """Containers of runtimes and units are one, whatever they make inside; of plain folders, the innermost.

    One of ours stays one when its processes make groups of their own.
    """
    if not name.leaf:
        return False
    if name.pod or name.runtime or name.unit or not has_folders:
        return True
    return files.is_ours(place) and bool(text_of(files, f"{place}/cpuset.cpus"))


def _group(files: Files, place: str, path: str, name: Name) -> Group:
    kind = _TYPES.get(text_of(files, f"{place}/cgroup.type"), "domain")
    cpus, mems = effective(files, place)
    return Group(
        container_id=name.container_id,
        path=path,
        cpus=cpus_of(files, f"{place}/cpuset.cpus"),
        mems=mems_of(files, f"{place}/cpuset.mems"),
        effective_cpus=cpus,
        effective_mems=mems,
        pids=pids_of(files, place),
        partition=text_of(files, f"{place}/cpuset.cpus.partition"),
        type=kind,
        qos=name.qos,
        pod=name.pod,
        runtime=name.runtime,
        unit=name.unit,
        made=files.is_ours(place),
    )


def pids_of(files: Files, place: str) -> tuple[int, ...]:
    """Who runs in this group or below it; threads where processes cannot be told (EOPNOTSUPP: it is threaded)."""
    try:
        text = files.read(f"{place}/cgroup.procs")
    except FileNotFoundError:
        raise
    except OSError:
        text = text_of(files, f"{place}/cgroup.threads")
    pids = {int(word) for word in text.split()}
    for folder in files.folders(place):
        with suppress(OSError):
            pids.update(pids_of(files, f"{place}/{folder}"))
    return tuple(sorted(pids))


def effective(files: Files, place: str) -> tuple[CpuSet, NodeSet]:
    """The CPUs and memory nodes that hold for this folder; where cpuset is not enabled, the next one's above."""
    while place not in ("", "/"):
        cpus = text_of(files, f"{place}/cpuset.cpus.effective")
        if cpus:
            mems = text_of(files, f"{place}/cpuset.mems.effective")
            return CpuSet.parse(cpus), NodeSet.parse(mems)
        place = place.rpartition("/")[0]
    return NO_CPUS, NO_NODES


def mount_of(files: Files, place: str) -> str:
    """Where the hierarchy that this place is in begins; the place itself when it is in none. It need not exist."""
    top = place
    while True:
        if is_there(files, f"{place}/cgroup.controllers"):
            top = place
        parent = place.rpartition("/")[0]
        if not parent:
            return top
        place = parent


def is_there(files: Files, file: str) -> bool:
    """True when the file can be read."""
    try:
        files.read(file)
    except OSError:
        return False
    return True


def cpus_of(files: Files, file: str) -> CpuSet:
    """The CPUs that a file lists, none when it is not there."""
    return CpuSet.parse(text_of(files, file), source=file)


def mems_of(files: Files, file: str) -> NodeSet:
    """The memory nodes that a file lists, none when it is not there."""
    return NodeSet.parse(text_of(files, file), source=file)


def text_of(files: Files, file: str) -> str:
    """What a file says, "" when it cannot be read."""
    try:
        return files.read(file)
    except OSError:
        return ""
