"""Reading a host from where it is: live, a folder, a tar file; hostile ones give one clear error."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats.sysfs import Link, render, wanted
from cpuplace.hardware import Device
from cpuplace.idset import CpuSet
from cpuplace.topology import Topology
from cpuplace_linux import capture as captured_by
from cpuplace_linux import read_host
from cpuplace_linux.capture import Recorder
from cpuplace_linux.folder import MAX_FILE, FolderTree
from cpuplace_linux.read_host import open_tree
from cpuplace_linux.tarball import packed

CPU = "sys/devices/system/cpu"
NIC = Device(name="eth0", kind="nic", pci="0000:01:00.0", node=1, local_cpus=CpuSet([1]), queues=2)
HOST = evolve(Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2, distances=(10, 20, 21)), devices=(NIC,))
FILES = render(HOST)


def put(folder: Path) -> Path:
    """The host's files in a folder."""
    for path, content in FILES.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content)
        else:
            place.write_text(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path / "host")


def tarred(path: Path, files: dict[str, str | Link]) -> Path:
    path.write_bytes(packed(files))
    return path


def test_the_live_host() -> None:
    host = read_host()
    assert host.online == CpuSet.parse(Path(f"/{CPU}/online").read_text().strip("\n"))
    assert host == read_host("/")
    assert read_host("/sys").online == host.online


def test_live_reading_opens_only_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open

    def watched(path: str, flags: int) -> int:
        opened.append(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", watched)
    read_host("/")
    assert opened
    assert [path for path in opened if not wanted(path.lstrip("/"))] == []


def test_a_folder_and_a_sys_tree(folder: Path) -> None:
    assert read_host(folder) == HOST
    assert read_host(folder / "sys") == HOST
    assert read_host(str(folder), name="n").name == "n"


@pytest.mark.parametrize("front", ["", "./", "captures/host-1/"])
def test_a_tar_file_with_any_top(tmp_path: Path, front: str) -> None:
    assert read_host(tarred(tmp_path / "t.tar.gz", {front + path: text for path, text in FILES.items()})) == HOST


def test_a_tar_file_that_is_a_sys_tree_or_not_packed(tmp_path: Path) -> None:
    bare = tarred(tmp_path / "t.tar.gz", {path.removeprefix("sys/"): text for path, text in FILES.items()})
    assert read_host(bare) == HOST
    plain = tmp_path / "t.tar"
    plain.write_bytes(gzip.decompress(packed(FILES)))
    assert read_host(plain) == HOST


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_host(path)
    assert str(path) in caught.value.source
    return str(caught.value)


def test_places_that_hold_no_host(tmp_path: Path) -> None:
    assert "no such folder or file" in refused(tmp_path / "absent")
    assert "no sysfs tree here" in refused(tmp_path)
    (tmp_path / "sys").mkdir()
    assert "no online CPU" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / ("x" * 300)) or "cannot be read" in refused(tmp_path / ("x" * 300))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b", b"\x1f\x8bjunk", packed(FILES)[:-500], b"\0" * 1024])
def test_files_that_are_no_tar(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.tar.gz"
    path.write_bytes(content)
    assert refused(path)


@given(data=st.data())
def test_a_spoiled_tar_is_a_host_or_bad_input(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    raw = bytearray(gzip.decompress(packed({f"{CPU}/online": "0-1\n", f"{CPU}/cpu0": Link("cpu1"), f"{CPU}/x/": ""})))
    for place in data.draw(st.lists(st.integers(0, 2047), max_size=6)):
        raw[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "t.tar"
    path.write_bytes(raw)
    try:
        read_host(path)
    except BadInput as bad:
        assert str(path) in bad.source


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, size
        tar.addfile(info, io.BytesIO(b"0" * size))

    return add


@pytest.mark.parametrize(
    ("add", "problem"),
    [
        (member(f"/{CPU}/online"), "leads out of the archive"),
        (member(f"../{CPU}/online"), "leads out of the archive"),
        (member(f"{CPU}/online", tarfile.LNKTYPE, "etc/passwd"), "neither a file"),
        (member(f"{CPU}/online", tarfile.FIFOTYPE), "neither a file"),
        (member(f"{CPU}/online", size=MAX_FILE + 1), "larger than"),
        (member("readme"), "no sysfs tree"),
        (member(f"{CPU}/online", tarfile.SYMTYPE, "/etc/hostname"), "no online CPU"),
    ],
)
def test_hostile_members(tmp_path: Path, add: Callable[[tarfile.TarFile], None], problem: str) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        add(tar)
    assert problem in refused(path)


def test_a_tar_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpuplace_linux.tarball.MAX_TAR", 1 << 20)
    path = tmp_path / "t.tar.gz"
    path.write_bytes(gzip.compress(b"\0" * (2 << 20)))
    assert "unpacks to more than" in refused(path)


def test_links_out_of_a_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "online").write_text("0-3")
    file, other = folder / CPU / "online", folder / CPU / "cpu0/topology"
    file.unlink()
    file.symlink_to(secret / "online")
    tree = FolderTree(folder)
    assert tree.text(f"{CPU}/online") is None
    (secret / "core_cpus_list").write_text("0")
    for one in other.iterdir():
        one.unlink()
    other.rmdir()
    other.symlink_to(secret)
    assert FolderTree(folder).text(f"{CPU}/cpu0/topology/core_cpus_list") is None
    assert FolderTree(folder).names(f"{CPU}/cpu0/topology") == ()


def test_files_that_are_no_files(folder: Path) -> None:
    pipe = folder / CPU / "isolated"
    pipe.unlink()
    os.mkfifo(pipe)
    assert read_host(folder) == HOST
    tree = FolderTree(folder)
    assert tree.text("sys/class/net/eth0/address") is None
    assert tree.target("etc/passwd") is None
    assert tree.text(f"{CPU}/cpu0/cache/\0/level") is None
    assert tree.names(f"{CPU}/\0") == ()
    assert tree.target(f"{CPU}/cpu0/node\u0660") is None


def test_a_huge_file_in_a_folder(folder: Path) -> None:
    (folder / CPU / "online").write_text(" " * (MAX_FILE + 1))
    assert "larger than" in refused(folder)


def test_reads_that_the_kernel_answers_with_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", broken)
    assert FolderTree(folder).text(f"{CPU}/online") is None


def test_a_capture_reads_as_the_live_host(tmp_path: Path) -> None:
    out = tmp_path / "live.tar.gz"
    paths = captured_by("/", out)
    assert read_host(out) == read_host("/")
    assert all(wanted(path) for path in paths)
    for word in (os.uname().nodename, "address", "serial", "uuid"):
        assert not any(word and word in path for path in paths)


def test_a_capture_of_a_folder_of_a_tar_of_a_capture(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    captured_by(folder, first)
    captured_by(first, second)
    assert read_host(second) == read_host(first) == HOST
    assert first.read_bytes() == second.read_bytes()


def test_a_capture_keeps_offline_cpus_without_files(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar.gz", {f"{CPU}/online": "0\n", f"{CPU}/cpu0/": "", f"{CPU}/cpu7/": ""})
    captured_by(path, tmp_path / "b.tar.gz")
    assert str(read_host(tmp_path / "b.tar.gz").offline) == "7"


def test_a_capture_overwrites_only_on_purpose(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "host.tar.gz"
    out.write_text("precious")
    with pytest.raises(BadInput, match="the file exists"):
        captured_by(folder, out)
    assert out.read_text() == "precious"
    captured_by(folder, out, overwrite=True)
    assert read_host(out) == HOST
    with pytest.raises(BadInput, match="cannot be written"):
        captured_by(folder, tmp_path / "absent" / "host.tar.gz")


def test_a_capture_holds_no_owner_and_no_time(folder: Path, tmp_path: Path) -> None:
    captured_by(folder, tmp_path / "host.tar.gz")
    with tarfile.open(tmp_path / "host.tar.gz") as tar:
        assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in tar} == {(0, 0, "", "", 0)}


def test_a_capture_hides_what_names_the_host(tmp_path: Path) -> None:
    bus = "sys/devices/LNXSYSTM:00/VMBUS:00/f8b3781a-1e82-4818-a1c3-63d806ec15bb"
    usb = f"sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/net/{(mac := 'enx001122aabbcc')}"
    files = FILES | {
        f"{bus}/numa_node": "0",
        "sys/class/net/eth7": Link(f"../../../{bus}/net/eth7"),
        f"sys/class/net/{mac}": Link(f"../../../{usb}"),
    }
    path = tarred(tmp_path / "a.tar.gz", files)
    paths = captured_by(path, tmp_path / "b.tar.gz")
    assert read_host(tmp_path / "b.tar.gz") == read_host(path)
    assert [device.name for device in read_host(path).devices] == ["eth0", "eth7"]
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        names = [*paths, *(one.linkname for one in tar)]
    assert not [name for name in names if mac in name or "f8b3781a" in name]


def test_the_recorder_answers_as_its_tree(folder: Path) -> None:
    tree = open_tree(folder)
    recorder = Recorder(tree)
    assert recorder.text(f"{CPU}/online") == tree.text(f"{CPU}/online")
    assert recorder.text(f"{CPU}/absent") is None
    assert sorted(recorder.names(CPU)) == sorted(tree.names(CPU))
    assert recorder.target(f"{CPU}/cpu0/node0") == "sys/devices/system/node/node0"
