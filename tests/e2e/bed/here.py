"""The tests beside real containerds on this machine itself: no VM, so their time-outs are those of a node."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .cache import cache

NAME: Final = "here"
"""As the command line says it."""


def run(tree: Path, python: Path, command: Sequence[str]) -> int:
    """The exit status of the tests, or of the command given instead of them."""
    words = list(command) or ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/containerd"]
    environment = {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        "CPUPLACE_CONTAINERD": "1",
        "CPUPLACE_E2E_CACHE": str(cache().absolute()),
        "HYPOTHESIS_PROFILE": "ci",
    }
    status = subprocess.run(words, cwd=tree, env=environment, check=False).returncode
    sys.stderr.write(f"e2e: {NAME}: {f'exit status {status}' if status else 'all is well'}\n")
    return status
