"""From a made-up machine to QEMU's command line."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .beds import Bed

# Emulated on purpose: what looks like /dev/kvm on a rented machine may not run a stock kernel. One thread, since
# several race with the kernel's patching of its own code; no cmpxchg16b, after which QEMU 7.2 has the flags wrong;
# Intel, since the default vendor shows no shared caches.
CPU: Final = "max,vendor=GenuineIntel,-cx16"
ACCEL: Final = "tcg,thread=single"
KERNEL_LINE: Final = (
    "console=ttyS0 quiet panic=-1 root=rootfs rootfstype=virtiofs rw mitigations=off nokaslr audit=0 no_timer_check"
    " tsc=reliable lpj=4000000 random.trust_cpu=on 8250.nr_uarts=4 nowatchdog rcupdate.rcu_expedited=1"
)
MODULES: Final = ("virtio_blk", "failover", "net_failover", "virtio_net", "vmxnet3")
"""Kernel modules that the devices need, in the order in which they load."""


def command(bed: Bed, *, kernel: Path, work: Path) -> list[str]:
    """The argument list that boots this bed; console, output and status are three serial ports, see `vm`."""
    parts = (machine(bed), nodes(bed), devices(work) if bed.devices else (), root(work))
    words = [word for part in parts for word in part]
    words += ["-kernel", str(kernel), "-append", f"{KERNEL_LINE} init={work / 'init'}"]
    return [*words, "-serial", f"file:{work / 'console'}", "-serial", "stdio", "-serial", f"file:{work / 'status'}"]


def machine(bed: Bed) -> Iterator[str]:
    """The board and its CPUs."""
    yield from (shutil.which("qemu-system-x86_64") or "qemu-system-x86_64", "-accel", ACCEL, "-cpu", CPU)
    yield from ("-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
    shape = f"sockets={bed.sockets},dies={bed.dies},cores={bed.cores},threads={bed.threads}"
    yield from ("-smp", f"{bed.cpus},{shape}", "-m", f"{bed.memory * len(bed.distances)}M")


def nodes(bed: Bed) -> Iterator[str]:
    """The NUMA nodes: memory that virtiofsd can map, one die each as long as there are any, distances."""
    for node in range(len(bed.distances)):
        yield from ("-object", f"memory-backend-memfd,id=m{node},size={bed.memory}M,share=on")
        yield from ("-numa", f"node,nodeid={node},memdev=m{node}")
        if node < bed.sockets * bed.dies:
            die = f",die-id={node % bed.dies}" if bed.dies > 1 else ""
            yield from ("-numa", f"cpu,node-id={node},socket-id={node // bed.dies}{die}")
    for a, row in enumerate(bed.distances):
        for b, distance in enumerate(row):
            if a != b:
                yield from ("-numa", f"dist,src={a},dst={b},val={distance}")


def devices(work: Path) -> Iterator[str]:
    """An NVMe and a virtio disk behind a bridge of node 1, a network card without a wire behind one of node 0."""
    yield from slots(node=1, bus=0x40, count=2)
    yield from ("-drive", f"file={disk(work)},if=none,id=nvme,format=raw")
    yield from ("-device", "nvme,drive=nvme,serial=e2e,bus=slot1.0,max_ioqpairs=16,msix_qsize=17")
    yield from ("-drive", "file=null-co://,if=none,id=disk,format=raw")
    yield from ("-device", "virtio-blk-pci,drive=disk,num-queues=8,bus=slot1.1")
    yield from slots(node=0, bus=0x20, count=2)
    yield from ("-netdev", "hubport,id=net,hubid=0", "-device", "virtio-net-pci,netdev=net,bus=slot0.0")
    yield from ("-netdev", "hubport,id=wide,hubid=1", "-device", "vmxnet3,netdev=wide,bus=slot0.1")


def slots(*, node: int, bus: int, count: int) -> Iterator[str]:
    """A host bridge that belongs to a node, and `count` ports on it, each for one device."""
    yield from ("-device", f"pxb-pcie,id=host{node},bus_nr={bus},numa_node={node},bus=pcie.0")
    for port in range(count):
        yield from (
            "-device",
            f"pcie-root-port,id=slot{node}.{port},bus=host{node},chassis={bus + port},slot={bus + port}",
        )


def disk(work: Path) -> Path:
    """An empty disk of 64 MiB that takes no room."""
    image = work / "nvme.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    return image


def root(work: Path) -> Iterator[str]:
    """The root filesystem, see `rootfs`; randomness, for which the guest would wait."""
    yield from ("-chardev", f"socket,id=fs,path={work / 'fs.sock'}")
    yield from ("-device", "vhost-user-fs-pci,chardev=fs,tag=rootfs,queue-size=1024,bus=pcie.0")
    yield from ("-device", "virtio-rng-pci,bus=pcie.0")
