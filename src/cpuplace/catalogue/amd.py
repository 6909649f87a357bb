"""AMD EPYC servers."""

from typing import Final

from cpuplace.catalogue.entry import Entry
from cpuplace.catalogue.regular import DeviceRow, by_package, regular
from cpuplace.topology import Topology

_NPS4: Final = ((0, 1, 2, 3), (4, 5, 6, 7))
_NUMBERING: Final = "published lscpu of 2-socket EPYC: cores are numbered node by node, the sibling is + all cores"
_ASSUMED: Final = "assumed: memory size, devices and their places (typical for the class of machine)"
_SLIT_NPS4: Final = "published numactl -H of 2-socket EPYC in NPS4: distances 10, 12 in the socket, 32 across"
_SLIT_NPS1: Final = "published numactl -H of 2-socket EPYC in NPS1: distances 10 and 32"

# The GPU nodes 3, 1, 7, 5 are those of NVIDIA's DGX A100, which has two of these processors in NPS4.
_DEVICES_7742: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:41:00.0", 1, 16),
    ("eth1", "nic", "0000:c1:00.0", 5, 16),
    ("gpu0", "gpu", "0000:07:00.0", 3, 0),
    ("gpu1", "gpu", "0000:47:00.0", 1, 0),
    ("gpu2", "gpu", "0000:87:00.0", 7, 0),
    ("gpu3", "gpu", "0000:b7:00.0", 5, 0),
    ("nvme0", "nvme", "0000:22:00.0", 2, 32),
    ("nvme1", "nvme", "0000:a2:00.0", 6, 32),
)
_DEVICES_7742_NPS1: Final[tuple[DeviceRow, ...]] = tuple(
    (name, kind, pci, node // 4, queues) for name, kind, pci, node, queues in _DEVICES_7742
)
_DEVICES_9654: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:21:00.0", 1, 48),
    ("eth1", "nic", "0000:a1:00.0", 5, 48),
    ("nvme0", "nvme", "0000:01:00.0", 0, 64),
    ("nvme1", "nvme", "0000:81:00.0", 4, 64),
)
_DEVICES_9965: Final[tuple[DeviceRow, ...]] = (
    ("eth0", "nic", "0000:21:00.0", 0, 64),
    ("eth1", "nic", "0000:a1:00.0", 1, 64),
    ("nvme0", "nvme", "0000:41:00.0", 0, 128),
    ("nvme1", "nvme", "0000:c1:00.0", 1, 128),
)


def _epyc_7742_nps1() -> Topology:
    return regular(
        "amd-epyc-7742-2s-nps1",
        nodes={0: 64, 1: 64},
        package_cores=64,
        l3_cores=4,
        threads=2,
        memory={0: 256, 1: 256},
        distances=by_package([[0], [1]], near=10, far=32),
        devices=_DEVICES_7742_NPS1,
        max_mhz=3400,
    )


def _epyc_7742_nps4() -> Topology:
    return regular(
        "amd-epyc-7742-2s-nps4",
        nodes=dict.fromkeys(range(8), 16),
        package_cores=64,
        l3_cores=4,
        threads=2,
        memory=dict.fromkeys(range(8), 64),
        distances=by_package(_NPS4, near=12, far=32),
        devices=_DEVICES_7742,
        max_mhz=3400,
    )


def _epyc_9654_nps4() -> Topology:
    return regular(
        "amd-epyc-9654-2s-nps4",
        nodes=dict.fromkeys(range(8), 24),
        package_cores=96,
        l3_cores=8,
        threads=2,
        memory=dict.fromkeys(range(8), 96),
        distances=by_package(_NPS4, near=12, far=32),
        devices=_DEVICES_9654,
        max_mhz=3700,
    )


def _epyc_9965() -> Topology:
    return regular(
        "amd-epyc-9965-2s",
        nodes={0: 192, 1: 192},
        package_cores=192,
        l3_cores=16,
        threads=2,
        memory={0: 768, 1: 768},
        distances=by_package([[0], [1]], near=10, far=32),
        devices=_DEVICES_9965,
        max_mhz=3700,
    )


HOSTS: Final = (
    Entry(
        name="amd-epyc-7742-2s-nps1",
        title="2x AMD EPYC 7742 (Rome), one NUMA node a socket",
        summary="256 CPUs; L3 groups of 4 cores, 16 in each node: small caches in large nodes",
        sources=(
            "AMD EPYC 7002 product page and tuning guide: 64 cores, SMT2, CCX of 4 cores with 16 MB L3, 3.4 GHz boost",
            _NUMBERING,
            _SLIT_NPS1,
            _ASSUMED,
        ),
        build=_epyc_7742_nps1,
    ),
    Entry(
        name="amd-epyc-7742-2s-nps4",
        title="2x AMD EPYC 7742 (Rome), four NUMA nodes a socket",
        summary="256 CPUs in 8 nodes of 16 cores, 4 L3 groups of 4 cores each; the host of the examples",
        sources=(
            "AMD EPYC 7002 product page and tuning guide: 64 cores, SMT2, CCX of 4 cores with 16 MB L3, 3.4 GHz boost",
            "published lscpu -e of the HLRS Hawk system (2x EPYC 7742, NPS4): nodes, siblings + 128, 32 L3 groups",
            _SLIT_NPS4,
            "NVIDIA DGX A100 (same processors, NPS4), nvidia-smi topo: GPUs at nodes 3, 1, 7, 5",
            _ASSUMED,
        ),
        build=_epyc_7742_nps4,
    ),
    Entry(
        name="amd-epyc-9654-2s-nps4",
        title="2x AMD EPYC 9654 (Genoa), four NUMA nodes a socket",
        summary="384 CPUs in 8 nodes of 24 cores, 3 L3 groups of 8 cores each",
        sources=(
            "AMD EPYC 9004 product page and tuning guide: 96 cores, SMT2, 12 CCDs of 8 cores, 32 MB L3, 3.7 GHz boost",
            "published CPU lists of 2x EPYC 9654 in NPS4: node 0 = 0-23,192-215",
            _SLIT_NPS4,
            _ASSUMED,
        ),
        build=_epyc_9654_nps4,
    ),
    Entry(
        name="amd-epyc-9965-2s",
        title="2x AMD EPYC 9965 (Turin Dense), one NUMA node a socket",
        summary="768 CPUs in 2 nodes; 12 L3 groups of 16 cores in each: the largest 2-socket x86 host",
        sources=(
            "AMD EPYC 9005 product page: 192 Zen 5c cores, SMT2, 12 CCDs of 16 cores with 32 MB L3, 3.7 GHz boost",
            "published CPU lists of 2x EPYC 9965: node 0 = 0-191,384-575",
            _SLIT_NPS1,
            _ASSUMED,
        ),
        build=_epyc_9965,
    ),
)
