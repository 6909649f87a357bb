"""The backend's edges: parents, partitions, systemd, releases, other people's folders, broken outcomes."""

import errno
from collections.abc import Sequence

import pytest

import cpuplace as cp
from cgroup.fake import MOUNT, FakeKernel
from cgroup.worlds import ROOT, backend
from cpuplace_cgroup import CgroupBackend, CgroupFailed, allowed_cpus_lines
from cpuplace_cgroup.failure import refused
from cpuplace_cgroup.systemd import Ran, run_command

HOST = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
EMPTY = cp.HostState.empty(HOST)
Request = cp.ContainerRequest


def pin(key: str, cpus: str, state: cp.HostState = EMPTY) -> cp.Plan:
    return cp.place(state, Request.pinned(key, cp.CpuSet.parse(cpus), exclusive=True)).unwrap()


def test_ctrl_c_takes_everything_back_and_goes_on() -> None:
    kernel = FakeKernel.of(HOST)

    def interrupt(number: int) -> None:
        if number == 3:
            kernel.before_change = lambda _number: None
            raise KeyboardInterrupt

    kernel.before_change = interrupt
    with pytest.raises(KeyboardInterrupt):
        backend(kernel).carry_out(pin("p", "2-3"))
    assert list(kernel.tree) == [""]


def test_processes_keep_a_group_of_ours_from_being_released() -> None:
    kernel = FakeKernel.of(HOST)
    plan = pin("p", "2-3")
    assert backend(kernel).carry_out(plan).ok
    backend(kernel).enter("p", 77)
    state = cp.apply(EMPTY, plan)
    outcome = backend(kernel).carry_out(cp.release(state, "p"))
    assert outcome.failure is not None and "1 processes still run in it: 77" in outcome.failure.meaning
    assert "end them first" in str(outcome) and outcome.to_dict()["failure"]["step"] == 0
    kernel.add("cpuplace/p/inner", pids=())
    kernel.tree["cpuplace/p"].procs.clear()
    assert backend(kernel).carry_out(cp.release(state, "p")).ok
    assert [place for place in kernel.tree if place.startswith("cpuplace/")] == []
    assert backend(kernel).carry_out(cp.release(state, "p")).ok  # twice is once


@pytest.mark.parametrize("populated", [False, True])
def test_a_group_of_others_is_left_to_its_parent(populated: bool) -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/p", cpus="2-3", mems="1", pids=(5,) if populated else ())
    outcome = backend(kernel).carry_out(cp.release(cp.apply(EMPTY, pin("p", "2-3")), "p"))
    assert outcome.ok
    node = kernel.tree["cpuplace/p"]
    assert (node.cpus, node.mems) == ((0xFF, 0b11) if populated else (0, 0))
    assert len(outcome.notes) == (2 if populated else 0)


def test_a_release_that_is_taken_back_makes_the_group_again() -> None:
    kernel = FakeKernel.of(HOST)
    state = cp.apply(EMPTY, pin("p", "2-3"))
    assert backend(kernel).carry_out(pin("p", "2-3")).ok
    shared = cp.place(state, Request.shared("s")).unwrap()
    assert backend(kernel).carry_out(shared).ok
    plan = cp.release(cp.apply(state, shared), "p")
    assert [step.op for step in plan.steps] == [cp.Op.RELEASE, cp.Op.WIDEN]
    before = kernel.texts()
    kernel.faults = {len(kernel.log) + 1: errno.EBUSY}
    outcome = backend(kernel).carry_out(plan)
    assert not outcome.ok and kernel.texts() == before
    assert f"{ROOT}/p" in outcome.restored and kernel.tree["cpuplace/p"].ours


def test_a_process_that_cannot_enter() -> None:
    with pytest.raises(CgroupFailed, match=r"cgroup\.procs: ENOENT") as caught:
        backend(FakeKernel.of(HOST)).enter("nobody", 1)
    assert caught.value.failure.container_id == "nobody"


def managing(kernel: FakeKernel) -> CgroupBackend:
    return CgroupBackend(
        ROOT, files=kernel, systemd=False, layout={"a": "pod/a", "b": "pod/b"}, parents=frozenset({"pod"})
    )


def test_parents_are_widened_before_and_narrowed_after() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/pod", cpus="0-1", mems="0")
    ours = managing(kernel)
    first = pin("a", "2-3")
    assert ours.carry_out(first).ok
    pod = kernel.tree["cpuplace/pod"]
    assert (pod.cpus, pod.mems) == (0b1100, 0b10)
    state = cp.apply(EMPTY, first)
    second = pin("b", "1", state)
    kernel.log.clear()
    assert ours.carry_out(second).ok
    written = [(file.rpartition("pod/")[2], text) for file, text in kernel.log if "cpuset.cpus" in file]
    assert written == [("cpuset.cpus", "1-3"), ("b/cpuset.cpus", "1")]
    state = cp.apply(state, second)
    assert ours.carry_out(cp.release(state, "a")).ok
    assert (pod.cpus, pod.mems) == (0b10, 0b01)
    assert ours.carry_out(cp.release(cp.apply(state, cp.release(state, "a")), "b")).ok
    assert pod.cpus  # nobody is in it, and an empty list would mean everything


def test_parents_that_are_not_ours_to_change_are_said() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/pod", cpus="0-2", mems="0")
    theirs = CgroupBackend(ROOT, files=kernel, systemd=False, layout={"a": "pod/a"})
    assert "none of these CPUs can be used below" in str(theirs.carry_out(pin("a", "3")))
    assert "may use 0-2 only" in str(theirs.carry_out(pin("a", "0-1,4")))
    assert "may use memory of node 0 only" in str(theirs.carry_out(pin("a", "2")))


def test_partitions_are_made_moved_and_ended() -> None:
    kernel = FakeKernel.of(HOST)
    ours = CgroupBackend(ROOT, files=kernel, systemd=False, partition="isolated")
    plan = cp.place(EMPTY, Request.integer("a", 2)).unwrap()
    assert ours.carry_out(plan).partitions == {"a": "isolated"}
    state = cp.apply(EMPTY, plan)
    assert kernel.cpus("") == 0xFF & ~state["a"].cpus.mask
    plan = pin("p", "0", state)
    assert ours.carry_out(plan).partitions == {"a": "isolated", "p": "isolated"}
    state = cp.apply(state, plan)
    assert kernel.cpus("") == 0xFF & ~state.exclusive.mask == 0xFF & ~kernel.tree["cpuplace"].exclusive
    for key in ("a", "p"):
        assert ours.carry_out(cp.release(state, key)).ok
        state = cp.apply(state, cp.release(state, key))
    assert (kernel.cpus(""), kernel.tree["cpuplace"].exclusive) == (0xFF, 0)


def test_a_group_at_the_top_is_a_local_partition() -> None:
    kernel = FakeKernel.of(HOST)
    ours = CgroupBackend(MOUNT, files=kernel, systemd=False, partition="root")
    assert ours.carry_out(pin("p", "2-3")).partitions == {"p": "root"}
    assert kernel.tree["p"].exclusive == 0


@pytest.mark.parametrize("fails", ["member", "fail"])
@pytest.mark.parametrize(
    ("beside", "words"), [("3-4", 'cpuset.cpus.partition: it reads back "root invalid'), ("3", "exclusive: EINVAL")]
)
def test_the_kernel_means_no(fails: str, beside: str, words: str) -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/x", cpus=beside, pids=(1,))
    ours = CgroupBackend(
        ROOT, files=kernel, systemd=False, partition="root", partition_fails="fail" if fails == "fail" else "member"
    )
    outcome = ours.carry_out(pin("p", "2-3"))
    assert words in str(outcome)
    assert kernel.tree["cpuplace"].exclusive == 0
    if fails == "fail":
        assert not outcome.ok and "cpuplace/p" not in kernel.tree
    else:
        assert outcome.ok and outcome.partitions["p"].startswith("member")
        assert kernel.tree["cpuplace/p"].partition == "member" and "stays a member" in outcome.notes[0]


def test_a_partition_that_cannot_be_written_or_is_unknown_to_the_kernel() -> None:
    kernel = FakeKernel.of(HOST)
    ours = CgroupBackend(ROOT, files=kernel, systemd=False, partition="root")
    kernel.faults = {7: errno.EINVAL}
    assert "EINVAL" in ours.carry_out(pin("p", "2-3")).partitions["p"]

    class Old(FakeKernel):
        def read(self, path: str) -> str:
            if path.endswith((".partition", ".exclusive")):
                raise FileNotFoundError(errno.ENOENT, "")
            return super().read(path)

    old = CgroupBackend(ROOT, files=Old.of(HOST), systemd=False, partition="root")
    assert "there is no such file" in str(old.carry_out(pin("p", "2-3")))


class Systemctl:
    """Does what systemd does with set-property, or refuses."""

    def __init__(self, kernel: FakeKernel, *, refuses: bool = False) -> None:
        self.kernel, self.refuses = kernel, refuses
        self.ran: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str]) -> Ran:
        self.ran.append(tuple(argv))
        if self.refuses:
            return Ran(1, "Unit is masked.")
        name, _, text = argv[-1].partition("=")
        node = self.kernel.tree[f"system.slice/{argv[3]}"]
        if name == "AllowedCPUs":
            node.cpus = cp.CpuSet.parse(text).mask
        else:
            node.mems = cp.NodeSet.parse(text).mask
        return Ran(0, "")


def test_units_are_written_through_systemd() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("system.slice/web.service", pids=(1,))
    kernel.add("plain", pids=(2,))
    systemctl = Systemctl(kernel)
    ours = CgroupBackend(MOUNT, files=kernel, systemd=True, run=systemctl)
    key = "system.slice/web.service"
    plan = pin(key, "2-3")
    assert ours.carry_out(plan).ok
    assert systemctl.ran == [
        ("systemctl", "set-property", "--runtime", "web.service", "AllowedMemoryNodes=1"),
        ("systemctl", "set-property", "--runtime", "web.service", "AllowedCPUs=2-3"),
    ]
    systemctl.ran.clear()
    assert ours.carry_out(pin("plain", "0", cp.apply(EMPTY, plan))).ok
    assert systemctl.ran == []
    outcome = CgroupBackend(MOUNT, files=kernel, systemd=True, run=Systemctl(kernel, refuses=True)).carry_out(
        pin(key, "0")
    )
    assert "systemctl ended with 1: Unit is masked." in str(outcome) and "try: systemctl set-property" in str(outcome)


def unit_host() -> FakeKernel:
    kernel = FakeKernel.of(HOST)
    kernel.add("system.slice/web.service", cpus="0-1", pids=(1,))
    return kernel


def test_systemd_that_answers_too_late_is_asked_for_what_was() -> None:
    kernel = unit_host()
    systemctl = Systemctl(kernel)

    def late_once(argv: Sequence[str]) -> Ran:
        ran = systemctl(argv)
        return Ran(124, "no answer") if argv[-1] == "AllowedCPUs=2-3" else ran

    before = kernel.texts()
    ours = CgroupBackend(MOUNT, files=kernel, systemd=True, run=late_once)
    outcome = ours.carry_out(pin("system.slice/web.service", "2-3"))
    assert "systemctl ended with 124: no answer" in str(outcome)
    assert systemctl.ran[2][-1] == "AllowedCPUs=0-1"
    assert kernel.texts() == before


@pytest.mark.parametrize("text", ["1", "2-3"])
def test_ctrl_c_right_after_a_write_takes_it_back(text: str) -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/p", cpus="0-1", mems="0", pids=(1,))
    before = kernel.texts()

    def interrupt(number: int) -> None:
        if kernel.log[number][1] == text:
            kernel.after_change = lambda _number: None
            raise KeyboardInterrupt

    kernel.after_change = interrupt
    with pytest.raises(KeyboardInterrupt):
        backend(kernel).carry_out(pin("p", "2-3"))
    assert kernel.texts() == before


def test_a_unit_that_ends_while_systemd_is_asked_is_gone() -> None:
    kernel = unit_host()

    def ends(_argv: Sequence[str]) -> Ran:
        kernel.drop("system.slice/web.service")
        return Ran(1, "Unit web.service not found.")

    outcome = CgroupBackend(MOUNT, files=kernel, systemd=True, run=ends).carry_out(
        pin("system.slice/web.service", "2-3")
    )
    assert outcome.ok and outcome.vanished == ("system.slice/web.service",)


def test_systemd_that_says_yes_and_writes_nothing_is_found_out() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("system.slice/web.service", pids=(1,))
    ours = CgroupBackend(MOUNT, files=kernel, systemd=True, run=lambda _argv: Ran(0, ""))
    outcome = ours.carry_out(pin("system.slice/web.service", "2-3"))
    assert not outcome.ok and 'reads back ""' in str(outcome)


def test_commands() -> None:
    assert run_command(["true"]) == Ran(0, "")
    assert run_command(["sh", "-c", "echo no >&2; exit 3"]) == Ran(3, "no")
    assert run_command(["/nowhere/at/all"]).status == 127


def test_a_command_that_does_not_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpuplace_cgroup.systemd._TIME_LIMIT", 0.01)
    assert run_command(["sleep", "600"]) == Ran(124, "no answer within 0.01 seconds")


def test_lines_that_keep_systemd_off() -> None:
    state = cp.apply(EMPTY, cp.place(EMPTY, Request.integer("a", 2)).unwrap())
    assert allowed_cpus_lines(EMPTY) == ()
    assert allowed_cpus_lines(state) == tuple(
        f"systemctl set-property --runtime {unit} AllowedCPUs=1-3,5-7"
        for unit in ("system.slice", "user.slice", "init.scope")
    )


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        (errno.ENOSPC, "cpuset.cpus", "cannot be left without a CPU list"),
        (errno.ENOSPC, "cgroup.procs", "no CPU or no memory node"),
        (errno.EBUSY, "cpuset.cpus", "deadline-scheduled"),
        (errno.EBUSY, "cgroup.subtree_control", "processes run in this very folder"),
        (errno.EINVAL, "cpuset.mems", "memory node that this host has not"),
        (errno.ERANGE, "cpuset.cpus", "beyond any that this kernel knows"),
        (errno.EACCES, "cpuset.cpus", "run as root"),
        (errno.EROFS, "mkdir", "read-only"),
        (errno.ENOENT, "cpuset.cpus", "write +cpuset"),
        (errno.EOPNOTSUPP, "cgroup.procs", "threaded"),
        (errno.EIO, "cpuset.cpus", "EIO: Input/output error"),
    ],
)
def test_errors_say_file_text_answer_and_meaning(code: int, name: str, words: str) -> None:
    failure = refused(OSError(code, ""), container_id="c1", file=f"/x/{name}", wrote="0-3")
    text = str(failure.at(2))
    assert text.startswith(f'step 3, c1: writing "0-3" to /x/{name}: {errno.errorcode[code]}: ') and words in text


def test_a_stranger_that_wrote_meanwhile_is_noted_and_one_that_keeps_writing_fails_it() -> None:
    kernel = FakeKernel.of(HOST)
    plan = pin("p", "2-3")
    assert backend(kernel).carry_out(plan).ok
    state = cp.apply(EMPTY, plan)
    kernel.tree["cpuplace/p"].cpus = 0b1
    seen = [cp.Observed(request=state["p"].request, cpus=cp.CpuSet.parse("4"), mems=cp.NodeSet([1]))]
    outcome = backend(kernel).carry_out(cp.synchronize(state, seen))
    assert outcome.ok and outcome.notes == ("p had 0, the plan thought 4",)

    def meddle(_number: int) -> None:
        kernel.tree["cpuplace/p"].cpus = 0b1

    kernel.after_change = meddle
    kernel.tree["cpuplace/p"].cpus = 0b10000
    outcome = backend(kernel).carry_out(cp.synchronize(state, seen))
    assert not outcome.ok and "somebody else writes there too" in str(outcome)


def test_cpus_that_went_offline_are_noted_or_fail_it() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.online = 0b11110111
    outcome = backend(kernel).carry_out(pin("p", "2-3"))
    assert outcome.ok and "CPUs 3 cannot be used now" in outcome.notes[0]
    outcome = backend(FakeKernel(online=0b11110011, nodes=0b11)).carry_out(pin("p", "2-3"))
    assert not outcome.ok and "bring the CPUs online" in str(outcome)


def test_preferred_memory_is_left_alone_and_noted() -> None:
    host = cp.Topology.uniform(packages=2, cores_per_l3=2, threads_per_core=2)
    state = cp.HostState.empty(host, cp.Policy(memory_policy="preferred"))
    kernel = FakeKernel.of(host)
    outcome = backend(kernel).carry_out(pin("p", "2-3", state))
    assert outcome.ok and "preferred memory of node 1" in outcome.notes[0] and kernel.tree["cpuplace/p"].mems == 0


def test_an_effective_set_that_is_not_what_was_written_fails_it() -> None:
    """As when the group is a partition whose CPUs were fixed before."""

    class Stubborn(FakeKernel):
        def read(self, path: str) -> str:
            return "3" if path.endswith("p/cpuset.cpus.effective") else super().read(path)

    kernel = Stubborn.of(HOST)
    outcome = backend(kernel).carry_out(pin("p", "2-3"))
    assert not outcome.ok and 'reads back "3"' in str(outcome) and "partition (member)" in str(outcome)
    assert "cpuplace/p" not in kernel.tree


def test_a_plan_on_paper_says_what_becomes_of_each_file() -> None:
    kernel = FakeKernel.of(HOST)
    plan = pin("p", "2-3")
    assert [str(one) for one in backend(kernel).writes(plan)] == ["p: cpuset.mems = 1", "p: cpuset.cpus = 2-3"]
    released = cp.release(cp.apply(EMPTY, plan), "p")
    assert [str(one) for one in backend(kernel).writes(released)] == [f"p: rmdir {ROOT}/p"]
    kernel.add("cpuplace/p", cpus="2-3", pids=(1,))
    assert str(backend(kernel).writes(released)[0]) == "p: cpuset.cpus = (what the parent has)"


def test_a_group_made_in_a_threaded_subtree_is_made_threaded() -> None:
    kernel = FakeKernel.of(HOST)
    kernel.add("cpuplace/app", pids=(1,))
    kernel.tree["cpuplace/app"].type = "domain threaded"
    ours = CgroupBackend(ROOT, files=kernel, systemd=False, layout={"p": "app/p"})
    assert ours.carry_out(pin("p", "2-3")).ok
    assert kernel.tree["cpuplace/app/p"].type == "threaded"
