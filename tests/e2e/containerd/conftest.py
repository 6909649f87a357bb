"""These tests run a containerd: `nox -s e2e`, or `python -m tests.e2e.bed here`. Elsewhere they are left out."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
WANTED = "CPUPLACE_CONTAINERD" in os.environ

if WANTED:
    from .fixtures import agents, containerd, kubelet

    __all__ = ["agents", "containerd", "kubelet"]

collect_ignore_glob = [] if WANTED else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip those that were asked for by name; pytest does not ignore these."""
    if not WANTED:
        skip = pytest.mark.skip(reason="wants a containerd: python -m tests.e2e.bed here, see tests/e2e/README.md")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(skip)
