"""The machines of `tests/e2e`, as `cpuplace capture` kept them: read without any VM as what was asked for.

Renew them with `nox -s e2e -- --write`.
"""

from pathlib import Path

import pytest

from cpuplace import Topology
from cpuplace_linux import read_host
from e2e.asked import same_cpus, same_devices, same_nodes
from e2e.bed.beds import BEDS

FOLDER = Path(__file__).resolve().parent / "vm"
CAPTURED = sorted(name for name, bed in BEDS.items() if not bed.apart)


@pytest.fixture(params=CAPTURED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(name: str) -> Topology:
    return read_host(FOLDER / f"{name}.tar.gz")


def test_cpus(name: str, host: Topology) -> None:
    same_cpus(BEDS[name], host)


def test_nodes(name: str, host: Topology) -> None:
    same_nodes(BEDS[name], host)


def test_devices(name: str, host: Topology) -> None:
    same_devices(BEDS[name], host)


def test_each_machine_has_its_capture_and_no_other_lies_here() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.tar.gz" for name in CAPTURED}
