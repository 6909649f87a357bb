"""What `numactl -H` prints, read into a `Topology`: nodes, their CPUs, memory and distances.

Format: numactl(8). It says nothing of cores, caches and sockets: every CPU is a core of its own here.
"""

import re
from typing import Final

from attrs import field, frozen

from cpuplace.cpulist import MAX_ID, ids_of, parse_list
from cpuplace.errors import BadInput
from cpuplace.hardware import CpuRow
from cpuplace.topology import Topology

_SOURCE: Final = "numactl -H"
_NODE: Final = re.compile(r"node ([0-9]{1,5}) (cpus|size|free):(.*)", re.ASCII)
_SIZE: Final = re.compile(r"\s*([0-9]{1,12}) MB\s*", re.ASCII)
_HEAD: Final = re.compile(r"node(?:\s+[0-9]{1,5})+\s*", re.ASCII)
_ROW: Final = re.compile(r"\s*([0-9]{1,5}):((?:\s+[0-9]{1,9})*)\s*", re.ASCII)


@frozen(slots=True)
class _Nodes:
    cpus: dict[int, int] = field(factory=dict)
    memory: dict[int, int | None] = field(factory=dict)
    distances: dict[tuple[int, int], int] = field(factory=dict)


def parse(text: str, *, name: str = "") -> Topology:
    """The host that `numactl -H` describes; BadInput with the line that cannot be read. MB there are 2^20 bytes.

    >>> parse("available: 1 nodes (0)\\nnode 0 cpus: 0 1\\nnode 0 size: 64 MB\\n").node(0).memory_bytes
    67108864
    """
    nodes = _Nodes()
    columns: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            columns = _take(nodes, columns, line)
        except BadInput as bad:
            raise BadInput(bad.problem, source=_SOURCE, position=f"line {number}", hint=bad.hint) from None
    of_cpu: dict[int, list[int]] = {}
    for node, mask in nodes.cpus.items():
        for cpu in ids_of(mask):
            of_cpu.setdefault(cpu, []).append(node)
    return Topology.from_rows(
        (CpuRow(cpu, None, None, tuple(of)) for cpu, of in of_cpu.items()),
        distances=nodes.distances,
        memory_bytes=nodes.memory,
        name=name,
    )


def _take(nodes: _Nodes, columns: list[int], line: str) -> list[int]:
    """Take in one line; the columns of the distance table are known from its head line on."""
    fact, row = _NODE.fullmatch(line), _ROW.fullmatch(line)
    if fact:
        _fact(nodes, _id(fact[1]), fact[2], fact[3])
    elif _HEAD.fullmatch(line):
        return [_id(one) for one in line.split()[1:]]
    elif row:
        values = row[2].split()
        if len(values) != len(columns):
            raise BadInput(f"{len(values)} distances for {len(columns)} nodes")
        nodes.distances.update({(_id(row[1]), b): int(one) for b, one in zip(columns, values, strict=True)})
    elif line.strip() and not line.startswith(("available:", "node distances:")):
        raise BadInput(f"cannot read {line[:30]!r}", hint="the output of numactl -H")
    return columns


def _fact(nodes: _Nodes, node: int, what: str, value: str) -> None:
    size = _SIZE.fullmatch(value)
    if what == "cpus":
        nodes.cpus[node] = parse_list(",".join(value.split()))
        nodes.memory.setdefault(node, None)
    elif size is None:
        raise BadInput(f"expected a size in MB, found {value[:20]!r}")
    elif what == "size":
        nodes.memory[node] = int(size[1]) << 20


def _id(text: str) -> int:
    if int(text) > MAX_ID:
        raise BadInput(f"node {text} is above id {MAX_ID}")
    return int(text)
