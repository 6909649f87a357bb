"""Intel servers and one hybrid laptop."""

from typing import Final

from cpuplace.catalogue.entry import Entry
from cpuplace.catalogue.regular import GIB, DeviceRow, by_package, placed, regular, table
from cpuplace.topology import CpuRow, Topology

_ASSUMED: Final = "assumed: memory size, devices and their places (typical for the class of machine)"
_KNL_DDR: Final = (0, 1, 2, 3)

_DEVICES_8280: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:18:00.0", 0, 56),
    ("eth1", "nic", "0000:86:00.0", 1, 56),
    ("nvme0", "nvme", "0000:5e:00.0", 0, 56),
    ("nvme1", "nvme", "0000:d8:00.0", 1, 56),
)
_DEVICES_8480: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:2a:00.0", 1, 64),
    ("gpu0", "gpu", "0000:4f:00.0", 2, 0),
    ("gpu1", "gpu", "0000:cb:00.0", 6, 0),
    ("ib0", "ib", "0000:4e:00.0", 2, 64),
    ("ib1", "ib", "0000:ca:00.0", 6, 64),
    ("nvme0", "nvme", "0000:60:00.0", 3, 64),
    ("nvme1", "nvme", "0000:e0:00.0", 7, 64),
)
_DEVICES_8160: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:12:00.0", 0, 63),
    ("nvme0", "nvme", "0000:5d:00.0", 1, 31),
)


def _xeon_8280() -> Topology:
    return regular(
        "intel-xeon-8280-2s",
        nodes={0: 28, 1: 28},
        package_cores=28,
        l3_cores=28,
        threads=2,
        memory={0: 192, 1: 192},
        distances=by_package([[0], [1]], near=10, far=21),
        devices=_DEVICES_8280,
        max_mhz=4000,
    )


def _xeon_8480_snc4() -> Topology:
    return regular(
        "intel-xeon-8480-2s-snc4",
        nodes=dict.fromkeys(range(8), 14),
        package_cores=56,
        l3_cores=56,  # sub-NUMA clustering cuts the memory, not the cache: one L3 group spans four nodes
        threads=2,
        memory=dict.fromkeys(range(8), 64),
        distances=by_package([[0, 1, 2, 3], [4, 5, 6, 7]], near=12, far=21),
        devices=_DEVICES_8480,
        max_mhz=3800,
    )


def _xeon_8160() -> Topology:
    return regular(
        "intel-xeon-8160-4s",
        nodes=dict.fromkeys(range(4), 24),
        package_cores=24,
        l3_cores=24,
        threads=2,
        memory=dict.fromkeys(range(4), 192),
        distances=by_package([[0], [1], [2], [3]], near=10, far=21),
        devices=_DEVICES_8160,
        max_mhz=3700,
    )


def _knl_7250() -> Topology:
    return regular(
        "intel-knl-7250-snc4-flat",
        nodes={0: 18, 1: 18, 2: 16, 3: 16},
        package_cores=68,
        l3_cores=None,
        threads=4,
        l2_cores=2,
        memory=dict.fromkeys(_KNL_DDR, 24) | dict.fromkeys(range(4, 8), 4),
        distances=table(range(8), _knl_distance),
        devices=(("ib0", "ib", "0000:02:00.0", 0, 0),),
        max_mhz=1600,
    )


def _knl_distance(a: int, b: int) -> int:
    """DDR to DDR 21; MCDRAM node n + 4 lies at DDR node n: 31 there, 41 from everywhere else."""
    if a in _KNL_DDR and b in _KNL_DDR:
        return 21
    return 31 if abs(a - b) == 4 else 41


def _i7_1370p() -> Topology:
    rows = [
        CpuRow(cpu, cpu // 2, 0, 0, 0, l2=cpu // 2, kind="performance", capacity=1024, max_khz=5_000_000)
        for cpu in range(12)
    ]
    rows += [
        CpuRow(cpu, cpu - 6, 0, 0, 0, l2=cpu // 4 + 3, kind="efficiency", capacity=676, max_khz=3_900_000)
        for cpu in range(12, 20)
    ]
    return Topology.from_rows(
        rows,
        memory_bytes={0: 32 * GIB},
        distances={(0, 0): 10},
        devices=placed([("nvme0", "nvme", "0000:01:00.0", 0, 20), ("wlan0", "nic", "0000:00:14.3", 0, 0)], rows),
        name="intel-i7-1370p",
    )


HOSTS: Final = (
    Entry(
        name="intel-i7-1370p",
        title="Intel Core i7-1370P laptop (Raptor Lake), hybrid",
        summary="20 CPUs: 6 performance cores with 2 threads and 8 efficiency cores with 1; one L3 group",
        sources=(
            "published capture of an i7-1370P (hwloc test suite): adjacent siblings 0-11, efficiency cores 12-19 in "
            "two modules with one L2 each, 5.0 and 3.9 GHz",
            "assumed: capacity 676 of an efficiency core, memory size, devices",
        ),
        build=_i7_1370p,
    ),
    Entry(
        name="intel-knl-7250-snc4-flat",
        title="Intel Xeon Phi 7250 (Knights Landing), SNC-4, flat memory",
        summary="272 CPUs, 4 threads a core, no L3; 4 unequal nodes and 4 memory-only MCDRAM nodes",
        sources=(
            "published hwloc description of a KNL in SNC-4 flat mode: nodes of 18, 18, 16, 16 cores, siblings + 68",
            "Intel Xeon Phi developer guides: 34 tiles of 2 cores with one L2, 16 GB MCDRAM, distances 10/21/31/41",
            "assumed: 96 GiB DDR4, one fabric adapter",
        ),
        build=_knl_7250,
    ),
    Entry(
        name="intel-xeon-8160-4s",
        title="4x Intel Xeon Platinum 8160 (Skylake)",
        summary="192 CPUs in 4 nodes of 24 cores, one L3 group each",
        sources=(
            "Intel ARK: 24 cores, HT, 33 MB L3, 3.7 GHz turbo",
            "published lscpu of 4x Xeon 8160: node 0 = 0-23,96-119; a published capture of a 4-socket Skylake: "
            "distances 10 and 21",
            _ASSUMED,
        ),
        build=_xeon_8160,
    ),
    Entry(
        name="intel-xeon-8280-2s",
        title="2x Intel Xeon Platinum 8280 (Cascade Lake)",
        summary="112 CPUs in 2 nodes of 28 cores, one L3 group each",
        sources=(
            "Intel ARK: 28 cores, HT, 38.5 MB L3, 4.0 GHz turbo",
            "published lscpu of 2-socket 28-core Xeons: node 0 = 0-27,56-83; some BIOSes (Dell) number the sockets "
            "in turn instead: node 0 = even CPUs",
            "published numactl -H: distances 10 and 21",
            _ASSUMED,
        ),
        build=_xeon_8280,
    ),
    Entry(
        name="intel-xeon-8480-2s-snc4",
        title="2x Intel Xeon Platinum 8480+ (Sapphire Rapids), SNC-4",
        summary="224 CPUs in 8 nodes of 14 cores; one L3 group spans the four nodes of a socket",
        sources=(
            "Intel ARK: 56 cores, HT, 105 MB L3, 3.8 GHz turbo",
            "published lscpu of 2x56-core Sapphire Rapids in SNC-4: node 0 = 0-13,112-125, L3 in 2 instances",
            "published numactl -H of the same: distances 10, 12 in the socket, 21 across",
            _ASSUMED,
        ),
        build=_xeon_8480_snc4,
    ),
)
