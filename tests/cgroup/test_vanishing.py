"""A group that goes away before any one call of the file system, reads too: its plan is carried out without it."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

import cpuplace as cp
from cgroup.fake import MOUNT, FakeKernel
from cgroup.worlds import ROOT
from cpuplace_cgroup import CgroupBackend
from cpuplace_cgroup.partitions import PartitionKind, WhenInvalid

HOST = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
Request = cp.ContainerRequest


def having(*requests: cp.ContainerRequest) -> cp.HostState:
    state = cp.HostState.empty(HOST)
    for request in requests:
        state = cp.apply(state, cp.place(state, request).unwrap())
    return state


STATE = having(Request.integer("a", 2), Request.shared("s"))
PIN = cp.place(STATE, Request.pinned("b", cp.CpuSet([6, 7]), exclusive=True)).unwrap()


def host(path_of_s: str = "s") -> FakeKernel:
    """A host on which the state is true."""
    kernel = FakeKernel.of(HOST)
    for number, (path, key) in enumerate({"a": "a", path_of_s: "s"}.items()):
        one = STATE[key]
        kernel.add(f"cpuplace/{path}", cpus=str(one.cpus), mems=str(one.mems or ""), pids=(7 + number,), ours=True)
    kernel.tree["cpuplace"].control.add("cpuset")
    return kernel


def dropping(kernel: FakeKernel, path: str, at: int) -> None:
    kernel.before_call = lambda number: kernel.drop(path) if number == at else None


def hosts(path: str, made: Callable[[], FakeKernel] = host) -> Iterator[FakeKernel]:
    """One host after another: on each the group goes one call later, on the last it outlives everything."""
    for at in count():
        kernel = made()
        dropping(kernel, path, at)
        yield kernel
        if kernel.calls <= at:
            return


def held(kernel: FakeKernel, *keys: str) -> dict[str, int]:
    return {key: kernel.tree[f"cpuplace/{key}"].cpus for key in keys}


@pytest.mark.parametrize("inside", ["", "/inner"])
def test_one_that_is_released(inside: str) -> None:
    def idle() -> FakeKernel:
        kernel = host()
        kernel.add("cpuplace/a/inner")
        kernel.tree["cpuplace/a"].procs.clear()
        return kernel

    for kernel in hosts(f"cpuplace/a{inside}", idle):
        outcome = CgroupBackend(ROOT, files=kernel, systemd=False).carry_out(cp.release(STATE, "a"))
        assert outcome.ok, str(outcome)
        assert "cpuplace/a" not in kernel.tree and held(kernel, "s") == {"s": HOST.online.mask}


def test_one_of_others_that_is_released() -> None:
    def theirs() -> FakeKernel:
        kernel = host()
        kernel.tree["cpuplace/a"].ours = False
        return kernel

    for kernel in hosts("cpuplace/a", theirs):
        outcome = CgroupBackend(ROOT, files=kernel, systemd=False).carry_out(cp.release(STATE, "a"))
        assert outcome.ok, str(outcome)


@pytest.mark.parametrize("kind", [None, "isolated"])
@pytest.mark.parametrize("fails", ["member", "fail"])
@pytest.mark.parametrize("victim", ["a", "s"])
def test_one_beside_another_that_is_placed(victim: str, fails: WhenInvalid, kind: PartitionKind | None) -> None:
    for kernel in hosts(f"cpuplace/{victim}"):
        ours = CgroupBackend(ROOT, files=kernel, systemd=False, partition=kind, partition_fails=fails)
        outcome = ours.carry_out(PIN)
        assert outcome.ok, str(outcome)
        assert set(outcome.vanished) <= {victim}
        others = {key: one.cpus.mask for key, one in PIN.after.assignments.items() if key != victim}
        assert held(kernel, *others) == others
        assert outcome.partitions.get("b") == kind
        assert "a" not in outcome.partitions or outcome.partitions["a"] == kind, "none is a member for having gone"


def test_the_folder_of_its_pod_with_it() -> None:
    def in_a_pod() -> FakeKernel:
        kernel = host("pod/s")
        kernel.tree["cpuplace/pod"].cpus = STATE["s"].cpus.mask
        return kernel

    for kernel in hosts("cpuplace/pod", in_a_pod):
        ours = CgroupBackend(ROOT, files=kernel, systemd=False, layout={"s": "pod/s"}, parents=frozenset({"pod"}))
        outcome = ours.carry_out(PIN)
        assert outcome.ok, str(outcome)
        assert held(kernel, "a", "b") == {key: PIN.after[key].cpus.mask for key in ("a", "b")}


def test_one_that_is_looked_at() -> None:
    def two_of_one_name() -> FakeKernel:
        kernel = FakeKernel.of(HOST)
        kernel.add("kubepods/pod1/abc", pids=(1,))
        kernel.add("kubepods/pod2/abc", pids=(2,))
        return kernel

    for kernel in hosts("kubepods/pod2", two_of_one_name):
        seen = CgroupBackend(MOUNT, files=kernel, systemd=False).observe()
        assert "abc" in seen and len(seen) <= 2
