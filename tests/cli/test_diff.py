"""`cpuplace diff`: two states or plans, in words, as maps, as data."""

import json
from pathlib import Path

import pytest
from attrs import evolve

import cpuplace as cp
from cli.commands import Run
from cli.manifests import EXAMPLES
from cpuplace import catalogue
from cpuplace.formats import state as state_format

HOST = "vm-2cpu"
BIG = "amd-epyc-7742-2s-nps4"
make = cp.ContainerRequest


def state_of(name: str, *requests: cp.ContainerRequest) -> cp.HostState:
    state = cp.HostState.empty(catalogue.host(name))
    for request in requests:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


@pytest.fixture
def save(tmp_path: Path) -> "Save":
    return Save(tmp_path)


class Save:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, state: cp.HostState) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(state_format.render(state))
        return str(path)


BEFORE = (
    make.integer("a-1", 4, pod="default/a", name="main"),
    make.integer("b-1", 2, pod="default/b", name="main"),
    make.shared("web-1", pod="default/web", name="web"),
    make.pinned("s-1", cp.CpuSet([64]), exclusive=True, pod="default/s", name="main"),
    make.integer("flip-1", 1, pod="default/flip", name="main"),
)


def test_equal_states(run: Run, save: Save) -> None:
    path = save("a", state_of(BIG, *BEFORE))
    assert run("diff", path, path) == (0, "nothing differs\n", "")
    code, out, _ = run("diff", path, path, "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["equal"], data["changes"]) == (0, 1, True, [])


def test_ids_may_change(run: Run, save: Save) -> None:
    one = state_of(BIG, make.integer("a-1", 4, pod="p", name="main"))
    other = state_of(BIG, make.integer("a-2", 4, pod="p", name="main"))
    assert run("diff", save("a", one), save("b", other)).code == 0


def test_who_came_went_moved_and_changed(run: Run, save: Save) -> None:
    start = state_of(BIG, *BEFORE)
    later = state_of(
        BIG,
        make.integer("b-1", 2, pod="default/b", name="main"),
        make.shared("flip-1", pod="default/flip", name="main"),
        make.pinned("s-1", cp.CpuSet([64]), exclusive=True, pod="default/s", name="main"),
        make.integer("new", 17),
        make.shared("other"),
    )
    code, out, err = run("diff", save("a", start), save("b", later), "--width", "120")
    assert (code, err) == (1, "")
    assert out.startswith(
        "changes\n"
        "· a/main went: 0-1,128-129 (node 0)\n"
        "· b/main moved from 2,130 (node 0) to 0,128 (node 0)\n"
        "· flip/main changed from 192 (node 4) to the pool\n"
        "· web/web went: the pool\n"
    )
    assert "· new came: " in out
    assert "\n· other came: the pool\n" in out
    assert "\npool\n· from 3-63," in out
    assert out.index("\nbefore\n") < out.index("\nafter\n")
    assert out.endswith("\n2 went, 1 moved, 1 changed, 2 came\n")
    before, _, after = out.partition("\nafter\n")
    for text in (before, after):  # the same letter in both maps
        assert "B b/main: 2 CPUs" in text
        assert "default/s (pinned): 1 CPU 64" in text


def test_json_of_changes(run: Run, save: Save) -> None:
    one, other = save("a", state_of(HOST)), save("b", state_of(HOST, make.integer("x", 1)))
    code, out, _ = run("diff", one, other, "-o", "json")
    data = json.loads(out)
    assert (code, data["host"], data["equal"], data["pool"]) == (1, HOST, False, {"before": "0-1", "after": "1"})
    assert data["changes"] == [
        {
            "pod": "x",
            "container": "x",
            "before": None,
            "after": {"kind": "integer", "cpus": "0", "mems": None},
        }
    ]


def test_memory_and_withheld_siblings(run: Run, save: Save) -> None:
    state = state_of(HOST, make.integer("x", 1))
    bound = evolve(state, owners={"x": evolve(state["x"], mems=cp.NodeSet([0]))})
    both = evolve(state, owners={"x": evolve(state["x"], withheld=cp.CpuSet([1]))})
    code, out, _ = run("diff", save("a", state), save("b", bound))
    assert code == 1
    assert out.startswith("changes\n· x rebound: memory of any node before, of node 0 now\n\nbefore\n")
    code, out, _ = run("diff", save("b", bound), save("c", both))
    assert out.startswith(
        "changes\n· x rebound: memory of node 0 before, of any node now, withheld none before, 1 now\n"
    )
    assert run("diff", save("a", state), save("c", both)).out.endswith("\n1 changed\n")


def test_plans_and_states(run: Run, save: Save, tmp_path: Path) -> None:
    manifest = str(EXAMPLES / "mixed-workload.yaml")
    plan, state = tmp_path / "plan.json", tmp_path / "state.json"
    plan.write_text(run("plan", manifest, "--host", BIG, "--save-state", str(state), "-o", "json").out)
    assert run("diff", str(plan), str(plan)).code == 0
    assert run("diff", str(plan), str(state)) == (0, "nothing differs\n", "")
    idle = save("idle", state_of(BIG))
    code, out, _ = run("diff", idle, str(plan))
    assert code == 1
    assert "data/database/postgres came: " in out


def test_the_pool_alone(run: Run, tmp_path: Path) -> None:
    paths = []
    for name, pool in (("a", "0-1"), ("b", "0")):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"schema": 1, "host": HOST, "containers": [], "pool": pool}))
        paths.append(str(path))
    code, out, _ = run("diff", *paths)
    assert code == 1
    assert out.startswith("pool\n· from 0-1 to 0\n")
    assert out.endswith("\nonly the pool differs\n")


def test_another_host_is_bad_input(run: Run, save: Save, tmp_path: Path) -> None:
    small, big = save("a", state_of(HOST)), save("b", state_of(BIG))
    code, out, err = run("diff", small, big)
    assert (code, out, err.count("\n")) == (2, "", 1)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"schema": 1, "host": "x", "containers": [], "pool": "0-9"}))
    code, _, err = run("diff", str(plan), str(plan), "--host", HOST)
    assert (code, err) == (2, f"cpuplace: error: {plan}: names CPUs that vm-2cpu does not have: 2-9\n")
    assert run("diff", str(plan), str(tmp_path / "absent")).code == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "pool": "0"}', '{"schema": 1, "policy": {}}'])
def test_what_is_neither(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    code, out, err = run("diff", str(path), str(path), "--host", HOST)
    assert (code, out, err.count("\n")) == (2, "", 1)
