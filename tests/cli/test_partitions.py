"""`cpuplace partitions`: the file that asks, the text, JSON, ConfigMap and picture that answer."""

import io
import json
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

import cpuplace as cp
from cli.commands import Run
from cli.manifests import EXAMPLES
from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace.formats import partitions as plan_format
from cpuplace_cli.partitions_file import Ask, parse_ask
from cpuplace_k8s.partitions import MAX_BYTES, config_map

HOST = "amd-epyc-7742-2s-nps4"
EIGHT = str(EXAMPLES / "partitions.yaml")
TINY = str(EXAMPLES / "partitions-tiny.yaml")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "engine.yaml"


# --- what is printed -----------------------------------------------------------------------------


def test_the_example_on_the_epyc(run: Run) -> None:
    code, out, err = run("partitions", EIGHT, "--host", HOST, "--width", "140")
    assert (code, err) == (0, "")
    assert out.startswith(
        "   PARTITION  NODE  MEMORY  ROLE               CPU  QUEUES\n"
        "A  p0         1     58 GiB  io-reactor         16   nvme0:0 eth0:0\n"
        "                            wal-writer         17   nvme0:1\n"
    )
    assert "\n· nvme0: 12-31\n" in out
    assert "\n· no nic of its own at nodes 4,6-7: served by eth1 elsewhere\n" in out
    assert " 16-31 │AAA.│" in out
    assert out.endswith("\n8 partitions placed; 40 CPUs pinned on 8 nodes, 461 GiB\n")


@pytest.mark.parametrize("width", ["40", "80", "200"])
@pytest.mark.parametrize("name", ["partitions.yaml", "partitions-roles.yaml"])
def test_the_text_keeps_to_the_width(run: Run, width: str, name: str) -> None:
    out = run(
        "partitions", str(EXAMPLES / name), "--host", HOST if name[10] == "." else "intel-i7-1370p", "--width", width
    ).out
    assert max(map(len, out.splitlines())) <= int(width)


def test_a_refusal_says_what_would_fit(run: Run) -> None:
    code, out, err = run("partitions", TINY, "--host", "vm-2cpu", "--width", "120")
    assert (code, err) == (1, "")
    assert (
        "partition p0: wants 5 CPUs of one node, the most free is 2; 0 of 1 partitions fit unshared (TooFewCpus" in out
    )
    assert out.endswith("\nnothing planned; --oversubscribe shares CPUs and queues\n")


def test_nothing_helps_a_host_without_cpus_to_use(run: Run, spec: Path) -> None:
    spec.write_text("{partitions: 1,\nusable: ''}")
    code, out, _ = run("partitions", str(spec), "--host", "vm-2cpu")
    assert (code, out.splitlines()[1]) == (1, "· there is no NUMA node to put partitions on (NoNodes, P1)")
    assert out.endswith("\nnothing planned\n")


def test_what_is_shared_is_listed(run: Run) -> None:
    code, out, _ = run("partitions", TINY, "--host", "vm-2cpu", "--oversubscribe")
    assert code == 0
    assert "\nshared\n· CPU 0: p0/io-reactor, p0/apply-worker, p0/telemetry-worker\n· CPU 1: p0/" in out
    assert out.endswith("\n1 partition placed; 2 CPUs pinned on 1 node, 4 GiB; 2 CPUs and 0 queues shared\n")


def test_shared_queues_are_listed(run: Run, spec: Path) -> None:
    spec.write_text(
        "{partitions: [a, b], roles: [{name: r, devices: [nic]}], devices: {eth0: {queues: 1}}, oversubscribe: true}"
    )
    assert "\n· eth0:0: a/r, b/r\n" in run("partitions", str(spec), "--host", "vm-2cpu").out


def test_no_partitions_are_fine(run: Run, spec: Path) -> None:
    spec.write_text("partitions: 0")
    code, out, _ = run("partitions", str(spec), "--host", "vm-2cpu")
    assert (code, out.splitlines()[0], out.splitlines()[-1]) == (
        0,
        "queues left over",
        "0 partitions placed; 0 CPUs pinned on 0 nodes, 0 B",
    )


def test_more_partitions_than_letters(run: Run, spec: Path) -> None:
    spec.write_text("{partitions: 70, roles: [telemetry-worker]}")
    assert "\n+  p69 " in run("partitions", str(spec), "--host", HOST).out


def test_json_is_the_plan_itself(run: Run) -> None:
    code, out, _ = run("partitions", EIGHT, "--host", HOST, "-o", "json")
    jsonschema.validate(json.loads(out), plan_format.SCHEMA)
    plan = plan_format.parse(out)
    assert (code, len(plan), plan.host, plan.page_bytes) == (0, 8, HOST, 2 << 20)
    assert plan["p7"].cpus == cp.CpuSet.parse("4-6,132-133")


def test_json_of_a_refusal(run: Run) -> None:
    code, out, _ = run("partitions", TINY, "--host", "vm-2cpu", "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"], data["host"]) == (1, 1, "vm-2cpu")
    assert {key: data["refusal"][key] for key in ("partition", "kind", "rule", "fits", "free")} == {
        "partition": "p0",
        "kind": "TooFewCpus",
        "rule": "P2",
        "fits": 0,
        "free": "0-1",
    }


def test_a_config_map_for_kubectl(run: Run) -> None:
    code, out, _ = run("partitions", EIGHT, "--host", HOST, "-o", "configmap", "--name", "kv", "--namespace", "storage")
    manifest = yaml.safe_load(out)
    assert (code, manifest["kind"], manifest["metadata"]) == (0, "ConfigMap", {"name": "kv", "namespace": "storage"})
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    data = manifest["data"]
    assert all(isinstance(text, str) for text in data.values())
    plan = plan_format.parse(data["plan.json"])
    assert (data["requests.cpu"], data["cpus"], data["requests.memory"]) == (
        "40",
        str(plan.cpus),
        str(plan.memory_bytes),
    )
    assert out.count("\\n") == 0  # a block that people can read


def test_a_config_map_that_the_api_server_would_refuse() -> None:
    plan = cp.NumaPlanner(catalogue.host(HOST)).plan_partitions(["p0"]).unwrap()
    with pytest.raises(BadInput, match="'A' cannot be a name"):
        config_map(plan, name="A")
    with pytest.raises(BadInput, match=r"'a\.b' cannot be a namespace"):
        config_map(plan, namespace="a.b")
    long = cp.NumaPlanner(catalogue.host(HOST)).plan_partitions(["p" * MAX_BYTES]).unwrap()
    with pytest.raises(BadInput, match="larger than"):
        config_map(long)


def test_a_picture(run: Run) -> None:
    code, out, err = run("partitions", EIGHT, "--host", HOST, "-o", "svg")
    assert (code, err, out[:4]) == (0, "", "<svg")
    assert "p7: 5 CPUs" in out
    code, out, err = run("partitions", TINY, "--host", "vm-2cpu", "-o", "svg")
    assert (code, out) == (1, "")
    assert err.startswith("cpuplace: refused: partition p0: wants 5 CPUs")


def test_what_changes_against_a_saved_plan(run: Run, tmp_path: Path, spec: Path) -> None:
    saved = tmp_path / "plan.json"
    spec.write_text("{partitions: [a, b], roles: [telemetry-worker]}")
    saved.write_text(run("partitions", str(spec), "--host", "vm-2cpu", "-o", "json").out)
    again = ("partitions", str(spec), "--host", "vm-2cpu", "--compare", str(saved))
    assert "\nchanges\n· none\n" in run(*again).out
    spec.write_text("{partitions: [a], roles: [telemetry-worker]}")
    out = run(*again).out
    assert "\nchanges\n· a: memory 2147483648 -> 4294967296\n· b: removed, node 0, CPUs 1, 2147483648 bytes\n" in out
    told = json.loads(run(*again, "-o", "json").out)
    assert [(one["partition"], one["what"], one["before"]) for one in told["changes"]] == [
        ("a", "memory", "2147483648"),
        ("b", "removed", "node 0, CPUs 1, 2147483648 bytes"),
    ]
    assert plan_format.parse(json.dumps(told))["a"].memory_bytes == 4 << 30


# --- the file that asks --------------------------------------------------------------------------


def test_everything_a_file_can_say() -> None:
    ask = parse_ask(
        """
        partitions: [db, 7]
        roles: [wal-writer, {name: poller, devices: [nvme, nic], apart: true}, {name: idler}]
        memory: {0: 8Gi, 1: 1000}
        page: 2Mi
        oversubscribe: true
        usable: 1-7
        devices: {nvme0: {queue_cpus: {1: 0-3, 2: "4"}}, eth0: {queues: 5}}
        """
    )
    assert ask == Ask(
        ids=("db", "7"),
        roles=(
            cp.PartitionRole.WAL_WRITER,
            cp.PartitionRole("poller", ["nvme", "nic"], apart=True),
            cp.PartitionRole("idler"),
        ),
        memory={0: 8 << 30, 1: 1000},
        page_bytes=2 << 20,
        oversubscribe=True,
        usable=cp.CpuSet.parse("1-7"),
        queues={"eth0": 5},
        managed={"nvme0": {1: cp.CpuSet.parse("0-3"), 2: cp.CpuSet([4])}},
    )


@pytest.mark.parametrize(
    ("memory", "budgets"),
    [
        ("null", [16 << 30] * 2),
        ("12.5%", [2 << 30] * 2),
        ("1Gi", [1 << 30] * 2),
        ("{1: 4Ki}", [0, 4096]),
        ("100%", [16 << 30] * 2),
    ],
)
def test_the_memory_of_a_node(memory: str, budgets: list[int]) -> None:
    host = cp.Topology.uniform(packages=2, memory_per_node=16 << 30)
    ask = parse_ask(f"{{partitions: 1, memory: {memory}}}")
    assert [node.memory_bytes for node in ask.nodes(host)] == budgets


def test_the_file_says_what_a_node_has_where_the_host_does_not() -> None:
    host = evolve(cp.Topology.uniform(), memory_bytes={0: None})
    assert [node.memory_bytes for node in parse_ask("{partitions: 1, memory: 8Gi}").nodes(host)] == [8 << 30]


def test_a_share_of_memory_is_exact() -> None:
    assert parse_ask("{partitions: 1, memory: 33.333%}").memory == Fraction(33333, 100000)


def test_devices_of_every_kind_can_be_described() -> None:
    ask = parse_ask("{partitions: 1, devices: {ib0: {queues: 3}, nvme0: {queue_cpus: {4: 0}}}}")
    node = ask.nodes(catalogue.host("intel-xeon-8480-2s-snc4"))[2]
    assert node.devices("ib") == (cp.DeviceSpec("ib0", 3),)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "one document"),
        ("- a", 1, "one document"),
        ("partitions: 1\n---\npartitions: 1", 1, "one document"),
        ("roles: []", 1, "partitions is missing"),
        ("partitions: 1\nrole: []", 2, "unknown field 'role'"),
        ("partitions: -1", 1, "-1 is not a number from 0"),
        ("partitions: 010", 1, "not a whole number"),
        ("partitions: 10001", 1, "more than 10000"),
        ("partitions: yes", 1, "expected a whole number"),
        ("partitions:\n- a\n- a", 3, "'a' is given twice"),
        ("partitions:\n- ''", 2, "'' is no name"),
        ("partitions: {}", 1, "partitions must be a list"),
        ("partitions: 1\nroles: []", 2, "no roles"),
        ("partitions: 1\nroles: [reader]", 2, "no usual role is called 'reader'"),
        ("partitions: 1\nroles: [wal-writer, wal-writer]", 2, "'wal-writer' is given twice"),
        ("partitions: 1\nroles:\n- devices: []", 3, "name is missing"),
        ("partitions: 1\nroles:\n- name: ''", 3, "a role needs a name"),
        ("partitions: 1\nroles:\n- {name: a, devices: [nic, nic]}", 3, "named twice"),
        ("partitions: 1\nroles:\n- {name: a, apart: maybe}", 3, "expected true or false"),
        ("partitions: 1\nmemory: 101%", 2, "more than all"),
        ("partitions: 1\nmemory: lots", 2, "'lots' is not a quantity"),
        ("partitions: 1\nmemory: {x: 1}", 2, "not a whole number"),
        ("partitions: 1\npage: []", 2, "expected an amount"),
        ("partitions: 1\nusable: 3-1", 2, "reversed"),
        ("partitions: 1\ndevices: 7", 2, "devices must hold names"),
        ("partitions: 1\ndevices: {a: 7}", 2, "a must hold names"),
        ("partitions: 1\ndevices: {a: {}}", 2, "either queues or queue_cpus"),
        ("partitions: 1\ndevices: {a: {queues: 1, queue_cpus: {}}}", 2, "either queues or queue_cpus"),
        ("partitions: 1\ndevices: {a: {lanes: 1}}", 2, "unknown field 'lanes'"),
        ("partitions: 1\ndevices: {a: {queue_cpus: {q: 1}}}", 2, "not a whole number"),
        ("partitions: 1\npage: 0", 2, "a page of 0 bytes"),
        ("partitions: ]", 1, "not YAML"),
    ],
)
def test_what_cannot_be_read_names_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_ask(text, source="engine.yaml")
    assert (caught.value.source, caught.value.position) == ("engine.yaml", f"line {line}")
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{partitions: 1,\nusable: 0-9}", "CPUs 2-9 are not online on the host"),
        ("{partitions: 1,\ndevices: {nvme9: {queues: 1}}}", "the host has no device 'nvme9' (it has eth0)"),
        ("{partitions: 1,\ndevices: {nvme9: {queue_cpus: {}}}}", "the host has no device 'nvme9'"),
        ("{partitions: 1,\nmemory: {4: 1Gi}}", "the host has no NUMA node 4 (it has 0)"),
        ("{partitions: 1,\nmemory: 1000Ti}", "node 0 has 4 GiB, not 1000 TiB (a share like 90%"),
        ("{partitions: 1,\nmemory: {0: 8Gi}}", "node 0 has 4 GiB, not 8 GiB"),
    ],
)
def test_what_the_host_lacks_is_bad_input(run: Run, spec: Path, text: str, problem: str) -> None:
    spec.write_text(text)
    code, out, err = run("partitions", str(spec), "--host", "vm-2cpu")
    assert (code, out) == (2, "")
    assert err.startswith(f"cpuplace: error: {spec}, at line 2: {problem}")


@given(st.text() | st.builds("{}: {}".format, st.sampled_from(["partitions", "roles", "memory", "devices"]), st.text()))
@example("partitions: 1\nmemory: " + "9" * 40 + "%")
@example("{partitions: 1, devices: {a: {queue_cpus: {99999999999999999999: 1}}}}")
def test_any_text_is_an_ask_or_bad_input(text: str) -> None:
    try:
        ask = parse_ask(text)
        ask.nodes(catalogue.host("vm-2cpu"))
    except BadInput:
        return


def test_standard_input_and_files_that_cannot_be_read(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{partitions: 1, roles: [telemetry-worker]}")))
    assert run("partitions", "-", "--host", "vm-2cpu").code == 0
    for content, problem in ((b"\xff", "cannot be read"), (b"#" * (1 << 20) + b"##", "more than 1048576 bytes")):
        file = tmp_path / "bad.yaml"
        file.write_bytes(content)
        code, _, err = run("partitions", str(file), "--host", "vm-2cpu")
        assert (code, err.startswith(f"cpuplace: error: {file}: {problem}")) == (2, True)
    assert run("partitions", str(tmp_path), "--host", "vm-2cpu").code == 2
    assert run("partitions", "none.yaml", "--host", "vm-2cpu").err.startswith(
        "cpuplace: error: none.yaml: cannot be read"
    )
    code, _, err = run("partitions", EIGHT, "--host", HOST, "--compare", "none.json")
    assert (code, err) == (2, "cpuplace: error: none.json: No such file or directory\n")
