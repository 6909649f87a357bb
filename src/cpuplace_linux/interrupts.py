"""The live host's interrupts and device queues: who serves what, and where. Nothing here changes the host."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import frozen

from cpuplace.formats import irq_names, proc_interrupts
from cpuplace.hardware import Device
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.interrupts import DeviceQueue, HostInterrupts, Interrupt
from cpuplace.topology import Topology
from cpuplace_linux.hostfiles import HostFiles
from cpuplace_linux.read_host import read_host

_CLASS: Final = {"nic": "net", "ib": "infiniband", "nvme": "nvme", "block": "block"}
"""Kind of a device -> its folder in sys/class."""
_ORDER: Final = ("nic", "nvme", "ib", "block", "gpu", "other")
"""Of several devices of one PCI function, the first of these owns its interrupts."""
_NAMESPACE: Final = re.compile(r"nvme[0-9]+(?:c[0-9]+)?n[0-9]+")
_VIRTIO: Final = re.compile(r"/(virtio[0-9]+)(?:/|$)")
_DEFAULT: Final = "proc/irq/default_smp_affinity"


@frozen(slots=True)
class _Owner:
    """A device, where it is in sysfs, and its name on its bus (virtio2), "" = the same."""

    device: Device
    real: str
    bus_name: str


def read_interrupts(root: str | os.PathLike[str] = "/", *, host: Topology | None = None) -> HostInterrupts:
    """All interrupts of the host, and the queues of its NICs, NVMe drives and disks; `host` saves reading it again.

    A queue's CPUs are those that blk-mq lets it serve (`mq/*/cpu_list`), for a NIC those that its interrupts come to.
    Raises BadInput when /proc/interrupts cannot be read. Three small reads an interrupt.

    >>> all(one.number >= 0 for one in read_interrupts().interrupts)
    True
    """
    files = HostFiles(root)
    host = read_host(root) if host is None else host
    owners = _owners(files, host.devices)
    interrupts = tuple(_interrupts(files, _by_number(files, owners), owners))
    default = files.text(_DEFAULT)
    return HostInterrupts(
        online=host.online,
        interrupts=interrupts,
        queues=tuple(queue for owner in owners for queue in _queues(files, owner, interrupts)),
        default=None if not default else CpuSet.parse_mask(default, source=files.where(_DEFAULT)),
        nodes={node.id: node.cpus for node in host.nodes},
    )


def _owners(files: HostFiles, devices: Iterable[Device]) -> tuple[_Owner, ...]:
    """The devices that can own interrupts; the namespaces of a drive leave them to the drive."""
    drives = {device.pci for device in devices if device.kind == "nvme"}
    found = []
    for device in sorted(devices, key=lambda one: (_ORDER.index(one.kind), one.name)):
        if device.kind == "block" and device.pci in drives:
            continue
        folder = _CLASS.get(device.kind)
        real = files.real(f"sys/class/{folder}/{device.name}" if folder else f"sys/bus/pci/devices/{device.pci}")
        bus = _VIRTIO.search(f"/{real}")
        found.append(_Owner(device, real, bus[1] if bus else ""))
    return tuple(found)


def _by_number(files: HostFiles, owners: Iterable[_Owner]) -> Mapping[int, _Owner]:
    """Interrupt -> the device whose PCI function raises it."""
    found: dict[int, _Owner] = {}
    for owner in owners:
        if owner.device.pci is not None:
            folder = f"sys/bus/pci/devices/{owner.device.pci}"
            numbers = files.names(f"{folder}/msi_irqs") or (files.text(f"{folder}/irq") or "",)
            for number in numbers:
                if number.isascii() and number.isdigit() and int(number):
                    found.setdefault(int(number), owner)
    return found


def _interrupts(files: HostFiles, by_number: Mapping[int, _Owner], owners: Iterable[_Owner]) -> Iterator[Interrupt]:
    by_name = {
        name: owner for owner in owners for name in (owner.device.name, owner.bus_name, owner.device.pci) if name
    }
    for row in proc_interrupts.parse(files.need("proc/interrupts"), source=files.where("proc/interrupts")):
        folder = f"proc/irq/{row.number}"
        cpus = _cpus(files, f"{folder}/smp_affinity_list")
        if cpus is None:
            continue  # gone since the list was read
        said = [irq_names.parse(name) for name in row.names]
        owner = next((by_name[one.owner] for one in said if one.owner in by_name), by_number.get(row.number))
        queue = next((one.queue for one in said if one.queue is not None), None)
        yield Interrupt(
            number=row.number,
            names=row.names,
            cpus=cpus,
            effective=_cpus(files, f"{folder}/effective_affinity_list") or NO_CPUS,
            node=_node(files.text(f"{folder}/node")),
            device=None if owner is None else owner.device.name,
            queue=None if owner is None else queue,
            managed=any(one.managed for one in said),
        )


def _cpus(files: HostFiles, path: str) -> CpuSet | None:
    text = files.text(path)
    return None if text is None else CpuSet.parse(text, source=files.where(path))


def _node(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _queues(files: HostFiles, owner: _Owner, interrupts: Iterable[Interrupt]) -> Iterator[DeviceQueue]:
    name = owner.device.name
    irqs: dict[int, list[Interrupt]] = {}
    for one in interrupts:
        if one.device == name and one.queue is not None:
            irqs.setdefault(one.queue, []).append(one)
    disk = {queue: cpus for folder in _disk_folders(files, owner) for queue, cpus in _disk_queues(files, folder)}
    network = set(_network_queues(files, owner.real)) if owner.device.kind == "nic" else set()
    for queue in sorted(irqs.keys() | disk.keys() | network):
        mine = irqs.get(queue, [])
        yield DeviceQueue(
            device=name,
            queue=queue,
            cpus=disk.get(queue) or _reached(mine),
            irqs=tuple(one.number for one in mine),
            rps=_mask(files, f"{owner.real}/queues/rx-{queue}/rps_cpus") if network else None,
            xps=_mask(files, f"{owner.real}/queues/tx-{queue}/xps_cpus") if network else None,
        )


def _reached(interrupts: Iterable[Interrupt]) -> CpuSet:
    cpus = NO_CPUS
    for one in interrupts:
        cpus |= one.effective or one.cpus
    return cpus


def _disk_folders(files: HostFiles, owner: _Owner) -> Iterator[str]:
    """Where blk-mq shows queues: of a disk itself, of a drive at its namespaces (they share its queues)."""
    if owner.device.kind == "block":
        yield owner.real
    elif owner.device.kind == "nvme":
        yield owner.real
        yield from (f"{owner.real}/{name}" for name in files.names(owner.real) if _NAMESPACE.fullmatch(name))


def _disk_queues(files: HostFiles, folder: str) -> Iterator[tuple[int, CpuSet]]:
    for name in files.names(f"{folder}/mq"):
        cpus = files.text(f"{folder}/mq/{name}/cpu_list")
        if name.isascii() and name.isdigit() and len(name) < 6 and cpus is not None:
            # Written "0, 8", with blanks.
            yield int(name), CpuSet.parse(cpus.replace(" ", ""), source=files.where(f"{folder}/mq/{name}/cpu_list"))


def _network_queues(files: HostFiles, real: str) -> Iterator[int]:
    for name in files.names(f"{real}/queues"):
        kind, _, number = name.partition("-")
        if kind in ("rx", "tx") and number.isascii() and number.isdigit() and len(number) < 6:
            yield int(number)


def _mask(files: HostFiles, path: str) -> CpuSet | None:
    text = files.text(path)
    return None if not text else CpuSet.parse_mask(text, source=files.where(path))
