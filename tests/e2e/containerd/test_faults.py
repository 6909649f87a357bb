"""What goes wrong on a node: processes die, hang, come twice, are late; what was placed stays, the rest is mended."""

import signal
from pathlib import Path

import pytest

from cpuplace import CpuSet

from . import groups, idle
from .daemon import Containerd
from .kubelet import Container, Kubelet, eventually, refusal
from .serving import Agents
from .test_placing import BOTH, ONE, POLICY, ZERO


def now(kubelet: Kubelet, *containers: Container) -> tuple[CpuSet, ...]:
    """Where each of them runs."""
    return tuple(kubelet.look(container).agreed for container in containers)


def soon(kubelet: Kubelet, *expected: tuple[Container, CpuSet]) -> None:
    """Wait until each runs where it should."""
    containers, wanted = zip(*expected, strict=True)
    eventually(lambda: now(kubelet, *containers) == wanted, lambda: (now(kubelet, *containers), wanted))


def test_a_plugin_that_was_killed_mends_what_came_meanwhile(kubelet: Kubelet, agents: Agents) -> None:
    agent = agents(policy=POLICY)
    integer = kubelet.alone("train", cpus=1)
    agent.kill()
    assert now(kubelet, integer) == (ZERO,)
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    pinned = kubelet.alone("db", qos="burstable", cpus=0.5, annotations={"cpuplace.dev/cores": "1"})
    assert kubelet.look(shared).allowed >= BOTH, "nobody placed it"
    agent.start()
    soon(kubelet, (integer, ZERO), (shared, ONE), (pinned, ONE))


def test_cpus_of_its_own_stay_without_a_quota(kubelet: Kubelet, agents: Agents) -> None:
    agent = agents(policy=POLICY, settings={"exclusive_quota": "off"})
    integer = kubelet.alone("train", cpus=1)
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    kubelet.limit(integer, 1)  # as the kubelet says it again
    agent.kill()
    agent.start()
    limited = {one.pod.name: groups.is_limited(one.pod.parent, one.id) for one in (integer, shared)}
    assert (now(kubelet, integer, shared), limited) == ((ZERO, ONE), {"train": False, "web": True})


def test_an_integer_container_that_came_meanwhile_gets_its_cpu(kubelet: Kubelet, agents: Agents) -> None:
    agent = agents(policy=POLICY)
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    agent.kill()
    integer = kubelet.alone("train", cpus=1)
    agent.start()
    soon(kubelet, (integer, ZERO), (shared, ONE))


def test_a_container_that_went_meanwhile_holds_nothing(kubelet: Kubelet, agents: Agents) -> None:
    agent = agents(policy=POLICY)
    gone = kubelet.alone("train", cpus=1)
    agent.kill()
    kubelet.end(gone.pod)
    agent.start()
    integer = kubelet.alone("next", cpus=1)
    assert now(kubelet, integer) == (ZERO,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_runtime_that_comes_back_finds_the_plugin_again(
    number: signal.Signals, containerd: Containerd, kubelet: Kubelet, agents: Agents
) -> None:
    agent = agents(policy=POLICY)
    shared, integer = kubelet.alone("web", qos="burstable", cpus=0.5), kubelet.alone("train", cpus=1)
    containerd.stop(number)
    assert now(kubelet, integer, shared) == (ZERO, ONE)
    since = len(containerd.log())
    containerd.start()
    containerd.joined("99-cpuplace", since=since)
    assert agent.alive()
    later = kubelet.alone("batch", qos="besteffort")
    assert now(kubelet, integer, shared, later) == (ZERO, ONE, ONE)


def test_a_plugin_that_starts_before_the_runtime_waits_for_it(
    containerd: Containerd, kubelet: Kubelet, agents: Agents
) -> None:
    containerd.stop()
    agents(policy=POLICY, wait=False)
    since = len(containerd.log())
    containerd.start()
    containerd.joined("99-cpuplace", since=since)
    assert now(kubelet, kubelet.alone("train", cpus=1)) == (ZERO,)


def test_a_second_instance_ends_with_a_word_and_harms_nobody(kubelet: Kubelet, agents: Agents, tmp_path: Path) -> None:
    lock = {"lock": str(tmp_path / "one-lock")}
    first = agents(policy=POLICY, settings=lock)
    second = agents(policy=POLICY, settings=lock, wait=False)
    assert second.wait() != 0
    assert str(first.pid) in second.log() or "lock" in second.log()
    assert "Traceback" not in second.log()
    assert now(kubelet, kubelet.alone("train", cpus=1)) == (ZERO,)


def test_a_create_that_another_plugin_refuses_after_our_answer_holds_nothing(
    containerd: Containerd, kubelet: Kubelet, agents: Agents
) -> None:
    since = len(containerd.log())
    agents(policy=POLICY, settings={"index": 50}, wait=False)
    containerd.joined("50-cpuplace", since=since)
    with idle.running(containerd.nri, refused="CreateContainer"):
        containerd.joined("98-idle", since=since)
        pod = kubelet.pod("refused")
        assert "not today" in refusal(lambda: kubelet.create(pod, cpus=1))
    kubelet.end(pod)
    integer, shared = kubelet.alone("train", cpus=1), kubelet.alone("web", qos="burstable", cpus=0.5)
    assert now(kubelet, integer, shared) == (ZERO, ONE)
