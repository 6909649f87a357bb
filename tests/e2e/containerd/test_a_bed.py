"""The bed itself, before anything of ours: pods run, a plugin that does nothing changes nothing, all is gone again."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from cpuplace_linux import read_host

from . import daemon, idle, serving
from .daemon import Containerd
from .groups import CPUSETS
from .kubelet import TOP, Kubelet, refusal


@pytest.mark.parametrize("plugin", [False, True], ids=["alone", "idle"])
def test_a_container_without_us_runs_everywhere(containerd: Containerd, kubelet: Kubelet, plugin: bool) -> None:
    since = len(containerd.log())
    with ExitStack() as stack:
        if plugin:
            process = stack.enter_context(idle.running(containerd.nri))
            containerd.joined("98-idle", since=since)
        container = kubelet.alone("one", cpus=1)
        assert kubelet.look(container).agreed == read_host("/").online
        kubelet.limit(container, 2)
        kubelet.end(container.pod)
        assert not plugin or process.poll() is None
    assert containerd.complaints(since) == []


def test_a_pod_leaves_no_process_mount_or_group(containerd: Containerd, kubelet: Kubelet) -> None:
    pod = kubelet.pod("gone")
    kubelet.run(pod)
    assert daemon.mounts(containerd.base)
    assert list(daemon.shims(containerd.socket))
    kubelet.clean()
    assert daemon.mounts(containerd.base) == []
    assert list(daemon.shims(containerd.socket)) == []
    assert not (CPUSETS / TOP.lstrip("/")).exists()


def test_a_refusal_of_the_runtime_is_seen(kubelet: Kubelet) -> None:
    pod = kubelet.pod("bad")
    assert "failed to resolve image" in refusal(lambda: kubelet.create(pod, image="localhost/none:test"))


def test_what_is_left_of_a_runtime_that_died_is_cleared_away() -> None:
    with serving.containerd("newest") as containerd, containerd.connect() as cri:
        left = Kubelet(cri).alone("left")
        containerd.stop(signal.SIGKILL)
        assert Kubelet(cri).look(left).agreed == read_host("/").online
    assert list(daemon.shims(containerd.socket)) == []
    assert daemon.mounts(containerd.base) == []
    assert not (CPUSETS / TOP.lstrip("/")).exists()


def test_what_was_said_before_is_not_waited_for(containerd: Containerd, tmp_path: Path) -> None:
    assert containerd.said("containerd successfully booted")
    with pytest.raises(AssertionError, match="never said"):
        containerd.said("containerd successfully booted", since=len(containerd.log()), seconds=0.1)
