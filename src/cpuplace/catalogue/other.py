"""Everything else: POWER and a small virtual machine."""

from typing import Final

from cpuplace.catalogue.entry import Entry
from cpuplace.catalogue.regular import by_package, regular
from cpuplace.topology import Topology


def _power9() -> Topology:
    return regular(
        "ibm-power9-2s-smt4",
        nodes={0: 16, 8: 16},
        package_cores=16,
        l3_cores=2,
        threads=4,
        numbering="adjacent",
        l2_cores=2,
        package_ids=(0, 8),
        memory={0: 128, 8: 128},
        distances=by_package([[0], [8]], near=10, far=40),
        devices=(
            ("eth0", "nic", "0005:01:00.0", 0, 16),
            ("gpu0", "gpu", "0004:04:00.0", 0, 0),
            ("gpu1", "gpu", "0035:03:00.0", 8, 0),
            ("nvme0", "nvme", "0030:01:00.0", 8, 32),
        ),
        max_mhz=3800,
    )


def _vm() -> Topology:
    return regular(
        "vm-2cpu",
        nodes={0: 2},
        package_cores=2,
        l3_cores=2,
        memory={0: 4},
        distances={(0, 0): 10},
        devices=(("eth0", "nic", "0000:00:03.0", 0, 2),),
    )


HOSTS: Final = (
    Entry(
        name="ibm-power9-2s-smt4",
        title="2x IBM POWER9, 16 cores each, SMT4",
        summary="128 CPUs; node and package ids 0 and 8, adjacent siblings, one L3 group for each pair of cores",
        sources=(
            "published lscpu of a 2x16-core POWER9: 128 CPUs, node 0 = 0-63, node 8 = 64-127, 3.8 GHz, 10 MB L3",
            "published capture of an AC922 (hwloc test suite): L2 and L3 of 8 threads, distance 40 between sockets",
            "assumed: 128 GiB a node, package ids, devices",
        ),
        build=_power9,
    ),
    Entry(
        name="vm-2cpu",
        title="KVM guest with 2 CPUs",
        summary="2 CPUs in one node: the smallest host on which anything can be chosen",
        sources=(
            "QEMU -smp 2,sockets=1,cores=2,threads=1 with a virtio NIC",
            "assumed: 4 GiB, the L3 that the default CPU models report",
        ),
        build=_vm,
    ),
)
