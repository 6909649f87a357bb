"""Messages longer than the buffers and limits of real runtimes, both ways."""

from typing import Final

from cpuplace import CpuSet

from .agent import Agent
from .daemon import Containerd
from .kubelet import Container, Kubelet
from .serving import Agents
from .test_placing import ONE, POLICY, ZERO

MANY: Final = 90
"""Updates that take more than the 4096 bytes which a runtime reads in one go."""
PODS: Final = 8
EACH: Final = 8
LARGE: Final = 100_000
"""Bytes that make the list of all containers longer than the 4 MiB of one message."""


def asked(kubelet: Kubelet, container: Container) -> CpuSet:
    """The CPUs with which one that does not run will be started."""
    return CpuSet.parse(str(kubelet.spec(container).get("cpus", "")))


def reconnects(agent: Agent, containerd: Containerd, since: int) -> int:
    """How often a plugin was seen to come."""
    assert agent.alive()
    return containerd.log(since).count('99-cpuplace\\" connected')


def test_a_reply_may_hold_more_updates_than_a_runtime_reads_in_one_go(
    containerd: Containerd, kubelet: Kubelet, agents: Agents
) -> None:
    since = len(containerd.log())
    agent = agents(policy=POLICY)
    pod = kubelet.pod("web", qos="burstable")
    shared = [kubelet.create(pod, f"s{serial}", cpus=0.5) for serial in range(MANY)]
    running = kubelet.start(shared[0])
    integer = kubelet.alone("train", cpus=1)
    assert (kubelet.look(integer).agreed, kubelet.look(running).agreed) == (ZERO, ONE)
    assert {asked(kubelet, container) for container in shared} == {ONE}
    assert kubelet.look(kubelet.start(shared[-1])).agreed == ONE
    assert reconnects(agent, containerd, since) == 1


def test_a_list_of_containers_longer_than_a_message_is_read(
    containerd: Containerd, kubelet: Kubelet, agents: Agents
) -> None:
    pods = [kubelet.pod(f"big{serial}", qos="burstable") for serial in range(PODS)]
    names = [f"c{serial}" for serial in range(EACH)]
    big = [kubelet.create(pod, name, cpus=0.5, env={"BIG": "x" * LARGE}) for pod in pods for name in names]
    pinned = kubelet.alone("db", cpus=1, annotations={"cpuplace.dev/cores": "0"})
    since = len(containerd.log())
    agent = agents(policy=POLICY)
    assert kubelet.look(pinned).agreed == ZERO
    assert {asked(kubelet, container) for container in big} == {ONE}
    assert reconnects(agent, containerd, since) == 1
