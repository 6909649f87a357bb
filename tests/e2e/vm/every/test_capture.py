"""`cpuplace capture` of the live host; kept captures are test machines, see tests/machines/test_made_up.py."""

import os
from pathlib import Path

from attrs import evolve

from cpuplace import Topology
from cpuplace_cli.main import main
from cpuplace_linux import read_host
from e2e.bed.beds import Bed

KEPT = Path(__file__).resolve().parents[3] / "machines" / "vm"


def without_memory(host: Topology) -> Topology:
    """Another kernel keeps another share of the memory for itself."""
    return evolve(host, memory_bytes=dict.fromkeys(host.memory_bytes))


def test_a_capture_reads_as_the_host_and_as_the_one_that_is_kept(bed: Bed, host: Topology, tmp_path: Path) -> None:
    renew = "CPUPLACE_RENEW" in os.environ
    kept = KEPT / f"{bed.name}.tar.gz"
    fresh = kept if renew else tmp_path / kept.name
    assert main(["capture", str(fresh), *(["--force"] if renew else [])]) == 0
    assert read_host(fresh) == host
    assert without_memory(read_host(kept)) == without_memory(host), "renew with: nox -s e2e -- --write"
