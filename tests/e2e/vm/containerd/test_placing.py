"""Two nodes: who gets which, and what becomes of the memory."""

from concurrent.futures import ThreadPoolExecutor

from cpuplace import CpuSet, NodeSet, Topology
from e2e.containerd import law
from e2e.containerd.agent import Agent
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Container, Kubelet, eventually, refusal
from e2e.containerd.law import SHARED, Wanted

Live = dict[Container, Wanted]


def lawful(kubelet: Kubelet, host: Topology, live: Live) -> dict[Container, CpuSet]:
    """Where each container runs; raises AssertionError when a law is broken."""
    found = {container: law.held(kubelet, container, True) for container in live}
    law.check(host, {container.said: (live[container], found[container]) for container in live})
    return {container: has.cpus for container, has in found.items()}


def test_cores_nodes_and_memory_and_a_pin_that_moves_a_container_to_the_other_node(
    kubelet: Kubelet, agent: Agent, host: Topology
) -> None:
    pod = kubelet.pod("train")
    four, two = kubelet.run(pod, "four", cpus=4), kubelet.run(pod, "two", cpus=2)
    web = kubelet.alone("web", qos="burstable", cpus=0.5)
    live = {four: Wanted(count=4), two: Wanted(count=2), web: SHARED}
    before = lawful(kubelet, host, live)
    near = host.node(0).cpus
    assert before[four] | before[two] < near
    for container in (four, two):
        assert all(core.cpus <= before[container] for core in host.cores if core.cpus & before[container])
    pinned = before[four] | (near - before[two])
    held = kubelet.alone("db", cpus=len(pinned), annotations={"cpuplace.dev/cores": str(pinned)})
    after = lawful(kubelet, host, {**live, held: Wanted(count=len(pinned), pin=pinned)})
    assert (after[held], after[two]) == (pinned, before[two]), "who is not in the way stays"
    assert after[four] < host.node(1).cpus
    assert kubelet.look(four).agreed_mems == NodeSet([1])


def test_two_created_at_the_same_moment_and_several_conflicts_at_once(
    kubelet: Kubelet, containerd: Containerd, agent: Agent, host: Topology
) -> None:
    pods = [kubelet.pod("a"), kubelet.pod("b")]
    with ThreadPoolExecutor(2) as pool, containerd.connect() as first, containerd.connect() as second:
        asked = zip((Kubelet(first), Kubelet(second)), pods, strict=True)
        both = list(pool.map(lambda one: one[0].run(one[1], cpus=2), asked))
    live = {container: Wanted(count=2) for container in (*both, kubelet.run(pods[0], "third", cpus=2))}
    web = kubelet.alone("web", qos="burstable", cpus=0.5)
    before = lawful(kubelet, host, {**live, web: SHARED})
    pin = host.node(0).cpus
    assert all(before[container] < pin for container in live)
    db = kubelet.alone("db", cpus=len(pin), annotations={"cpuplace.dev/cores": str(pin)})
    after = lawful(kubelet, host, {**live, web: SHARED, db: Wanted(count=len(pin), pin=pin)})
    assert all(after[container] < host.node(1).cpus for container in live)


def test_an_impossible_pin_fails_and_changes_nothing(kubelet: Kubelet, agent: Agent, host: Topology) -> None:
    pod = kubelet.pod("train")
    live = {kubelet.run(pod, name, cpus=6): Wanted(count=6) for name in ("left", "right")}
    live[kubelet.alone("web", qos="burstable", cpus=0.5)] = SHARED
    before = lawful(kubelet, host, live)
    held = next(iter(before.values()))
    db = kubelet.pod("db", annotations={"cpuplace.dev/cores": str(held)})
    said = refusal(lambda: kubelet.create(db, cpus=6))
    assert "train" in said
    assert "\n" not in said
    assert lawful(kubelet, host, live) == before


def test_cpus_of_annotated_pods_come_back_to_integer_ones(kubelet: Kubelet, agent: Agent, host: Topology) -> None:
    low, high = host.node(0).cpus - CpuSet([0, 1]), host.node(1).cpus
    pins = {"low": low, "high": high}
    for name, pin in pins.items():
        pinned = kubelet.alone(name, cpus=len(pin), annotations={"weka.io/cores-ids": str(pin)})
        assert kubelet.look(pinned).agreed == pin
    refused = kubelet.pod("train")
    assert "R4" in refusal(lambda: kubelet.create(refused, "eight", cpus=8))
    for pod in list(kubelet.pods.values()):
        if pod.name in pins:
            kubelet.end(pod)
    live = {
        kubelet.run(refused, "eight", cpus=8): Wanted(count=8),
        kubelet.run(refused, "six", cpus=6): Wanted(count=6),
    }
    lawful(kubelet, host, live)


def test_shared_containers_that_go_while_the_plugin_is_dead_are_not_missed(
    kubelet: Kubelet, containerd: Containerd, agent: Agent, host: Topology
) -> None:
    web = kubelet.pod("web", qos="burstable")
    gone, stays = kubelet.run(web, "gone", cpus=0.5), kubelet.run(web, "stays", cpus=0.5)
    train = kubelet.alone("train", cpus=4)
    agent.kill()
    kubelet.remove(gone)
    kubelet.end(train.pod)
    came = kubelet.run(web, "came", cpus=0.5)
    agent.start()
    eventually(
        lambda: kubelet.look(stays).agreed == kubelet.look(came).allowed == host.online,
        lambda: (kubelet.look(stays), kubelet.look(came)),
    )
    again = kubelet.alone("again", cpus=4)
    lawful(kubelet, host, {again: Wanted(count=4), stays: SHARED, came: SHARED})
