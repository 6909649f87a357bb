"""Failure: one thing that the kernel did not do, in one sentence: file, text, its answer, what that means."""

import errno
import os
from typing import Any, Final

from attrs import asdict, evolve, frozen

from cpuplace import CpuplaceError


@frozen(slots=True, kw_only=True)
class Failure:
    """`step` counts from 0, None outside of steps; `said` is the kernel's answer, `meaning` and `advice` are ours."""

    container_id: str
    file: str
    wrote: str = ""
    said: str = ""
    meaning: str = ""
    advice: str = ""
    step: int | None = None

    def __str__(self) -> str:
        """One sentence."""
        wrote = f' "{self.wrote}"' if self.wrote else ""
        where = "" if self.step is None else f"step {self.step + 1}, "
        meaning = f": {self.meaning}" if self.meaning else ""
        advice = f" ({self.advice})" if self.advice else ""
        return f"{where}{self.container_id or '-'}: writing{wrote} to {self.file}: {self.said}{meaning}{advice}"

    def at(self, step: int | None) -> "Failure":
        """The same, of this step."""
        return evolve(self, step=step)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return asdict(self)


class CgroupFailed(CpuplaceError):  # noqa: N818
    """Raised where one thing was asked for and the kernel did not do it; `.failure` says what."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Unanswered(CgroupFailed):
    """Nobody said no: what was asked for may still happen."""


class Vanished(CpuplaceError):  # noqa: N818
    """The group of a container is not there any more: it ended meanwhile. Never leaves this package."""


def refused(error: OSError, *, container_id: str, file: str, wrote: str) -> Failure:
    """The kernel's answer to a write, with what it means for this kind of file."""
    code = error.errno or 0
    name = file.rpartition("/")[2]
    meaning, advice = _MEANING.get((code, name)) or _MEANING.get((code, "")) or ("", "")
    return Failure(container_id=container_id, file=file, wrote=wrote, said=said(error), meaning=meaning, advice=advice)


def said(error: OSError) -> str:
    """The error by its name and in words.

    >>> said(OSError(errno.ENOSPC, ""))
    'ENOSPC: No space left on device'
    """
    code = error.errno or 0
    return f"{errno.errorcode.get(code, f'error {code}')}: {os.strerror(code)}"


_CPUS, _MEMS, _CONTROL = "cpuset.cpus", "cpuset.mems", "cgroup.subtree_control"
_MOUNT = "remount the cgroup file system read-write, or give this container a writable one"

_MEANING: Final[dict[tuple[int, str], tuple[str, str]]] = {
    (errno.ENOSPC, _CPUS): ("a group with processes cannot be left without a CPU list", "end its processes first"),
    (errno.ENOSPC, _MEMS): (
        "a group with processes cannot be left without a list of memory nodes",
        "end its processes first",
    ),
    (errno.ENOSPC, "cgroup.procs"): ("the group has no CPU or no memory node to run on", "give it some first"),
    (errno.EBUSY, _CPUS): (
        "deadline-scheduled threads do not fit on fewer CPUs",
        "end them, or leave the group enough CPUs for their bandwidth",
    ),
    (errno.EBUSY, _CONTROL): (
        "processes run in this very folder, so its children cannot have controllers",
        "move them into a child group first",
    ),
    (errno.EBUSY, "rmdir"): ("processes or groups are still in it", "end them first"),
    (errno.EBUSY, "cgroup.procs"): (
        "the group hands controllers on to its children and takes no processes itself",
        "put the process into a child group",
    ),
    (errno.EINVAL, _CPUS): (
        "no list of CPUs, or CPUs that another group holds exclusively",
        "look for a partition or a cpuset.cpus.exclusive beside it",
    ),
    (errno.EINVAL, _MEMS): ("names a memory node that this host has not, or that has no memory", "see numactl -H"),
    (errno.EINVAL, "cpuset.cpus.exclusive"): (
        "another group has some of these CPUs",
        "take them away from there, or do without a partition",
    ),
    (errno.EINVAL, _CONTROL): ("this kernel has no cpuset controller here", "boot with cgroup v2 and CONFIG_CPUSETS"),
    (errno.ERANGE, ""): ("names a CPU or node beyond any that this kernel knows", "plan again from the live host"),
    (errno.EOPNOTSUPP, _CONTROL): (
        "the folder is part of a threaded subtree that cannot have this controller",
        "use another folder",
    ),
    (errno.EOPNOTSUPP, "cgroup.procs"): (
        "a threaded group takes threads, and an invalid one nothing",
        "write thread ids to cgroup.threads, or use another folder",
    ),
    (errno.ENOENT, _CONTROL): (
        "the controller cpuset is not delegated to this folder",
        "enable it in the parent first",
    ),
    (errno.ENOENT, _CPUS): (
        "the controller cpuset is not enabled here",
        "write +cpuset to the parent's subtree_control",
    ),
    (errno.ENOENT, _MEMS): (
        "the controller cpuset is not enabled here",
        "write +cpuset to the parent's subtree_control",
    ),
    (errno.ENOENT, ""): ("there is no such file or group", ""),
    (errno.ENODEV, ""): ("the group was removed meanwhile", ""),
    (errno.ESRCH, "cgroup.procs"): ("the process has ended", ""),
    (errno.EACCES, ""): ("not permitted", "run as root, or have the folder delegated to this user"),
    (errno.EPERM, ""): ("not permitted", "run as root, or have the folder delegated to this user"),
    (errno.EROFS, ""): ("the cgroup file system is mounted read-only", _MOUNT),
    (errno.ENAMETOOLONG, ""): ("the name of the group is too long", "use a shorter id"),
    (errno.EAGAIN, "mkdir"): ("the limit of groups is reached", "see cgroup.max.descendants and cgroup.max.depth"),
    (errno.ENOMEM, ""): ("the kernel is out of memory", ""),
}
"""(errno, name of the file, "" = any) -> what it means, what to do."""
