"""The bed itself, before anything of ours."""

from cpuplace import Topology
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Kubelet


def test_a_container_without_us_runs_everywhere(containerd: Containerd, kubelet: Kubelet, host: Topology) -> None:
    since = len(containerd.log())
    container = kubelet.alone("one", cpus=1)
    seen = kubelet.look(container)
    assert seen.effective == seen.allowed == host.online
    kubelet.end(container.pod)
    assert containerd.complaints(since) == []
