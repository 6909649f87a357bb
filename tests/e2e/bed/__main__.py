"""Runs the tests beside real containerds here, then inside made-up machines; README.md beside them has examples.

A command after `--` runs instead of the tests.
"""

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import here, machine, runtimes, several, vm
from .beds import BEDS, Bed
from .cache import cache
from .guest import Job
from .kernel import Kernel, prepared
from .trouble import Died, Lacking

DEAD = 125
"""The exit status when a VM died twice."""
NAMES = (here.NAME, *BEDS)
"""What can be asked for. VMs keep all cores busy; a runtime that has time-outs comes before them."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What the command line says; what follows `--` is the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.bed", description=__doc__, allow_abbrev=False)
    parser.add_argument("name", nargs="*", help=f"{', '.join(NAMES)}; left out: all")
    parser.add_argument("--tree", type=Path, default=several.ROOT, help="the checkout to run in (this one)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter (this one)")
    parser.add_argument("--rw", type=Path, action="append", default=[], help="a folder that the VM may write")
    parser.add_argument("--timeout", type=int, help="seconds until a VM is taken for dead")
    parser.add_argument("--write", action="store_true", help="renew the captures in tests/machines/vm")
    parser.add_argument("--required", action="store_true", default=in_ci(), help="no VMs here: fail (as CI=true does)")
    at = words.index("--") if "--" in words else len(words)
    found = parser.parse_args(words[:at])
    for name in found.name:
        if name not in NAMES:
            parser.error(f"no machine is called {name!r}: {', '.join(NAMES)}")
    found.command = words[at + 1 :]
    return found


def again(asked: argparse.Namespace) -> list[str]:
    """The same, without the names, for a process that runs one of them from another folder."""
    words = ["--tree", str(asked.tree.resolve()), "--python", str(asked.python.absolute())]
    words += [word for path in asked.rw for word in ("--rw", str(path.resolve()))]
    words += ["--timeout", str(asked.timeout)] if asked.timeout else []
    words += ["--write"] if asked.write else []
    return [*words, "--required", "--", *asked.command]


def in_ci() -> bool:
    """Whether CI runs this, which says so in the environment."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def main(words: Sequence[str]) -> int:
    """0 when all is well, the status of the first command that failed, 125 when a VM died twice."""
    asked = arguments(words)
    names = asked.name or list(NAMES)
    try:
        machine.ready()
        kernel = prepared()
        found = runtimes.prepared()
    except Lacking as why:
        fate = "cannot run" if asked.required else "are left out"
        sys.stderr.write(f"e2e: no VMs on this machine, their tests {fate}: {why}\n")
        return 1 if asked.required else 0
    if here.NAME in names or names == ["containerd"]:
        sys.stderr.write(f"e2e: {found}\n")
    if len(names) == 1 and names[0] in BEDS:
        return one(BEDS[names[0]], asked, kernel)
    first = here.run(asked.tree.resolve(), asked.python.absolute(), asked.command) if here.NAME in names else 0
    rest = several.run([name for name in names if name in BEDS], again(asked))
    return first or rest


def one(bed: Bed, asked: argparse.Namespace, kernel: Kernel) -> int:
    """The status of one VM's command; a VM that dies gets a second try, a command that fails does not."""
    job = job_of(bed, asked, kernel)
    for _ in range(2):
        before = spent()
        try:
            status = vm.run(bed, job, kernel, timeout=asked.timeout or bed.timeout)
        except Died as why:
            sys.stderr.write(f"e2e: {bed.name}: the VM died: {why}\n")
            continue
        wall, cpu = (after - start for after, start in zip(spent(), before, strict=True))
        sys.stderr.write(f"e2e: {bed.name}: exit status {status} after {wall:.0f} s, {cpu:.0f} s of CPU time\n")
        return status
    return DEAD


def spent() -> tuple[float, float]:
    """Seconds on the clock, and of CPU time of the processes that ended; the latter tells more on a busy machine."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), ended.ru_utime + ended.ru_stime


def job_of(bed: Bed, asked: argparse.Namespace, kernel: Kernel) -> Job:
    """What the command line asks for, on this machine."""
    tree = asked.tree.resolve()
    renewed = [tree / "tests" / "machines" / "vm"] if asked.write else []
    return Job(
        command=asked.command or ["python", "-m", "pytest", "-q", *bed.folders(tree)],
        tree=tree,
        python=asked.python.absolute(),
        writable=[path.resolve() for path in (*asked.rw, *renewed)],
        environment={
            "CPUPLACE_BED": bed.name,
            "CPUPLACE_E2E_CACHE": str(cache().absolute()),
            "CPUPLACE_MODULES": str(kernel.folder / "lib" / "modules"),
            **({"CPUPLACE_RENEW": "1"} if asked.write else {}),
        },
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended on the way out
    sys.exit(main(sys.argv[1:]))
