"""An imitated cgroup v2 hierarchy with an imitated kernel behind it: effective sets, refusals, partitions, faults.

Its answers are those that Linux 6.12 was seen to give; the tests under `tests/e2e` ask a real one.
"""

import errno
from collections.abc import Callable
from typing import Self

from attrs import define, field

import cpuplace as cp

MOUNT = "/sys/fs/cgroup"


class Killed(BaseException):
    """The process was killed: nothing it does after this has any effect."""


@define
class Node:
    cpus: int = 0
    mems: int = 0
    exclusive: int = 0
    partition: str = "member"
    procs: set[int] = field(factory=set)
    control: set[str] = field(factory=set)
    type: str = "domain"
    ours: bool = False


@define
class FakeKernel:
    """`faults`: the n-th change (from 0) is refused with this error; `kill_at`: the process dies just before it;
    `before_change`, `after_change`: what else happens on the host around the n-th; `before_call`: the same before the
    n-th call of any kind, reads too."""

    online: int = 0xFF
    nodes: int = 0b1
    known: int = 64
    tree: dict[str, Node] = field(factory=lambda: {"": Node(control={"cpuset"})})
    faults: dict[int, int] = field(factory=dict)
    kill_at: int | None = None
    before_change: Callable[[int], None] = lambda _n: None
    after_change: Callable[[int], None] = lambda _n: None
    before_call: Callable[[int], None] = lambda _n: None
    calls: int = 0
    problems: dict[str, str] = field(factory=dict)
    controllers: str = "cpuset cpu io memory"
    log: list[tuple[str, str]] = field(factory=list)
    dead: bool = False

    @classmethod
    def of(cls, host: cp.Topology) -> Self:
        nodes = sum(1 << n.id for n in host.nodes if n.memory_bytes or (n.memory_bytes is None and n.cpus))
        return cls(online=host.online.mask, nodes=nodes, known=max(cpu.id for cpu in host.cpus) + 1)

    # What a process sees.

    def read(self, path: str) -> str:
        self._call()
        place, name = self._split(path)
        node = self.tree[place]
        if name == "cgroup.controllers":
            return self.controllers if not place or "cpuset" in self.tree[self._parent(place)].control else "cpu"
        if name == "cgroup.subtree_control":
            return " ".join(sorted(node.control))
        if name == "cgroup.procs" and node.type == "threaded":
            raise OSError(errno.EOPNOTSUPP, "")
        if name in ("cgroup.procs", "cgroup.threads"):
            return "\n".join(map(str, sorted(node.procs)))
        if name == "cgroup.type" and place:
            return node.type
        if name in ("cpuset.cpus.effective", "cpuset.mems.effective") and (not place or self._has_cpuset(place)):
            cpus = name == "cpuset.cpus.effective"
            return str(cp.CpuSet.from_mask(self.cpus(place) if cpus else self.mems(place)))
        if not place or not name.startswith("cpuset.") or not self._has_cpuset(place):
            raise FileNotFoundError(errno.ENOENT, "", path)
        if name == "cpuset.cpus.partition":
            return self.word(place)
        return str(cp.CpuSet.from_mask({"cpus": node.cpus, "mems": node.mems}.get(name[7:], node.exclusive)))

    def write(self, path: str, text: str) -> None:
        self._call()
        place, name = self._split(path)
        node = self.tree[place]
        if name.startswith("cpuset.") and not (place and self._has_cpuset(place)):
            raise FileNotFoundError(errno.ENOENT, "", path)
        self._change(path, text, lambda: self._take(place, node, name, text))

    def folders(self, path: str) -> tuple[str, ...]:
        self._call()
        place = self._place(path)
        if place not in self.tree:
            raise FileNotFoundError(errno.ENOENT, "", path)
        return tuple(sorted(one.rpartition("/")[2] for one in self._children(place)))

    def is_folder(self, path: str) -> bool:
        self._call()
        return path in ("/sys/fs", "/sys", "") or (path.startswith(MOUNT) and self._place(path) in self.tree)

    def make(self, path: str) -> None:
        self._call()
        place = self._place(path)
        if place in self.tree:
            raise FileExistsError(errno.EEXIST, "", path)
        if self._parent(place) not in self.tree:
            raise FileNotFoundError(errno.ENOENT, "", path)
        above = self.tree[self._parent(place)].type
        kind = "domain invalid" if above in ("domain threaded", "threaded") else "domain"
        self._change(path, "mkdir", lambda: self.tree.update({place: Node(ours=True, type=kind)}))

    def remove(self, path: str) -> None:
        self._call()
        place = self._place(path)
        if place not in self.tree:
            raise FileNotFoundError(errno.ENOENT, "", path)
        self._change(path, "rmdir", lambda: self._rmdir(place))

    def is_ours(self, path: str) -> bool:
        self._call()
        return self.is_folder(path) and self.tree[self._place(path)].ours

    def problem(self, path: str) -> str:
        return self.problems.get(path, "")

    def wait(self, seconds: float) -> None:
        del seconds

    # What others do.

    def add(self, path: str, *, cpus: str = "", mems: str = "", pids: tuple[int, ...] = (), ours: bool = False) -> None:
        """A folder with everything above it, cpuset handed down."""
        names = path.split("/")
        for n in range(1, len(names) + 1):
            self.tree.setdefault("/".join(names[:n]), Node())
            self.tree["/".join(names[: n - 1])].control.add("cpuset")
        node = self.tree[path]
        node.cpus, node.mems = cp.CpuSet.parse(cpus).mask, cp.NodeSet.parse(mems).mask
        node.procs, node.ours = set(pids), ours

    def drop(self, path: str) -> None:
        """A container ends, and its runtime removes its folder."""
        for place in [one for one in self.tree if one == path or one.startswith(f"{path}/")]:
            del self.tree[place]

    def texts(self) -> dict[str, tuple[int, int, int, str]]:
        """Everything that a plan may change."""
        return {place: (one.cpus, one.mems, one.exclusive, one.partition) for place, one in self.tree.items() if place}

    # How the kernel answers.

    def _call(self) -> None:
        self.calls += 1
        self.before_call(self.calls - 1)

    def cpus(self, place: str) -> int:
        """The effective CPUs: own ones within the parent's, all of the parent's where that leaves none."""
        if not place:
            return self.online & ~self._partitioned(place)
        node, may = self.tree[place], self.cpus(self._parent(place))
        if self._valid(place):
            return node.cpus & self.online & ~self._partitioned(place)
        return (node.cpus & may or may) & ~self._partitioned(place)

    def mems(self, place: str) -> int:
        if not place:
            return self.nodes
        may = self.mems(self._parent(place))
        return self.tree[place].mems & may or may

    def word(self, place: str) -> str:
        node = self.tree[place]
        return node.partition if self._valid(place) or node.partition == "member" else f"{node.partition} invalid (why)"

    def _valid(self, place: str) -> bool:
        node = self.tree[place]
        if node.partition == "member" or not node.cpus:
            return False
        parent = self._parent(place)
        beside = [one for one in self._children(parent) if one != place]
        if any(self.tree[one].cpus & node.cpus for one in beside):
            return False
        if not parent or self.tree[parent].partition != "member":
            return True
        above = place
        while above:
            if node.cpus & ~self.tree[above].exclusive:
                return False
            above = self._parent(above)
        return True

    def _partitioned(self, place: str) -> int:
        """CPUs that valid partitions somewhere below have taken."""
        mask = 0
        for one in self.tree:
            if one and one != place and one.startswith(f"{place}/" if place else "") and self._valid(one):
                mask |= self.tree[one].cpus
        return mask

    def _take(self, place: str, node: Node, name: str, text: str) -> None:
        if name == "cgroup.subtree_control":
            if place and "cpuset" not in self.tree[self._parent(place)].control:
                raise OSError(errno.ENOENT, "")
            if place and node.procs and node.type == "domain":
                raise OSError(errno.EBUSY, "")
            node.control.add(text.removeprefix("+"))
        elif name == "cgroup.procs":
            for other in self.tree.values():
                other.procs.discard(int(text))
            node.procs.add(int(text))
        elif name == "cgroup.type":
            node.type = text
        elif name == "cpuset.cpus.partition":
            node.partition = text
        else:
            self._take_list(node, name, text)

    def _take_list(self, node: Node, name: str, text: str) -> None:
        try:
            mask = cp.CpuSet.parse(text).mask
        except cp.BadInput:
            raise OSError(errno.EINVAL, "") from None
        if name == "cpuset.mems":
            if mask & ~self.nodes:
                raise OSError(errno.EINVAL, "")
            if not mask and node.mems and self._populated(node):
                raise OSError(errno.ENOSPC, "")
            node.mems = mask
            return
        if mask >> self.known:
            raise OSError(errno.ERANGE, "")
        if name == "cpuset.cpus.exclusive":
            place = next(key for key, one in self.tree.items() if one is node)
            beside = [self.tree[one].cpus for one in self._children(self._parent(place)) if one != place]
            if mask and any(cpus and not cpus & ~mask for cpus in beside):
                raise OSError(errno.EINVAL, "")
            node.exclusive = mask
            return
        if not mask and node.cpus and self._populated(node):
            raise OSError(errno.ENOSPC, "")
        node.cpus = mask

    def _populated(self, node: Node) -> bool:
        place = next(key for key, one in self.tree.items() if one is node)
        return any(one.procs for key, one in self.tree.items() if key == place or key.startswith(f"{place}/"))

    def _rmdir(self, place: str) -> None:
        if place not in self.tree:
            raise FileNotFoundError(errno.ENOENT, "")
        if self.tree[place].procs or self._children(place):
            raise OSError(errno.EBUSY, "")
        del self.tree[place]

    def _change(self, path: str, text: str, act: Callable[[], object]) -> None:
        number = len(self.log)
        if self.dead or number == self.kill_at:
            self.dead = True
            raise Killed
        self.before_change(number)
        self.log.append((path.removeprefix(f"{MOUNT}/"), text))
        if number in self.faults:
            raise OSError(self.faults[number], "")
        if path.startswith(MOUNT) and text != "mkdir" and self._place(path) not in self.tree:
            self._split(path)
        act()
        self.after_change(number)

    def _has_cpuset(self, place: str) -> bool:
        return "cpuset" in self.tree[self._parent(place)].control

    def _children(self, place: str) -> list[str]:
        return [one for one in self.tree if one and one != place and self._parent(one) == place]

    def _split(self, path: str) -> tuple[str, str]:
        folder, _, name = path.rpartition("/")
        place = self._place(folder)
        if place not in self.tree:
            raise FileNotFoundError(errno.ENOENT, "", path)
        return place, name

    def _place(self, path: str) -> str:
        if not path.startswith(MOUNT):
            return f"outside{path}"
        return path[len(MOUNT) + 1 :]

    @staticmethod
    def _parent(place: str) -> str:
        return place.rpartition("/")[0]
