"""A folder that imitates /proc and /sys of a small host with devices: two nodes, a drive, a disk, a network card.

8 CPUs: node 0 = 0-3, node 1 = 4-7. The drive nvme0 is at node 1 with four managed queues, the disk vda likewise
managed, eth0 (virtio2) at node 0 with two queues that can be steered.
"""

from pathlib import Path

from attrs import evolve

from cpuplace.formats.sysfs import Link, render
from cpuplace.hardware import Device
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology

NVME = "sys/devices/pci0000:40/0000:41:00.0"
DISK = "sys/devices/pci0000:40/0000:42:00.0"
NIC = "sys/devices/pci0000:20/0000:21:00.0"
HOST = evolve(Topology.uniform(packages=2, cores_per_l3=4, distances=(10, 20, 21)), name="imitated")

INTERRUPTS: dict[int, tuple[str, str, str]] = {
    0: ("IO-APIC   2-edge", "timer", "0"),
    9: ("IO-APIC   9-fasteoi", "acpi", "0-7"),
    24: ("PCI-MSIX-0000:41:00.0   0-edge", "nvme0q0", "0-7"),
    25: ("PCI-MSIX-0000:41:00.0   1-edge", "nvme0q1", "0,4"),
    26: ("PCI-MSIX-0000:41:00.0   2-edge", "nvme0q2", "1,5"),
    27: ("PCI-MSIX-0000:41:00.0   3-edge", "nvme0q3", "2,6"),
    28: ("PCI-MSIX-0000:41:00.0   4-edge", "nvme0q4", "3,7"),
    30: ("PCI-MSIX-0000:21:00.0   0-edge", "virtio2-config", "0-7"),
    31: ("PCI-MSIX-0000:21:00.0   1-edge", "virtio2-input.0", "0-7"),
    32: ("PCI-MSIX-0000:21:00.0   2-edge", "virtio2-output.0", "0-7"),
    33: ("PCI-MSIX-0000:21:00.0   3-edge", "virtio2-input.1", "0-7"),
    34: ("PCI-MSIX-0000:21:00.0   4-edge", "virtio2-output.1", "0-7"),
    40: ("PCI-MSIX-0000:42:00.0   0-edge", "virtio1-config", "0-7"),
    41: ("PCI-MSIX-0000:42:00.0   1-edge", "virtio1-req.0", "0-3"),
    42: ("PCI-MSIX-0000:42:00.0   2-edge", "virtio1-req.1", "4-7"),
}
"""Number -> chip, handler, smp_affinity_list."""


def interrupts_text(rows: dict[int, tuple[str, str, str]] = INTERRUPTS) -> str:
    head = "     " + "".join(f"{f'CPU{cpu}':>11}" for cpu in range(8))
    lines = [f"{number:>4}:{'          1' * 8}  {chip}      {name}" for number, (chip, name, _) in sorted(rows.items())]
    return "\n".join([head, *lines, f" NMI:{'          0' * 8}   Non-maskable interrupts", " ERR:          0", ""])


def files() -> dict[str, str | Link]:
    """Path -> content or link."""
    out: dict[str, str | Link] = dict(render(HOST))
    for folder, node, cpus in ((NVME, 1, "4-7"), (DISK, 1, "4-7"), (NIC, 0, "0-3")):
        out |= {f"{folder}/numa_node": f"{node}\n", f"{folder}/local_cpulist": f"{cpus}\n", f"{folder}/class": "0x0\n"}
        out[f"sys/bus/pci/devices/{folder.rpartition('/')[2]}"] = Link(f"../../../../{folder}")
    out["proc/interrupts"] = interrupts_text()
    out["proc/irq/default_smp_affinity"] = "ff\n"
    for number, (chip, name, cpus) in INTERRUPTS.items():
        first = str(CpuSet.parse(cpus).min)
        at_pci = chip.startswith("PCI")
        out |= {
            f"proc/irq/{number}/smp_affinity_list": f"{cpus}\n",
            f"proc/irq/{number}/effective_affinity_list": f"{first}\n",
            f"proc/irq/{number}/node": "1\n" if name[:5] in ("nvme0", "virti") and "virtio2" not in name else "0\n",
        }
        if at_pci:
            folder = {"41": NVME, "42": DISK, "21": NIC}[chip[14:16]]
            out[f"{folder}/msi_irqs/{number}"] = "msix\n"
    for queue, cpus in enumerate(("0, 4", "1, 5", "2, 6", "3, 7")):
        out[f"{NVME}/nvme/nvme0/nvme0n1/mq/{queue}/cpu_list"] = f"{cpus}\n"
    for queue, cpus in enumerate(("0, 1, 2, 3", "4, 5, 6, 7")):
        out[f"{DISK}/virtio1/block/vda/mq/{queue}/cpu_list"] = f"{cpus}\n"
        out[f"{NIC}/virtio2/net/eth0/queues/rx-{queue}/rps_cpus"] = "00\n"
        out[f"{NIC}/virtio2/net/eth0/queues/tx-{queue}/xps_cpus"] = ("0f\n", "f0\n")[queue]
    out[f"{NVME}/nvme/nvme0/queue_count"] = "5\n"
    out["sys/class/nvme/nvme0"] = Link(f"../../../{NVME}/nvme/nvme0")
    out["sys/class/block/nvme0n1"] = Link(f"../../../{NVME}/nvme/nvme0/nvme0n1")
    out["sys/class/block/vda"] = Link(f"../../../{DISK}/virtio1/block/vda")
    out["sys/class/net/eth0"] = Link(f"../../../{NIC}/virtio2/net/eth0")
    return out


def put(folder: Path) -> Path:
    """The host in this folder."""
    for path, content in files().items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content)
        elif path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.write_text(content)
    return folder


DEVICES = (
    Device(name="vda", kind="block", pci="0000:42:00.0", node=1, local_cpus=CpuSet.parse("4-7"), queues=2),
    Device(name="nvme0", kind="nvme", pci="0000:41:00.0", node=1, local_cpus=CpuSet.parse("4-7"), queues=4),
    Device(name="eth0", kind="nic", pci="0000:21:00.0", node=0, local_cpus=CpuSet.parse("0-3"), queues=2),
)
