"""A containerd inside the VM with the plugin beside it, both up for all tests; time-outs and versions are outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.containerd import serving
from e2e.containerd.agent import Agent
from e2e.containerd.config import Patience
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Kubelet

PATIENCE = Patience(registration="300s", request="60s")
"""Emulation is slow; what happens when a plugin is late is tried outside."""

POLICY = {"memory_scope": "exclusive"}
"""Integer containers have their memory where their CPUs are, not only pinned ones."""


@pytest.fixture(scope="session")
def containerd() -> Iterator[Containerd]:
    """The newest one."""
    for name, to in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        link = Path("/dev") / name  # without udev nobody makes them
        if not link.is_symlink():
            link.symlink_to(f"/proc/self/{to}")
    with serving.containerd("newest", patience=PATIENCE) as served:
        yield served


@pytest.fixture(scope="session")
def agent(containerd: Containerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The plugin; starting Python takes seconds here, so there is one for all tests."""
    with serving.agents(containerd, tmp_path_factory.mktemp("plugin")) as start:
        yield start(policy=POLICY)


@pytest.fixture
def kubelet(containerd: Containerd) -> Iterator[Kubelet]:
    """Pods of one test."""
    with serving.kubelet(containerd) as found:
        yield found
