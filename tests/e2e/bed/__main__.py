"""`python -m tests.e2e.bed [NAME ...] [-- COMMAND]`: the tests, or any command, inside made-up machines."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import machine, vm
from .beds import BEDS, Bed
from .guest import Job
from .kernel import Kernel, prepared
from .trouble import Died, Lacking

ROOT = Path(__file__).resolve().parents[3]
DEAD = 125
"""The exit status when a VM died twice."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What the command line says; what follows `--` is the command."""
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.bed", description=__doc__, allow_abbrev=False)
    parser.add_argument("name", nargs="*", help=f"of {', '.join(BEDS)}; all when left out")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout to run in (this one)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter (this one)")
    parser.add_argument("--rw", type=Path, action="append", default=[], help="a folder that the VM may write")
    parser.add_argument("--timeout", type=int, help="seconds until a VM is taken for dead")
    parser.add_argument("--required", action="store_true", default=in_ci(), help="no VMs here: fail (as in CI)")
    found = parser.parse_args(words[:at])
    for name in found.name:
        if name not in BEDS:
            parser.error(f"no bed {name!r}: {', '.join(BEDS)}")
    found.command = words[at + 1 :]
    return found


def in_ci() -> bool:
    """Whether CI runs this, which says so in the environment."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def main(words: Sequence[str]) -> int:
    """0 when all is well, the status of the first command that failed, 125 when a VM died twice."""
    asked = arguments(words)
    try:
        machine.ready()
        kernel = prepared()
    except Lacking as why:
        sys.stderr.write(f"e2e: no VMs on this machine, their tests are {'missing' if asked.required else 'left out'}: {why}\n")
        return 1 if asked.required else 0
    results = [one(BEDS[name], asked, kernel) for name in asked.name or BEDS]
    return next((status for status in results if status), 0)


def one(bed: Bed, asked: argparse.Namespace, kernel: Kernel) -> int:
    """The status of one VM's command; a VM that dies gets a second try, a command that fails does not."""
    job = Job(
        command=asked.command or ["python", "-m", "pytest", "-q", bed.folder],
        tree=asked.tree.resolve(),
        python=asked.python.absolute(),
        writable=[path.resolve() for path in asked.rw],
        environment={"CPUPLACE_BED": bed.name, "CPUPLACE_MODULES": str(kernel.folder / "lib" / "modules")},
    )
    for _ in range(2):
        start = time.monotonic()
        try:
            status = vm.run(bed, job, kernel)
        except Died as why:
            sys.stderr.write(f"e2e: {bed.name}: the VM died: {why}\n")
            status = DEAD
        sys.stderr.write(f"e2e: {bed.name}: status {status} after {time.monotonic() - start:.1f} s\n")
        if status != DEAD:
            break
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the VM goes too
    sys.exit(main(sys.argv[1:]))
