"""In which control groups a process is, and where those are mounted: /proc/PID/cgroup and /proc/PID/mountinfo.

Source: cgroups(7), proc_pid_cgroup(5), proc_pid_mountinfo(5).
"""

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cpuplace.errors import BadInput

_GROUP: Final = re.compile(r"([0-9]{1,9}):([^:\n]*):(/[^\n]*)")
_OCTAL: Final = re.compile(r"\\([0-3][0-7]{2})")


@frozen(slots=True)
class Group:
    """One line of /proc/PID/cgroup: no `controllers` = the one tree of cgroup v2."""

    controllers: tuple[str, ...]
    path: str


@frozen(slots=True)
class Mount:
    """Where a cgroup tree is mounted: `root` is the group that stands at `point`, `controllers` () = cgroup v2."""

    point: str
    root: str
    controllers: tuple[str, ...] = ()


def parse(text: str, *, source: str = "cgroup") -> tuple[Group, ...]:
    """The groups of a process, in the order of the text; raises BadInput with the line that cannot be read.

    >>> parse("3:cpuset,cpu:/a\\n0::/b\\n")
    (Group(controllers=('cpuset', 'cpu'), path='/a'), Group(controllers=(), path='/b'))
    """
    found = []
    for number, line in enumerate(filter(None, text.split("\n")), 1):
        match = _GROUP.fullmatch(line)
        if match is None:
            raise BadInput(f"cannot read {line[:40]!r}", source=source, position=f"line {number}")
        found.append(Group(tuple(filter(None, match[2].split(","))), match[3]))
    return tuple(found)


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The cgroup mounts that /proc/PID/mountinfo names; every other line is passed over.

    >>> parse_mounts("31 1 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\\n")
    (Mount(point='/sys/fs/cgroup', root='/', controllers=()),)
    """
    return tuple(mount for line in text.split("\n") for mount in _mount(line))


def _mount(line: str) -> Iterator[Mount]:
    """Fields: id, parent, device, root, point, options, any optional ones, "-", kind, source, options of the tree."""
    front, dash, back = line.partition(" - ")
    fields, tree = front.split(" "), back.split(" ")
    if not dash or len(fields) < 6 or tree[0] not in ("cgroup", "cgroup2"):
        return
    controllers = tuple(filter(None, tree[-1].split(","))) if tree[0] == "cgroup" else ()
    yield Mount(_plain(fields[4]), _plain(fields[3]), controllers)


def _plain(text: str) -> str:
    """Blanks are written as octal numbers there."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def place_of(group: Group, mount: Mount) -> str | None:
    """The folder of this group under this mount; None when the mount shows another part of the tree.

    >>> pods = Mount("/sys/fs/cgroup", "/pods")
    >>> place_of(Group((), "/pods/a"), pods), place_of(Group((), "/other"), pods)
    ('/sys/fs/cgroup/a', None)
    """
    root = mount.root.rstrip("/")
    if group.path != root and not group.path.startswith(f"{root}/"):
        return None
    return mount.point.rstrip("/") + group.path[len(root) :].rstrip("/")
