"""A CPU goes away and comes back: last, since the kernel forgets what it was told of such a CPU."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cpuplace import CpuSet, Topology
from e2e.containerd.agent import Agent
from e2e.containerd.kubelet import Kubelet, eventually


def switch(cpu: int, on: bool) -> None:
    Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text("1" if on else "0")


@pytest.fixture
def all_back(host: Topology) -> Iterator[None]:
    """All CPUs are online again."""
    yield
    for cpu in sorted(host.online - CpuSet([0])):
        switch(cpu, on=True)


def test_a_container_leaves_a_cpu_that_goes_offline_and_shared_ones_use_it_again_later(
    kubelet: Kubelet, agent: Agent, host: Topology, all_back: None
) -> None:
    pod = kubelet.pod("train")
    kubelet.run(pod, "first", cpus=2)  # has CPU 0, which cannot go
    integer, web = kubelet.run(pod, cpus=2), kubelet.alone("web", qos="burstable", cpus=0.5)
    held, pool = kubelet.look(integer).agreed, kubelet.look(web).agreed
    gone = min(held)
    switch(gone, on=False)
    eventually(
        lambda: len(kubelet.look(integer).agreed) == 2 and gone not in kubelet.look(integer).agreed,
        lambda: kubelet.look(integer),
    )
    new = kubelet.look(integer).agreed
    eventually(lambda: not kubelet.look(web).agreed & (new | CpuSet([gone])), lambda: (new, kubelet.look(web)))
    later = kubelet.run(pod, "later", cpus=2)
    assert not kubelet.look(later).agreed & (new | CpuSet([gone]))
    kubelet.remove(later)
    switch(gone, on=True)
    eventually(lambda: kubelet.look(web).agreed == (pool | held) - new, lambda: (pool, held, new, kubelet.look(web)))
