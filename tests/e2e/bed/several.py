"""Several VMs, two at a time, each by a process of its own: a VM keeps one core busy, CI has two."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

AT_ONCE: Final = 2
ROOT: Final = Path(__file__).resolve().parents[3]
PRINTING: Final = threading.Lock()

Process = subprocess.Popen[str]


def run(names: Sequence[str], words: Sequence[str]) -> int:
    """The first exit status that is not 0, in the order of the names; output comes line by line, the name in front."""
    alive: set[Process] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            statuses = list(pool.map(partial(one, words=words, alive=alive), names))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(alive):
                process.terminate()
            raise
    for name, status in zip(names, statuses, strict=True):
        sys.stderr.write(f"e2e: {name}: {f'exit status {status}' if status else 'all is well'}\n")
    return next((status for status in statuses if status), 0)


def one(name: str, *, words: Sequence[str], alive: set[Process]) -> int:
    """The exit status of one VM; `words` are the other arguments."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.bed", name, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    alive.add(process)
    for line in process.stdout or ():
        with PRINTING:
            sys.stdout.write(f"{name:>10} | {line}")
            sys.stdout.flush()
    alive.discard(process)
    return process.wait()
