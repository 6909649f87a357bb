"""Cgroup files of both versions, as they lie in a folder."""

from pathlib import Path

import pytest

import cpuplace as cp
from cpuplace_nri.cgroups import KernelCgroups, folder_of

PLACES = {
    "/kubepods/burstable/pod1/abc": "kubepods/burstable/pod1/abc",
    "kubepods-pod1.slice:cri-containerd:abc": "kubepods.slice/kubepods-pod1.slice/cri-containerd-abc.scope",
    "system.slice::abc.service": "system.slice/abc.service",
    "odd:two": "odd:two",
}


@pytest.mark.parametrize(("place", "folder"), PLACES.items())
def test_where_a_runtime_says_it_is(place: str, folder: str) -> None:
    assert folder_of(place) == folder


@pytest.mark.parametrize("unified", [True, False])
def test_what_is_read_and_written(tmp_path: Path, unified: bool) -> None:
    base = tmp_path if unified else tmp_path / "cpuset"
    effective = "cpuset.cpus.effective" if unified else "cpuset.effective_cpus"
    group = base / "kubepods" / "abc"
    group.mkdir(parents=True)
    if unified:
        (tmp_path / "cgroup.controllers").write_text("cpuset cpu\n")
    for name, text in (("cpuset.cpus", "0-3\n"), (effective, "0-2\n"), ("cpuset.mems", "0\n")):
        (group / name).write_text(text)
    cgroups = KernelCgroups(tmp_path)
    found = cgroups.read("/kubepods/abc")
    assert found is not None
    assert (str(found.cpus), str(found.effective), str(found.mems)) == ("0-3", "0-2", "0")
    (group / "cpuset.cpus").write_text("")
    (group / "cpuset.mems").write_text("")
    cgroups.write("/kubepods/abc", cp.Held(cp.CpuSet([5]), cp.NodeSet([1])))
    assert ((group / "cpuset.cpus").read_text(), (group / "cpuset.mems").read_text()) == ("5", "1")
    assert cgroups.read("/kubepods/gone") is None
    with pytest.raises(FileNotFoundError):
        cgroups.write("/kubepods/gone", cp.Held(cp.CpuSet([5])))
    assert not (base / "kubepods" / "gone").exists()


@pytest.mark.parametrize("base", ["", "cpuset"])
@pytest.mark.parametrize(
    ("folder", "procs", "said"),
    [
        ("kubepods/burstable/pod1/abc", "17\n", True),
        ("kubepods/burstable/pod1/abc", "", False),
        ("kubepods/burstable/pod1/abc", None, False),
        ("kubepods.slice/kubepods-pod1.slice/cri-containerd-abc.scope", "0\n", True),
        ("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/abc.scope", "17\n", True),
        ("system.slice/containerd.service", "17\n", False),
    ],
)
def test_whether_pods_run(tmp_path: Path, base: str, folder: str, procs: str | None, said: bool) -> None:
    if not base:
        (tmp_path / "cgroup.controllers").write_text("cpuset cpu\n")
    assert not KernelCgroups(tmp_path).pods_run()
    group = tmp_path / base / folder
    group.mkdir(parents=True)
    if procs is not None:
        (group / "cgroup.procs").write_text(procs)
    assert KernelCgroups(tmp_path).pods_run() is said
