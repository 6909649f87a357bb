"""One VM: boots, runs one command, hands out its output and its exit status."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import bytecode, guest, qemu, rootfs
from .beds import Bed
from .guest import Job
from .kernel import Kernel
from .trouble import Died


def run(bed: Bed, job: Job, kernel: Kernel, *, timeout: float) -> int:
    """The exit status of the command; its output streams to standard output. Raises Died when there is no status."""
    bytecode.warm(job, bed.folders(job.tree))
    with folder() as work:
        modules = kernel.modules("overlay", *(qemu.MODULES if bed.devices else ()))
        init = work / "init"
        init.write_text(guest.script(job, modules))
        init.chmod(0o755)
        with rootfs.served(work, job.writable):
            words = qemu.command(bed, kernel=kernel.image, work=work)
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
            try:
                return status(process, work, timeout)
            finally:
                process.kill()
                process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """A scratch folder; gone afterwards."""
    work = Path(tempfile.mkdtemp(prefix="cpuplace-e2e-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def status(process: "subprocess.Popen[bytes]", work: Path, patience: float) -> int:
    """What the guest says at last; the machine is not given the time to shut down."""
    sys.stdout.flush()
    last = time.monotonic()
    while True:
        now = time.monotonic()
        patience, last = patience - (now - last) * share(), now
        gone = process.poll() is not None
        said = text(work / "status")
        if said.endswith("\n"):
            time.sleep(0.1)  # the last bytes of output come by another port
            return int(said)
        if gone or patience < 0:
            why = f"QEMU ended with {process.returncode}" if gone else "it took too long"
            raise Died(f"{why}; the end of its console:\n{text(work / 'console')[-4000:]}")
        time.sleep(0.05)


def share() -> float:
    """What part of a core a VM gets here: on a crowded machine patience lasts longer, three times at most."""
    return max(1 / 3, min(1.0, (os.cpu_count() or 1) / max(os.getloadavg()[0], 1.0)))


def text(path: Path) -> str:
    """The content of a file that may not be there yet."""
    return path.read_text(errors="replace") if path.exists() else ""
