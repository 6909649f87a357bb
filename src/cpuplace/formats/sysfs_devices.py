"""The devices of a sysfs tree, with the PCI address, NUMA node and CPUs that their parents name.

A device is listed when the host says anything about where it is. NICs, InfiniBand, NVMe controllers, whole
block devices and graphics cards carry the kernel's name; other PCI functions of these kinds (given to a guest
or to user space) carry their address. A `numa_node` of -1 is "not said"; it is not guessed from the CPUs.
"""

import re
from collections.abc import Container, Iterator
from typing import Final

from attrs import evolve

from cpuplace.formats.pci import kind_of
from cpuplace.formats.sysfs_fields import Fields
from cpuplace.hardware import Device
from cpuplace.idset import CpuSet

_PCI: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)
_PCI_FOLDER: Final = "sys/bus/pci/devices"

_CLASSES: Final = (
    ("net", re.compile(r"(?!enx[0-9a-f]{12}$).+"), "nic"),
    ("infiniband", re.compile(r".+"), "ib"),
    ("nvme", re.compile(r"nvme[0-9]+"), "nvme"),
    ("block", re.compile(r".+"), "block"),
    ("drm", re.compile(r"card[0-9]+"), "gpu"),
    ("mic", re.compile(r"mic[0-9]+"), "other"),
)
"""sys/class folder, the names in it that are devices, our kind. USB NICs whose name is their MAC address are
left out: they are of no use for placing, and a capture must not carry such names."""


def read_devices(fields: Fields, exist: int, nodes: Container[int]) -> list[Device]:
    """All devices with a place; places are cut to the CPUs and nodes that exist."""
    found = [device for folder, names, kind in _CLASSES for device in _of_class(fields, folder, names, kind)]
    named = {device.pci for device in found}
    found += [device for device in _unnamed(fields) if device.pci not in named]
    known = CpuSet.from_mask(exist)
    return [
        evolve(
            device,
            node=device.node if device.node in nodes else None,
            local_cpus=device.local_cpus & known,
        )
        for device in found
    ]


def _of_class(fields: Fields, folder: str, names: re.Pattern[str], kind: str) -> Iterator[Device]:
    everyone = set(fields.tree.names(f"sys/class/{folder}"))
    for name in sorted(filter(names.fullmatch, everyone)):
        link = f"sys/class/{folder}/{name}"
        real = fields.tree.target(link) or fields.tree.target(f"{link}/device") or link
        partition = kind == "block" and real.split("/")[-2] in everyone
        virtual = real.startswith("sys/devices/virtual/")
        device = None if partition or virtual else _device(fields, name, kind, real)
        if device:
            yield device


def _unnamed(fields: Fields) -> Iterator[Device]:
    for address in sorted(filter(_PCI.fullmatch, fields.tree.names(_PCI_FOLDER))):
        real = fields.tree.target(f"{_PCI_FOLDER}/{address}") or f"{_PCI_FOLDER}/{address}"
        kind = _pci_kind(fields, real)
        device = _device(fields, address, kind, real) if kind else None
        if device:
            yield device


def _device(fields: Fields, name: str, kind: str, real: str) -> Device | None:
    """The device at this real path, or None when no parent says where that is."""
    pci = node = local = None
    for path in _parents(real):
        pci = pci or (path if _PCI.fullmatch(path.rpartition("/")[2]) else None)
        node = fields.number(f"{path}/numa_node") if node is None else node
        local = fields.first_set(path, ("local_cpulist", "local_cpus")) if local is None else local
    if pci is None and node is None and local is None:
        return None
    return Device(
        name=name,
        kind=_kind(fields, name, kind, pci),
        pci=pci and pci.rpartition("/")[2],
        node=None if node is None or node < 0 else node,
        local_cpus=CpuSet.from_mask(local or 0),
        queues=_queues(fields, kind, real),
    )


def _parents(path: str) -> Iterator[str]:
    """The path itself and every folder above it, up to the bus it hangs on."""
    while path.count("/") > 2:
        yield path
        path = path.rpartition("/")[0]


def _kind(fields: Fields, name: str, kind: str, pci: str | None) -> str:
    if kind == "block" and name.startswith("nvme") and not fields.tree.names("sys/class/nvme"):
        return "nvme"  # the tree shows no controllers, so its namespaces stand for them
    return _pci_kind(fields, pci) or kind if kind == "gpu" and pci else kind


def _pci_kind(fields: Fields, path: str) -> str | None:
    code, vendor = (fields.tree.text(f"{path}/{name}") or "" for name in ("class", "vendor"))
    return kind_of(code.removeprefix("0x"), vendor.removeprefix("0x"))


def _queues(fields: Fields, kind: str, real: str) -> int | None:
    """How many queues move data: receive queues of a NIC, I/O queues of NVMe, hardware queues of a disk."""
    if kind == "nvme":
        count = fields.number(f"{real}/queue_count")  # with the admin queue
        return None if count is None else max(count - 1, 0)
    folder, start, file = ("queues", "rx-", "rps_cpus") if kind == "nic" else ("mq", "", "cpu_list")
    shown = [
        f"{real}/{folder}/{name}/{file}" for name in fields.tree.names(f"{real}/{folder}") if name.startswith(start)
    ]
    return sum(fields.tree.text(path) is not None for path in shown) or None
