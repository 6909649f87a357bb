"""`cpuplace state check`: what it says of sound and of broken files, and that it writes only when told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.commands import Run
from cli.manifests import EXAMPLES
from cpuplace import catalogue
from cpuplace.formats import cpuplace_json
from cpuplace.formats import state as state_format

HOST = "amd-epyc-7742-2s-nps4"
SMALL = "synthetic:pack:1 [numa] l3:1 core:8 pu:1"


@pytest.fixture
def saved(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "now.json"
    assert run("plan", str(EXAMPLES / "mixed-workload.yaml"), "--host", HOST, "--save-state", str(path)).code == 0
    return path


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def overlap(values: dict[str, Any]) -> None:
    owners = [one for one in values["containers"] if "cpus" in one]
    owners[0]["cpus"] = owners[1]["cpus"]


def test_a_sound_state_is_healthy(run: Run, saved: Path) -> None:
    code, out, err = run("state", "check", str(saved))
    assert (code, out, err) == (0, f"healthy: state of 5 containers on {HOST}\n", "")


def test_an_overlap_and_what_mends_it(run: Run, saved: Path, tmp_path: Path) -> None:
    edit(saved, overlap)
    before = saved.read_bytes()
    code, out, _ = run("state", "check", str(saved))
    assert code == 1
    assert out.startswith("wrong\n✗ overlap: ")
    assert "belong to two owners (I1)" in out
    assert "\na repair would\n" in out
    assert saved.read_bytes() == before
    assert run("state", "check", str(saved), "--write", str(tmp_path / "mended.json")).code == 1
    assert saved.read_bytes() == before
    state_format.parse((tmp_path / "mended.json").read_bytes(), catalogue.host(HOST))
    assert run("state", "check", str(tmp_path / "mended.json")).code == 0
    assert run("topology", "--state", str(saved)).code == 2
    assert run("topology", "--state", str(tmp_path / "mended.json")).code == 0


def test_it_says_that_it_wrote_and_ends_as_without(run: Run, saved: Path, tmp_path: Path) -> None:
    mended = tmp_path / "mended.json"
    words = ("state", "check", str(saved), "--width", "300", "--write", str(mended))
    code, out, _ = run(*words)
    assert (code, out) == (0, f"healthy: state of 5 containers on {HOST}; written to {mended}\n")
    assert json.loads(run(*words, "-o", "json").out)["written"] == str(mended)
    edit(saved, overlap)
    code, out, _ = run(*words)
    assert code == 1
    assert out.endswith(f" wrong: state of 5 containers on {HOST}; mended, it was written to {mended}\n")
    assert json.loads(run("state", "check", str(saved), "-o", "json").out)["written"] is None


def test_json(run: Run, saved: Path) -> None:
    edit(saved, overlap)
    code, out, _ = run("state", "check", str(saved), "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["format"], data["host"], data["healthy"]) == (1, 1, "cpuplace", HOST, False)
    assert {one["kind"] for one in data["findings"]} >= {"overlap"}
    assert all(set(one) == {"kind", "sentence", "cpus", "containers", "rule"} for one in data["findings"])
    assert data["repair"]
    assert {"op", "container_id", "before", "after"} == set(data["repair"][0])


def test_what_state_would_not_take_is_not_healthy(run: Run, saved: Path) -> None:
    edit(saved, lambda values: values.update(held_apart={"default/web-0/nginx": "8"}))
    code, out, _ = run("state", "check", str(saved))
    assert code == 1
    assert "shared containers were told of" in out


def test_cpus_went_offline_since(run: Run, saved: Path, tmp_path: Path) -> None:
    host = catalogue.host(HOST)
    gone = tmp_path / "host.json"
    taken = json.loads(saved.read_text())["containers"][0]["cpus"]
    cpu = int(taken.split("-")[0].split(",")[0])
    gone.write_text(cpuplace_json.render(host.with_online(host.online - type(host.online)([cpu]))))
    code, out, _ = run("state", "check", str(saved), "--host", str(gone))
    assert code == 1
    assert f"holds CPUs {cpu}, which are offline" in out


def test_another_host_is_bad_input(run: Run, saved: Path) -> None:
    code, out, err = run("state", "check", str(saved), "--host", "vm-2cpu")
    assert (code, out) == (2, "")
    assert "was saved for another host" in err
    assert err.count("\n") == 1


def kubelet(tmp_path: Path, **fields: Any) -> str:
    path = tmp_path / "cpu_manager_state"
    path.write_text(json.dumps({"policyName": "static", "defaultCpuSet": "0,3-7", **fields}))
    return str(path)


def test_a_file_of_kubelet(run: Run, tmp_path: Path) -> None:
    good = kubelet(tmp_path, entries={"uid": {"main": "1-2"}})
    assert run("state", "check", good, "--host", SMALL) == (
        0,
        "healthy: kubelet's state of 1 container on synthetic\n",
        "",
    )
    leak = kubelet(tmp_path)
    code, out, _ = run("state", "check", leak, "--host", SMALL)
    assert (code, out) == (
        1,
        "wrong\n✗ leak: CPUs 1-2 are in nobody's set\n\na repair would\n· move nobody\n· leave 0-7 to the pool\n\n"
        "1 thing wrong: kubelet's state of 0 containers on synthetic\n",
    )


def test_the_policy_none_keeps_no_sets(run: Run, tmp_path: Path) -> None:
    path = kubelet(tmp_path, policyName="none", defaultCpuSet="")
    assert run("state", "check", path, "--host", SMALL).code == 0


def test_a_policy_is_for_files_of_kubelet(run: Run, tmp_path: Path, saved: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("{reserved: '0', strict_reservation: true}")
    path = kubelet(tmp_path, defaultCpuSet="1-7")
    assert run("state", "check", path, "--host", SMALL, "--policy", str(policy)).code == 0
    code, _, err = run("state", "check", str(saved), "--policy", str(policy))
    assert (code, err) == (2, "cpuplace: error: --policy: a state of ours holds its own policy\n")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"policyName": 3}', "\x00", '{"schema": 9}'])
def test_what_is_neither(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    code, out, err = run("state", "check", str(path), "--host", "vm-2cpu")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert run("state", "check", str(tmp_path / "absent")).code == 2
