"""Each way in which a host cannot be written has one refusal that says what to do."""

from collections.abc import Callable

import pytest

from cgroup.fake import MOUNT, FakeKernel
from cpuplace.errors import BadInput
from cpuplace_cgroup import check_host

ROOT = f"{MOUNT}/cpuplace"


class Folders(FakeKernel):
    """Other trees than cgroup v2: what is listed is there."""

    there: tuple[str, ...] = ()

    def read(self, path: str) -> str:
        if path in self.there:
            return "cpu io"
        raise FileNotFoundError(path)

    def is_folder(self, path: str) -> bool:
        return any(one.startswith(f"{path}/") for one in self.there)


def folders(*there: str) -> Folders:
    found = Folders()
    found.there = there
    return found


def undelegated() -> FakeKernel:
    kernel = FakeKernel(problems={MOUNT: "forbidden"})
    kernel.add("user")
    kernel.tree[""].control.clear()
    return kernel


@pytest.mark.parametrize(
    ("kernel", "root", "problem", "hint"),
    [
        (folders(f"{MOUNT}/cpuset/tasks"), ROOT, "cgroup v1 only", "unified_cgroup_hierarchy"),
        (folders(f"{MOUNT}/cpuset/tasks", f"{MOUNT}/unified/cgroup.controllers"), ROOT, "hybrid", "unified"),
        (folders("/etc/passwd"), ROOT, "no cgroup v2 file system", "mount -t cgroup2"),
        (FakeKernel(controllers="cpu io"), ROOT, "no controller cpuset", "cgroup_disable"),
        (FakeKernel(problems={MOUNT: "read-only"}), ROOT, "mounted read-only", "remount"),
        (FakeKernel(problems={MOUNT: "forbidden"}), ROOT, "not permitted", "run as root"),
        (undelegated(), f"{MOUNT}/user/x", "not delegated", "write +cpuset"),
    ],
)
def test_refusals(kernel: FakeKernel, root: str, problem: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_host(root, files=kernel)
    assert problem in caught.value.problem and hint in caught.value.hint and caught.value.source


def delegated() -> FakeKernel:
    kernel = FakeKernel(problems={MOUNT: "forbidden"})
    kernel.add("user")
    return kernel


@pytest.mark.parametrize(
    ("make", "root"),
    [(FakeKernel, MOUNT), (FakeKernel, ROOT), (FakeKernel, f"{ROOT}/"), (delegated, f"{MOUNT}/user/x")],
)
def test_hosts_that_can_be_written(make: Callable[[], FakeKernel], root: str) -> None:
    check_host(root, files=make())


def test_a_controller_that_root_can_hand_on_is_no_problem() -> None:
    kernel = FakeKernel()
    kernel.add("user")
    kernel.tree[""].control.clear()
    check_host(f"{MOUNT}/user", files=kernel)
