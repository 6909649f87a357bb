"""numactl -H: nodes, memory and distances."""

import pytest

from cpuplace.errors import BadInput
from cpuplace.formats.numactl import parse

TEXT = """available: 3 nodes (0,2,250)
node 0 cpus: 0 1 4 5
node 0 size: 32065 MB
node 0 free: 123 MB
node 2 cpus: 2 3 6 7
node 2 size: 32252 MB
node 2 free: 456 MB
node 250 cpus:
node 250 size: 16128 MB
node 250 free: 16000 MB
node distances:
node   0   2   250
  0:  10  21  80
  2:  31  10  80
 250:  80  80  10
"""


def test_nodes_memory_and_distances() -> None:
    host = parse(TEXT, name="h")
    assert [(node.id, str(node.cpus)) for node in host.nodes] == [(0, "0-1,4-5"), (2, "2-3,6-7"), (250, "")]
    assert host.node(0).memory_bytes == 32065 << 20
    assert (host.distance(0, 2), host.distance(2, 0), host.distance(250, 250)) == (21, 31, 10)
    assert len(host.cores) == 8


def test_overlapping_nodes_and_unknown_memory() -> None:
    host = parse("node 0 cpus: 0-1\nnode 1 cpus: 0 1\n\n")
    assert host.cpu(1).nodes == (0, 1)
    assert host.node(1).memory_bytes is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least one online CPU"),
        ("No NUMA support available on this system.\n", "line 1: cannot read"),
        ("node 0 cpus: 0 x\n", "line 1: cannot read"),
        ("node 0 cpus: 0\nnode 0 size: many MB\n", "line 2: expected a size"),
        ("node 0 cpus: 0\nnode 0 free: MB\n", "line 2: expected a size"),
        ("node 0 cpus: 0\nnode 0 1\n 0: 10\n", "line 3: 1 distances for 2 nodes"),
        ("node 0 cpus: 0\nnode 0 9\n 0: 10 20\n", "names a node the host lacks"),
        ("node 99999 cpus: 0\n", "line 1: node 99999 is above"),
    ],
)
def test_bad_outputs(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert problem in str(caught.value)
