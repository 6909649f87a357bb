"""The guest is root, and yet it cannot write this machine's files."""

import errno
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("folder", ["", "tmp", "dev/shm"])
def test_around_its_overlay_nothing_can_be_written(folder: str, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "virtiofs", "rootfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(OSError) as refused:
            (tmp_path / folder / "cpuplace-e2e-wrote-this").touch()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert refused.value.errno == errno.EROFS
