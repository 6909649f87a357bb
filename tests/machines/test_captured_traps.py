"""One test for each thing that a reader must survive, on the captured machine that has it."""

import pytest

from cpuplace.errors import BadInput
from cpuplace.formats import sysfs
from cpuplace.formats.sysfs import Link, render, wanted
from cpuplace.idset import CpuSet
from cpuplace_linux.capture import Recorder, capture
from cpuplace_linux.read_host import open_tree, read_host
from machines.captured import ABSENT, NAMES, host, raw, tarball, truth

if ABSENT:
    pytest.skip(ABSENT, allow_module_level=True)

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


def test_lists_that_end_in_nul() -> None:
    files = raw("arm64-kunpeng")
    assert any(isinstance(text, bytes) and text.endswith(b"\n\x00") for text in files.values())
    assert len(host("arm64-kunpeng").l3_groups) == 4


@pytest.mark.parametrize("name", ["intel-skx", "intel-hsw", "x86-kvm"])
def test_nohz_full_that_says_nothing(name: str) -> None:
    text = raw(name)[f"{CPU}/nohz_full"]
    assert isinstance(text, bytes)
    assert text.strip(b" \n\0") in (b"(null)", b"")
    assert not host(name).nohz_full


def test_no_online_list_and_no_list_files() -> None:
    files = raw("intel-xeonmp")
    assert f"{CPU}/online" not in files
    assert not any(path.endswith("_list") for path in files)
    assert str(host("intel-xeonmp").online) == "0-1,3-4,6-12,15"
    assert str(host("intel-xeonmp").offline) == "2,5,13-14"


def test_cpu_0_without_online_file() -> None:
    assert f"{CPU}/cpu0/online" not in raw("intel-xeonmp")
    assert 0 in host("intel-xeonmp").online


def test_offline_cpus_that_lost_their_topology() -> None:
    assert f"{CPU}/cpu2/topology/core_id" not in raw("x86-kvm")
    assert [core.cpus for core in host("x86-kvm").cores] == [CpuSet([0]), CpuSet([1])]
    assert host("x86-kvm").cpu(3).nodes == (0,)  # its folder still links to its node


def test_siblings_and_nodes_that_name_offline_cpus() -> None:
    assert raw("intel-hsw")[f"{CPU}/cpu4/topology/core_siblings_list"] == b"0,2,4,6,8,10,12,14,16,18,20,22\n"
    assert str(host("intel-hsw").packages[0].cpus) == "4,6,8,10,12,14,16,18,20"
    assert str(host("intel-hsw").node(1).cpus) == "5,7,9,11,13,15,17,19"


def test_nodes_that_name_absent_cpus() -> None:
    assert raw("power9")[f"{NODE}/node0/cpulist"].rstrip() == b"0-87"
    assert str(host("power9").node(0).cpus) == "0-15"
    assert not host("power9").offline


def test_possible_and_offline_beyond_the_folders() -> None:
    assert truth("s390x")["possible"] == "0-63"
    assert len(host("s390x").cpus) == 20


def test_sparse_node_ids() -> None:
    assert [node.id for node in host("power9").nodes] == [0, 8, *range(250, 256)]
    assert [node.id for node in host("power7").nodes] == [0, 1, 4, 5, 8, 9, 12, 13]


def test_huge_and_sparse_package_ids() -> None:
    assert [package.id for package in host("arm64-kunpeng").packages] == [36, 8442]
    assert [package.id for package in host("arm64-1cpu").packages] == [60]


def test_package_of_minus_one_has_its_siblings() -> None:
    assert [str(package.cpus) for package in host("s390x").packages[:2]] == ["0-2", "3-6"]
    assert [package.cpus for package in host("power7").packages] == [core.cpus for core in host("power7").cores]


def test_no_node_folder() -> None:
    assert [(node.id, str(node.cpus)) for node in host("s390x").nodes] == [(0, "0-19")]


def test_nearly_nothing_there() -> None:
    ps3 = host("ps3")
    assert [str(core.cpus) for core in ps3.cores] == ["0-1"]
    assert (ps3.packages, ps3.l3_groups, ps3.node(0).cpus) == ((), (), ps3.online)


def test_memory_distance_and_cache_may_be_missing() -> None:
    assert host("amd-ryzen").node(0).memory_bytes is None
    assert host("amd-epyc").distance_rows == ()
    assert not host("x86-fake").l2_groups
    assert not host("x86-fake").l3_groups


def test_distance_columns_follow_the_online_nodes() -> None:
    power7 = host("power7")
    assert [power7.distance(4, node.id) for node in power7.nodes] == [40, 40, 10, 20, 40, 40, 40, 40]


def test_distance_row_longer_than_the_nodes() -> None:
    assert raw("intel-hsw")[f"{NODE}/node1/distance"] == b"21 10\n"
    assert host("intel-hsw").distance(1, 1) == 10
    assert host("intel-hsw").distance(1, 0) == 21


def test_online_cpus_of_a_hidden_node() -> None:
    hidden = host("intel-hsw").node(0)
    assert (str(hidden.cpus), hidden.memory_bytes) == ("4,6,8,10,12,14,16,18,20", None)


def test_nearest_node_without_cpus() -> None:
    fake = host("x86-fake")
    others = [node for node in fake.nodes if node.id != 0]
    nearest = min(others, key=lambda node: fake.distance(0, node.id))
    assert not nearest.cpus


def test_asymmetric_distances() -> None:
    """The rows captured there are symmetric after all, so one is made to differ from its column."""
    row = b"10 99 13 21 12 11 14 17 21 21 28\n"
    fake = sysfs.parse({**raw("x86-fake"), f"{NODE}/node0/distance": row})
    assert (fake.distance(0, 1), fake.distance(1, 0)) == (99, 21)


def test_a_cpu_in_several_nodes() -> None:
    overlap = host("intel-hpt")
    assert {cpu.nodes for cpu in overlap.cpus} == {tuple(range(8))}
    assert {cpu.node for cpu in overlap.cpus} == {0}


def test_nodes_smaller_than_their_l3() -> None:
    clx = host("intel-clx")
    assert all(not (node.cpus - clx.l3_groups[clx.cpu(node.cpus.min).l3 or 0].cpus) for node in clx.nodes if node.cpus)
    assert len([node for node in clx.nodes if node.cpus]) == 2 * len(clx.l3_groups)


def test_pci_node_of_minus_one() -> None:
    device = host("intel-snb").device("nvme0n1")
    assert device is not None
    assert (device.node, str(device.local_cpus)) == (None, "0-3")


def test_pci_node_that_contradicts_its_cpus() -> None:
    device = host("intel-wsm").device("qib0")
    assert device is not None
    assert (device.node, str(device.local_cpus)) == (2, "0-39")


def test_virtio_device_has_its_node_on_the_pci_parent() -> None:
    files = dict(raw("arm64-1cpu"))
    parent = "sys/devices/pci0000:00/0000:00:05.0"
    files["sys/class/net/eth0"] = Link(f"../../{parent.removeprefix('sys/')}/virtio2/net/eth0")
    files[f"{parent}/numa_node"] = b"0\n"
    device = sysfs.parse(files).device("eth0")
    assert device is not None
    assert (device.pci, device.node) == ("0000:00:05.0", 0)


def test_hybrid_core_ids_that_restart() -> None:
    rpl = host("intel-rpl")
    kinds = {str(core.cpus): rpl.cpu(core.cpus.min).kind for core in rpl.cores}
    assert len(kinds) == 14
    assert kinds["0-1"] == "performance"
    assert kinds["19"] == "efficiency"


def test_receive_queues() -> None:
    device = host("intel-snb").device("eth0")
    assert device is not None
    assert device.queues == 8


@pytest.mark.parametrize("name", NAMES)
def test_only_wanted_files_are_needed(name: str) -> None:
    recorder = Recorder(open_tree(tarball(name)))
    assert sysfs.read(recorder) == host(name)
    assert all(wanted(path) for path in recorder.files)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_reads_as_the_original(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("capture") / "host.tar.gz"
    capture(tarball(name), out)
    assert read_host(out) == host(name)


@pytest.mark.parametrize("name", NAMES)
def test_written_as_sysfs_it_reads_as_the_original(name: str) -> None:
    """Groups of offline CPUs are what sysfs loses; everything else comes back, labels aside."""
    ours = host(name)
    again = sysfs.parse(render(ours))
    for groups in ("cores", "l2_groups", "l3_groups", "clusters", "dies", "books", "drawers", "packages"):
        assert [group.cpus for group in getattr(again, groups)] == [group.cpus for group in getattr(ours, groups)]
    for fact in ("online", "offline", "nodes", "distance_rows", "isolated", "nohz_full"):
        assert getattr(again, fact) == getattr(ours, fact)
    assert again.devices == tuple(device for device in ours.devices if device.kind != "other")
    assert [cpu.kind for cpu in again.cpus] == [cpu.kind for cpu in ours.cpus]


@pytest.mark.parametrize("name", ["amd-ryzen", "x86-kvm"])
def test_a_cut_file_is_bad_input_with_its_path(name: str) -> None:
    files = {**raw(name), f"{CPU}/online": b"0-\n"}
    with pytest.raises(BadInput, match="sys/devices/system/cpu/online"):
        sysfs.parse(files)
