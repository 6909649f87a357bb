"""`cpuplace apply`, `ps` and `drift` on a real kernel."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpuplace as cp
from cgroup.commands import Command
from cpuplace_cli.main import main

ROOT = Path("/sys/fs/cgroup/cpuplace")

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: db, annotations: {cpuplace.dev/cores: "2-3"}}
spec: {containers: [{name: main, resources: {limits: {cpu: 2, memory: 64Mi}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: train, annotations: {cpuplace.dev/numa: require-one}}
spec: {containers: [{name: main, resources: {limits: {cpu: 4, memory: 64Mi}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: main, resources: {limits: {cpu: 500m, memory: 64Mi}}}]}
"""
LATER = """
apiVersion: v1
kind: Pod
metadata: {name: feed, annotations: {cpuplace.dev/cores: "4-5"}}
spec: {containers: [{name: main, resources: {limits: {cpu: 2, memory: 64Mi}}}]}
"""


Sleepers = dict[str, "subprocess.Popen[bytes]"]


class Cli:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        found = main(arguments)
        out, err = self._capsys.readouterr()
        assert found == code, f"{arguments}: {found}\n{out}{err}"
        return out + err

    def data(self, *arguments: str, code: int = 0) -> dict[str, object]:
        found = json.loads(self(*arguments, "-o", "json", code=code))
        assert isinstance(found, dict)
        return found


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture
def pods(cli: Cli, tmp_path: Path) -> Iterator[Path]:
    """Three pods, applied; taken away again in the end."""
    file = tmp_path / "pods.yaml"
    file.write_text(PODS)
    cli("apply", str(file))
    yield file
    cli("apply", str(file), "--remove")
    assert [path.name for path in ROOT.iterdir() if path.is_dir()] == []


def group(pod: str) -> Path:
    return ROOT / f"default%2F{pod}%2Fmain"


@pytest.fixture
def sleepers(pods: Path) -> Iterator[Sleepers]:
    """One process in each group."""
    del pods
    found = {pod: subprocess.Popen(("sleep", "600")) for pod in ("db", "train", "web")}
    for pod, process in found.items():
        (group(pod) / "cgroup.procs").write_text(str(process.pid))
    yield found
    for process in found.values():
        process.kill()
        process.wait()


def status(pid: int, what: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(row.split()[1] for row in text.splitlines() if row.startswith(f"{what}_allowed_list"))


def placed(sleepers: Sleepers) -> dict[str, str]:
    return {pod: status(process.pid, "Cpus") for pod, process in sleepers.items()}


def test_processes_run_where_the_plan_says(cli: Cli, sleepers: Sleepers) -> None:
    shown = cli.data("ps")
    assert isinstance(shown["containers"], list)
    planned = {one["id"]: one["cpus"] for one in shown["containers"]}
    assert {f"default/{pod}/main": cpus for pod, cpus in placed(sleepers).items()} == planned
    assert planned["default/db/main"] == "2-3"
    assert status(sleepers["db"].pid, "Mems") == "0"
    assert not cp.CpuSet.parse(planned["default/web/main"]) & cp.CpuSet.parse(planned["default/train/main"])
    pids = {one["id"]: one["group"]["pids"] for one in shown["containers"]}
    assert pids == {f"default/{pod}/main": [process.pid] for pod, process in sleepers.items()}


def test_the_map_of_the_live_host(cli: Cli, sleepers: Sleepers) -> None:
    text = cli("ps", "--width", "100")
    assert str(sleepers["train"].pid) in text
    assert "package 0, node 0" in text
    assert "3 containers; 6 CPUs exclusive, 10 shared" in text


def test_a_later_pin_moves_who_is_in_its_way(cli: Cli, sleepers: Sleepers, tmp_path: Path) -> None:
    before = placed(sleepers)
    later = tmp_path / "later.yaml"
    later.write_text(LATER)
    dry = cli("apply", str(later), "--dry-run")
    assert "dry run" in dry
    assert placed(sleepers) == before
    cli("apply", str(later))
    now = placed(sleepers)
    taken = cp.CpuSet.parse("4-5")
    assert not cp.CpuSet.parse(now["train"]) & taken
    assert not cp.CpuSet.parse(now["web"]) & taken
    assert now["db"] == "2-3"
    cli("apply", str(later), "--remove")
    assert taken <= cp.CpuSet.parse(placed(sleepers)["web"]) | cp.CpuSet.parse(placed(sleepers)["train"])


def test_who_still_runs_is_not_taken_away(cli: Cli, pods: Path, sleepers: Sleepers) -> None:
    before = placed(sleepers)
    said = cli("apply", str(pods), "--remove", code=1)
    assert "processes still run in it" in said
    assert "not carried out" in said
    assert placed(sleepers) == before
    assert cli("drift") == "nothing differs\n"


def test_what_somebody_else_wrote_is_found_and_mended(cli: Cli, sleepers: Sleepers) -> None:
    before = placed(sleepers)
    (group("train") / "cpuset.cpus").write_text("0-3")
    (group("web") / "cpuset.cpus").write_text("2")
    said = cli("drift", code=1)
    assert said.count("somebody else wrote it") == 2
    assert "default/train/main" in cli("ps", code=1)
    assert "cpuset.cpus" in cli("drift", "--repair")
    assert placed(sleepers) == before
    assert cli("drift") == "nothing differs\n"


def test_a_torn_state_is_made_anew_from_what_runs(cli: Cli, pods: Path, sleepers: Sleepers) -> None:
    before = placed(sleepers)
    state = Path("/run/cpuplace/state")
    state.write_bytes(state.read_bytes()[:-30])
    assert "ps --repair" in cli("ps", code=2)
    assert "made anew from what runs" in cli("ps", "--repair")
    assert placed(sleepers) == before
    said = cli("apply", str(pods))
    assert "taken over" in said
    assert placed(sleepers) == before
    shown = cli.data("ps")
    assert isinstance(shown["containers"], list)
    kinds = {one["id"]: one["kind"] for one in shown["containers"]}
    assert kinds == {"default/db/main": "pinned", "default/train/main": "integer", "default/web/main": "shared"}


def test_watching_tells_what_changes(cli: Cli, sleepers: Sleepers) -> None:
    with Command("drift", "--watch", "0.2") as watching:
        assert watching.line() == "nothing differs"
        (group("train") / "cpuset.cpus").write_text("0")
        assert watching.line().startswith("default/train/main")
        watching.send(signal.SIGINT)
        assert watching.wait() == 130
    cli("drift", "--repair")
    assert set(sleepers) == {"db", "train", "web"}
