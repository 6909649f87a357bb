"""What this machine needs for VMs: root, Linux on x86-64, and a few packages that root can install."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

from . import rootfs
from .cache import cache, locked
from .trouble import Lacking

PACKAGES: Final[Mapping[str, str]] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "insmod": "kmod",
    "zstd": "zstd",
    "ip": "iproute2",
}
"""Command -> package of Debian that has it; virtiofsd comes with QEMU or is a package of its own, see `wanted`."""
PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def ready() -> None:
    """Make the machine able to run VMs; raises Lacking, with one line, when it cannot be."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Lacking("VMs with a Debian kernel need Linux on x86-64")
    if os.geteuid() != 0:
        raise Lacking("not root: sharing the root filesystem with a VM needs mounts")
    if not wanted():
        return
    if not shutil.which("apt-get"):
        raise Lacking(f"missing here: {', '.join(wanted())}")
    cache().mkdir(parents=True, exist_ok=True)
    with locked(cache() / "apt-lock"):
        install()


def wanted() -> list[str]:
    """The packages that are missing."""
    found = [package for command, package in PACKAGES.items() if not shutil.which(command, path=PATH)]
    if not found and rootfs.daemon() is None:
        found.append("virtiofsd")
    return found


def install() -> None:
    """Install what is missing, twice at most: only with QEMU here it shows whether virtiofsd came along."""
    options = ("-q", "-y", "-o", "DPkg::Lock::Timeout=300")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for _ in range(2):
        missing = wanted()
        if not missing:
            return
        for words in (["update"], ["install", "--no-install-recommends", *missing]):
            done = subprocess.run(
                ["apt-get", *options, *words], env=environment, capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise Lacking(f"apt-get install {' '.join(missing)}: {done.stderr.strip().rpartition(chr(10))[2]}")
    if wanted():
        raise Lacking(f"missing here even after installing: {', '.join(wanted())}")
