"""Compiles here what the guest would compile on every boot, thirty times slower."""

import os
import subprocess
from collections.abc import Sequence

from .guest import Job


def warm(job: Job, folders: Sequence[str]) -> None:
    """Leave bytecode beside the sources, as Python does by itself: of the package, the tests, and what pytest rewrites.

    pytest rewrites the assertions of every plugin that it loads, hypothesis with its hundred modules among them.
    A failure is not told: the guest will say it where it matters.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= job.environment
    for words in (
        ["compileall", "-q", "src", "tests/e2e"],
        ["pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *folders],
    ):
        subprocess.run(
            [str(job.python), "-m", *words],
            cwd=job.tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
