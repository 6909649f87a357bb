"""Every kind of container beside a real runtime, on two CPUs: what the kernel says, never what we think."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from cpuplace import CpuSet

from . import groups, serving
from .agent import Agent
from .daemon import Containerd
from .kubelet import Container, Kubelet, eventually, refusal

POLICY: Final = {"usable": "0-1", "unmanaged_namespaces": ["kube-system"]}
BOTH: Final = CpuSet([0, 1])
ZERO: Final = CpuSet([0])
ONE: Final = CpuSet([1])
SENTENCE: Final = re.compile(r"[^\n]{20,1000}", re.ASCII)
"""What an event of a pod can show (it holds 1,024 characters), the words that the runtime puts before ours included."""


@pytest.fixture(scope="module")
def agent(containerd: Containerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The plugin, which may use two CPUs whatever the machine has; the same one for test after test, as on a node."""
    with serving.agents(containerd, tmp_path_factory.mktemp("plugin")) as start:
        yield start(policy=POLICY)


@pytest.fixture
def cpus(kubelet: Kubelet, agent: Agent) -> Callable[[Container], CpuSet]:
    """Where the kernel lets a container run, asked for and in effect."""
    return lambda container: kubelet.look(container).agreed


Cpus = Callable[[Container], CpuSet]


def test_an_integer_container_has_a_cpu_of_its_own_and_shared_ones_leave_it_while_they_run(
    kubelet: Kubelet, cpus: Cpus
) -> None:
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    assert cpus(shared) == BOTH
    integer = kubelet.alone("train", cpus=1)
    assert (cpus(integer), cpus(shared)) == (ZERO, ONE)
    later = kubelet.alone("batch", qos="besteffort")
    assert cpus(later) == ONE
    kubelet.end(integer.pod)
    eventually(lambda: cpus(shared) == cpus(later) == BOTH, lambda: (cpus(shared), cpus(later)))


def test_a_pin_is_taken_verbatim_and_told_to_the_container(kubelet: Kubelet, cpus: Cpus) -> None:
    pinned = kubelet.alone("db", qos="burstable", cpus=0.5, annotations={"cpuplace.dev/cores": "1"})
    assert cpus(pinned) == ONE
    assert "CPUPLACE_CPUS=1" in kubelet.environment(pinned)
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    assert cpus(shared) == BOTH, "a pin without CPUs of its own takes none from others"


def test_an_exclusive_pin_drives_shared_containers_away(kubelet: Kubelet, cpus: Cpus) -> None:
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    pinned = kubelet.alone("db", cpus=1, annotations={"weka.io/cores-ids": "1"})
    assert (cpus(pinned), cpus(shared)) == (ONE, ZERO)
    assert "CPUPLACE_CPUS=1" in kubelet.environment(pinned)


def test_one_pod_has_containers_of_both_kinds(kubelet: Kubelet, cpus: Cpus) -> None:
    pod = kubelet.pod("mixed", annotations={"cores.cpuplace.dev/fast": "1"})
    fast, side = kubelet.run(pod, "fast", cpus=1), kubelet.run(pod, "side", cpus=0.5)
    assert (cpus(fast), cpus(side)) == (ONE, ZERO)


def test_a_pin_moves_a_running_integer_container(kubelet: Kubelet, cpus: Cpus) -> None:
    integer = kubelet.alone("train", cpus=1)
    before = process(integer)
    assert cpus(integer) == ZERO
    pinned = kubelet.alone("db", qos="burstable", cpus=0.5, annotations={"cpuplace.dev/cores": "0"})
    assert (cpus(pinned), cpus(integer)) == (ZERO, ONE)
    assert process(integer) == before


def process(container: Container) -> int:
    return groups.first(groups.CPUSETS / container.pod.parent.lstrip("/") / container.id)


def test_a_refusal_reaches_the_kubelet_as_one_sentence_and_changes_nothing(
    kubelet: Kubelet, cpus: Cpus, agent: Agent, containerd: Containerd
) -> None:
    integer, shared = kubelet.alone("train", cpus=1), kubelet.alone("web", qos="burstable", cpus=0.5)
    pod = kubelet.pod("more")
    said = refusal(lambda: kubelet.create(pod, cpus=1))
    assert SENTENCE.fullmatch(said)
    assert re.search(r"\bR[0-9]+\b", said), "the rule is named"
    assert "default/more/main" in said, "as people call it"
    assert "Traceback" not in said
    assert (cpus(integer), cpus(shared)) == (ZERO, ONE)
    assert cpus(kubelet.run(pod, "small", cpus=0.5)) == ONE, "the plugin is still connected"
    kubelet.end(integer.pod)
    assert cpus(kubelet.run(pod, cpus=1)) == ZERO, "and the same request fits now"


@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        ({"cpuplace.dev/cores": "0-x"}, "0-x"),
        ({"cpuplace.dev/cores": "700"}, "700"),
        ({"cores.cpuplace.dev/main": ""}, "no CPU"),
        ({"cpuplace.dev/corse": "0"}, "corse"),
    ],
    ids=["unreadable", "absent", "empty", "unknown"],
)
def test_an_annotation_that_cannot_be_followed_is_said(
    annotations: dict[str, str], named: str, kubelet: Kubelet, agent: Agent
) -> None:
    pod = kubelet.pod("db", qos="burstable", annotations=annotations)
    said = refusal(lambda: kubelet.create(pod, cpus=0.5))
    assert SENTENCE.fullmatch(said)
    assert named in said


def test_pins_of_two_pods_do_not_overlap(kubelet: Kubelet, cpus: Cpus) -> None:
    first = kubelet.alone("db", cpus=1, annotations={"cpuplace.dev/cores": "0"})
    pod = kubelet.pod("other", annotations={"cpuplace.dev/cores": "0"})
    said = refusal(lambda: kubelet.create(pod, cpus=1))
    assert "db" in said
    assert cpus(first) == ZERO


def test_what_the_kubelets_cpu_manager_writes_takes_nothing_away(kubelet: Kubelet, cpus: Cpus) -> None:
    integer, shared = kubelet.alone("train", cpus=1), kubelet.alone("web", qos="burstable", cpus=0.5)
    for container, wanted in ((integer, "0-1"), (shared, "0"), (integer, "1")):
        kubelet.update(container, {"cpuset_cpus": wanted})
        assert (cpus(integer), cpus(shared)) == (ZERO, ONE)
    kubelet.update(shared, {"cpu_shares": 256})
    assert cpus(shared) == ONE


def test_a_resize_in_place_changes_the_kind(kubelet: Kubelet, cpus: Cpus) -> None:
    shared, container = kubelet.alone("web", qos="burstable", cpus=0.5), kubelet.alone("train", cpus=1)
    kubelet.limit(container, 0.5)
    eventually(lambda: cpus(container) == cpus(shared) == BOTH, lambda: (cpus(container), cpus(shared)))
    kubelet.limit(container, 1)
    held = cpus(container)
    assert len(held) == 1
    assert cpus(shared) == BOTH - held


def test_a_resize_that_does_not_fit_is_refused(kubelet: Kubelet, cpus: Cpus) -> None:
    container = kubelet.alone("train", cpus=1)
    said = refusal(lambda: kubelet.limit(container, 2))
    assert SENTENCE.fullmatch(said)
    assert cpus(container) == ZERO


def test_namespaces_that_are_not_ours_are_left_alone(kubelet: Kubelet, cpus: Cpus, agent: Agent) -> None:
    kubelet.alone("train", cpus=1)
    system = kubelet.alone("proxy", cpus=1, namespace="kube-system", annotations={"cpuplace.dev/cores": "1"})
    assert kubelet.look(system).allowed >= BOTH
    assert "cpus" not in kubelet.spec(system)


def test_the_next_attempt_of_a_container_has_the_same_cpu(kubelet: Kubelet, cpus: Cpus) -> None:
    pod = kubelet.pod("train")
    first = kubelet.run(pod, cpus=1)
    kubelet.kill(first)
    again = kubelet.run(pod, cpus=1, attempt=1)
    assert cpus(again) == ZERO
    kubelet.remove(first)
    assert cpus(again) == ZERO


def test_a_container_that_cannot_start_gives_its_cpu_back(kubelet: Kubelet, cpus: Cpus) -> None:
    pod = kubelet.pod("broken")
    broken = kubelet.create(pod, cpus=1, command=["/bin/no-such-program"])
    assert "no-such-program" in refusal(lambda: kubelet.start(broken))
    kubelet.cri.call("RemoveContainer", {"container_id": broken.id})
    kubelet.end(pod)
    integer, shared = kubelet.alone("train", cpus=1), kubelet.alone("web", qos="burstable", cpus=0.5)
    assert (cpus(integer), cpus(shared)) == (ZERO, ONE)
