"""The live host is what the VM was asked to be."""

from cpuplace import Topology
from e2e.asked import same_cpus, same_devices, same_nodes
from e2e.bed.beds import Bed


def test_cpus(bed: Bed, host: Topology) -> None:
    same_cpus(bed, host)


def test_nodes(bed: Bed, host: Topology) -> None:
    same_nodes(bed, host)


def test_devices(bed: Bed, host: Topology) -> None:
    same_devices(bed, host)
