"""The manifests and policies under examples/ do on the EPYC host what their first lines say."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from attrs import frozen

import cpuplace as cp
from cpuplace import catalogue
from cpuplace_k8s.files import read_files
from cpuplace_linux.policyfile import read_policy

EXAMPLES = Path(__file__).parents[2] / "examples"
HOST = "amd-epyc-7742-2s-nps4"
OTHERS = ("policy", "partitions", "nri", "kubelet")  # what these files hold are no manifests
MANIFESTS = sorted(path.name for path in EXAMPLES.glob("*.yaml") if not path.name.startswith(OTHERS))


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_knows_every_field(name: str) -> None:
    for one in yaml.safe_load_all((EXAMPLES / name).read_text()):
        kubernetes_validate.validate(one, "1.37", strict=True)


@frozen
class Outcome:
    """What became of the containers of an example."""

    state: cp.HostState
    refusals: dict[str, cp.Refusal]
    notes: tuple[str, ...]


def plan(name: str, policy: cp.Policy | None = None) -> Outcome:
    """Place all pods in order; init containers are released before the next container."""
    state = cp.HostState.empty(catalogue.host(HOST), policy or cp.Policy())
    refusals: dict[str, cp.Refusal] = {}
    notes: tuple[str, ...] = ()
    for facts in read_files([EXAMPLES / name]).pods:
        for request in cp.read_pod(facts, state.policy):
            answer = request if isinstance(request, cp.Refusal) else cp.place(state, request)
            if isinstance(answer, cp.Refusal):
                refusals[answer.container_id] = answer
                continue
            assert isinstance(request, cp.ContainerRequest)
            notes += answer.notes
            state = cp.apply(state, answer)
            if request.init:
                state = cp.apply(state, cp.release(state, request.container_id))
    assert cp.violations(state) == ()
    return Outcome(state, refusals, notes)


def cpus(outcome: Outcome) -> dict[str, str]:
    return {key: str(one.cpus) for key, one in outcome.state.assignments.items()}


@pytest.mark.parametrize("name", [name for name in MANIFESTS if name not in ("refused.yaml", "weka-annotations.yaml")])
def test_every_example_is_placed_whole(name: str) -> None:
    assert plan(name).refusals == {}


def test_mixed_workload() -> None:
    state = plan("mixed-workload.yaml").state
    database, training = state["data/database/postgres"], state["ml/training-0/trainer"]
    assert (str(database.cpus), database.exclusive) == ("0-3", True)
    assert (len(training.cpus), training.exclusive) == (8, True)
    assert [group.cpus for group in state.topology.l3_groups if not group.cpus.isdisjoint(training.cpus)] == [
        training.cpus
    ]
    web = [state[f"default/web-{number}/nginx"] for number in range(3)]
    assert {one.cpus for one in web} == {state.pool}
    assert state.pool == state.topology.online - database.cpus - training.cpus


def test_the_policy_example_holds_with_the_mixed_workload() -> None:
    policy = read_policy(EXAMPLES / "policy.yaml")
    assert policy.wishes.numa == "require-fewest"
    outcome = plan("mixed-workload.yaml", policy)
    assert outcome.refusals == {}
    assert outcome.state.pool.isdisjoint(policy.reserved)


def test_numa_wishes() -> None:
    state = plan("numa-wishes.yaml").state
    nodes = {
        one.request.pod: [len(node.cpus & one.cpus) for node in state.topology.nodes if node.cpus & one.cpus]
        for one in state.assignments.values()
    }
    assert nodes["default/one-node"] == [12]
    assert nodes["default/even-spread"] == [4, 4, 4, 4]
    assert state["default/named-nodes/main"].cpus <= state.topology.node(4).cpus | state.topology.node(5).cpus


def test_isolate() -> None:
    state = plan("isolate.yaml").state
    lonely, whole = state["default/low-latency/matcher"], state["default/whole-cores/main"]
    assert (len(lonely.cpus), len(lonely.withheld)) == (4, 4)
    assert all(core.cpus <= whole.cpus for core in state.topology.cores if not core.cpus.isdisjoint(whole.cpus))


def test_devices() -> None:
    state = plan("devices.yaml").state
    for pod, node in (("packets/engine", 1), ("inference/server", 7)):
        assert state[f"default/{pod}"].cpus <= state.topology.node(node).cpus


def test_init_containers_leave_their_cpus_to_the_pod() -> None:
    outcome = plan("init-and-sidecars.yaml")
    assert set(cpus(outcome)) == {f"default/analytics/{name}" for name in ("proxy", "engine", "exporter")}
    assert len(outcome.state["default/analytics/engine"].cpus) == 8


def test_forbid() -> None:
    state = plan("forbid.yaml").state
    forbidden = cp.CpuSet.parse("0-3,128-131")
    assert state["default/agent-0/agent"].cpus.isdisjoint(forbidden)
    assert state["default/cache/main"].cpus.isdisjoint(forbidden)
    assert str(state["default/interrupts/helper"].cpus) == "128-129"


def test_weka_annotations() -> None:
    policy = read_policy(EXAMPLES / "weka-policy.toml")
    assert policy == cp.Policy.weka()
    outcome = plan("weka-annotations.yaml", policy)
    assert outcome.refusals == {}
    assert cpus(outcome)["default/same-cores/drive"] == "10-13"
    assert any("ignored a forbid list that cannot be read" in note for note in outcome.notes)
    assert {one.kind for one in plan("weka-annotations.yaml").refusals.values()} == {"PinOverlap", "BadAnnotation"}


def test_refused() -> None:
    outcome = plan("refused.yaml")
    assert cpus(outcome) == {"default/good/main": "0-3"}
    assert {key: (one.kind, one.rule) for key, one in outcome.refusals.items()} == {
        "default/overlaps/main": ("PinOverlap", "R2"),
        "default/no-such-cpu/main": ("BadPin", "R1"),
        "default/too-many/main": ("NotEnoughCpus", "R4"),
        "default/too-large-for-a-node/main": ("WishUnmet", "section 5"),
        "default/typing-error/main": ("BadAnnotation", "section 2"),
    }


def test_pod_resources() -> None:
    state = plan("pod-resources.yaml").state
    assert {one.request.name: one.exclusive for one in state.assignments.values()} == {
        "router": True,
        "metrics": False,
        "logs": False,
    }
