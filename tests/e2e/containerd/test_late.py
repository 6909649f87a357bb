"""A plugin that does not answer in time is dropped by the runtime, which goes on without it."""

import os
import signal
from collections.abc import Iterator

import pytest

from . import serving
from .config import Patience
from .daemon import Containerd
from .kubelet import Kubelet
from .serving import Agents
from .test_faults import soon
from .test_placing import BOTH, ONE, POLICY, ZERO


@pytest.fixture(scope="module", params=serving.NAMES)
def containerd(request: pytest.FixtureRequest) -> Iterator[Containerd]:
    """One that waits a second, not two."""
    with serving.containerd(request.param, patience=Patience(request="1s")) as served:
        yield served


def test_it_is_back_and_mends_what_came_meanwhile(containerd: Containerd, kubelet: Kubelet, agents: Agents) -> None:
    agent = agents(policy=POLICY)
    integer = kubelet.alone("train", cpus=1)
    pod = kubelet.pod("web", qos="burstable")
    since = len(containerd.log())
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        shared = kubelet.run(pod, cpus=0.5)
        containerd.said("context deadline exceeded", since=since)
        assert kubelet.look(shared).allowed >= BOTH
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    containerd.joined("99-cpuplace", since=since)
    soon(kubelet, (integer, ZERO), (shared, ONE))
    assert agent.alive()
