"""An imitated cgroup file system in a folder, for real processes: files as the kernel shows them, no process is bound.

`python -m cgroup.imitation FOLDER ARGS...` is the command `cpuplace ARGS...` on it.
"""

import errno
import os
import sys
from pathlib import Path

import cpuplace as cp
from cpuplace_cgroup.files import KernelFiles

CONTROLLERS = "cpuset cpu memory"
FILES = ("cpuset.cpus", "cpuset.mems", "cpuset.cpus.effective", "cpuset.mems.effective", "cgroup.procs")


def imitate(folder: Path, host: cp.Topology) -> Path:
    """Make an empty hierarchy for this host; where `--root` may be."""
    folder.mkdir(parents=True)
    nodes = cp.NodeSet(node.id for node in host.nodes)
    texts = {"cpuset.cpus.effective": str(host.online), "cpuset.mems.effective": str(nodes), "cgroup.procs": ""}
    for name, text in (texts | {"cgroup.controllers": CONTROLLERS, "cgroup.subtree_control": "cpuset"}).items():
        (folder / name).write_text(text)
    return folder / "cpuplace"


class FolderFiles(KernelFiles):
    """`KernelFiles` for such a folder: what the kernel does by itself is done after each change."""

    def read(self, path: str) -> str:
        text = super().read(path)
        if path.endswith("/cgroup.procs"):
            return "\n".join(pid for pid in text.split() if alive(int(pid)))
        return text

    def write(self, path: str, text: str) -> None:
        file = Path(path)
        if not file.exists():
            raise FileNotFoundError(errno.ENOENT, "", path)
        if file.name == "cgroup.procs":
            self._move(file, int(text) or os.getpid())
            return
        if file.name == "cgroup.subtree_control":
            text = " ".join(sorted({*file.read_text().split(), text.removeprefix("+")}))
        file.write_text(text)
        self._settle(file.parent)

    def make(self, path: str) -> None:
        super().make(path)
        folder = Path(path)
        for name in FILES:
            (folder / name).write_text("")
        (folder / "cgroup.controllers").write_text(CONTROLLERS)
        (folder / "cgroup.subtree_control").write_text("")
        (folder / ".ours").write_text("")
        self._settle(folder)

    def remove(self, path: str) -> None:
        if self.read(f"{path}/cgroup.procs") or self.folders(path):
            raise OSError(errno.EBUSY, "", path)
        for file in Path(path).iterdir():
            file.unlink()
        super().remove(path)

    def is_ours(self, path: str) -> bool:
        return Path(path, ".ours").exists()

    def _move(self, file: Path, pid: int) -> None:
        top = file.parent
        while (top.parent / "cgroup.procs").exists():
            top = top.parent
        for procs in top.rglob("cgroup.procs"):
            pids = procs.read_text().split()
            if str(pid) in pids:
                procs.write_text("".join(f"{one}\n" for one in pids if one != str(pid)))
        with file.open("a") as inside:
            inside.write(f"{pid}\n")

    def _settle(self, folder: Path) -> None:
        """The effective sets of a folder and those below it."""
        if (folder / "cpuset.cpus").exists():
            for name in ("cpuset.cpus", "cpuset.mems"):
                own = cp.CpuSet.parse((folder / name).read_text())
                above = cp.CpuSet.parse((folder.parent / f"{name}.effective").read_text())
                (folder / f"{name}.effective").write_text(str(own & above or above))
        for below in folder.iterdir():
            if below.is_dir():
                self._settle(below)


def alive(pid: int) -> bool:
    """True for a process that runs; one that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    from cpuplace_cli import managed
    from cpuplace_cli.main import main as run

    managed.FILES = FolderFiles()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
