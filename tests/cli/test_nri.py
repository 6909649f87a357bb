"""`cpuplace nri`: what it asks of a plugin that runs here, and what it says about a configuration."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

import cpuplace as cp
from cli.commands import Run
from cpuplace.events import Start
from cpuplace_nri.decision import Decision
from nri.nodes import busy
from nri.serving import Running, running, wait_until

NOBODY = "no plugin is running here (`cpuplace nri run` starts one; --admin-socket names another place)"
SMALL = "synthetic:pack:2 [numa] l3:1 core:4 pu:2"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("COLUMNS", "120")
    with running(tmp_path / "nri.sock", busy()) as made:
        yield made


def test_status_is_a_table_and_the_map(plugin: Running, run: Run) -> None:
    done = run("nri", "status", "--admin-socket", plugin.path)
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[1][:10] == ["A", "data/pinned/pin", "pinned", "1", "0", "node", "0", "R1", "pinned", "as"]
    assert lines[2][:7] == ["B", "job/main", "integer", "4", "1-2,9-10", "-", "R4"]
    assert lines[3][:6] == [".", "web-0/web", "shared", "11", "pool", "-"] and lines[3][6] == "R5"
    assert "0-3 │ABB.│" in done.out
    assert "B job/main: 4 CPUs 1-2,9-10" in done.out
    assert done.out.rstrip().splitlines()[-1].startswith("3 containers")


def test_status_as_json(plugin: Running, run: Run) -> None:
    value = json.loads(run("nri", "status", "--admin-socket", plugin.path, "-o", "json").out)
    assert value["schema"] == 1
    assert [one["container"] for one in value["containers"]] == [
        "data/pinned/pin",
        "default/job/main",
        "default/web-0/web",
    ]


def test_status_ends_with_1_when_somebody_is_worse_off_than_the_rules_allow(plugin: Running, run: Run) -> None:
    assert plugin.node is not None
    host = plugin.node.state.topology
    plugin.node.state = cp.change_topology(plugin.node.state, host.with_online(host.online - cp.CpuSet([0]))).after
    done = run("nri", "status", "--admin-socket", plugin.path)
    assert done.code == 1
    assert "worse than the rules allow" in done.out


def test_two_attempts_of_one_container_are_told_apart(plugin: Running, run: Run) -> None:
    assert plugin.node is not None
    plugin.node.names = {"aaa111": "default/a/a", "bbb222": "default/x/x", "bbb333": "default/x/x"}
    out = run("nri", "status", "--admin-socket", plugin.path).out
    assert "x/x#bbb222" in out and "x/x#bbb333" in out and "a/a " in out


def test_explain(plugin: Running, run: Run) -> None:
    plugin.decide(
        Decision(kind="place", container_id="bbb222", name="default/job/main", rule="R4", reason="4 of its own")
    )
    done = run("nri", "explain", "job/main", "--admin-socket", plugin.path)
    assert done.code == 0
    for words in ("bbb222", "4 CPUs of its own", "1-2,9-10 (4 CPUs)", "R4  node 0", "what was decided last"):
        assert words in done.out
    assert "the best 4 of " in done.out
    assert run("nri", "explain", "web-0/web", "--admin-socket", plugin.path).out.count("a share of the pool") == 1
    assert "exactly 0, of its own" in run("nri", "explain", "aaa", "--admin-socket", plugin.path).out
    value = json.loads(run("nri", "explain", "aaa", "--admin-socket", plugin.path, "-o", "json").out)
    assert (value["schema"], value["request"]["pin"]) == (1, "0")


def test_explain_a_refusal(plugin: Running, run: Run) -> None:
    refusal = cp.NotEnoughCpus(container_id="big", rule="R4", sentence="2 are free", asked=99, free=cp.CpuSet(), fits=2)
    plugin.decide(Decision(kind="place", container_id="big", name="x/big/main", refusal=refusal))
    done = run("nri", "explain", "big", "--admin-socket", plugin.path)
    assert "place refused  x/big/main  R4 2 are free (NotEnoughCpus)" in done.out


def test_explain_nobody(plugin: Running, run: Run) -> None:
    done = run("nri", "explain", "nobody", "--admin-socket", plugin.path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "cpuplace: error: explain: no container 'nobody' is known (`cpuplace nri status` lists all of them)\n"
    )


def test_events_lists_the_last_ones(plugin: Running, run: Run) -> None:
    plugin.decide(
        Decision(kind="place", container_id="bbb222", name="default/job/main", cpus=cp.CpuSet([1]), moves=("x",))
    )
    done = run("nri", "events", "--admin-socket", plugin.path)
    assert done.out == "1970-01-01T00:00:00.000Z  place  default/job/main  1  moved x\n"
    [line] = run("nri", "events", "--admin-socket", plugin.path, "-o", "json").out.splitlines()
    assert json.loads(line).items() >= {"schema": 1, "id": "bbb222", "cpus": "1"}.items()


def test_events_that_are_followed_come_as_they_happen(
    plugin: Running, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide() -> None:
        wait_until(lambda: plugin.readers() == 1)
        plugin.decide(Decision(kind="release", container_id="bbb222", name="\x1b[2J"))
        plugin.do(plugin.watch.close)

    thread = threading.Thread(target=decide)
    thread.start()
    done = run("nri", "events", "--follow", "--admin-socket", plugin.path)
    thread.join()
    assert (done.code, done.out) == (1, "1970-01-01T00:00:00.000Z  release  \\x1b[2J\n")
    assert "decisions are missing from here on" in done.err


def test_record_writes_what_replay_reads(plugin: Running, run: Run, tmp_path: Path) -> None:
    assert plugin.node is not None
    request = cp.ContainerRequest.integer("new", 2)
    cpus = cp.place(plugin.node.state, request).unwrap().after["new"].cpus

    def decide() -> None:
        wait_until(lambda: plugin.readers() == 1)
        plugin.decide(Decision(kind="place", container_id="new", cpus=cpus, event=Start(request=request)))
        plugin.do(plugin.watch.close)

    thread = threading.Thread(target=decide)
    thread.start()
    file = tmp_path / "trouble.jsonl"
    done = run("nri", "record", str(file), "--admin-socket", plugin.path)
    thread.join()
    assert done.code == 1
    assert "complete up to here" in done.err
    replayed = run("replay", str(file), "-o", "json")
    assert replayed.code == 0
    assert [one["event"] for one in json.loads(replayed.out)["events"]] == ["restart", "place"]


def test_record_replaces_nothing_before_a_plugin_answers(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    file.write_text("kept")
    done = run("nri", "record", str(file), "--admin-socket", str(tmp_path / "none"))
    assert (done.code, file.read_text()) == (2, "kept")


def test_dump(plugin: Running, run: Run) -> None:
    value = json.loads(run("nri", "dump", "--admin-socket", plugin.path).out)
    assert value["schema"] == 1
    assert value["config"]["index"] == 99


@pytest.mark.parametrize("words", [("status",), ("explain", "x"), ("events",), ("dump",), ("record", "-")])
def test_no_plugin_is_one_line_and_2(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "none.sock")
    done = run("nri", *words, "--admin-socket", path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"cpuplace: error: {path}: {NOBODY}\n"


def test_the_configuration_says_where_the_plugin_listens(plugin: Running, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"admin_socket: {plugin.path}")
    assert run("nri", "dump", "--config", str(tmp_path / "a.yaml")).code == 0
    (tmp_path / "b.yaml").write_text('admin_socket: ""')
    done = run("nri", "dump", "--config", str(tmp_path / "b.yaml"))
    assert done.code == 2
    assert "has no admin_socket: the plugin cannot be asked" in done.err


# check-config


def test_check_config_compares_with_the_kubelet_and_prints_its_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nri.yaml").write_text("policy:\n  reserved: 0,8\n")
    (tmp_path / "kubelet.yaml").write_text(
        "kind: KubeletConfiguration\ncpuManagerPolicy: static\nsystemReserved: {cpu: 1}\n"
    )
    files = (str(tmp_path / "nri.yaml"), "--kubelet-config", str(tmp_path / "kubelet.yaml"))
    done = run("nri", "check-config", *files, "--host", SMALL)
    assert done.code == 1
    assert "the kubelet keeps 1 CPUs from the scheduler, but 2 can never be given out exclusively" in done.out
    assert "cpuManagerPolicy is static" in done.out
    assert '  cpuManagerPolicy: none\n  reservedSystemCPUs: "0,8"\n' in done.out
    (tmp_path / "kubelet.yaml").write_text('kind: KubeletConfiguration\nreservedSystemCPUs: "0,8"\n')
    done = run("nri", "check-config", *files, "--host", SMALL)
    assert (done.code, done.err) == (0, "")
    assert "nri.yaml: good; of 16 CPUs at most 14 are exclusive, 2 must not" in " ".join(done.out.split())
    value = json.loads(run("nri", "check-config", *files, "--host", SMALL, "-o", "json").out)
    assert value.items() >= {"schema": 1, "good": True, "exclusive": 14, "kept": 2, "withheld": 2.0}.items()


def test_check_config_names_file_and_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nri.yaml").write_text("policy:\n  widen: now\n  reserved: 99\n")
    done = run("nri", "check-config", str(tmp_path / "nri.yaml"), "--host", SMALL)
    assert done.code == 2
    assert done.err.startswith(
        f"cpuplace: error: {tmp_path}/nri.yaml, at line 3: policy.reserved: names CPUs the host does not have: 99"
    )
    (tmp_path / "nri.yaml").write_text("polcy: 1")
    assert "did you mean policy" in run("nri", "check-config", str(tmp_path / "nri.yaml"), "--host", SMALL).err


def test_check_config_says_whether_there_is_a_file_at_all(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nri.yaml"
    monkeypatch.setattr("cpuplace_nri.configfile.DEFAULT_PATH", str(file))
    words = ("nri", "check-config", "--host", SMALL, "--width", "200")
    assert f"\nno {file}, so the defaults: good; of 16 CPUs at most 15" in run(*words).out
    file.write_text("policy: {min_shared_cpus: 2}")
    assert f"\n{file}: good; of 16 CPUs at most 14" in run(*words).out


def test_the_schema_is_one(run: Run) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(run("nri", "schema").out))
