"""These tests run inside a made-up machine: `nox -s e2e`, or `python -m tests.e2e.bed`. Elsewhere they are left out."""

import os
from pathlib import Path

import pytest

from cpuplace import Topology
from cpuplace_linux import read_host
from e2e.bed.beds import BEDS, Bed

HERE = Path(__file__).resolve().parent
INSIDE = "CPUPLACE_BED" in os.environ

collect_ignore_glob = [] if INSIDE else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip those that were asked for by name outside a VM; pytest does not ignore these."""
    if not INSIDE:
        skip = pytest.mark.skip(reason="runs inside a VM only: python -m tests.e2e.bed, see tests/e2e/README.md")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def bed() -> Bed:
    """The machine that this is meant to be."""
    return BEDS[os.environ["CPUPLACE_BED"]]


@pytest.fixture(scope="session")
def host() -> Topology:
    """The machine that this is, as the kernel shows it."""
    return read_host("/")
