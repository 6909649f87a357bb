"""A 256-CPU sysfs tree, already read into memory, becomes a Topology.

The captured machine beside the checkout when it is there, else a tree written from the catalogue's description.
"""

import tarfile
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from cpuplace import catalogue
from cpuplace.formats import sysfs

CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "topologies" / "amd-epyc7742-2s-256t-nps4-32l3.tar.gz"
ROUNDS = 50


def captured(path: Path) -> dict[str, str | bytes | sysfs.Link]:
    """Files and links of a captured tree."""
    files: dict[str, str | bytes | sysfs.Link] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name.removeprefix("./")] = content.read()
            elif member.issym():
                files[member.name.removeprefix("./")] = sysfs.Link(member.linkname)
    return files


def bench_read(benchmark: BenchmarkFixture) -> None:
    real = CAPTURE.exists()
    files = captured(CAPTURE) if real else sysfs.render(catalogue.host("amd-epyc-7742-2s-nps4"))
    benchmark.extra_info |= {
        "what": f"read a {'captured' if real else 'written'} tree, files in memory",
        "host": "256 CPUs / 8 nodes",
        "budget_us": 30_000,
    }
    host = benchmark.pedantic(sysfs.parse, args=(files,), rounds=ROUNDS, warmup_rounds=1)
    assert len(host.online) == 256
