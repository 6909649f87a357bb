"""`cpuplace plan`: real pods on real hosts, all or none, in a table, a map and as data; states that chain."""

import io
import json
import re
import stat
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cli.commands import Run
from cli.manifests import EXAMPLES, deployment, on_node, pod, pods
from cpuplace import catalogue
from cpuplace.facts import PodFacts
from cpuplace.formats import state as state_format
from cpuplace_cli.plan_json import plan_data
from cpuplace_cli.plan_outcome import Outcome, plan_pods
from cpuplace_cli.plan_rows import rows_of
from cpuplace_cli.plan_text import Wanted, plan_lines
from cpuplace_cli.textmap import plain_text
from cpuplace_k8s.files import read_files
from laws.worlds import states
from machines import captured

HOST = "amd-epyc-7742-2s-nps4"
MIXED = str(EXAMPLES / "mixed-workload.yaml")


# --- laws ----------------------------------------------------------------------------------------


def placed_ids(outcome: Outcome) -> set[str]:
    return {held.container_id for one in outcome.started for held in outcome.held(one)}


@given(states(), pods())
def test_a_pod_is_placed_whole_or_not_at_all(state: cp.HostState, some: list[PodFacts]) -> None:
    outcome = plan_pods(state, some)
    assert [one.pod for one in outcome.pods] == some
    assert cp.violations(outcome.state) == ()
    for one in outcome.pods:
        staying = {c.container_id for c in one.pod.containers if c.role != "init"}
        there = {key for key in outcome.state.assignments if key.startswith(f"{one.uid}/")}
        assert there == (set() if one in outcome.refused else staying)
        assert (one.refused is None) == (one not in outcome.refused)


@given(states(), pods(), pods())
def test_two_plans_in_a_row_are_one(state: cp.HostState, first: list[PodFacts], second: list[PodFacts]) -> None:
    second = [one for one in second if one.uid not in {other.uid for other in first}]
    at_once = plan_pods(state, first + second)
    saved = state_format.render(plan_pods(state, first).state)
    chained = plan_pods(state_format.parse(saved, state.topology), second)
    assert chained.state == at_once.state
    rest = at_once.pods[len(first) :]
    assert [one.refusal for one in chained.pods] == [one.refusal for one in rest]


@given(states(), pods())
def test_the_same_pods_again_are_the_empty_plan(state: cp.HostState, some: list[PodFacts]) -> None:
    first = plan_pods(state, some)
    again = plan_pods(first.state, [one.pod for one in first.started])
    assert again.plan.is_empty
    assert again.refused == ()
    assert placed_ids(again) == placed_ids(first) - {held.container_id for one in first.started for held in one.init}


@given(states(), pods(most=12))
def test_every_container_is_in_the_table_once(state: cp.HostState, some: list[PodFacts]) -> None:
    outcome = plan_pods(state, some)
    containers = [(one.pod.name, held.request.name) for one in outcome.started for held in outcome.held(one)]
    assert [(row.pod, row.container) for row in rows_of(outcome, {}, every=True)] == containers
    unfolded = []
    for row in rows_of(outcome, {}):
        stem, _, span = row.pod.rpartition("-")
        low, _, high = span.partition("..")
        unfolded += [(f"{stem}-{number}", row.container) for number in range(int(low), int(high or low) + 1)]
    assert sorted(unfolded) == sorted(containers)


@given(states(), pods(most=12), st.integers(40, 200), st.booleans(), st.booleans())
def test_no_line_is_longer_than_the_width(
    state: cp.HostState, some: list[PodFacts], width: int, every: bool, explain: bool
) -> None:
    lines = plain_text(plan_lines(plan_pods(state, some, explain=explain), width, Wanted(every=every, explain=explain)))
    # Below 60 columns the cells of the table, which never vanish, may need more.
    assert max(map(len, lines.splitlines())) <= max(width, 60)


@given(states(), pods())
def test_the_data_says_what_the_plan_does(state: cp.HostState, some: list[PodFacts]) -> None:
    outcome = plan_pods(state, some, explain=True)
    data: dict[str, Any] = json.loads(json.dumps(plan_data(outcome, explain=True)))
    assert data["pool"] == str(outcome.state.pool)
    for one in data["containers"]:
        if not one["init"]:
            held = outcome.state[f"{one['pod']}/{one['container']}"]
            assert (one["cpus"], one["exclusive"]) == (str(held.cpus), held.exclusive)
            assert one["mems"] == (None if held.mems is None else str(held.mems))
    assert [step["container_id"] for step in data["steps"]] == [s.container_id for s in outcome.plan.steps]
    assert {one["pod"] for one in data["refusals"]} == {one.uid for one in outcome.refused}
    for one in data["refusals"]:
        names = {c.name for c in next(p for p in some if p.uid == one["pod"]).containers}
        assert {one["container"], *one["not_placed"]} == names
    explained = {one["container_id"] for one in data["explanations"] if one["rule"] != "R3"}  # others make way
    assert explained == (set() if outcome.plan.is_empty else placed_ids(outcome))


# --- what it prints ------------------------------------------------------------------------------

FIRST_IMPRESSION = """\
   POD            CONTAINER  KIND     CPUS              MEMORY  WHY
A  data/database  postgres   pinned     4  0-3          node 0  R1  pinned as written; siblings 128-131 stay in the pool
B  ml/training-0  trainer    integer    8  4-7,132-135  -       R4  node 0, 1 L3, 4 whole cores
.  web-0..2       nginx      shared   244  pool         -       R5  shares the pool
"""


def test_the_first_impression(run: Run) -> None:
    code, out, err = run("plan", MIXED, "--host", HOST, "--width", "120")
    assert (code, err) == (0, "")
    assert out.startswith(FIRST_IMPRESSION)
    assert "    0-7 │AAAA│BBBB│" in out
    assert out.endswith("\n5 pods placed; 12 CPUs exclusive, 244 shared, 244 free for exclusive use\n")


def test_a_narrow_terminal_has_the_reasons_below(run: Run) -> None:
    out = run("plan", MIXED, "--host", HOST, "--width", "80").out
    assert "WHY" not in out
    assert "   R1  pinned as written; siblings 128-131 stay in the pool\n" in out


def test_refusals_say_who_what_and_what_would_fit(run: Run) -> None:
    code, out, _ = run("plan", str(EXAMPLES / "refused.yaml"), "--host", HOST, "--width", "200")
    assert code == 1
    assert "✗ overlaps, container main: the pin 2-5 meets CPUs 2-3 of default/good/main (PinOverlap, R2)\n" in out
    assert "asks for 300 CPUs, 252 free ones may be used; 251 CPUs would fit (NotEnoughCpus, R4)\n" in out
    assert "did you mean numa" in out
    assert out.endswith("1 pod placed, 5 refused; 4 CPUs exclusive, 252 shared, 252 free for exclusive use\n")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "pods.yaml"


def test_the_rest_of_a_refused_pod_is_named(run: Run, manifest: Path) -> None:
    manifest.write_text(pod("half", "1", "3") + pod("whole", "1"))
    code, out, _ = run("plan", str(manifest), "--host", "vm-2cpu", "--width", "150")
    assert code == 1
    assert "✗ half, container c1: asks for 3 CPUs, 1 free" in out
    assert "so the rest of its pod is not placed: c0\n" in out
    assert "A  whole  c0" in out


def test_many_replicas_are_one_row_one_owner_and_one_refusal(run: Run, manifest: Path) -> None:
    manifest.write_text(deployment("worker", 200, "3", "1"))
    arguments = ("plan", str(manifest), "--host", HOST, "--width", "160")
    out = run(*arguments).out
    assert re.search(r"^A  worker-0\.\.62  c0 +integer  63 x 3  0-125,128,130,132,… ", out, re.MULTILINE)
    assert "each on 1 node, 1 L3, 1 whole core, 1 core in part" in out
    assert "A worker-0..62/c0: 189 CPUs" in out
    assert out.count("✗") == 1
    assert "✗ worker-63..199, container c1: asks for 1 CPU, but the pool has 1 and must keep 1" in out
    every = run(*arguments, "--all").out
    assert len(re.findall(r"^.  worker-\d+ ", every, re.MULTILINE)) == 126


def test_explain_shows_candidates_and_what_decided(run: Run) -> None:
    out = run("plan", MIXED, "--host", HOST, "--explain").out
    assert "ml/training-0/trainer  R4  given 4-7,132-135, the best 8 of 252 free CPUs\n" in out
    assert "\n    *  4-7,132-135                 20\n" in out
    assert "    decided by node_leftover: free CPUs left in the nodes touched (best fit)\n" in out
    assert "web-0..2/nginx  R5  shares the pool" in out


def test_explain_names_who_makes_way_though_another_command_placed_it(run: Run, manifest: Path, tmp_path: Path) -> None:
    saved = tmp_path / "state.json"
    manifest.write_text(pod("db", "2"))
    run("plan", str(manifest), "--host", HOST, "--save-state", str(saved))
    manifest.write_text(pod("feed", "1", annotations='"cpuplace.dev/cores": "0"'))
    out = run("plan", str(manifest), "--state", str(saved), "--explain").out
    assert "\ndb/c0  R3  " in out


def test_a_cut_search_is_said(manifest: Path) -> None:
    manifest.write_text(pod("wide", "1"))
    outcome = plan_pods(cp.HostState.empty(catalogue.host("vm-2cpu")), read_files([manifest]).pods)
    (one,) = outcome.started
    outcome = evolve(outcome, plan=evolve(outcome.plan, optimal=False), pods=(evolve(one, optimal=False),))
    assert plan_data(outcome)["optimal"] is False
    text = plain_text(plan_lines(outcome, 120, Wanted()))
    assert "\n· wide: the search budget cut the choice short, better CPUs may be free (policy: search_budget)\n" in text


def test_notes_of_replicas_are_said_once(run: Run, manifest: Path) -> None:
    text = deployment("web", 3, "2", "1")
    manifest.write_text(text.replace("limits: {cpu: 1, memory: 1Mi}", "limits: {cpu: 1}"))
    out = run("plan", str(manifest), "--host", "vm-2cpu", "--width", "120").out
    assert out.count("·") == 2
    assert (
        "\n· web-0..2, container c0: asks for 2 whole CPUs but is shared, as its pod is not Guaranteed: see c1" in out
    )
    assert (
        "\n· web-0..2, container c1: asks for 1 whole CPU but is shared, as its pod is not Guaranteed: its mem" in out
    )


def test_init_containers_are_shown_with_what_they_had(run: Run) -> None:
    arguments = ("plan", str(EXAMPLES / "init-and-sidecars.yaml"), "--host", HOST)
    out = run(*arguments, "--width", "120").out
    assert re.search(r"^   analytics  unpack +integer, init", out, re.MULTILINE)
    data = json.loads(run(*arguments, "-o", "json").out)
    assert [one["container"] for one in data["containers"] if one["init"]] == ["unpack", "warm-up"]
    assert "default/analytics/unpack" not in {step["container_id"] for step in data["steps"]}


@pytest.mark.parametrize("name", list(catalogue.NAMES))
def test_the_example_is_planned_on_every_host_of_the_catalogue(run: Run, name: str) -> None:
    code, out, err = run("plan", MIXED, "--host", name, "--explain")
    assert (code in (0, 1), err) == (True, "")
    assert max(map(len, out.splitlines())) <= 100
    assert code == (1 if "refused" in out else 0)


@pytest.mark.skipif(bool(captured.ABSENT), reason=captured.ABSENT)
@pytest.mark.parametrize("name", captured.NAMES)
def test_the_example_is_planned_on_every_captured_machine(run: Run, name: str) -> None:
    code, out, err = run("plan", MIXED, "--host", str(captured.tarball(name)))
    assert (code in (0, 1), err) == (True, "")
    assert re.search(r"^\d pods? placed", out, re.MULTILINE)


# --- other ways in and out -----------------------------------------------------------------------


def test_json_keeps_its_names(run: Run) -> None:
    data = json.loads(run("plan", MIXED, "--host", HOST, "-o", "json").out)
    assert list(data)[:3] == ["schema", "host", "containers"]
    assert data["schema"] == 1
    assert data["containers"][0] == {
        "pod": "data/database",
        "container": "postgres",
        "kind": "pinned",
        "cpus": "0-3",
        "mems": "0",
        "preferred_mems": None,
        "exclusive": True,
        "withheld": "",
        "init": False,
        "rule": "R1",
    }
    assert data["steps"][0] == {
        "op": "grant",
        "container_id": "data/database/postgres",
        "before": None,
        "after": {"cpus": "0-3", "mems": "0"},
    }
    refusals = json.loads(run("plan", str(EXAMPLES / "refused.yaml"), "--host", HOST, "-o", "json").out)["refusals"]
    assert refusals[2] == {
        "pod": "default/too-many",
        "container": "main",
        "kind": "NotEnoughCpus",
        "container_id": "default/too-many/main",
        "rule": "R4",
        "sentence": "asks for 300 CPUs, 252 free ones may be used; 251 CPUs would fit",
        "asked": 300,
        "free": "4-255",
        "fits": 251,
        "not_placed": [],
    }


def test_manifests_come_from_standard_input_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(pod("only", "1").encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert "A  only  c0" in run("plan", "-", "--host", "vm-2cpu").out


CLUSTER = on_node(pod("a", "1"), "n1") + on_node(pod("b", "1"), "n2") + on_node(pod("c", "1"), "n2", "Succeeded")


def test_a_whole_cluster_is_planned_node_by_node(run: Run, manifest: Path) -> None:
    manifest.write_text(CLUSTER)
    data = json.loads(run("plan", str(manifest), "--host", HOST, "--node", "n2", "-o", "json").out)
    assert [one["pod"] for one in data["containers"]] == ["default/b"]
    assert data["notes"] == [
        f"{manifest}: skipped pods that are on other nodes (1)",
        f"{manifest}: skipped pods that have ended: they hold no CPUs (1)",
    ]
    for name, hint in (("nn2", "did you mean n2"), ("other", "known are n1, n2")):
        code, out, err = run("plan", str(manifest), "--host", HOST, "--node", name)
        assert (code, out) == (2, "")
        assert err == f"cpuplace: error: --node {name}: no pod in these manifests is on this node ({hint})\n"
    assert "(there is none)" in run("plan", MIXED, "--host", HOST, "--node", "n1").err


def test_pods_of_several_nodes_on_one_host_are_noted(run: Run, manifest: Path) -> None:
    manifest.write_text(CLUSTER)
    data = json.loads(run("plan", str(manifest), "--host", HOST, "-o", "json").out)
    assert [one["pod"] for one in data["containers"]] == ["default/a", "default/b"]
    assert data["notes"][-1] == (
        "pods of 2 nodes (n1, n2) are taken for pods of one host: with --node NAME plan and fit read those of one"
    )


def test_the_map_as_svg_on_standard_output_and_in_a_file(run: Run, tmp_path: Path) -> None:
    code, out, err = run("plan", str(EXAMPLES / "refused.yaml"), "--host", HOST, "-o", "svg")
    assert code == 1
    assert ElementTree.fromstring(out).tag.endswith("svg")
    assert err.count("cpuplace: refused: ") == 5
    file = tmp_path / "map.svg"
    assert run("plan", MIXED, "--host", HOST, "--svg", str(file)).code == 0
    assert "ml/training-0/trainer" in file.read_text()


def test_no_pods_is_said(run: Run, manifest: Path) -> None:
    manifest.write_text("kind: ConfigMap\nmetadata: {name: a}\n")
    code, out, _ = run("plan", str(manifest), "--host", "vm-2cpu")
    assert code == 0
    assert out.endswith("no pods to place\n")
    assert "skipped ConfigMap (1)" in out


# --- states --------------------------------------------------------------------------------------


def test_plans_are_chained_through_a_saved_state(run: Run, tmp_path: Path, manifest: Path) -> None:
    saved = tmp_path / "now.json"
    manifest.write_text(pod("later", "8"))
    assert run("plan", MIXED, "--host", HOST, "--save-state", str(saved)).code == 0
    first = saved.read_text()
    data = json.loads(run("plan", str(manifest), "--state", str(saved), "--save-state", str(saved), "-o", "json").out)
    assert data["host"] == HOST
    assert [one["cpus"] for one in data["containers"]] == ["8-11,136-139"]
    assert saved.read_text() != first
    assert [path.name for path in tmp_path.iterdir() if path not in (saved, manifest)] == []
    assert stat.S_IMODE(saved.stat().st_mode) & 0o077 == stat.S_IMODE(manifest.stat().st_mode) & 0o077
    drawn = run("topology", "--state", str(saved)).out
    assert "C later/c0: 8 CPUs 8-11,136-139" in drawn


def test_pods_that_have_ended_are_released_before_others_are_placed(run: Run, tmp_path: Path, manifest: Path) -> None:
    saved = tmp_path / "now.json"
    manifest.write_text(pod("first", "200"))
    assert run("plan", MIXED, str(manifest), "--host", HOST, "--save-state", str(saved)).code == 0
    manifest.write_text(pod("second", "200"))
    where = ("--state", str(saved))
    assert run("plan", str(manifest), *where).code == 1
    both = ("--release", "first", "--release", "data/database")
    data = json.loads(run("plan", str(manifest), *where, *both, "-o", "json").out)
    assert data["released"][1] == {"pod": "data/database", "cpus": "0-3"}
    assert len(cp.CpuSet.parse(data["released"][0]["cpus"])) == 200
    assert [(step["op"], step["container_id"]) for step in data["steps"][:2]] == [
        ("release", "data/database/postgres"),
        ("release", "default/first/c0"),
    ]
    out = run("plan", str(manifest), *where, *both, "--width", "120").out
    assert "\nreleased\n· first: 200 CPUs " in out
    assert "\n· data/database: 4 CPUs 0-3 no longer exclusive\n" in out
    assert "\n2 pods released, 1 pod placed; " in out


def test_a_release_needs_no_manifest_and_leaves_nothing_of_the_pod(run: Run, tmp_path: Path) -> None:
    saved, idle = tmp_path / "now.json", tmp_path / "idle.json"
    run("plan", MIXED, "--host", HOST, "--save-state", str(saved))
    gone = ("--release", "data/database", "--release", "ml/training-0", "--release", "web-0..2")
    code, out, err = run("plan", "--state", str(saved), *gone, "--save-state", str(idle))
    assert (code, err) == (0, "")
    assert "· web-1: it had no CPUs of its own\n" in out
    assert out.endswith("\n5 pods released; 0 CPUs exclusive, 256 shared, 256 free for exclusive use\n")
    assert not state_format.parse(idle.read_text(), catalogue.host(HOST)).assignments
    assert not state_format.parse(idle.read_text(), catalogue.host(HOST)).remembered


def test_a_pod_that_is_not_there_is_not_released(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "now.json"
    run("plan", MIXED, "--host", HOST, "--save-state", str(saved))
    for name, hint in (("data/databse", "did you mean data/database"), ("zzz", "known are "), ("web-0..9", "did")):
        code, out, err = run("plan", "--state", str(saved), "--release", name)
        assert (code, out) == (2, "")
        said = name.replace("0..9", "3")
        assert err.startswith(f"cpuplace: error: --release {said}: no such pod in the state ({hint}")


@given(states(), pods())
def test_what_is_released_again_leaves_the_host_as_it_was(state: cp.HostState, some: list[PodFacts]) -> None:
    first = plan_pods(state, some)
    back = plan_pods(first.state, [], ended=[one.uid for one in first.started])
    assert cp.violations(back.state) == ()
    assert {key: one.request for key, one in back.state.assignments.items()} == {
        key: one.request for key, one in state.assignments.items()
    }
    assert all(cp.CpuSet() <= one.cpus for one in back.released)


def test_the_same_manifest_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    saved, again = tmp_path / "a.json", tmp_path / "b.json"
    run("plan", MIXED, "--host", HOST, "--save-state", str(saved))
    code, out, _ = run("plan", MIXED, "--state", str(saved), "--save-state", str(again), "--width", "150")
    assert code == 0
    assert out.endswith("\nnothing to do: 5 pods placed already\n")
    assert "there already: pinned as written" in out
    assert saved.read_text() == again.read_text()


def test_a_policy_beside_a_state_has_to_be_the_same(run: Run, tmp_path: Path) -> None:
    policy, other, saved = (tmp_path / name for name in ("p.yaml", "q.yaml", "s.json"))
    policy.write_text("reserved: 0,128\nallow_reserved_pins: true\n")
    other.write_text("reserved: 0,128\n")
    assert run("plan", MIXED, "--host", HOST, "--policy", str(policy), "--save-state", str(saved)).code == 0
    assert run("plan", MIXED, "--state", str(saved), "--policy", str(policy)).code == 0
    code, out, err = run("plan", MIXED, "--state", str(saved), "--policy", str(other))
    assert (code, out) == (2, "")
    assert "allow_reserved_pins was True, --policy says False" in err


def test_a_state_of_another_host_says_what_differs(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "s.json"
    run("plan", MIXED, "--host", HOST, "--save-state", str(saved))
    code, out, err = run("plan", MIXED, "--host", "amd-epyc-7742-2s-nps1", "--state", str(saved))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "CPUs of the NUMA nodes were 8" in err


BAD: list[tuple[list[str], str]] = [
    (["plan", MIXED, "--host", HOST, "--release", "a"], "--release a: no such pod in the state (there is none)"),
    (["plan", "--host", HOST], "plan: no manifest given"),
    (["plan", MIXED, "--hots", HOST], "unknown option --hots (see cpuplace plan --help)"),
    (["plan", "none.yaml", "--host", HOST], "none.yaml"),
    (["plan", MIXED, "--host", "vm-3cpu"], "vm-2cpu"),
    (["plan", MIXED, "--host", HOST, "--state", "none.json"], "none.json: No such file"),
    (["plan", MIXED, "--host", HOST, "--policy", "none.yaml"], "none.yaml"),
    (["plan", MIXED, "--host", HOST, "--save-state", "/no/such/place.json"], "cannot be written: No such file"),
    (["plan", MIXED, "--host", HOST, "--svg", "/"], "cannot be written"),
    (["plan", MIXED, "--host", "vm-2cpu", "--policy", str(EXAMPLES / "policy.yaml")], "policy.yaml, at reserved:"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_bad_input_is_one_line(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("cpuplace: error: ")
    assert words in err
