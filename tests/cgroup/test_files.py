"""The real file system port, on folders that are no cgroups."""

import os
from pathlib import Path

import pytest

from cpuplace_cgroup.files import KernelFiles

FILES = KernelFiles()


def test_reading_and_writing(tmp_path: Path) -> None:
    file = f"{tmp_path}/cpuset.cpus"
    with pytest.raises(FileNotFoundError):
        FILES.write(file, "0-3")  # the kernel's files are there or not; none is made
    Path(file).touch()
    FILES.write(file, "0-3")
    assert FILES.read(file) == "0-3"
    assert Path(file).read_text() == "0-3\n"
    Path(file).write_text(",".join(map(str, range(0, 60000, 2))))
    assert len(FILES.read(file).split(",")) == 30000


def test_folders(tmp_path: Path) -> None:
    for name in ("b", "a"):
        FILES.make(f"{tmp_path}/{name}")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert FILES.folders(str(tmp_path)) == ("a", "b")
    assert FILES.is_folder(f"{tmp_path}/a") and not FILES.is_folder(f"{tmp_path}/file")
    FILES.remove(f"{tmp_path}/a")
    assert FILES.folders(str(tmp_path)) == ("b",)
    with pytest.raises(FileExistsError):
        FILES.make(f"{tmp_path}/b")


def test_the_mark(tmp_path: Path) -> None:
    try:
        os.setxattr(tmp_path, "user.test", b"1")
    except OSError:
        pytest.skip("this file system has no user attributes")
    FILES.make(f"{tmp_path}/ours")
    (tmp_path / "theirs").mkdir()
    assert FILES.is_ours(f"{tmp_path}/ours")
    assert not FILES.is_ours(f"{tmp_path}/theirs")


def test_what_cannot_be_there(tmp_path: Path) -> None:
    assert FILES.problem(str(tmp_path)) == ""
    assert FILES.problem(f"{tmp_path}/nowhere") == "forbidden"
    assert FILES.problem("/proc/self") == "forbidden" or os.geteuid() == 0
