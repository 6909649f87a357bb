"""What the tests beside real containerds are given; apart from `conftest`, which must load where there is no gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import serving
from .daemon import Containerd
from .kubelet import Kubelet
from .serving import Agents


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
