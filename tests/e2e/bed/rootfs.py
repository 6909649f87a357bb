"""This machine's own root filesystem for the guest, read-only but for the folders that are named."""

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .trouble import Died

LEGACY = Path("/usr/lib/qemu/virtiofsd")


def daemon() -> str | None:
    """Where virtiofsd is: QEMU shipped one until 8.0, later it is a package of its own."""
    return shutil.which("virtiofsd", path="/usr/libexec:/usr/lib/qemu:/usr/bin:/usr/sbin")


@contextmanager
def served(work: Path, writable: Sequence[Path]) -> Iterator[None]:
    """As long as this lasts, `work/fs.sock` serves "/" to one guest."""
    log = work / "virtiofsd.log"
    with log.open("wb") as out:
        script = " && ".join([*mounts((work, *writable)), f"exec {shlex.join(arguments(work / 'fs.sock'))}"])
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        await_socket(work / "fs.sock", process, log)
        yield
    finally:
        process.terminate()
        process.wait()


def mounts(writable: Sequence[Path]) -> list[str]:
    """Shell commands for a mount namespace of our own in which nothing else can be written.

    The guest is root and could reach around its overlay: every mount point is made read-only, not only "/".
    """
    binds = [f"mount --bind {place} {place}" for place in (shlex.quote(str(path)) for path in writable)]
    every = "cut -d' ' -f5 /proc/self/mountinfo | while read -r at"
    seal = f'{every}; do mount -o remount,bind,ro "$(printf %b "$at")" 2>/dev/null; done; true'
    return [
        "mount --make-rprivate /",
        seal,
        "mount -o remount,bind,ro /",
        *(f"{bind} && mount -o remount,bind,rw {bind.split()[-1]}" for bind in binds),
        "mount -t tmpfs tmpfs /run",  # its own lock files
    ]


def arguments(socket: Path) -> list[str]:
    """The command that serves "/"."""
    found = daemon() or "virtiofsd"
    if found == str(LEGACY):
        options = ("source=/", "cache=always", "sandbox=chroot", "xattr")
        return [found, f"--socket-path={socket}", *(word for option in options for word in ("-o", option))]
    return [found, f"--socket-path={socket}", "--shared-dir=/", "--cache=always", "--sandbox=none", "--xattr"]


def await_socket(socket: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it listens; raises Died with what it said when it does not."""
    end = time.monotonic() + 30
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise Died(f"virtiofsd did not start: {log.read_text(errors='replace').strip()}")
        time.sleep(0.02)
