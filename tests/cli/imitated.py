"""An imitated host for `run`, `apply`, `ps`, `drift`: a cgroup file system in a folder, a state directory beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

import cpuplace as cp
from cgroup.commands import Command, ran
from cgroup.imitation import FolderFiles, imitate
from cpuplace.formats import cpuplace_json
from cpuplace_cgroup.statedir import StateDir
from cpuplace_cli import managed
from cpuplace_cli.main import main

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


class Imitated:
    """The commands on it; each gets --root, --state-dir and --host."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.root = imitate(folder / "cgroup", HOST)
        self.kept = StateDir(folder / "state")
        self.host = folder / "host.json"
        self.be(HOST)

    def be(self, host: cp.Topology) -> None:
        """Another host from now on."""
        self.host.write_text(cpuplace_json.render(host))

    def arguments(self, command: str, *more: str) -> tuple[str, ...]:
        where = ("--root", str(self.root), "--state-dir", str(self.kept.path), "--host", str(self.host))
        return (command, *where, *more)

    def __call__(self, command: str, *more: str) -> tuple[int, str, str]:
        """In this process."""
        code = main(self.arguments(command, *more))
        return (code, *self._capsys.readouterr())

    def data(self, command: str, *more: str, code: int = 0) -> dict[str, Any]:
        """What it prints as JSON."""
        found, out, err = self(command, "-o", "json", *more)
        assert (found, err) == (code, "")
        data: dict[str, Any] = json.loads(out)
        assert next(iter(data.items())) == ("schema", 1)
        return data

    def ran(self, command: str, *more: str) -> tuple[int, str]:
        """In a process of its own, to its end."""
        return ran(*self.arguments(command, *more))

    def begin(self, command: str, *more: str) -> Command:
        """In a process of its own."""
        return Command(*self.arguments(command, *more))

    def group(self, name: str) -> Path:
        return self.root / name

    def state(self) -> cp.HostState:
        kept = self.kept.read()
        assert kept is not None
        return kept.state


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Imitated:
    monkeypatch.setattr(managed, "FILES", FolderFiles())
    for name in ("OMP_NUM_THREADS", "OMP_PLACES"):
        monkeypatch.delenv(name, raising=False)
    return Imitated(tmp_path, capsys)
