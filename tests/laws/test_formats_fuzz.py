"""No text given to any reader gives anything but a value or one BadInput."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats import (
    cpuplace_json,
    hwloc_synthetic,
    hwloc_xml,
    irq_record,
    lscpu,
    numactl,
    proc_cgroup,
    proc_interrupts,
    proc_status,
    sysfs,
)
from cpuplace.formats.sysfs import Link
from cpuplace.idset import CpuSet, Dialect
from cpuplace.topology import Topology

HOST = Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2, memory_per_node=2**30, distances=(10, 20, 21))

XML = """<topology version="2.0"><object type="Machine"><object type="Package" os_index="0">
<object type="NUMANode" os_index="0" local_memory="4096"><page_type size="4096" count="1"/></object>
<object type="Core"><object type="PU" os_index="0"/></object></object></object>
<distances2 type="NUMANode" kind="5" indexing="os"><indexes>0</indexes><u64values>10</u64values></distances2>
<cpukind cpuset="0x1"><info name="CoreType" value="IntelCore"/></cpukind></topology>"""

TABLE = "# CPU,Core,Socket,Node,,L1d,L1i,L2,L3,Online,MaxMHz\n0,0,0,0,,0,0,0,0,Y,5000.0\n1,0,0,0,,0,0,0,0,N,-\n"
SUMMARY = (
    '{"lscpu": [{"field": "On-line CPU(s) list:", "data": "0-3"}, {"field": "Thread(s) per core:", "data": "2"},'
    ' {"field": "NUMA node0 CPU(s):", "data": "0-1"}, {"field": "NUMA node1 CPU(s):", "data": "2-3", "children": []}]}'
)
NUMA = "available: 2 nodes (0-1)\nnode 0 cpus: 0 1\nnode 0 size: 64 MB\nnode 1 cpus:\nnode   0   1\n  0:  10  21\n"

INTERRUPTS = "     CPU0 CPU1\n 24:  7  2  PCI-MSIX-0000:01:00.0   0-edge      nvme0q0, x\nNMI:  0  0  Non-maskable\n"
MOUNTS = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 x rw\n34 1 0:3 /a /m\\040 rw x:1 - cgroup c rw,cpuset\n"
RECORD = (
    '{"schema": 1, "irq_undo": [{"path": "proc/irq/24/smp_affinity_list", "names": ["a"],'
    ' "before": "0-3", "after": "1"}]}'
)

READERS: list[tuple[str, Callable[[str], object], str]] = [
    ("own JSON", cpuplace_json.parse, cpuplace_json.render(HOST)),
    ("hwloc synthetic", hwloc_synthetic.parse, "pack:2 [numa(memory=16GiB indexes=1,0)] l3:2 core:2 pu:2(indexes=2*8)"),
    ("hwloc XML", hwloc_xml.parse, XML),
    ("lscpu -p", lscpu.parse, TABLE),
    ("lscpu -J", lscpu.parse, SUMMARY),
    ("numactl -H", numactl.parse, NUMA),
    ("interrupts", proc_interrupts.parse, INTERRUPTS),
    ("status", proc_status.parse, "Name:\tx\nCpus_allowed_list:\t0-3\nMems_allowed_list:\t0,1\n"),
    ("groups", proc_cgroup.parse, "3:cpuset,cpu:/a\n0::/b\n"),
    ("mounts", proc_cgroup.parse_mounts, MOUNTS),
    ("irq record", irq_record.parse, RECORD),
    ("cpu list", CpuSet.parse, "0-3,8,10-31:2/4,all,N"),
    ("cpu mask", CpuSet.parse_mask, "0x3,ffffffff,00000001"),
]


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> str:
    """A right text with pieces cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        middle = draw(
            st.sampled_from(["", text[start:end] * 2, "-1", "99999999999", "0", "\0", ",", '"']) | st.text(max_size=4)
        )
        text = text[:start] + middle + text[end:]
    return text


@pytest.mark.parametrize(("name", "read", "text"), READERS, ids=[name for name, _, _ in READERS])
@given(data=st.data())
def test_any_text_is_a_value_or_bad_input(
    name: str, read: Callable[[str], object], text: str, data: st.DataObject
) -> None:
    given_text = data.draw(spoiled(text) | st.text(max_size=30))
    try:
        assert read(given_text) is not None
    except BadInput as bad:
        assert str(bad)


@pytest.mark.parametrize("name", ["own JSON", "hwloc XML"])
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_a_value_or_bad_input(name: str, raw: bytes) -> None:
    with pytest.raises(BadInput):
        (cpuplace_json.parse if name == "own JSON" else hwloc_xml.parse)(raw)


@given(st.data())
def test_any_sysfs_tree_is_a_host_or_bad_input(data: st.DataObject) -> None:
    files: dict[str, str | bytes | Link] = {**sysfs.render(HOST)}
    paths = sorted(files)
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=6)):
        content = files[path]
        other = st.sampled_from([str(content), "", "-1", "0-", "0-7", "99999999", "\0", "x"]) | st.text(max_size=6)
        files[path] = data.draw(other | st.binary(max_size=6) | other.map(Link))
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=9)):
        files.pop(path, None)
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=3)):
        start = data.draw(st.integers(0, len(path)))
        files[path[:start] + data.draw(st.sampled_from(["/", "9", "//", "\0", "cpu"])) + path[start + 1 :]] = "1"
    try:
        assert sysfs.parse(files).online
    except BadInput as bad:
        assert str(bad)


@given(st.text(alphabet="0123456789-,^!+al sameN:/ \n", max_size=16), st.sampled_from(["kernel", "nova", "numactl"]))
def test_any_list_in_any_dialect(text: str, dialect: Dialect) -> None:
    try:
        found = CpuSet.parse(text, dialect=dialect, last=9, allowed=CpuSet([1, 5, 6]), same=CpuSet([2]))
    except BadInput as bad:
        assert bad.source == "cpu list"
    else:
        assert CpuSet.parse(str(found)) == found
