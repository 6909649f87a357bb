"""lscpu: the printed table, the JSON table and the JSON summary."""

import json

import pytest

from cpuplace.errors import BadInput
from cpuplace.formats.lscpu import parse

TABLE = """# The following is the parsable format, which can be fed to other
# programs. Each different item in every column has an unique ID
# starting usually from zero.
# CPU,Core,Socket,Node,,L1d,L1i,L2,L3
0,0,0,0,,0,0,0,0
1,1,1,1,,1,1,1,1
2,0,0,0,,0,0,0,0

3,1,1,1,,1,1,1,1
"""


def test_the_printed_table() -> None:
    host = parse(TABLE, name="small")
    assert [str(core.cpus) for core in host.cores] == ["0,2", "1,3"]
    assert [str(package.cpus) for package in host.packages] == ["0,2", "1,3"]
    assert [str(node.cpus) for node in host.nodes] == ["0,2", "1,3"]
    assert [str(group.cpus) for group in host.l3_groups] == ["0,2", "1,3"]
    assert host.name == "small"


def test_joined_caches_offline_cpus_and_speeds() -> None:
    host = parse(
        "# CPU,Core,Cluster,Book,Drawer,L1d:L1i:L2:L3,Online,MaxMHz\n"
        "0,0,0,0,0,0:0:0:0,Y,5000.5000\n1,1,0,0,0,1:1:1:0,yes,3900.0\n2,-,-,-,-,-,N,-\n"
    )
    assert str(host.offline) == "2"
    assert [str(group.cpus) for group in host.l2_groups] == ["0", "1"]
    assert [str(group.cpus) for group in host.l3_groups] == ["0-1"]
    assert [cpu.kind for cpu in host.cpus] == ["performance", "efficiency", None]
    assert host.cpu(0).max_khz == 5_000_500
    assert (len(host.clusters), len(host.books), len(host.drawers)) == (1, 1, 1)


def test_the_json_table_with_its_bare_dash() -> None:
    text = """{"cpus": [
      {"cpu": 0, "core": 0, "node": 0, "socket": 0, "l1d:l1i:l2:l3": "0:0:0:0", "maxmhz": -, "online": true},
      {"cpu": 1, "core": 0, "node": 0, "socket": 0, "l1d:l1i:l2:l3": "0:0:0:0", "maxmhz": null, "online": true},
      {"cpu": 2, "core": "-", "node": "-", "socket": "-", "l1d:l1i:l2:l3": "-", "online": false}]}"""
    host = parse(text)
    assert [str(core.cpus) for core in host.cores] == ["0-1"]
    assert str(host.offline) == "2"


def summary(**changes: str) -> str:
    lines = {
        "CPU(s):": "8",
        "On-line CPU(s) list:": "0-7",
        "Thread(s) per core:": "2",
        "Socket(s):": "2",
        "L3 cache:": "64 MiB (2 instances)",
        "NUMA node0 CPU(s):": "0-1,4-5",
        "NUMA node1 CPU(s):": "2-3,6-7",
    }
    lines |= {name.replace("_", " "): value for name, value in changes.items()}
    fields = [{"field": name, "data": data} for name, data in lines.items()]
    return json.dumps({"lscpu": [fields[0], {"field": "nested", "data": None, "children": fields[1:]}]})


def test_a_summary_with_one_answer() -> None:
    host = parse(summary())
    assert [str(core.cpus) for core in host.cores] == ["0,4", "1,5", "2,6", "3,7"]
    assert [str(node.cpus) for node in host.nodes] == ["0-1,4-5", "2-3,6-7"]
    assert [str(package.cpus) for package in host.packages] == ["0-1,4-5", "2-3,6-7"]
    assert [str(group.cpus) for group in host.l3_groups] == ["0-1,4-5", "2-3,6-7"]


def test_a_summary_says_no_more_than_it_counts() -> None:
    host = parse(
        summary(**{"Thread(s)_per_core:": "1", "Socket(s):": "4", "L3_cache:": "1 MiB", "Off-line_CPU(s)_list:": "8"})
    )
    assert len(host.cores) == 8
    assert not host.packages
    assert not host.l3_groups
    assert str(host.offline) == "8"


def test_a_summary_without_nodes_has_one() -> None:
    host = parse(json.dumps({"lscpu": [{"field": "On-line CPU(s) list:", "data": "0-1"}]}))
    assert [str(node.cpus) for node in host.nodes] == ["0-1"]
    assert [str(package.cpus) for package in host.packages] == ["0-1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "online CPU"),
        ("# CPU,Core\n0,x\n", "line 2: expected a number as core"),
        ("# Core,Socket\n0,0\n", "line 2: no CPU column"),
        ("0,0,0,0\n0,0,0,0\n", "described twice"),
        ("70000,0,0,0\n", "65536"),
        ("{", "line 1"),
        ("{}", "'lscpu' is missing"),
        ('{"cpus": 3}', "a list"),
        ('{"cpus": [3]}', "an object"),
        ('{"lscpu": [{}]}', "'field' is missing"),
        ('{"lscpu": []}', "no online CPU"),
        (summary(**{"NUMA_node0_CPU(s):": "0-1,4"}), "share a core"),
        (summary(**{"NUMA_node0_CPU(s):": "0-3", "NUMA_node1_CPU(s):": "4-7"}), "share a core"),
        (summary(**{"On-line_CPU(s)_list:": "0-"}), "cannot read"),
    ],
)
def test_bad_outputs(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert problem in str(caught.value)
