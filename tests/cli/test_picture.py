"""From a state to a picture: who owns what, and what is special."""

import json
from pathlib import Path

import pytest

from cli.commands import Run
from cpuplace import ContainerRequest, CpuSet, HostState, Policy, Wishes, apply, catalogue, place
from cpuplace.formats import state as state_format
from cpuplace_cli.picture import picture_of


@pytest.fixture
def state() -> HostState:
    """Two integer containers (one isolated from its siblings), a pod with a pin for two containers, a shared one."""
    host = catalogue.host("amd-epyc-7742-2s-nps4")
    policy = Policy(reserved=CpuSet([0]), usable=host.online - CpuSet([255]))
    found = HostState.empty(host, policy)
    for request in (
        ContainerRequest.integer("ml/train", 4),
        ContainerRequest.integer("quiet", 1, wishes=Wishes(cores="isolate")),
        ContainerRequest.pinned("db/main", CpuSet.parse("64-65"), exclusive=True, pod="db", name="main"),
        ContainerRequest.pinned("db/log", CpuSet.parse("64-65"), exclusive=False, pod="db", name="log"),
        ContainerRequest.shared("web", pod="web"),
    ):
        found = apply(found, place(found, request).unwrap())
    return found


def test_owners_are_all_but_the_shared_and_a_pod_shares_its_pin(state: HostState) -> None:
    picture = picture_of(state)
    assert list(picture.owners) == ["ml/train", "quiet", "db/main, log (pinned)"]
    assert picture.owners["ml/train"] == state["ml/train"].cpus
    assert picture.owners["db/main, log (pinned)"] == CpuSet.parse("64-65")


def test_marks_are_what_the_state_says(state: HostState) -> None:
    marks = picture_of(state).marks
    assert (marks.reserved, marks.unusable) == (CpuSet([0]), CpuSet([255]))
    assert marks.withheld == state.withheld != CpuSet()


def test_what_is_drawn_as_pool_is_the_pool(state: HostState) -> None:
    looks = {look["state"]: look["cpus"] for look in picture_of(state).to_dict()["looks"]}
    assert CpuSet.parse(looks["pool"]) | state.reserved == state.pool


def test_topology_draws_a_saved_state(run: Run, state: HostState, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(state_format.render(state))
    arguments = ("topology", "--host", "amd-epyc-7742-2s-nps4", "--state", str(file))
    out = run(*arguments).out
    assert f"A ml/train: 4 CPUs {state['ml/train'].cpus}" in out
    assert "C db/main, log (pinned): 2 CPUs 64-65" in out
    data = json.loads(run(*arguments, "-o", "json").out)
    assert (data["schema"], data["host"]) == (1, "amd-epyc-7742-2s-nps4")
    assert {"state": "owner", "label": "db/main, log (pinned)", "cpus": "64-65"} in data["looks"]


def test_a_state_of_another_host_is_bad_input(run: Run, state: HostState, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(state_format.render(state))
    code, out, err = run("topology", "--host", "vm-2cpu", "--state", str(file))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert run("topology", "--host", "vm-2cpu", "--state", str(tmp_path / "none.json")).code == 2
