"""hwloc XML: what it says, and what is refused."""

from pathlib import Path

import pytest

from cpuplace.errors import BadInput
from cpuplace.formats.hwloc_xml import parse

V2 = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
 <object type="Machine" os_index="0" cpuset="0x0000001f">
  <info name="HostName" value="secret"/>
  <object type="Package" os_index="36" cpuset="0x00000003">
   <object type="MemCache"><object type="NUMANode" os_index="0" local_memory="1024">
    <page_type size="4096" count="5"/><page_type size="2097152" count="3"/>
   </object></object>
   <object type="NUMANode" os_index="2" local_memory="2048"/>
   <object type="L3Cache"><object type="L2Cache"><object type="Core">
     <object type="PU" os_index="0"/><object type="PU" os_index="1"/>
   </object></object></object>
   <object type="Bridge" bridge_type="0-1">
    <object type="PCIDev" pci_busid="0000:82:00.0" pci_type="0200 [15b3:1017] [15b3:0007] 00">
     <object type="OSDev" name="eth0" osdev_type="2"/><object type="OSDev" name="mlx5_0" osdev_type="3"/>
    </object>
    <object type="PCIDev" pci_busid="0000:83:00.0" pci_type="0302 [10de:1db4] [10de:1214] a1">
     <object type="OSDev" name="cuda0" osdev_type="5"/>
    </object>
    <object type="PCIDev" pci_busid="0000:84:00.0" pci_type="0106 [8086:1d02] [8086:1d02] 00">
     <object type="OSDev" name="sda" osdev_type="0"/><object type="OSDev" name="sda" osdev_type="0"/>
    </object>
    <object type="PCIDev" pci_busid="0000:85:00.0" pci_type="0c03 [8086:1d02] [8086:1d02] 00"/>
   </object>
  </object>
  <object type="Package" os_index="8442" cpuset="0x0000001c">
   <object type="NUMANode" os_index="1"/>
   <object type="Group" subtype="Cluster"><object type="Core"><object type="PU" os_index="2"/></object></object>
   <object type="Group" subtype="Cluster"><object type="Core"><object type="PU" os_index="4"/></object></object>
  </object>
  <object type="PCIDev" pci_busid="0000:01:00.0" pci_type="0108 [144d:a808] [144d:a801] 00">
   <object type="OSDev" name="nvme0n1" osdev_type="0"/>
  </object>
 </object>
 <distances2 type="NUMANode" nbobjs="2" kind="9" name="Bandwidth" indexing="os"/>
 <distances2 type="NUMANode" nbobjs="2" kind="5" name="NUMALatency" indexing="os">
  <indexes length="2">0 1 </indexes><u64values length="4">10 21 </u64values><u64values length="4">31 10</u64values>
 </distances2>
 <cpukind cpuset="0x00000003" forced_efficiency="1">
  <info name="CoreType" value="IntelCore"/><info name="FrequencyMaxMHz" value="5000"/>
 </cpukind>
 <cpukind cpuset="0x0,0x0000001c">
  <info name="CoreType" value="IntelAtom"/><info name="LinuxCapacity" value="512"/><info name="CoreType" value="?"/>
 </cpukind>
</topology>
"""


@pytest.mark.parametrize("text", [V2, V2.encode(), V2.replace('version="2.0"', 'version="3.0"')])
def test_everything_it_says(text: str | bytes) -> None:
    host = parse(text, name="x")
    assert [(package.id, str(package.cpus)) for package in host.packages] == [(36, "0-1"), (8442, "2,4")]
    assert [str(core.cpus) for core in host.cores] == ["0-1", "2", "4"]
    assert [str(cluster.cpus) for cluster in host.clusters] == ["2", "4"]
    assert [str(group.cpus) for group in (*host.l2_groups, *host.l3_groups)] == ["0-1", "0-1"]
    assert [(node.id, str(node.cpus), node.memory_bytes) for node in host.nodes] == [
        (0, "0-1", 1024),
        (1, "2,4", None),
        (2, "0-1", 2048),
    ]
    assert host.node(0).huge_pages == {2097152: 3}
    assert (host.distance(0, 1), host.distance(1, 0)) == (21, 31)
    assert [cpu.kind for cpu in host.cpus] == ["performance"] * 2 + ["efficiency"] * 2
    assert (host.cpu(0).max_khz, host.cpu(2).capacity) == (5_000_000, 512)
    assert host.name == "x"


def test_devices_are_where_they_hang() -> None:
    found = [(one.kind, one.name, one.pci, one.node, str(one.local_cpus)) for one in parse(V2).devices]
    assert found == [
        ("block", "sda", "0000:84:00.0", 0, "0-1"),
        ("gpu", "0000:83:00.0", "0000:83:00.0", 0, "0-1"),
        ("ib", "mlx5_0", "0000:82:00.0", 0, "0-1"),
        ("nic", "eth0", "0000:82:00.0", 0, "0-1"),
        ("nvme", "nvme0n1", "0000:01:00.0", None, "0-2,4"),
    ]


def test_kinds_from_frequencies() -> None:
    text = V2.replace('name="CoreType"', 'name="Other"').replace("LinuxCapacity", "FrequencyMaxMHz")
    assert [cpu.kind for cpu in parse(text).cpus] == ["performance"] * 2 + ["efficiency"] * 2


def test_packages_without_ids_are_counted() -> None:
    text = V2.replace('os_index="36" ', "").replace('os_index="8442" ', "")
    assert [package.id for package in parse(text).packages] == [0, 1]


def wrapped(inside: str) -> str:
    return f'<topology version="2.0">\n{inside}</topology>'


BOMB = '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>' + wrapped("&b;")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no element found"),
        ("<topology", "line 1: unclosed token"),
        (V2[:900], "line"),
        ("<html/>", "not an hwloc topology"),
        ('<topology version="1.0"/>', "not an hwloc topology"),
        ("<topology/>", "not an hwloc topology"),
        (wrapped(""), "at least one online CPU"),
        (BOMB, "declares entities"),
        ('<!DOCTYPE t SYSTEM "file:///etc/passwd">' + wrapped("&x;"), "online CPU"),
        (wrapped("<object>" * 100 + "</object>" * 100), "nested more than 64"),
        (wrapped('<object type="PU"/>'), "line 2: <object> has no os_index"),
        (wrapped('<object type="PU" os_index="x"/>'), "line 2: expected a number as os_index"),
        (wrapped('<object type="PU" os_index="99999"/>'), "above id 65536"),
        (wrapped('<object type="PU" os_index="1"/><object type="PU" os_index="1"/>'), "described twice"),
        (V2.replace(">10 21 <", ">10 x <"), "found 'x'"),
        (V2.replace(">10 21 <", ">10 <"), "3 distances between 2"),
        (V2.replace(">0 1 <", ">0 9 <"), "4 distances between 2"),
        (V2.replace("0x0,0x0000001c", "0xf...f"), "cannot read the cpuset part"),
        (V2.replace("0x0,0x0000001c", "," * 3000), "beyond id"),
        ("\ud800", "cannot be decoded"),
        (b'<?xml version="1.0" encoding="no-such"?><topology/>', "no-such"),
    ],
)
def test_bad_documents(text: str | bytes, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert problem in str(caught.value)


def test_no_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("7")
    text = f'<!DOCTYPE t SYSTEM "{secret}">' + wrapped('<object type="PU" os_index="0"/>')
    assert str(parse(text).online) == "0"
