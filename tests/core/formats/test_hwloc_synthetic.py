"""hwloc synthetic strings both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.full_hosts import full_hosts
from cpuplace.errors import BadInput
from cpuplace.formats.hwloc_synthetic import parse, render
from cpuplace.idset import CpuSet
from cpuplace.topology import CpuRow, Numbering, Topology


def sets(host: Topology) -> list[list[CpuSet]]:
    kinds = (host.packages, host.dies, host.l3_groups, host.l2_groups, host.cores, host.nodes)
    return [sorted((one.cpus for one in kind), key=lambda cpus: cpus.mask) for kind in kinds]


counts = st.integers(1, 3)


@given(
    counts,
    counts,
    counts,
    counts,
    counts,
    st.sampled_from(["blocks", "adjacent", "interleaved"]),
    st.none() | st.integers(0, 2**40),
)
def test_a_regular_host_reads_back(
    packages: int, nodes: int, l3: int, cores: int, threads: int, numbering: Numbering, memory: int | None
) -> None:
    host = Topology.uniform(
        packages=packages, nodes_per_package=nodes, l3_per_node=l3, cores_per_l3=cores, threads_per_core=threads,
        numbering=numbering, memory_per_node=memory,
    )  # fmt: skip
    again = parse(render(host))
    assert sets(again) == sets(host)
    assert again.nodes == host.nodes
    assert parse(render(again)) == again


@given(full_hosts())
def test_any_host_reads_back_or_is_refused(host: Topology) -> None:
    try:
        text = render(host)
    except BadInput:
        return
    assert sets(parse(text)) == sets(host)
    assert not host.offline


def test_the_whole_grammar() -> None:
    host = parse(
        "Package:2 [NUMANode(memory=16GiB)] die:1 Group0:1 L3Cache:2(size=32MB) l2u:1 l1i:1 Core:2 PU:2", name="x"
    )
    assert (len(host.packages), len(host.dies), len(host.l3_groups), len(host.l2_groups), len(host.cores)) == (
        2,
        2,
        4,
        4,
        8,
    )
    assert [node.memory_bytes for node in host.nodes] == [16 << 30] * 2
    assert host.name == "x"


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("pu:4", {0: "0-3"}),
        ("numa:2 pu:2", {0: "0-1", 1: "2-3"}),
        ("nu:2(indexes=8,0) pu:2", {8: "0-1", 0: "2-3"}),
        ("pack:2 [numa(indexes=4,2)] pu:1", {4: "0", 2: "1"}),
        ("[numa] pack:2 [numa] pu:1", {0: "0", 1: "1", 2: "0-1"}),
        ("pack:1 [numa] [numa(memory=1kB)] pu:2", {0: "0-1", 1: "0-1"}),
    ],
)
def test_numa_at_any_level(text: str, nodes: dict[int, str]) -> None:
    assert {node.id: str(node.cpus) for node in parse(text).nodes} == nodes


@pytest.mark.parametrize(
    ("indexes", "first_core", "second_core"),
    [("0,4,1,5,2,6,3,7", "0,4", "1,5"), ("2*4:1*2", "0,4", "1,5"), ("2*4", "0,4", "1,5"), ("4*2", "0,2", "4,6")],
)
def test_indexes_as_a_list_or_as_loops(indexes: str, first_core: str, second_core: str) -> None:
    host = parse(f"core:4 pu:2(indexes={indexes})")
    assert [str(core.cpus) for core in host.cores][:2] == [first_core, second_core]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "last level must be pu"),
        ("core:2", "last level must be pu"),
        ("pack:2 2 pu:1", "at 6: cannot read"),
        ("pack:2 [numa pu:1", "at 6: cannot read"),
        ("pack:2] pu:1", "at 0: cannot read"),
        ("pack:2 [core] pu:1", "at 6: only NUMA nodes"),
        ("socket:2 disk:1 pu:1", "at 8: unknown type 'disk'"),
        ("p:2 pu:1", "unknown type 'p'"),
        ("pack:0 pu:1", "at 0: 0 package"),
        ("pack:999 core:999 pu:999999", "more CPUs than"),
        ("pack:1 pack:1 pu:1", "used twice"),
        ("pu:2(color=red)", "unknown attribute"),
        ("pu:2(memory)", "unknown attribute"),
        ("[numa(memory=big)] pu:2", "cannot read the size"),
        ("pu:2(indexes=0)", "must name 2 different ids"),
        ("pu:2(indexes=0,0)", "must name 2 different ids"),
        ("pu:2(indexes=core:pu)", "cannot read indexes"),
        ("pu:4(indexes=1*3)", "does not cover"),
        ("pu:4(indexes=0*2)", "does not cover"),
        ("pu:4(indexes=1*0)", "does not cover"),
        ("pu:2(indexes=0,99999)", "65536"),
        ("[numa(indexes=99999)] pu:2", "65536"),
    ],
)
def test_bad_strings(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        [CpuRow(0, 0), CpuRow(1, 0), CpuRow(2, 1)],
        [CpuRow(0, 0, node=0), CpuRow(1, 0, node=0), CpuRow(2, 1, node=1), CpuRow(3, 2, node=1)],
    ],
)
def test_an_irregular_host_has_no_string(rows: list[CpuRow]) -> None:
    host = Topology.from_rows(rows)
    with pytest.raises(BadInput, match="not a regular host"):
        render(host)
