"""A containerd inside the VM, up for all tests; the other versions' tests are outside, and one here."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.containerd import serving
from e2e.containerd.config import Patience
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Kubelet
from e2e.containerd.serving import Agents

PATIENCE = Patience(registration="60s", request="30s")
"""Emulation is slow; what happens when a plugin is late is tried outside."""


@pytest.fixture(scope="session")
def containerd() -> Iterator[Containerd]:
    """The newest one."""
    for name, to in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        link = Path("/dev") / name  # without udev nobody makes them
        if not link.is_symlink():
            link.symlink_to(f"/proc/self/{to}")
    with serving.containerd("newest", patience=PATIENCE) as served:
        sys.stderr.write(f"with {', '.join(serving.runtimes().versions())}\n")
        yield served


@pytest.fixture
def kubelet(containerd: Containerd) -> Iterator[Kubelet]:
    """Pods of one test."""
    with serving.kubelet(containerd) as found:
        yield found


@pytest.fixture
def agents(containerd: Containerd, kubelet: Kubelet, tmp_path: Path) -> Iterator[Agents]:
    """Starts plugins beside it; they end before the pods do."""
    with serving.agents(containerd, tmp_path) as start:
        yield start
