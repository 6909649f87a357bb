"""The devices of the bed behave as its README says: whose interrupts can be moved, and whose are the kernel's own."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MANAGED = ("nvme0q1", "nvme0q16", "virtio3-req.0")
MOVABLE = ("nvme0q0", "virtio2-input.0", "eth1-rxtx-0", "eth1-rxtx-7")


@pytest.fixture(scope="module", autouse=True)
def card_up() -> Iterator[None]:
    """The wide card asks for its interrupts when it is brought up."""
    subprocess.run(["ip", "link", "set", "eth1", "up"], check=True)
    yield
    subprocess.run(["ip", "link", "set", "eth1", "down"], check=True)


def affinity(name: str) -> Path:
    """The file that says where this interrupt may go."""
    lines = Path("/proc/interrupts").read_text().splitlines()
    (number,) = (line.partition(":")[0].strip() for line in lines if line.split()[-1] == name)
    return Path(f"/proc/irq/{number}/smp_affinity_list")


@pytest.mark.parametrize("name", MOVABLE)
def test_movable(name: str) -> None:
    file = affinity(name)
    before = file.read_text()
    file.write_text("9")
    assert file.read_text() == "9\n"
    file.write_text(before)


@pytest.mark.parametrize("name", MANAGED)
def test_managed_by_the_kernel(name: str) -> None:
    with pytest.raises(OSError) as refused:
        affinity(name).write_text("9")
    assert refused.value.errno in (errno.EIO, errno.EPERM)  # which of them depends on the kernel


def test_the_parent_of_a_virtio_card_knows_its_node() -> None:
    device = Path("/sys/class/net/eth0/device").resolve()
    assert not (device / "numa_node").exists()
    assert (device.parent / "numa_node").read_text() == "0\n"
