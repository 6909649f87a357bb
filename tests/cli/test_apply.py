"""`cpuplace apply`, `ps` and `drift` on an imitated host."""

import errno
import json
import signal
from pathlib import Path
from typing import Any

import pytest

import cpuplace as cp
from cgroup.imitation import FolderFiles
from cli.imitated import HOST, Imitated
from cli.imitated import host as host
from cli.manifests import pod
from cpuplace_cgroup import managing
from cpuplace_cli import managed
from cpuplace_cli.main import main

DB = '"cpuplace.dev/cores": "2-3"'
PODS = pod("db", "2", annotations=DB) + pod("train", "4") + pod("web", "500m")
LATER = pod("feed", "2", annotations='"cpuplace.dev/cores": "0-1"')
FIRST = """\
steps, below {root}
1. grant default/db/c0: 2-3
2. grant default/train/c0: 0-1,8-9
3. grant default/web/c0: 4-7,10-15

3 of 3 steps carried out and verified; 6 CPUs exclusive, 10 shared
"""


@pytest.fixture
def pods(tmp_path: Path) -> str:
    file = tmp_path / "pods.yaml"
    file.write_text(PODS)
    return str(file)


def cpus(host: Imitated) -> dict[str, str]:
    """What the groups say."""
    return {
        path.name.removeprefix("default%2F").removesuffix("%2Fc0"): (path / "cpuset.cpus").read_text()
        for path in host.root.glob("*/")
    }


PLACED = {"db": "2-3", "train": "0-1,8-9", "web": "4-7,10-15"}


def group(host: Imitated, name: str) -> Path:
    return host.group(f"default%2F{name}%2Fc0")


# --- apply ---------------------------------------------------------------------------------------


def test_the_steps_are_shown_carried_out_and_kept(host: Imitated, pods: str) -> None:
    assert host("apply", pods, "--width", "100") == (0, FIRST.format(root=host.root), "")
    assert cpus(host) == PLACED
    assert (group(host, "db") / "cpuset.mems").read_text() == "0"
    assert {key: str(one.cpus) for key, one in host.state().assignments.items()} == {
        f"default/{name}/c0": some for name, some in PLACED.items()
    }
    assert host("apply", pods) == (0, "nothing to do; 6 CPUs exclusive, 10 shared\n", "")


def test_a_dry_run_changes_nothing_and_says_what_it_would_write(host: Imitated, pods: str) -> None:
    code, out, err = host("apply", pods, "--dry-run", "--width", "300")
    assert (code, err) == (0, "")
    assert f"{group(host, 'db')}/cpuset.mems: 0\n" in out
    assert f"{group(host, 'train')}/cpuset.cpus: 0-1,8-9\n" in out
    assert out.endswith("\ndry run: 3 steps, nothing was changed\n")
    assert not host.root.exists()
    assert not host.kept.path.exists()


def test_json_has_steps_writes_and_the_outcome(host: Imitated, pods: str) -> None:
    dry = host.data("apply", pods, "--dry-run")
    data = host.data("apply", pods)
    assert (dry["dry_run"], dry["outcome"]) == (True, None)
    assert {name: dry[name] for name in ("steps", "writes", "groups")} == {
        name: data[name] for name in ("steps", "writes", "groups")
    }
    assert data["outcome"]["ok"] is True
    assert data["groups"]["default/web/c0"] == str(group(host, "web"))
    assert data["steps"][0] == {
        "op": "grant",
        "container_id": "default/db/c0",
        "before": None,
        "after": {"cpus": "2-3", "mems": "0"},
    }


def test_who_is_refused_is_named_and_the_others_are_placed(host: Imitated, tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(pod("fits", "2") + pod("large", "40"))
    code, out, _ = host("apply", str(file))
    assert code == 1
    assert "✗ default/large, container c0: asks for 40 CPUs" in out or "large, container c0: asks for 40 CPUs" in out
    assert cpus(host) == {"fits": "0,8"}
    refusals = host.data("apply", str(file), code=1)["refusals"]
    assert [(one["pod"], one["kind"]) for one in refusals] == [("default/large", "NotEnoughCpus")]


def test_a_later_pin_moves_who_is_in_its_way(host: Imitated, pods: str, tmp_path: Path) -> None:
    host("apply", pods)
    later = tmp_path / "later.yaml"
    later.write_text(LATER)
    code, out, _ = host("apply", str(later))
    assert code == 0
    assert "move default/train/c0 from 0-1,8-9 to " in out
    now = {name: cp.CpuSet.parse(some) for name, some in cpus(host).items()}
    assert str(now["feed"]) == "0-1"
    assert sum(map(len, now.values())) == len(HOST.online)
    assert host("drift") == (0, "nothing differs\n", "")


def test_pods_are_taken_away_again(host: Imitated, pods: str) -> None:
    host("apply", pods)
    code, out, _ = host("apply", pods, "--remove")
    assert code == 0
    assert out.count("release default/") == 3
    assert cpus(host) == {}
    assert dict(host.state().assignments) == {}
    assert host.state().remembered == {}


def test_a_step_that_fails_takes_all_back_and_is_told(
    host: Imitated, pods: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(FolderFiles):
        def write(self, path: str, text: str) -> None:
            if path.endswith("web%2Fc0/cpuset.cpus"):
                raise OSError(errno.EINVAL, "")
            super().write(path, text)

    monkeypatch.setattr(managed, "FILES", Busy())
    code, out, err = host("apply", pods, "--width", "200")
    assert (code, err) == (1, "")
    assert '✗ step 3, default/web/c0: writing "4-7,10-15" to ' in out
    assert "EINVAL: Invalid argument" in out
    assert "✗ restored: " in out
    assert out.endswith("not carried out: nothing of the plan is left but what is named above\n")
    assert cpus(host) == {}
    assert host.kept.read() is None
    failure = host.data("apply", pods, code=1)["outcome"]["failure"]
    assert (failure["container_id"], failure["said"]) == ("default/web/c0", "EINVAL: Invalid argument")


def test_a_policy_is_kept_and_has_to_agree(host: Imitated, pods: str, tmp_path: Path) -> None:
    policy, other = tmp_path / "p.yaml", tmp_path / "q.yaml"
    policy.write_text("reserved: 0,8\n")
    other.write_text("reserved: 1,9\n")
    assert host("apply", pods, "--policy", str(policy))[0] == 0
    assert host.state().policy.reserved == cp.CpuSet([0, 8])
    assert host("apply", pods, "--policy", str(policy))[0] == 0
    code, _, err = host("apply", pods, "--policy", str(other))
    assert code == 2
    assert "what runs was placed under another policy: reserved was '0,8', now it is '1,9'" in err


def test_a_root_that_may_use_few_cpus_gives_out_no_others(host: Imitated, pods: str) -> None:
    (host.root.parent / "cpuset.cpus.effective").write_text("0-7")
    assert host("apply", pods)[0] == 0
    assert host.state().usable == cp.CpuSet.parse("0-7")
    assert host("drift")[0] == 0


def test_another_root_needs_another_state_directory(host: Imitated, pods: str) -> None:
    host("apply", pods)
    former, host.root = host.root, host.root.with_name("other")
    code, _, err = host("apply", pods)
    assert code == 2
    assert f"is about the groups below {former}, not {host.root}" in err


def test_a_root_is_an_absolute_path(host: Imitated, pods: str) -> None:
    host.root = Path("here")
    code, _, err = host("apply", pods)
    assert (code, err) == (2, "cpuplace: error: --root: not an absolute path (/sys/fs/cgroup/cpuplace)\n")


def test_no_cgroup_v2_is_said_with_what_to_do(host: Imitated, pods: str) -> None:
    (host.root.parent / "cgroup.controllers").unlink()
    for command in (("apply", pods), ("run", "--cpus", "1", "--", "true"), ("ps",), ("drift",)):
        code, out, err = host(*command)
        assert (code, out) == (2, "")
        assert "there is no cgroup v2 file system here (mount -t cgroup2" in err
    assert not host.kept.path.exists()


# --- plans ---------------------------------------------------------------------------------------


def plan(host: Imitated, pods: str, *more: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(("plan", pods, "--host", str(host.host), *more)) == 0
    return capsys.readouterr().out


def test_a_plan_is_carried_out_as_it_is(
    host: Imitated, pods: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, printed = tmp_path / "saved.json", tmp_path / "plan"
    printed.write_text(plan(host, pods, "-o", "json", "--save-state", str(saved), capsys=capsys))
    for file in (printed, saved):
        assert host("apply", str(file))[0] == 0
        assert cpus(host) == PLACED
        assert host("apply", str(file))[1].startswith("nothing to do")
        assert host("apply", str(file), "--remove")[0] == 0
        assert cpus(host) == {}


def test_a_plan_for_a_host_that_is_no_longer_so_is_refused(
    host: Imitated, pods: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed, other = tmp_path / "plan.json", tmp_path / "other.yaml"
    printed.write_text(plan(host, pods, "-o", "json", capsys=capsys))
    other.write_text(pod("first", "2"))
    host("apply", str(other))
    code, out, _ = host("apply", str(printed), "--width", "200")
    assert code == 1
    assert (
        "default/train/c0: the plan gives it 0-1,8-9, where default/first/c0 is now: plan again (PinOverlap, R2)" in out
    )
    assert cpus(host) == {"first": "0,8"}
    assert host("apply", str(printed), pods)[0] == 2


# --- ps ------------------------------------------------------------------------------------------

PS = """\
   NAME              KIND     CPUS          MEMORY  PROCESSES
A  default/db/c0     pinned     2  2-3      node 0  -
B  default/train/c0  integer    4  0-1,8-9  -       {pid}
.  default/web/c0    shared    10  pool     -       -
.  sh                shared    10  pool     -       -
"""


def test_who_runs_where_and_the_map(host: Imitated, pods: str) -> None:
    host("apply", pods)
    with host.begin("run", "--shared", "--", "sh", "-c", "echo $$; exec sleep 600") as other:
        pid = other.line()
        (group(host, "train") / "cgroup.procs").write_text(pid)
        (host.group("sh") / "cgroup.procs").write_text("")
        code, out, err = host("ps", "--width", "90")
        assert (code, err) == (0, "")
        assert out.startswith(PS.format(pid=pid))
        assert "package 0, node 0" in out
        assert "4 containers; 6 CPUs exclusive, 10 shared, 10 free" in out
        (group(host, "train") / "cgroup.procs").write_text("")
        (host.group("sh") / "cgroup.procs").write_text(pid)


def test_ps_of_a_host_on_which_nothing_was_placed(host: Imitated) -> None:
    code, out, _ = host("ps")
    assert code == 0
    assert "0 containers; 0 CPUs exclusive, 16 shared" in out
    assert not host.kept.path.exists()


def test_ps_names_who_may_run_on_cpus_of_others(host: Imitated, pods: str) -> None:
    host("apply", pods)
    files = FolderFiles()
    files.make(str(host.group("theirs")))
    files.write(f"{host.group('theirs')}/cgroup.procs", "1")
    assert "✗ theirs: 1 processes on 0-15" in host("ps")[1]
    assert host.data("ps")["intruders"] == [{"path": "theirs", "cpus": "0-15", "pids": [1]}]


def test_ps_says_what_keeps_systemd_off(host: Imitated, pods: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host("apply", pods)
    assert host.data("ps")["keep_off"] == []
    monkeypatch.setattr(managing, "systemd_runs", lambda: True)
    system = host.root.parent / "system.slice"
    FolderFiles().make(str(system))
    FolderFiles().write(f"{system}/cpuset.cpus", "4-7,10-15")
    said = host.data("ps")["keep_off"]
    assert said == [
        "systemctl set-property --runtime user.slice AllowedCPUs=4-7,10-15",
        "systemctl set-property --runtime init.scope AllowedCPUs=4-7,10-15",
    ]
    assert f"· {said[0]}\n" in host("ps", "--width", "120")[1]


def test_other_commands_read_the_state_that_is_kept(host: Imitated, pods: str, tmp_path: Path) -> None:
    host("apply", pods)
    where = ("--host", str(host.host))
    assert main(("topology", "--state", str(host.kept.file), *where)) == 0
    assert main(("state", "check", str(host.kept.file), *where)) == 0
    before = tmp_path / "before"
    before.write_bytes(host.kept.file.read_bytes())
    host("apply", pods, "--remove")
    assert main(("diff", str(before), str(host.kept.file), *where)) == 1


# --- drift ---------------------------------------------------------------------------------------


def disturb(host: Imitated) -> None:
    FolderFiles().write(f"{group(host, 'train')}/cpuset.cpus", "0-3")
    FolderFiles().write(f"{group(host, 'web')}/cpuset.cpus", "")


def test_what_somebody_else_wrote_is_found_and_mended(host: Imitated, pods: str) -> None:
    host("apply", pods)
    disturb(host)
    code, out, _ = host("drift")
    assert code == 1
    assert 'cpuset.cpus is "0-3", should be "0-1,8-9": somebody else wrote it' in out
    assert 'cpuset.cpus is "", should be "4-7,10-15": it was emptied, or never written' in out
    assert host("ps")[0] == 1
    found: dict[str, Any] = host.data("drift", code=1)
    assert [one["container_id"] for one in found["drift"]] == ["default/train/c0", "default/web/c0"]
    code, _, err = host("drift", "--repair")
    assert code == 0
    assert "cpuplace: repair: " in err
    assert cpus(host) == PLACED
    assert host("drift") == (0, "nothing differs\n", "")


def test_it_is_set_back_even_where_others_chose_well(host: Imitated, pods: str) -> None:
    host("apply", pods)
    FolderFiles().write(f"{group(host, 'train')}/cpuset.cpus", "4-5,12-13")  # free, and as good
    assert host("drift", "--repair")[0] == 0
    assert cpus(host) == PLACED


def test_a_repair_of_another_root_leaves_the_state_alone(host: Imitated, pods: str) -> None:
    host("apply", pods)
    kept, host.root = host.kept.file.read_bytes(), host.root.with_name("other")
    assert host("ps", "--repair")[0] == 2
    assert host.kept.file.read_bytes() == kept


def test_ps_can_mend_too(host: Imitated, pods: str) -> None:
    host("apply", pods)
    disturb(host)
    code, out, err = host("ps", "--repair")
    assert code == 0
    assert "not as it should be" not in out
    assert "default/train/c0" in err
    assert cpus(host) == PLACED


def test_a_group_that_is_gone_is_forgotten_by_a_repair(host: Imitated, pods: str) -> None:
    host("apply", pods)
    FolderFiles().remove(str(group(host, "train")))
    assert host("drift")[1] == "default/train/c0: its group is gone\n"
    assert host("drift", "--repair")[0] == 0
    assert cpus(host) == {"db": "2-3", "web": "0-1,4-15"}


def test_what_cannot_be_mended_ends_with_1(host: Imitated, pods: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host("apply", pods)
    disturb(host)

    class No(FolderFiles):
        def write(self, path: str, text: str) -> None:
            raise OSError(errno.EACCES, "", path)

    monkeypatch.setattr(managed, "FILES", No())
    code, _, err = host("drift", "--repair")
    assert code == 1
    assert "cpuplace: repair: failed: " in err
    assert "EACCES: Permission denied" in err


def test_a_pin_on_a_cpu_that_went_offline_is_noted_and_no_drift(host: Imitated, pods: str) -> None:
    host("apply", pods)
    without = HOST.online - cp.CpuSet([3])
    host.be(HOST.with_online(without))
    (host.root.parent / "cpuset.cpus.effective").write_text(str(without))
    for folder in (host.root, *host.root.glob("*/")):
        FolderFiles().write(f"{folder}/cpuset.cpus", (folder / "cpuset.cpus").read_text())
    assert (group(host, "db") / "cpuset.cpus.effective").read_text() == "2"
    assert host("apply", pods)[0] == 0
    assert host("drift") == (0, "nothing differs\n", "")
    (db,) = [one for one in host.data("ps")["containers"] if one["id"] == "default/db/c0"]
    assert db["degraded"] == "its pin names CPUs that cannot be used now: 3"


def test_watching_tells_what_changes(host: Imitated, pods: str) -> None:
    host("apply", pods)
    with host.begin("drift", "--watch", "0.05") as watching:
        assert watching.line() == "nothing differs"
        disturb(host)
        assert watching.line().startswith("default/train/c0: ")
        watching.send(signal.SIGINT)
        assert watching.wait() == 130
    with host.begin("drift", "--watch", "0.05", "--repair", "-o", "json") as watching:
        data = [json.loads(watching.line())["drift"]]
        while data[-1]:
            said = watching.line()
            data += [json.loads(said)["drift"]] if said.startswith("{") else []  # the rest is standard error
    assert cpus(host) == PLACED
    assert host("drift", "--watch", "0")[0] == 2


def test_watching_to_mend_goes_on_while_another_command_is_at_work(
    host: Imitated, pods: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "PATIENCE", 0.0)
    host("apply", pods)
    disturb(host)
    with host.begin("drift", "--watch", "0.05", "--repair") as watching:
        with host.kept.locked():
            watching.until("another command is at work")
        watching.until("nothing differs")
    assert cpus(host) == PLACED


def test_watching_ends_with_a_state_that_is_torn(host: Imitated, pods: str) -> None:
    host("apply", pods)
    with host.begin("drift", "--watch", "0.05", "--repair") as watching:
        assert watching.line() == "nothing differs"
        host.kept.file.write_bytes(b"torn")
        assert "torn, or edited by hand" in watching.rest()
        assert watching.wait() == 2


# --- a state that is lost ------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["torn", "deleted"])
def test_a_state_that_is_lost_is_made_anew_from_what_runs(host: Imitated, pods: str, loss: str) -> None:
    host("apply", pods)
    for name in PLACED:  # something runs in each, else they were swept away
        (group(host, name) / "cgroup.procs").write_text("1\n")
    if loss == "torn":
        host.kept.file.write_bytes(host.kept.file.read_bytes()[:-30])
        code, out, err = host("ps")
        assert (code, out) == (2, "")
        assert "torn, or edited by hand (cpuplace ps --repair makes it anew from what runs)" in err
        assert host("apply", pods)[0] == 2
        code, _, err = host("ps", "--repair")
        assert code == 0
        assert "made anew from what runs" in err
    else:
        host.kept.forget()
    assert cpus(host) == PLACED
    assert {one["kind"] for one in host.data("ps")["containers"]} == {"unmanaged"}
    code, out, _ = host("apply", pods)
    assert code == 0
    assert "default/train/c0: found with 0-1,8-9, taken over" in out
    assert cpus(host) == PLACED
    kinds = {one["id"]: one["kind"] for one in host.data("ps")["containers"]}
    assert kinds == {"default/db/c0": "pinned", "default/train/c0": "integer", "default/web/c0": "shared"}
