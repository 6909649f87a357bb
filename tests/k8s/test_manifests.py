"""Manifests to facts: every kind, order, ids, quantities, and errors with their line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.facts import PodFacts, is_guaranteed
from cpuplace.kinds import read_pod
from cpuplace.policy import Policy
from cpuplace_k8s.files import read_files
from cpuplace_k8s.manifests import MAX_PODS, Manifests, read_manifests

EXAMPLES = Path(__file__).parents[2] / "examples"
SPEC: dict[str, Any] = {"containers": [{"name": "main"}]}
GROUPS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicationController": "v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


def read(*texts: str) -> Manifests:
    return read_manifests([(f"{number}.yaml", text) for number, text in enumerate(texts, 1)])


def objects(*values: dict[str, Any]) -> Manifests:
    return read(yaml.safe_dump_all(values))


def pod(name: str = "p", spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec or SPEC}


def workload(kind: str, name: str = "w", **spec: Any) -> dict[str, Any]:
    spec = {"template": {"spec": SPEC}, **spec}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {"apiVersion": GROUPS[kind], "kind": kind, "metadata": {"name": name}, "spec": spec}


def main_of(resources: str) -> Any:
    [facts] = read(
        f"kind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: main\n    resources: {resources}"
    ).pods
    return facts.containers[0]


def bad(*texts: str) -> str:
    with pytest.raises(BadInput) as caught:
        read(*texts)
    assert caught.value.source.endswith(".yaml")
    return str(caught.value)


# Kinds


def test_a_pod() -> None:
    [one] = objects(pod(namespace="db", annotations={"cpuplace.dev/cores": "0-3"})).pods
    assert (one.uid, one.name, one.namespace) == ("db/p", "p", "db")
    assert one.annotations == {"cpuplace.dev/cores": "0-3"}
    assert [(c.name, c.container_id, c.role) for c in one.containers] == [("main", "db/p/main", "main")]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"])
def test_replicas_are_expanded(kind: str) -> None:
    assert [one.uid for one in objects(workload(kind, replicas=3)).pods] == [
        "default/w-0",
        "default/w-1",
        "default/w-2",
    ]
    assert [one.containers[0].container_id for one in objects(workload(kind)).pods] == ["default/w-0/main"]
    assert objects(workload(kind, replicas=0)).pods == ()


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_jobs_run_as_many_pods_as_they_do_at_once(kind: str) -> None:
    assert len(objects(workload(kind)).pods) == 1
    assert len(objects(workload(kind, parallelism=4)).pods) == 4
    assert len(objects(workload(kind, parallelism=4, completions=2)).pods) == 2


def test_a_daemon_set_runs_one_pod_here() -> None:
    assert [one.name for one in objects(workload("DaemonSet")).pods] == ["w-0"]


def test_empty_documents_are_skipped() -> None:
    assert read("---\n---\n~\n---\n", "") == Manifests(pods=())


def test_old_groups_and_no_api_version() -> None:
    old = workload("Deployment") | {"apiVersion": "extensions/v1beta1"}
    bare = {key: value for key, value in workload("StatefulSet", "v").items() if key != "apiVersion"}
    assert [one.name for one in objects(old, bare).pods] == ["w-0", "v-0"]


def test_lists_and_documents_keep_their_order() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [pod("b"), workload("Job", "c")]}
    typed = {"apiVersion": "v1", "kind": "PodList", "items": [{k: v for k, v in pod("e").items() if k != "kind"}]}
    manifests = objects(pod("d"), listed, typed, pod("a"))
    assert [one.name for one in manifests.pods] == ["d", "b", "c-0", "e", "a"]
    assert manifests.notes == ()


def test_other_kinds_are_skipped_with_a_note() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": {"template": {"spec": SPEC}}}
    volcano = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": {"tasks": []}}
    foreign = {"apiVersion": "example.com/v1", "kind": "Pod"}
    manifests = objects(config, config, rollout, volcano, foreign, pod())
    assert [one.name for one in manifests.pods] == ["p"]
    rollout_note, rest = manifests.notes
    assert rollout_note.startswith("1.yaml, line 11: skipped Rollout: it has a pod template")
    assert rest == "1.yaml: skipped ConfigMap (2), Job (1), Pod (1): no pods are read from these kinds"


def running(name: str, node: str | None = None, phase: str = "Running") -> dict[str, Any]:
    """A pod as a cluster lists it."""
    return pod(name, SPEC if node is None else {**SPEC, "nodeName": node}) | {"status": {"phase": phase}}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_pods_that_have_ended_hold_no_cpus(phase: str) -> None:
    manifests = objects(running("a", "n1"), running("b", "n1", phase), running("c", "n2", phase))
    assert [one.name for one in manifests.pods] == ["a"]
    assert manifests.nodes == ("n1",)
    assert manifests.notes == ("1.yaml: skipped pods that have ended: they hold no CPUs (2)",)


def test_the_pods_of_one_node_of_a_cluster() -> None:
    listed = [running("a", "n1"), running("b", "n2"), running("c"), workload("Job"), running("d", "n2")]
    some = yaml.safe_dump_all(listed)
    every = read(some)
    assert [one.name for one in every.pods] == ["a", "b", "c", "w-0", "d"]
    assert (every.nodes, every.notes) == (("n1", "n2"), ())
    one = read_manifests([("1.yaml", some)], node="n2")
    assert [facts.name for facts in one.pods] == ["b", "d"]
    assert one.nodes == ("n1", "n2")
    assert one.notes == (
        "1.yaml: skipped pods that are on no node yet: they may still come to this one (2)",
        "1.yaml: skipped pods that are on other nodes (1)",
    )


def test_a_node_named_in_a_template_counts_and_an_empty_name_is_none() -> None:
    bound = workload("Deployment", template={"spec": {**SPEC, "nodeName": "n1"}}, replicas=2)
    some = yaml.safe_dump_all([bound, running("a", "")])
    manifests = read_manifests([("1.yaml", some)], node="n1")
    assert ([one.name for one in manifests.pods], manifests.nodes) == (["w-0", "w-1"], ("n1",))


def test_what_is_left_out_is_not_read() -> None:
    broken = running("a", "n1")
    broken["spec"] = {"nodeName": "n1", "containers": []}
    assert read_manifests([("1.yaml", yaml.safe_dump_all([broken, running("b", "n2")]))], node="n2").pods
    assert "nodeName must be a text" in bad("kind: Pod\nmetadata: {name: p}\nspec: {nodeName: 1}")


def test_a_note_for_annotations_that_are_not_on_the_template() -> None:
    misplaced = workload("Deployment")
    misplaced["metadata"]["annotations"] = {"cpuplace.dev/numa": "0", "example.com/x": "z", "weka.io/cores-ids": "1"}
    notes = objects(misplaced).notes
    assert len(notes) == 2
    assert "Deployment w: cpuplace.dev/numa has no effect here" in notes[0]


def test_names_that_two_kinds_share() -> None:
    manifests = objects(workload("Deployment"), workload("CronJob"), workload("Job"))
    assert [one.name for one in manifests.pods] == ["w-0", "w-cronjob-0", "w-job-0"]


def test_generated_names_count_up() -> None:
    generated = pod()
    generated["metadata"] = {"generateName": "run-"}
    assert [one.name for one in objects(generated, generated).pods] == ["run-0", "run-1"]


# Containers and numbers


def test_roles_and_order() -> None:
    spec = {
        "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
        "containers": [{"name": "main"}],
        "ephemeralContainers": [{"name": "e"}],
    }
    [one] = objects(pod(spec=spec)).pods
    assert [(c.name, c.role) for c in one.containers] == [
        ("i", "init"),
        ("s", "sidecar"),
        ("main", "main"),
        ("e", "ephemeral"),
    ]


@pytest.mark.parametrize(
    ("text", "millicores"),
    [("500m", 500), ("2", 2000), ('"2"', 2000), ("0.5", 500), ("1e3", 10**6), ("100u", 1), ("0", 0), ("null", None)],
)
def test_cpu(text: str, millicores: int | None) -> None:
    assert main_of(f"{{limits: {{cpu: {text}}}}}").cpu_limit == millicores


@pytest.mark.parametrize(
    ("text", "size"),
    [("8Gi", 8 * 2**30), ("100k", 100_000), ("1073741824", 2**30), ("1e3", 1000), ("1.5Gi", 3 * 2**29)],
)
def test_memory(text: str, size: int) -> None:
    facts = main_of(f"{{limits: {{memory: {text}}}, requests: {{memory: 1}}}}")
    assert (facts.memory_limit, facts.memory_request) == (size, 1)


def test_huge_pages() -> None:
    facts = main_of(
        "{limits: {hugepages-2Mi: 1Gi, hugepages-1Gi: 2Gi, nvidia.com/gpu: 1}, requests: {hugepages-2Mi: 1Gi}}"
    )
    assert facts.huge_pages == {2**21: 2**30, 2**30: 2**31}


def test_pod_level_resources() -> None:
    spec = SPEC | {"resources": {"limits": {"cpu": 4, "memory": "1Gi"}}}
    [one] = objects(pod(spec=spec)).pods
    assert (one.cpu_limit, one.memory_limit, one.cpu_request) == (4000, 2**30, None)
    assert is_guaranteed(one)


# Errors


POD = "kind: Pod\nmetadata:\n  name: p\n"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- a", "line 1: expected a Kubernetes object"),
        ("metadata: {}", "line 1: an object without a kind"),
        ("kind: 3", "line 1: kind must be a text, not a number"),
        ("kind: Pod", "metadata is missing"),
        ("kind: Pod\nmetadata: {}", "line 2: an object without a name"),
        ("kind: Pod\nmetadata: {generateName: A-}", "cannot be a generateName"),
        ("kind: Pod\nmetadata: {name: Web}", "line 2: 'Web' cannot be a name"),
        ("kind: Pod\nmetadata: {name: 12}", 'write "12" in quotes'),
        ("kind: Pod\nmetadata: {name: [a]}", "name must be a text"),
        ("kind: Pod\nmetadata: {name: a, namespace: a.b}", "cannot be a namespace"),
        (POD, "spec is missing"),
        (POD + "spec: 1", "line 4: spec must hold names and values"),
        (POD + "spec: {}", "a pod needs at least one container"),
        (POD + "spec:\n  containers: {}", "line 5: containers must be a list"),
        (POD + "spec:\n  containers: [a]", "each of containers must hold names and values"),
        (POD + "spec:\n  containers:\n  - image: x", "line 6: a container without a name"),
        (POD + "spec:\n  containers:\n  - name: a\n  - name: a", "line 7: a second container named 'a'"),
        (POD + "  annotations:\n    cpuplace.dev/cores: 0", "cpuplace.dev/cores must be a text, not a number"),
        (POD + "  annotations:\n    a: yes", "not a truth value"),
        (POD + "  annotations: [a]", "annotations must hold names and values"),
        ("kind: Deployment\nmetadata: {name: w}\nspec: {}", "line 3: template is missing"),
        ("kind: Deployment\nmetadata: {name: w}\nspec:\n  replicas: -1", "line 4: replicas -1 is negative"),
        ("kind: Deployment\nmetadata: {name: w}\nspec:\n  replicas: two", "'two' is not a whole number"),
        ("kind: Deployment\nmetadata: {name: w}\nspec:\n  replicas: []", "replicas must be a whole number"),
        ("kind: Deployment\nmetadata: {name: w}\nspec:\n  replicas: 1000000", "line 4: more than 10,000 pods"),
        ("kind: CronJob\nmetadata: {name: w}\nspec: {}", "spec.jobTemplate.spec is missing"),
        ("kind: List\nitems: [{}]", "an object without a kind"),
    ],
)  # fmt: skip
def test_errors_name_the_line(text: str, part: str) -> None:
    full = text + "\nspec: {containers: [{name: main}]}" if "annotations" in text else text
    assert part in bad(full)


@pytest.mark.parametrize(
    ("resources", "part"),
    [
        ("1", "resources must hold names and values"),
        ("{limits: {cpu: -1}}", "line 6: '-1' is negative"),
        ("{limits: {cpu: lots}}", "'lots' is not a quantity"),
        ("{limits: {cpu: 010}}", "'010' is not a whole number"),
        ("{limits: {cpu: true}}", "cpu must be a quantity"),
        ("{limits: {cpu: []}}", "cpu must be a quantity"),
        ("{limits: {memory: .inf}}", "'.inf' is not a quantity"),
        ("{limits: {cpu: 1}, requests: {cpu: 2}}", "the cpu request is above the limit"),
        ("{limits: {memory: 1}, requests: {memory: 2}}", "the memory request is above the limit"),
        ("{limits: {hugepages-x: 1}}", "'x' is not a quantity"),
        ("{limits: {hugepages-0: 1}}", "a page size of 0"),
        ("{limits: {hugepages-2Mi: 2Mi}, requests: {hugepages-2Mi: 4Mi}}", "request is not the limit"),
    ],
)
def test_bad_resources_name_the_line(resources: str, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        main_of(resources)
    assert "1.yaml, at line 6" in str(caught.value)
    assert part in str(caught.value)


def test_nothing_comes_twice() -> None:
    one = yaml.safe_dump(pod())
    assert "a second pod default/p; the first is in 1.yaml, line 1" in bad(one, one)
    assert "a second Deployment default/w" in bad(*[yaml.safe_dump(workload("Deployment"))] * 2)
    assert "a second pod default/w-0" in bad(yaml.safe_dump(pod("w-0")), yaml.safe_dump(workload("Job")))
    assert len(objects(pod(), pod(namespace="other")).pods) == 2


def test_there_is_a_limit_to_pods() -> None:
    almost = workload("Deployment", replicas=MAX_PODS)
    assert len(objects(almost).pods) == MAX_PODS
    assert "more than 10,000 pods" in bad(yaml.safe_dump_all([almost, pod()]))


def test_a_list_of_lists_of_aliases_is_no_bomb() -> None:
    rows = ["a0: &a0 {kind: List, items: []}"]
    rows += [f"a{n}: &a{n} {{kind: List, items: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 30)]
    assert "aliases are written out" in bad("\n".join(rows) + "\nkind: List\nitems: [*a29]")


# Files


def test_files_folders_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(pod("b")))
    (tmp_path / "a.json").write_text(
        '\ufeff{"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "m"}]}}'
    )
    (tmp_path / "notes.txt").write_text("not a manifest")
    assert [one.name for one in read_files([tmp_path]).pods] == ["a", "b"]
    with (tmp_path / "b.yaml").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert [one.name for one in read_files(["-"]).pods] == ["b"]


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "absent.yaml", tmp_path / "latin.yaml", tmp_path / "nul\0.yaml"):
        with pytest.raises(BadInput, match="cannot be read"):
            read_files([path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no manifest in this folder"):
        read_files([tmp_path / "empty"])
    monkeypatch.setattr("cpuplace_k8s.files.MAX_BYTES", 2)
    with pytest.raises(BadInput, match="more than"):
        read_files([tmp_path / "latin.yaml"])


# Any text, any YAML


def answers(texts: list[str]) -> tuple[PodFacts, ...]:
    """The pods, none when the texts are refused; anything but BadInput fails the test."""
    try:
        manifests = read_manifests([("x", text) for text in texts])
    except BadInput as bad:
        assert bad.source == "x"
        return ()
    for facts in manifests.pods:
        read_pod(facts, Policy())
    return manifests.pods


@given(st.text())
def test_any_text_gives_pods_or_bad_input(text: str) -> None:
    answers([text])
    answers([f"kind: Pod\nmetadata: {{name: p}}\nspec: {text}"])


scalars = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["a", "1", "8Gi", "0-3", "Always", ""])
keys = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "namespace",
        "annotations",
        "cpuplace.dev/cores",
        "spec",
        "template",
        "jobTemplate",
        "replicas",
        "parallelism",
        "containers",
        "initContainers",
        "resources",
        "limits",
        "cpu",
        "items",
    ]
)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4))


@given(st.sampled_from([*GROUPS, "Pod", "List", "ConfigMap"]), st.dictionaries(keys, trees, max_size=4))
def test_any_object_gives_pods_or_bad_input(kind: str, value: dict[str, Any]) -> None:
    answers([yaml.safe_dump(value | {"kind": kind})])


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A good manifest in which one value somewhere has become something else."""
    good = workload(draw(st.sampled_from(sorted(GROUPS))))
    good["metadata"]["annotations"] = {"cpuplace.dev/numa": "0"}
    text: str = yaml.safe_dump(good | {"note": "x"}, default_flow_style=True, width=10**6)
    at = draw(st.integers(0, len(text)))
    return (
        text[:at]
        + draw(st.sampled_from(["", " ", "1", "[", "}", "null", ":", "&a ", "*a", "\t", "~", "-"]))
        + text[at + 1 :]
    )


@given(broken())
def test_a_broken_manifest_gives_pods_or_bad_input(text: str) -> None:
    answers([text])


def test_reading_again_gives_the_same() -> None:
    text = yaml.safe_dump_all([pod(), workload("Deployment", replicas=2)])
    assert read(text) == read(text)
    assert len(answers([text])) == 3
