"""`cpuplace fit`: how many more, and what stops the next one."""

import json
import sys
from pathlib import Path

import pytest

from cli.commands import Run
from cli.manifests import EXAMPLES, deployment, on_node, pod

HOST = "amd-epyc-7742-2s-nps4"
MIXED = str(EXAMPLES / "mixed-workload.yaml")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "pods.yaml"


def test_each_pod_of_the_example_by_itself(run: Run) -> None:
    code, out, err = run("fit", MIXED, "--host", HOST, "--width", "120")
    assert (code, err) == (0, "")
    assert "\n0 containers there, 256 CPUs free, 256 shared\n" in out
    assert "\ndata/database  1         container postgres: the pin 0-3 meets CPUs 0-3" in out
    assert "\nml/training-0  31        container trainer: asks for 8 CPUs, but the pool has 8 and must keep 1" in out
    assert "\nweb-0..2       no limit  takes no CPU away from others\n" in out


def test_the_same_as_data(run: Run) -> None:
    data = json.loads(run("fit", MIXED, "--host", HOST, "-o", "json").out)
    assert (data["schema"], data["host"]) == (1, HOST)
    assert [(one["pod"], one["count"], one["limit_reached"]) for one in data["fits"]] == [
        ("data/database", 1, False),
        ("ml/training-0", 31, False),
        ("default/web-0..2", None, False),
    ]
    assert [one["stopped_by"] and one["stopped_by"]["rule"] for one in data["fits"]] == ["R2", "R6", None]


def test_a_state_leaves_less(run: Run, tmp_path: Path, manifest: Path) -> None:
    saved = tmp_path / "now.json"
    manifest.write_text(pod("job", "8"))
    run("plan", MIXED, "--host", HOST, "--save-state", str(saved))
    data = json.loads(run("fit", str(manifest), "--state", str(saved), "-o", "json").out)
    assert data["fits"][0]["count"] == 30


@pytest.mark.parametrize("cpus", [1, 3, 6, 7, 10, 19, 20])
def test_what_fits_can_be_planned_and_one_more_cannot(run: Run, manifest: Path, cpus: int) -> None:
    manifest.write_text(pod("job", str(cpus)))
    (found,) = json.loads(run("fit", str(manifest), "--host", "intel-i7-1370p", "-o", "json").out)["fits"]
    assert found["count"] == (20 - 1) // cpus  # one CPU stays for who shares
    manifest.write_text(deployment("job", found["count"] + 1, str(cpus)))
    data = json.loads(run("plan", str(manifest), "--host", "intel-i7-1370p", "-o", "json").out)
    assert (len(data["containers"]), len(data["refusals"])) == (found["count"], 1)
    assert data["refusals"][0]["sentence"] == found["stopped_by"]["sentence"]


def test_the_pods_of_one_node_and_what_was_left_out(run: Run, manifest: Path) -> None:
    ended = on_node(pod("c", "1"), "n2", "Failed")
    manifest.write_text(on_node(pod("a", "1"), "n1") + on_node(pod("b", "1"), "n2") + ended)
    out = run("fit", str(manifest), "--host", HOST, "--width", "200").out
    assert (
        "pods of 2 nodes (n1, n2) are taken for pods of one host: with --node NAME plan and fit read those of one"
        in out
    )
    data = json.loads(run("fit", str(manifest), "--host", HOST, "--node", "n1", "-o", "json").out)
    assert [one["pod"] for one in data["fits"]] == ["default/a"]
    assert data["notes"][0] == f"{manifest}: skipped pods that are on other nodes (1)"


def test_nothing_fits(run: Run, manifest: Path) -> None:
    manifest.write_text(pod("big", "3") + pod("odd", "1", annotations="cpuplace.dev/nmua: x"))
    code, out, _ = run("fit", str(manifest), "--host", "vm-2cpu", "--width", "150")
    assert code == 1
    assert "\nbig  0     container c0: asks for 3 CPUs, 2 free ones may be used; 1 CPU would fit" in out
    assert "\nodd  0     container c0: annotation cpuplace.dev/nmua" in out


def test_the_limit_ends_the_count(run: Run, manifest: Path) -> None:
    manifest.write_text(pod("small", "1"))
    arguments = ("fit", str(manifest), "--host", HOST, "--limit", "7")
    assert "\nsmall  at least 7  not looked further (--limit)\n" in run(*arguments).out
    assert json.loads(run(*arguments, "-o", "json").out)["fits"] == [
        {"pod": "default/small", "count": 7, "limit_reached": True, "stopped_by": None}
    ]


def test_replicas_count_once_other_pods_for_themselves(run: Run, manifest: Path) -> None:
    manifest.write_text(deployment("a", 3, "2") + pod("b", "2") + pod("c-0", "1") + pod("c-1", "2"))
    out = run("fit", str(manifest), "--host", HOST, "--width", "150").out
    assert [line.split()[0] for line in out.splitlines()[4:]] == ["a-0..2", "b", "c-0", "c-1"]


def test_a_terminal_hears_how_far_the_count_is(
    run: Run, manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest.write_text(pod("small", "1"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    err = run("fit", str(manifest), "--host", "amd-epyc-9965-2s").err
    assert err == "\rdefault/small: 500 fit so far\r\x1b[K"


def test_no_pods_is_said(run: Run, manifest: Path) -> None:
    manifest.write_text("kind: ConfigMap\nmetadata: {name: a}\n")
    code, out, _ = run("fit", str(manifest), "--host", "vm-2cpu")
    assert (code, out.splitlines()[-1]) == (0, "no pods in these manifests")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "--host", HOST], "fit: no manifest given"),
        (["fit", MIXED, "--host", HOST, "--limit", "0"], "--limit: must be at least 1, not 0"),
        (["fit", MIXED, "--host", HOST, "--hmm"], "unknown option --hmm (see cpuplace fit --help)"),
        (["fit", "none.yaml", "--host", HOST], "none.yaml"),
    ],
)
def test_bad_input_is_one_line(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
