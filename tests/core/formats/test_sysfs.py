"""The sysfs reader on small trees made for one point each; captured machines are in tests/machines."""

import pytest
from attrs import evolve
from hypothesis import given

from core.formats.full_hosts import full_hosts
from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace.formats.sysfs import Files, Link, parse, render, wanted
from cpuplace.formats.tree import follow
from cpuplace.hardware import Device
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
PCI = "sys/devices/pci0000:00/0000:00:05.0"


FAST, SLOW = "performance", "efficiency"


def cpus(**files: str) -> Files:
    """Four online CPUs and these files; keys are paths below the CPU folder."""
    return {f"{CPU}/online": "0-3\n", **{f"{CPU}/{path}": text for path, text in files.items()}}


@given(full_hosts())
def test_reads_back_what_sysfs_can_say(host: Topology) -> None:
    files = render(host)
    assert all(wanted(path) for path in files)
    again = parse(files)
    assert parse(render(again)) == again
    for groups in ("cores", "l2_groups", "l3_groups", "clusters", "dies", "books", "drawers"):
        ours = sorted(group.cpus.mask for group in getattr(host, groups))
        assert sorted(group.cpus.mask for group in getattr(again, groups)) == ours
    assert again.packages == host.packages
    assert (again.online, again.offline) == (host.online, host.offline)
    assert (again.isolated, again.nohz_full) == (host.isolated, host.nohz_full)
    assert [(cpu.nodes, cpu.capacity, cpu.max_khz) for cpu in again.cpus] == [
        (cpu.nodes, cpu.capacity, cpu.max_khz) for cpu in host.cpus
    ]
    assert again.memory_bytes == host.memory_bytes
    assert {n: pages for n, pages in host.huge_pages.items() if pages} == again.huge_pages


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_catalogue_hosts_read_back(name: str) -> None:
    host = catalogue.host(name)
    again = parse(render(host), name=host.name)
    assert evolve(again, devices=()) == evolve(host, devices=())
    places = {(one.kind, one.pci, one.node, one.local_cpus) for one in host.devices}
    assert {(one.kind, one.pci, one.node, one.local_cpus) for one in again.devices} == places


def test_devices_read_back() -> None:
    def near(kind: str, name: str, slot: int, queues: int | None = None) -> Device:
        place = f"0000:8{slot}:00.0"
        return Device(name=name or place, kind=kind, pci=place, node=1, local_cpus=CpuSet([1]), queues=queues)

    devices = (
        near("block", "sda", 1, 4),
        near("gpu", "", 2),
        near("gpu", "card0", 3),
        near("ib", "mlx5_0", 4),
        near("nic", "eth0", 5, 8),
        Device(name="eth1", kind="nic"),
        near("nvme", "nvme0", 6, 3),
    )
    host = evolve(Topology.uniform(packages=2), devices=devices)
    assert parse(render(host)).devices == devices
    lone = evolve(host, devices=(Device(name="nvme0n1", kind="nvme", node=0), Device(name="x", kind="other")))
    assert parse(render(lone)).devices == lone.devices[:1]


def test_nothing_but_an_online_list() -> None:
    host = parse(cpus(), name="bare")
    assert len(host.cores) == 4
    assert [(node.id, str(node.cpus), node.memory_bytes) for node in host.nodes] == [(0, "0-3", None)]
    assert (host.packages, host.name) == ((), "bare")


def test_no_node_folder_takes_the_memory_of_the_whole_host() -> None:
    host = parse(
        {
            **cpus(),
            "proc/meminfo": "MemTotal:       2048 kB\n",
            "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "7\n",
            "sys/kernel/mm/hugepages/hugepages-64kB/other": "7\n",
            "sys/kernel/mm/hugepages/else/nr_hugepages": "7\n",
        }
    )
    assert (host.node(0).memory_bytes, host.node(0).huge_pages) == (2048 * 1024, {2048 * 1024: 7})


def test_online_without_a_list() -> None:
    host = parse({f"{CPU}/cpu0/": "", f"{CPU}/cpu1/online": "0\n", f"{CPU}/cpu2/online": b"1\n\0"})
    assert (str(host.online), str(host.offline)) == ("0,2", "1")


def test_masks_serve_where_lists_are_missing() -> None:
    host = parse(cpus(**{"cpu0/topology/thread_siblings": "00000000,00000003\n", "cpu1/topology/core_cpus": "3"}))
    assert [str(core.cpus) for core in host.cores] == ["0-1", "2", "3"]


def test_siblings_that_are_offline_or_absent_are_left_out() -> None:
    files = {
        f"{CPU}/online": "1-2",
        f"{CPU}/cpu0/": "",
        **{f"{CPU}/cpu{cpu}/topology/core_cpus_list": "0-2,9" for cpu in (1, 2)},
    }
    host = parse(files)
    assert [str(core.cpus) for core in host.cores] == ["1-2"]
    assert str(host.offline) == "0"


def test_an_offline_cpu_that_keeps_its_topology_joins_its_group() -> None:
    lists = {f"{CPU}/cpu{cpu}/topology/core_cpus_list": "0-1" for cpu in (0, 1)}
    alone = {f"{CPU}/cpu2/topology/core_cpus_list": "3"}
    host = parse({f"{CPU}/online": "1", **lists, **alone})
    assert host.cpu(0).core == host.cpu(1).core
    assert host.cpu(2).core != host.cpu(1).core


def test_package_ids_that_repeat_are_counted_by_their_siblings() -> None:
    both = {f"cpu{cpu}/topology/core_siblings_list": "0-1" if cpu < 2 else "2-3" for cpu in range(4)}
    host = parse(cpus(**both, **{f"cpu{cpu}/topology/physical_package_id": "0" for cpu in range(4)}))
    assert [(package.id, str(package.cpus)) for package in host.packages] == [(0, "0-1"), (1, "2-3")]


def test_package_ids_without_sets_group() -> None:
    host = parse(cpus(**{f"cpu{cpu}/topology/physical_package_id": str(cpu % 2 * 7) for cpu in range(4)}))
    assert [(package.id, str(package.cpus)) for package in host.packages] == [(0, "0,2"), (7, "1,3")]


def test_die_ids_without_sets_restart_in_each_package() -> None:
    ids = {f"cpu{cpu}/topology/physical_package_id": str(cpu // 2) for cpu in range(4)}
    host = parse(cpus(**ids, **{f"cpu{cpu}/topology/die_id": "0" for cpu in range(4)}))
    assert [str(die.cpus) for die in host.dies] == ["0-1", "2-3"]


def test_caches_and_dies_that_split_a_core_say_nothing() -> None:
    """Some hypervisors show each thread of a core its own caches."""
    files = {f"cpu{cpu}/topology/core_cpus_list": "0-1" for cpu in (0, 1)}
    for cpu in (0, 1):
        for level in (2, 3):
            folder = f"cpu{cpu}/cache/index{level}"
            files |= {f"{folder}/level": str(level), f"{folder}/shared_cpu_list": str(cpu)}
    split = parse(cpus(**files, **{f"cpu{cpu}/topology/die_id": str(cpu) for cpu in (0, 1)}))
    assert [str(core.cpus) for core in split.cores] == ["0-1", "2", "3"]
    assert (len(split.l2_groups), len(split.l3_groups), len(split.dies)) == (0, 0, 0)
    wide = {f"cpu{cpu}/topology/die_cpus_list": "0-3" for cpu in range(4)} | {
        f"cpu{cpu}/topology/{name}_id": str(cpu // 2 * (name != "die"))
        for cpu in range(4)
        for name in ("die", "physical_package")
    }
    assert not parse(cpus(**wide)).dies


def test_a_die_of_minus_one_is_none() -> None:
    lists = {f"cpu{cpu}/topology/die_cpus_list": "0-3" for cpu in range(4)}
    assert not parse(cpus(**lists, **{f"cpu{cpu}/topology/die_id": "-1" for cpu in range(4)})).dies


def test_caches_by_level_and_type() -> None:
    def cache(index: int, level: int, kind: str, shared: str) -> dict[str, str]:
        folder = f"cpu0/cache/index{index}"
        return {f"{folder}/level": f"{level}", f"{folder}/type": kind, f"{folder}/shared_cpu_list": shared}

    host = parse(
        cpus(
            **cache(0, 2, "Instruction", "0-3"),
            **cache(1, 2, "Unified", "0-1"),
            **cache(2, 3, "Unified", "0-3"),
            **{"cpu1/cache/index9/level": "3", "cpu1/cache/uevent": ""},
        )
    )
    assert [str(group.cpus) for group in host.l2_groups] == ["0"]
    assert [str(group.cpus) for group in host.l3_groups] == ["0", "1"]


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        ({"sys/devices/cpu_core/cpus": "0-1", "sys/devices/cpu_atom/cpus": "2"}, [FAST, FAST, SLOW, None]),
        ({f"{CPU}/cpu{cpu}/cpu_capacity": str(300 + cpu // 2) for cpu in range(4)}, [SLOW, SLOW, FAST, FAST]),
        ({f"{CPU}/cpu{cpu}/cpu_capacity": "1024" for cpu in range(4)}, [None] * 4),
        ({f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "5000000"}, [None] * 4),
        (
            {
                f"{CPU}/cpu3/cpufreq": Link("../cpufreq/policy9"),
                f"{CPU}/cpufreq/policy9/cpuinfo_max_freq": "3900000",
                f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "5000000",
            },
            [FAST, None, None, SLOW],
        ),
    ],
)
def test_core_kinds(files: Files, kinds: list[str | None]) -> None:
    assert [cpu.kind for cpu in parse({**cpus(), **files}).cpus] == kinds


def test_nodes_memory_and_distances() -> None:
    host = parse(
        {
            **cpus(),
            f"{NODE}/possible": "0-9",
            f"{NODE}/node2/cpulist": "0-1,77\n",
            f"{NODE}/node2/meminfo": "Node 2 MemTotal:  64 kB\nNode 2 MemFree: 1 kB\n",
            f"{NODE}/node2/distance": "10 99\n",
            f"{NODE}/node7/cpumap": "0000000c\n",
            f"{NODE}/node7/distance": "31 10\n",
        }
    )
    assert [(node.id, str(node.cpus), node.memory_bytes) for node in host.nodes] == [
        (2, "0-1", 65536),
        (7, "2-3", None),
    ]
    assert (host.distance(2, 7), host.distance(7, 2)) == (99, 31)


@pytest.mark.parametrize(
    ("possible", "row", "known"),
    [
        ("0-1", "21 10", 10),
        ("", "21 10", 10),
        ("", "21 22 10", 22),
        ("0-5", "1 2 3 4 5", 2),
        ("0-5", "77", 77),
        ("0-7", "", 10),
    ],
)
def test_rows_longer_than_the_nodes(possible: str, row: str, known: int) -> None:
    files = {**cpus(), f"{NODE}/possible": possible, f"{NODE}/node1/cpulist": "0-3", f"{NODE}/node1/distance": row}
    assert parse(files).distance(1, 1) == known


def test_a_row_that_fits_nothing_is_left_out() -> None:
    files = {**cpus(), f"{NODE}/node7/cpulist": "0-3", f"{NODE}/node7/distance": "1 2 3"}
    assert parse(files).distance_rows == ()


def test_cpus_that_no_node_lists() -> None:
    seen = {**cpus(), f"{CPU}/cpu9/": "", f"{NODE}/node0/cpulist": "0-1"}
    hidden = parse(seen)
    assert [(node.id, str(node.cpus)) for node in hidden.nodes] == [(0, "0-1"), (1, "2-3")]
    assert hidden.cpu(9).nodes == (1,)
    linked = parse({**seen, **{f"{CPU}/cpu{cpu}/node0": Link("../../node/node0") for cpu in (2, 3)}})
    assert [(node.id, str(node.cpus)) for node in linked.nodes] == [(0, "0-3")]
    assert linked.cpu(9).nodes == (0,)


def test_isolated_cpus_that_do_not_exist_are_dropped() -> None:
    host = parse(cpus(isolated="2-3,77-99", nohz_full="  (null)"))
    assert (str(host.isolated), str(host.nohz_full)) == ("2-3", "")


def device_tree(**files: str | Link) -> Files:
    return {**cpus(), f"{NODE}/node0/cpulist": "0-3", **files}


def test_the_pci_parent_of_a_virtio_device() -> None:
    host = parse(
        device_tree(
            **{
                "sys/class/net/eth0": Link(f"../../{PCI[4:]}/virtio2/net/eth0"),
                "sys/class/net/lo": Link("../../devices/virtual/net/lo"),
                f"{PCI}/numa_node": "0\n",
                f"{PCI}/local_cpus": "00000003",
                f"{PCI}/virtio2/net/eth0/queues/rx-0/rps_cpus": "0",
                f"{PCI}/virtio2/net/eth0/queues/tx-0/xps_cpus": "0",
            }
        )
    )
    assert host.devices == (
        Device(name="eth0", kind="nic", pci="0000:00:05.0", node=0, local_cpus=CpuSet([0, 1]), queues=1),
    )


def test_links_are_followed_by_name_alone() -> None:
    assert follow("sys/a/b", "./../c//d") == "sys/c/d"
    assert follow("sys/a", "../../../../../etc/passwd") == "etc/passwd"
    assert follow("sys/a", "/sys/b") == "sys/b"


def test_old_class_folders_have_a_device_link() -> None:
    host = parse(device_tree(**{"sys/class/net/eth0/device": Link(f"../../../{PCI[4:]}"), f"{PCI}/numa_node": "-1"}))
    (device,) = host.devices
    assert (device.pci, device.node) == ("0000:00:05.0", None)


def test_partitions_and_devices_without_a_place_are_left_out() -> None:
    disk = "../../devices/pci0000:00/0000:00:05.0/host0/block/sda"
    host = parse(
        device_tree(
            **{
                "sys/class/block/sda": Link(disk),
                "sys/class/block/sda1": Link(f"{disk}/sda1"),
                "sys/class/infiniband/scif0": Link("../../devices/scif/infiniband/scif0"),
                "sys/class/drm/card0-HDMI-1": Link("../../devices/pci0000:00/0000:00:06.0/drm/card0/card0-HDMI-1"),
            }
        )
    )
    assert [device.name for device in host.devices] == ["sda"]


def test_a_namespace_is_a_block_device_beside_its_controller() -> None:
    host = parse(
        device_tree(
            **{
                "sys/class/nvme/nvme0": Link(f"../../{PCI[4:]}/nvme/nvme0"),
                "sys/class/block/nvme0n1": Link(f"../../{PCI[4:]}/nvme/nvme0/nvme0n1"),
                f"{PCI}/nvme/nvme0/queue_count": "5",
                f"{PCI}/nvme/nvme0/nvme0n1/mq/0/cpu_list": "0",
            }
        )
    )
    assert [(one.kind, one.name, one.queues) for one in host.devices] == [("block", "nvme0n1", 1), ("nvme", "nvme0", 4)]


def test_pci_functions_without_a_name_and_console_graphics() -> None:
    def function(slot: int, code: str, vendor: str) -> dict[str, str | Link]:
        real = f"sys/devices/pci0000:00/0000:00:0{slot}.0"
        link = Link(f"../../../{real[4:]}")
        return {f"sys/bus/pci/devices/0000:00:0{slot}.0": link, f"{real}/class": code, f"{real}/vendor": vendor}

    card = Link("../../devices/pci0000:00/0000:00:03.0/drm/card0")
    host = parse(
        device_tree(
            **function(1, "0x020000", "0x8086"),
            **function(2, "0x030200", "0x10de"),
            **function(3, "0x030000", "0x1a03"),
            **function(4, "0x0c0330", "0x8086"),
            **{"sys/class/drm/card0": card, "sys/bus/pci/devices/0000:00:07.0/local_cpulist": "0"},
        )
    )
    assert [(one.kind, one.name) for one in host.devices] == [
        ("gpu", "0000:00:02.0"),
        ("nic", "0000:00:01.0"),
        ("other", "card0"),
    ]


def test_places_that_do_not_exist_are_dropped() -> None:
    files = {"sys/class/net/e": Link(f"../../{PCI[4:]}/net/e"), f"{PCI}/numa_node": "5", f"{PCI}/local_cpulist": "2-99"}
    (device,) = parse(device_tree(**files)).devices
    assert (device.node, str(device.local_cpus)) == (None, "2-3")


@pytest.mark.parametrize(
    ("files", "where", "problem"),
    [
        ({}, CPU, "no online CPU"),
        ({f"{CPU}/online": ""}, CPU, "no online CPU"),
        ({f"{CPU}/online": "3-1"}, f"{CPU}/online", "reversed"),
        (cpus(**{"cpu0/topology/core_cpus": "xyz"}), f"{CPU}/cpu0/topology/core_cpus", "hexadecimal"),
        ({f"{CPU}/online": "0", f"{CPU}/cpu0/cpu_capacity": "much"}, f"{CPU}/cpu0/cpu_capacity", "expected a number"),
        ({f"{CPU}/cpu99999/online": "1"}, CPU, "above id 65536"),
        ({f"{CPU}/online": "0", f"{NODE}/node0/distance": "ten"}, f"{NODE}/node0/distance", "expected distances"),
        (
            cpus(
                **{f"cpu{cpu}/topology/core_cpus_list": "0-1" for cpu in (0, 1)},
                **{f"cpu{cpu}/topology/physical_package_id": str(cpu) for cpu in (0, 1)},
            ),
            "topology",
            "core 0 lies in more than one package",
        ),
    ],
)
def test_bad_trees(files: Files, where: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as caught:
        parse(files)
    assert caught.value.source == where


@pytest.mark.parametrize(
    "path",
    [
        "sys/class/net/eth0/address",
        "sys/class/dmi/id/product_uuid",
        "proc/cpuinfo",
        "sys/devices/system/cpu/cpu0/topology/ppin",
        f"{PCI}/serial",
        f"{PCI}/config",
        "etc/hostname",
        "sys/class/block/sda/device/wwid",
        "proc/sys/kernel/hostname",
    ],
)
def test_nothing_that_names_the_host_is_wanted(path: str) -> None:
    assert not wanted(path)
