"""Which CPUs a process may use: affinity, cgroup v2 and v1, a container's own view; and what its workers get."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats.sysfs import render
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.topology import Topology
from cpuplace_linux import allowed, allowed_cpus, split

HOST = Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)  # 0-3,8-11 and 4-7,12-15
V2 = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup c rw,cpuset\n4 3 0:3 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n"


def put(folder: Path, files: dict[str, str]) -> Path:
    for path, content in ({path: str(text) for path, text in render(HOST).items()} | files).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not path.endswith("/") and not path.rpartition("/")[2].startswith("node0") and not place.exists():
            place.write_text(content)
    return folder


def status(cpus: str = "0-63", mems: str = "0-1") -> str:
    return f"Name:\tx\nCpus_allowed_list:\t{cpus}\nMems_allowed_list:\t{mems}\n"


def process(pid: str = "self", *, cpus: str = "0-63", cgroup: str = "0::/\n", mounts: str = "") -> dict[str, str]:
    folder = f"proc/{pid}"
    return {f"{folder}/status": status(cpus), f"{folder}/cgroup": cgroup, f"{folder}/mountinfo": mounts}


def test_no_cpuset_at_all(tmp_path: Path) -> None:
    root = put(tmp_path, process())
    assert (allowed_cpus(root=root), allowed(root=root).mems) == (HOST.online, NodeSet([0, 1]))


def test_the_affinity_of_another_process(tmp_path: Path) -> None:
    root = put(tmp_path, process("77", cpus="2,40"))
    assert allowed_cpus(77, root) == CpuSet([2])
    with pytest.raises(BadInput, match="there is no process self"):
        allowed_cpus(root=root)


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "cpus", "mems"),
    [
        ("0::/a/b\n", V2, {"a/b/cpuset.cpus.effective": "1-2\n", "a/b/cpuset.mems.effective": "1\n"}, "1-2", "1"),
        ("0::/a/b\n", V2, {"a/cpuset.cpus.effective": "1-2\n", "cpuset.cpus.effective": "0-15\n"}, "1-2", "0-1"),
        ("0::/a/b\n", V2, {"a/b/cpuset.cpus.effective": "\n", "a/cpuset.cpus.effective": "3"}, "3", "0-1"),
        ("0::/\n", V2.replace("/ /sys", "/pod/x /sys"), {"cpuset.cpus.effective": "4-5"}, "4-5", "0-1"),
        ("0::/pod/x\n", V2.replace("/ /sys", "/pod /sys"), {"x/cpuset.cpus.effective": "6"}, "6", "0-1"),
        ("0::/../y\n", V2, {"cpuset.cpus.effective": "7"}, "7", "0-1"),
        (
            "3:cpuset:/d\n0::/\n",
            V1,
            {"cpuset/d/cpuset.cpus": "1", "cpuset/d/cpuset.effective_cpus": "1-3"},
            "1-3",
            "0-1",
        ),
        ("3:cpuset:/d\n0::/\n", V1, {"cpuset/d/cpuset.cpus": "5-6", "cpuset/d/cpuset.mems": "0"}, "5-6", "0"),
        ("3:cpu:/d\n", V1, {"cpuset/cpuset.cpus": "5-6"}, "0-15", "0-1"),
    ],
)
def test_the_cpuset_of_its_group(
    tmp_path: Path, cgroup: str, mounts: str, files: dict[str, str], cpus: str, mems: str
) -> None:
    there = {f"sys/fs/cgroup/{path}": text for path, text in files.items()}
    root = put(tmp_path, process(cgroup=cgroup, mounts=mounts) | there)
    assert (str(allowed(root=root).cpus), str(allowed(root=root).mems)) == (cpus, mems)


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    root = put(tmp_path, process(cpus="40-63"))
    with pytest.raises(BadInput, match="no online CPU is allowed"):
        allowed_cpus(root=root)


def test_this_process_may_use_what_the_kernel_says() -> None:
    assert allowed_cpus() <= CpuSet(os.sched_getaffinity(0))
    assert allowed_cpus(os.getpid()) == allowed_cpus()
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert allowed_cpus() == CpuSet([min(before)])
        assert split(1) == (CpuSet([min(before)]),)
    finally:
        os.sched_setaffinity(0, before)


CPUSET = "sys/fs/cgroup/g/cpuset.cpus.effective"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("host"), process(cgroup="0::/g\n", mounts=V2) | {CPUSET: ""})


@given(cpus=st.sets(st.integers(0, 15), min_size=1), data=st.data())
def test_workers_never_leave_the_cpuset(cpus: set[int], data: st.DataObject, root: Path) -> None:
    (root / CPUSET).write_text(str(CpuSet(cpus)))
    workers = data.draw(st.integers(1, len(cpus)))
    answer = split(workers, root=root)
    assert len(answer) == workers
    assert all(answer)
    assert sorted(cpu for one in answer for cpu in one) == sorted(cpus)
    with pytest.raises(BadInput, match="share=True"):
        split(len(cpus) + 1, root=root)
    assert len(split(len(cpus) + 1, share=True, root=root)) == len(cpus) + 1


def test_workers_get_nodes_then_cores(root: Path) -> None:
    (root / CPUSET).write_text("1-7,9-15")
    assert [str(one) for one in split(2, root=root)] == ["1-3,9-11", "4-7,12-15"]
    assert [str(one) for one in split(2, CpuSet.parse("4-5,12-13"), root=root)] == ["4,12", "5,13"]
    with pytest.raises(BadInput, match=r"CPUs 0,8 are not allowed here \(this process may use 1-7,9-15\)"):
        split(2, CpuSet.parse("0-1,8"), root=root)
    with pytest.raises(BadInput, match="no CPU to divide"):
        split(1, CpuSet(), root=root)
