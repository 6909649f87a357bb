"""Arm servers, NVIDIA's coherent CPU-GPU hosts, and a Raspberry Pi."""

from typing import Final

from cpuplace.catalogue.entry import Entry
from cpuplace.catalogue.regular import by_package, regular, table
from cpuplace.topology import Topology

_GRACE_MHZ: Final = 3447
_MIG_NODES: Final = 8  # each GPU: one node with its memory, seven that wait for memory partitions (MIG)


def _altra() -> Topology:
    return regular(
        "ampere-altra-2s-80",
        nodes={0: 80, 1: 80},
        package_cores=80,
        l3_cores=None,
        cluster_cores=2,
        memory={0: 256, 1: 256},
        distances=by_package([[0], [1]], near=10, far=20),
        devices=(
            ("eth0", "nic", "0000:01:00.0", 0, 64),
            ("nvme0", "nvme", "0003:01:00.0", 0, 64),
            ("nvme1", "nvme", "000b:01:00.0", 1, 64),
        ),
        max_mhz=3000,
    )


def _graviton3() -> Topology:
    return regular(
        "aws-graviton3",
        nodes={0: 64},
        package_cores=64,
        l3_cores=64,
        memory={0: 128},
        distances={(0, 0): 10},
        devices=(("ens5", "nic", "0000:00:05.0", 0, 32), ("nvme0", "nvme", "0000:00:04.0", 0, 64)),
        max_mhz=2600,
    )


_KUNPENG_DISTANCES: Final = {(0, 1): 16, (0, 2): 32, (0, 3): 33, (1, 2): 25, (1, 3): 32, (2, 3): 16}


def _kunpeng() -> Topology:
    return regular(
        "kunpeng-920-2s",
        nodes=dict.fromkeys(range(4), 32),
        package_cores=64,
        l3_cores=32,
        cluster_cores=4,
        package_ids=(36, 8442),
        memory=dict.fromkeys(range(4), 128),
        distances=table(range(4), lambda a, b: _KUNPENG_DISTANCES[min(a, b), max(a, b)]),
        devices=(("eth0", "nic", "0000:7d:00.0", 0, 16), ("nvme0", "nvme", "0000:81:00.0", 2, 32)),
        max_mhz=2600,
    )


def _gh200() -> Topology:
    return regular(
        "nvidia-gh200",
        nodes={0: 72},
        package_cores=72,
        l3_cores=72,
        memory={0: 480, 1: 95} | dict.fromkeys(range(2, 9), 0),
        distances=table(range(9), lambda a, b: 80 if 0 in (a, b) else 255),
        devices=(("gpu0", "gpu", "0009:01:00.0", 0, 0), ("nvme0", "nvme", "0004:01:00.0", 0, 64)),
        max_mhz=_GRACE_MHZ,
    )


def _two_grace_four_gpus(name: str, gpu_gib: int) -> Topology:
    """Two Grace sockets (nodes 0 and 1) and four GPUs of eight nodes each (2-33), two GPUs a socket."""
    gpu_nodes = range(2, 34)
    with_memory = range(2, 34, _MIG_NODES)
    return regular(
        name,
        nodes={0: 72, 1: 72},
        package_cores=72,
        l3_cores=72,
        memory={0: 480, 1: 480} | {node: gpu_gib if node in with_memory else 0 for node in gpu_nodes},
        distances=table(range(34), _grace_distance),
        devices=(
            ("gpu0", "gpu", "0008:01:00.0", 0, 0),
            ("gpu1", "gpu", "0009:01:00.0", 0, 0),
            ("gpu2", "gpu", "0018:01:00.0", 1, 0),
            ("gpu3", "gpu", "0019:01:00.0", 1, 0),
            ("ib0", "ib", "0000:01:00.0", 0, 72),
            ("ib1", "ib", "0010:01:00.0", 1, 72),
            ("nvme0", "nvme", "0004:01:00.0", 0, 72),
        ),
        max_mhz=_GRACE_MHZ,
    )


def _grace_distance(a: int, b: int) -> int:
    low, high = min(a, b), max(a, b)
    if high < 2:
        return 40
    if low < 2:
        return 80 if (high - 2) // (2 * _MIG_NODES) == low else 120
    return 11 if (low - 2) // _MIG_NODES == (high - 2) // _MIG_NODES else 40


def _grace_hopper() -> Topology:
    return _two_grace_four_gpus("nvidia-grace-hopper", 96)


def _gb200() -> Topology:
    return _two_grace_four_gpus("nvidia-gb200", 184)


def _raspberry_pi_4() -> Topology:
    return regular(
        "raspberry-pi-4",
        nodes={0: 4},
        package_cores=4,
        l3_cores=None,
        l2_cores=4,
        memory={0: 4},
        distances={(0, 0): 10},
        devices=(),
        max_mhz=1500,
    )


HOSTS: Final = (
    Entry(
        name="ampere-altra-2s-80",
        title="2x Ampere Altra, 80 cores each",
        summary="160 CPUs in 2 nodes, no SMT; clusters of 2 cores, and no L3 that the kernel can see",
        sources=(
            "Ampere Altra product brief: 80 Neoverse N1 cores, 3.0 GHz, 1 MB L2 a core, a system-level cache",
            "published lscpu of a 2-socket Altra: node 0 = 0-79, node 1 = 80-159, caches L1 and L2 only",
            "Linux commit 'topology: make core_mask include at least cluster_siblings': Altra has clusters of 2 cores",
            "assumed: distances 10 and 20, memory size, devices",
        ),
        build=_altra,
    ),
    Entry(
        name="aws-graviton3",
        title="AWS Graviton3, 64 cores (c7g.16xlarge)",
        summary="64 CPUs in one node with one L3 group, no SMT: nothing to choose but ids",
        sources=(
            "AWS instance types: c7g.16xlarge has 64 vCPUs (one core each), 128 GiB",
            "WikiChip, Graviton3: 64 Neoverse V1 cores, 32 MB L3, 2.6 GHz",
            "assumed: device addresses",
        ),
        build=_graviton3,
    ),
    Entry(
        name="kunpeng-920-2s",
        title="2x Huawei Kunpeng 920, 64 cores each",
        summary="128 CPUs in 4 nodes, clusters of 4 cores; four kinds of distance, package ids 36 and 8442",
        sources=(
            "published capture of a 2x Kunpeng 920 (hwloc test suite): nodes, L3 groups, clusters, package ids, "
            "distances 10/16/25/32/33",
            "HiSilicon product page: 2.6 GHz",
            "assumed: 128 GiB a node, devices",
        ),
        build=_kunpeng,
    ),
    Entry(
        name="nvidia-gb200",
        title="NVIDIA GB200 tray: 2 Grace CPUs and 4 Blackwell GPUs",
        summary="144 CPUs; 34 nodes, 32 of them without CPUs: GPU memory and empty ones that wait for MIG",
        sources=(
            "published numactl -H of a GB200 (NVIDIA TensorRT-LLM blog): node 0 = 0-71, node 1 = 72-143, GPU memory "
            "184 GiB at nodes 2, 10, 18, 26, distances 10/11/40/80/120",
            "kubernetes#135581: 34 NUMA nodes on GB200, of which 2 have CPUs",
            "assumed: node 1's GPUs are those of nodes 18-33, devices and their addresses",
        ),
        build=_gb200,
    ),
    Entry(
        name="nvidia-gh200",
        title="NVIDIA GH200: one Grace CPU, one Hopper GPU",
        summary="72 CPUs; 9 nodes, 8 of them without CPUs: 95 GiB of GPU memory and seven empty ones",
        sources=(
            "published numactl -H on the Linux arm64 mailing list: node 0 = 0-71 with 490037 MB, node 1 GPU memory "
            "97280 MB, nodes 2-8 empty, distances 10/80/255",
            "assumed: devices and their addresses",
        ),
        build=_gh200,
    ),
    Entry(
        name="nvidia-grace-hopper",
        title="NVIDIA Grace-Hopper board: 2 Grace CPUs and 4 GPUs of 96 GiB",
        summary="144 CPUs; 34 nodes, 32 of them without CPUs: a planner that enumerates node sets never ends here",
        sources=(
            "assumed: the node layout and distances published for GB200 (34 nodes, see nvidia-gb200), with the 96 GiB "
            "of a Hopper GPU; a single GH200 superchip shows 9 nodes (see nvidia-gh200)",
            "NVIDIA Grace Hopper data sheet: 72 Neoverse V2 cores, 114 MB L3, 480 GB LPDDR5X, 96 GB HBM3",
        ),
        build=_grace_hopper,
    ),
    Entry(
        name="raspberry-pi-4",
        title="Raspberry Pi 4 Model B, 4 GiB",
        summary="4 CPUs with one shared L2, no L3, no SMT",
        sources=(
            "Raspberry Pi documentation, BCM2711: 4 Cortex-A72 at 1.5 GHz, 1 MB shared L2",
            "assumed: 4 GiB (sold with 1 to 8); built-in devices are on no PCI node and are left out",
        ),
        build=_raspberry_pi_4,
    ),
)
