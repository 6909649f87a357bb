"""These tests run a containerd: `nox -s e2e`, or `python -m tests.e2e.bed here`. Elsewhere they are left out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import serving
from .daemon import Containerd
from .kubelet import Kubelet
from .serving import Agents

HERE = Path(__file__).resolve().parent
WANTED = "CPUPLACE_CONTAINERD" in os.environ

collect_ignore_glob = [] if WANTED else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip those that were asked for by name; pytest does not ignore these."""
    if not WANTED:
        skip = pytest.mark.skip(reason="wants a containerd: python -m tests.e2e.bed here, see tests/e2e/README.md")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(skip)


def pytest_report_header() -> list[str]:
    """What is tested: the suites of Debian move on."""
    return [f"with {', '.join(serving.runtimes().versions())}"] if WANTED else []


@pytest.fixture(scope="session", params=serving.NAMES)
def containerd(request: pytest.FixtureRequest) -> Iterator[Containerd]:
    """One of each version, up for all its tests."""
    with serving.containerd(request.param) as served:
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
