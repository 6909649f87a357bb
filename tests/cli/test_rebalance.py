"""`cpuplace rebalance`: who moves and why, as text, as data, into a file."""

import json
from pathlib import Path

import pytest

import cpuplace as cp
from cli.commands import Run
from cpuplace.formats import hwloc_synthetic
from cpuplace.formats import state as state_format

HOST = "synthetic:pack:2 [numa] l3:1 core:4 pu:1"
make = cp.ContainerRequest


@pytest.fixture
def fragmented(tmp_path: Path) -> Path:
    """`c` spans both nodes, and where `a` was there is room for it in one."""
    host = hwloc_synthetic.parse(HOST.removeprefix("synthetic:"), name="synthetic")
    state = cp.HostState.empty(host, cp.Policy(min_shared_cpus=0))
    for key, count in (("a", 3), ("b", 3), ("c", 2)):
        request = make.integer(f"default/{key}-1/main", count, pod=f"default/{key}", name="main")
        state = cp.apply(state, cp.place(state, request).unwrap())
    state = cp.apply(state, cp.release(state, "default/a-1/main"))
    path = tmp_path / "now.json"
    path.write_text(state_format.render(state))
    return path


def test_who_moves_and_why(run: Run, fragmented: Path) -> None:
    code, out, err = run("rebalance", str(fragmented), "--host", HOST, "--max-moves", "1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["CONTAINER", "FROM", "TO", "ITS", "OWN", "TUPLE"]
    assert lines[1].startswith("c/main     3,7 (nodes 0, 1)  0,3 (node 0)  nodes 2 -> 1, distance 80 -> 0, ")
    assert "sum of all tuples" in lines
    assert "· nodes 3 -> 2: NUMA nodes spanned" in lines
    assert lines.index("before") < lines.index("after")
    assert lines[-1] == "1 of 2 integer containers moves"


def test_json(run: Run, fragmented: Path) -> None:
    code, out, _ = run("rebalance", str(fragmented), "--host", HOST, "--max-moves", "1", "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["host"], data["optimal"], data["pool"]) == (0, 1, "synthetic", True, "1-2,7")
    assert [(one["pod"], one["container"], one["id"]) for one in data["moves"]] == [
        ("default/c", "main", "default/c-1/main")
    ]
    before, after = data["moves"][0]["before"], data["moves"][0]["after"]
    assert (before["cpus"], before["mems"], before["tuple"]["nodes"]) == ("3,7", None, 2)
    assert (after["cpus"], after["mems"], after["tuple"]["nodes"]) == ("0,3", None, 1)
    assert (data["sum"]["before"]["nodes"], data["sum"]["after"]["nodes"]) == (3, 2)
    assert [one["op"] for one in data["steps"]] == ["move"]


def test_the_result_is_saved_and_has_no_further_move(run: Run, fragmented: Path, tmp_path: Path) -> None:
    tidy = tmp_path / "tidy.json"
    arguments = ("--host", HOST, "--max-moves", "3")
    assert run("rebalance", str(fragmented), *arguments, "--save-state", str(tidy)).code == 0
    assert run("diff", str(fragmented), str(tidy), "--host", HOST).code == 1
    code, out, _ = run("rebalance", str(tidy), *arguments)
    assert (code, out) == (0, "nobody moves: no such moves help\n")


def test_a_spent_budget_is_said(run: Run, fragmented: Path) -> None:
    arguments = ("--host", HOST, "--max-moves", "2", "--search-budget", "0")
    code, out, _ = run("rebalance", str(fragmented), *arguments)
    assert (code, out) == (
        0,
        "nobody moves: no such moves help; the search budget was spent, there may be better\n",
    )


def test_who_moves_for_others(run: Run, tmp_path: Path) -> None:
    host = hwloc_synthetic.parse("l3:1 core:3 pu:2", name="synthetic")
    runs = [
        cp.Observed(request=make.integer("a", 2), cpus=cp.CpuSet([0, 1])),
        cp.Observed(request=make.integer("b", 1), cpus=cp.CpuSet([2])),
        cp.Observed(request=make.integer("c", 1), cpus=cp.CpuSet([4])),
    ]
    state = cp.synchronize(cp.HostState.empty(host, cp.Policy(min_shared_cpus=0)), runs).after
    path = tmp_path / "now.json"
    path.write_text(state_format.render(state))
    code, out, _ = run("rebalance", str(path), "--host", "synthetic:l3:1 core:3 pu:2", "--max-moves", "1")
    assert code == 0
    assert out.splitlines()[-1] == "1 of 3 integer containers moves"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--max-moves", "-1"), "max_moves"),
        (("--max-moves", "many"), "max-moves"),
        ((), "max-moves"),
        (("--max-moves", "1", "--search-budget", "-1"), "search_budget"),
    ],
)
def test_bad_numbers(run: Run, fragmented: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run("rebalance", str(fragmented), "--host", HOST, *arguments)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_no_state(run: Run, tmp_path: Path) -> None:
    code, _, err = run("rebalance", str(tmp_path / "no.json"), "--max-moves", "1")
    assert code == 2 and "no.json" in err
