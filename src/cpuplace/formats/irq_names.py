"""The names that drivers give their interrupts: which device, which of its queues, and whether the kernel manages it.

Queues count from 0, as blk-mq (`mq/0`) and network devices (`rx-0`) count them; nvme0q1 is queue 0 of nvme0, since
q0 takes commands, not data. Nothing in /proc says that an interrupt is managed (drivers ask for it with
PCI_IRQ_AFFINITY, and a write to smp_affinity is then refused); it is known of the drivers below.
"""

import re
from typing import Final

from attrs import frozen


@frozen(slots=True)
class IrqName:
    """What a name says; `owner` the device in the driver's words (nvme0, virtio2, eth0, a PCI address), "" = not said.

    `queue` None = no queue, or not said which. `managed` True = known to be kernel-managed, False = not known to be.
    """

    owner: str
    queue: int | None = None
    managed: bool = False


_NUMBER: Final = r"([0-9]{1,5})"
_NVME: Final = re.compile(rf"(nvme[0-9]{{1,5}})q{_NUMBER}")
_VIRTIO: Final = re.compile(rf"(virtio[0-9]{{1,5}})-([a-z_]+)(?:\.{_NUMBER})?")
_AT_PCI: Final = re.compile(rf"(?:mlx[45]_comp|mana_q|gve-ntfy-blk){_NUMBER}@pci:([0-9a-f:.]+)")
_NIC: Final = re.compile(
    rf"(?:(?:i40e|iavf|ice|idpf)-)?([\w.@]+?)-(?:(?:tx-?rx|rx-?tx|rx|tx|fp|q)-?)?{_NUMBER}(?:-(?:rx|tx))?",
    re.IGNORECASE | re.ASCII,
)
_DISK: Final = re.compile(rf"((?:mpt[23]sas|megasas|smartpqi|hisi_sas)[0-9]*)-msix{_NUMBER}", re.ASCII)


def parse(name: str) -> IrqName:
    """What the name of an interrupt says; a name of no known form is its own owner.

    >>> parse("nvme0q3")
    IrqName(owner='nvme0', queue=2, managed=True)
    >>> parse("i40e-ens1f0-TxRx-7"), parse("rtc0").queue
    (IrqName(owner='ens1f0', queue=7, managed=False), None)
    """
    if match := _NVME.fullmatch(name):
        queue = int(match[2])
        return IrqName(match[1], queue - 1, managed=True) if queue else IrqName(match[1])
    if match := _VIRTIO.fullmatch(name):
        # Requests of disks (req.0), SCSI (request) and file systems (requests.0) are managed, NICs' queues are not.
        queue_or_none = None if match[3] is None else int(match[3])
        return IrqName(match[1], queue_or_none, managed=match[2].startswith("req"))
    if match := _AT_PCI.fullmatch(name):
        return IrqName(match[2], int(match[1]))
    if match := _DISK.fullmatch(name):
        return IrqName(match[1], int(match[2]), managed=True)
    if match := _NIC.fullmatch(name):
        return IrqName(match[1], int(match[2]))
    return IrqName(name)
