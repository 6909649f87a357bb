"""Interrupts and queues of an imitated host: read, planned, moved, undone, and what happens when the kernel says no."""

import errno
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from cgroup.commands import forking
from cpuplace.errors import BadInput
from cpuplace.formats import irq_record
from cpuplace.idset import CpuSet
from cpuplace.irq_planning import plan_interrupts
from cpuplace.partitions import NumaPlanner
from cpuplace.partitions_host import node_specs
from cpuplace.partitions_pinning import DeviceQueuePin
from cpuplace.partitions_spec import PartitionRole
from cpuplace_linux import apply_irq_plan, read_host, read_interrupts, undo_irq_record
from cpuplace_linux.hostfiles import HostFiles, KernelRefused
from cpuplace_linux.irq_steering import DEFAULT_RECORD, IrqOutcome
from linux.imitated import DEVICES, INTERRUPTS, interrupts_text, put

MANAGED = {25, 26, 27, 28, 41, 42}
ALL = CpuSet.parse("0-7")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return put(tmp_path / "host")


Faults = Callable[[str, int], None]


@pytest.fixture(params=[errno.EIO, errno.EPERM], ids=["EIO", "EPERM"])
def faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """A kernel, old or new, that keeps managed interrupts, and says to further files what it is told to say."""
    codes = {f"proc/irq/{number}/smp_affinity_list": request.param for number in MANAGED | {0}}
    kept, write = set(codes), HostFiles.write

    def said(self: HostFiles, path: str, text: str) -> None:
        if path in codes:
            raise KernelRefused(self.where(path), text, codes[path], opened=path in kept)
        write(self, path, text)

    monkeypatch.setattr(HostFiles, "write", said)
    return codes.__setitem__


def affinity(root: Path, number: int) -> str:
    return (root / f"proc/irq/{number}/smp_affinity_list").read_text().strip()


def everything(root: Path) -> dict[str, str]:
    """Every file that could have been written."""
    places = [*root.glob("proc/irq/**/*"), *root.glob("sys/devices/**/*ps_cpus")]
    texts = {str(place.relative_to(root)): place.read_text().strip() for place in places if place.is_file()}
    return {path: text if path.endswith("_list") else f"{int(text, 16):x}" for path, text in texts.items()}


def results(outcome: IrqOutcome) -> dict[str, str]:
    return {
        one.write.path.removeprefix("proc/irq/").removesuffix("/smp_affinity_list"): one.result
        for one in outcome.results
    }


def test_devices_with_their_node_and_queues(root: Path) -> None:
    shown = {device.name: device for device in read_host(root).devices}
    assert [shown[device.name] for device in DEVICES] == list(DEVICES)


def test_interrupts_with_their_device_and_queue(root: Path) -> None:
    seen = read_interrupts(root)
    assert [one.number for one in seen.interrupts] == sorted(INTERRUPTS)
    assert {one.number for one in seen.interrupts if one.managed} == MANAGED
    shown = {one.number: (one.device, one.queue) for one in seen.interrupts}
    assert shown == {
        0: (None, None),
        9: (None, None),
        24: ("nvme0", None),
        **{25 + queue: ("nvme0", queue) for queue in range(4)},
        30: ("eth0", None),
        31: ("eth0", 0),
        32: ("eth0", 0),
        33: ("eth0", 1),
        34: ("eth0", 1),
        40: ("vda", None),
        41: ("vda", 0),
        42: ("vda", 1),
    }
    first = seen.of_numbers([25])[0]
    assert (str(first.cpus), str(first.effective), first.node, first.label) == ("0,4", "0", 1, "nvme0q1")
    assert (seen.online, seen.default, seen.nodes) == (ALL, ALL, {0: CpuSet(range(4)), 1: CpuSet(range(4, 8))})


def test_queues_with_the_cpus_they_serve(root: Path) -> None:
    seen = read_interrupts(root)
    assert [(one.device, one.queue, str(one.cpus), one.irqs) for one in seen.queues] == [
        ("eth0", 0, "0", (31, 32)),
        ("eth0", 1, "0", (33, 34)),
        ("nvme0", 0, "0,4", (25,)),
        ("nvme0", 1, "1,5", (26,)),
        ("nvme0", 2, "2,6", (27,)),
        ("nvme0", 3, "3,7", (28,)),
        ("vda", 0, "0-3", (41,)),
        ("vda", 1, "4-7", (42,)),
    ]
    eth0 = seen.queue("eth0", 1)
    assert eth0 is not None
    assert (eth0.rps, eth0.xps) == (CpuSet(), CpuSet.parse("4-7"))
    assert {name: {queue: str(cpus) for queue, cpus in some.items()} for name, some in seen.managed_queues.items()} == {
        "nvme0": {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7"},
        "vda": {0: "0-3", 1: "4-7"},
    }


def test_partitions_on_managed_queues_need_no_write(root: Path) -> None:
    host, seen = read_host(root), read_interrupts(root)
    planner = NumaPlanner(node_specs(host, managed=seen.managed_queues), topology=host)
    plan = planner.plan_partitions(
        ["p0", "p1"], [PartitionRole("io", ["nvme"]), PartitionRole("net", ["nic"])]
    ).unwrap()
    pins = [pin for one in plan for pin in one.pins.queues]
    moves = plan_interrupts(seen, pins)
    assert {move.irq.number for move in moves.moves if move.irq.device == "nvme0" and move.is_there} == {
        25 + pin.queue for pin in pins if pin.device == "nvme0"
    }
    assert {write.path.split("/")[2] for write in moves.writes} <= {"31", "32", "33", "34"}
    assert moves.notes == ()


def test_apply_moves_queues_and_undo_restores(root: Path, faults: Faults) -> None:
    before = everything(root)
    pins = [DeviceQueuePin("eth0", 0, 2), DeviceQueuePin("eth0", 1, 3), DeviceQueuePin("nvme0", 2, 6)]
    plan = plan_interrupts(read_interrupts(root), pins, rps=True, xps=True)
    outcome = apply_irq_plan(plan, root)
    assert outcome.ok
    files = [f"{way}-{queue}/{name}_cpus" for way, name in (("rx", "rps"), ("tx", "xps")) for queue in (0, 1)]
    steered = [f"sys/class/net/eth0/queues/{file}" for file in files]
    assert results(outcome) == dict.fromkeys(["31", "32", "33", "34", *steered], "done")
    assert [affinity(root, number) for number in (31, 32, 33, 34, 27)] == ["2", "2", "3", "3", "2,6"]
    assert (root / "sys/class/net/eth0/queues/tx-1/xps_cpus").read_text() == "00000008\n"
    record = root / DEFAULT_RECORD
    jsonschema.validate(json.loads(record.read_text()), irq_record.SCHEMA)
    with pytest.raises(BadInput, match="interrupts were moved before"):
        apply_irq_plan(plan, root)
    assert undo_irq_record(root=root).ok
    assert everything(root) == before
    assert not record.exists()
    assert apply_irq_plan(plan_interrupts(read_interrupts(root), []), root) == IrqOutcome()
    assert not record.exists()


def test_other_interrupts_leave_quiet_cpus(root: Path, faults: Faults) -> None:
    quiet = CpuSet.parse("0,4-7")
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 4)], quiet=quiet)
    outcome = apply_irq_plan(plan, root)
    assert outcome.ok
    assert affinity(root, 31) == affinity(root, 32) == "4"
    for number in (9, 24, 30, 33, 34, 40):
        assert affinity(root, number) == "1-3", number
    assert results(outcome)["0"] == "managed", "it is not known to be kept until the write says so"
    assert (root / "proc/irq/default_smp_affinity").read_text() == "0000000e\n"
    assert {irq.number for irq in plan.kept} == {25, 41, 42}, "those that come to quiet CPUs now"
    assert plan.irqbalance == ("IRQBALANCE_BANNED_CPULIST=0,4-7", 'IRQBALANCE_ARGS="--banirq=31 --banirq=32"')
    assert any("stay on quiet CPUs" in note and note.endswith(": 25,41-42") for note in plan.notes)


def test_an_interrupt_that_must_leave_goes_to_its_node_first(root: Path) -> None:
    (root / "proc/irq/24/smp_affinity_list").write_text("6\n")
    seen = read_interrupts(root)
    wanted = {move.irq.number: str(move.wanted) for move in plan_interrupts(seen, quiet=CpuSet([6])).moves}
    assert wanted[24] == "4-5,7"
    wanted = {move.irq.number: str(move.wanted) for move in plan_interrupts(seen, quiet=CpuSet.parse("4-7")).moves}
    assert wanted[24] == "0-3"


def test_a_kept_interrupt_is_reported_not_a_failure(root: Path, faults: Faults) -> None:
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("nvme0", 0, 1), DeviceQueuePin("eth0", 0, 1)])
    assert "nvme0q1: kernel-managed, it serves CPUs 0,4, not 1" in plan.notes
    outcome = apply_irq_plan(plan, root)
    assert (outcome.ok, results(outcome)) == (True, {"25": "managed", "31": "done", "32": "done"})
    assert "proc/irq/25/smp_affinity_list: wrote '1', the kernel said E" in outcome.results[0].said


@pytest.mark.parametrize("code", [errno.EACCES, errno.EINVAL, errno.ENOSPC, errno.EPERM])
def test_a_refusal_takes_everything_back(root: Path, faults: Faults, code: int) -> None:
    before = everything(root)
    faults("proc/irq/33/smp_affinity_list", code)
    pins = [DeviceQueuePin("eth0", 0, 2), DeviceQueuePin("eth0", 1, 3)]
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), pins), root)
    assert results(outcome) == {"31": "taken back", "32": "taken back", "33": "refused", "34": "not tried"}
    assert outcome.failure is not None
    place = root / "proc/irq/33/smp_affinity_list"
    assert outcome.failure.startswith(f"{place}: wrote '3', the kernel said {errno.errorcode[code]}: ")
    assert everything(root) == before
    assert not (root / DEFAULT_RECORD).exists()


def test_what_cannot_be_taken_back_is_said_and_stays_recorded(
    root: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults("proc/irq/33/smp_affinity_list", errno.EINVAL)
    write = HostFiles.write

    def once(self: HostFiles, path: str, text: str) -> None:
        if "/31/" in path and text == "0-7":
            raise KernelRefused(self.where(path), text, errno.EINVAL)
        write(self, path, text)

    monkeypatch.setattr(HostFiles, "write", once)
    pins = [DeviceQueuePin("eth0", 0, 2), DeviceQueuePin("eth0", 1, 3)]
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), pins), root)
    assert results(outcome) == {"31": "not taken back", "32": "taken back", "33": "refused", "34": "not tried"}
    assert affinity(root, 31) == "2"
    monkeypatch.undo()
    back = undo_irq_record(root=root)
    assert (results(back)["31"], affinity(root, 31)) == ("done", "0-7")


def test_a_value_that_the_kernel_changes_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = HostFiles.write

    def narrowed(self: HostFiles, path: str, text: str) -> None:
        write(self, path, "5" if "/32/" in path and text == "2" else text)

    monkeypatch.setattr(HostFiles, "write", narrowed)
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)]), root)
    assert results(outcome) == {"31": "taken back", "32": "refused"}
    assert "wrote '2', the kernel said nothing, but shows '5'; taken back" in (outcome.failure or "")
    assert affinity(root, 32) == "0-7"


def test_an_interrupt_that_vanishes_is_no_failure(root: Path, faults: Faults) -> None:
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)])
    (root / "proc/irq/31/smp_affinity_list").unlink()
    outcome = apply_irq_plan(plan, root)
    assert (outcome.ok, results(outcome)) == (True, {"31": "gone", "32": "done"})
    (root / "proc/irq/32/smp_affinity_list").unlink()
    back = undo_irq_record(root=root)
    assert (back.ok, results(back)) == (True, {"31": "gone", "32": "gone"})


def test_one_that_vanishes_while_reading_is_left_out(root: Path) -> None:
    (root / "proc/irq/33/smp_affinity_list").unlink()
    seen = read_interrupts(root)
    assert 33 not in {one.number for one in seen.interrupts}
    assert [one.irqs for one in seen.queues if one.device == "eth0"] == [(31, 32), (34,)]


def test_undo_minds_what_happened_since(root: Path, faults: Faults) -> None:
    pins = [DeviceQueuePin("eth0", 0, 2), DeviceQueuePin("eth0", 1, 3)]
    apply_irq_plan(plan_interrupts(read_interrupts(root), pins), root)
    (root / "proc/irq/31/smp_affinity_list").write_text("7\n")
    (root / "proc/irq/32/smp_affinity_list").write_text("0-7\n")
    rows = INTERRUPTS | {33: ("PCI-MSI 1-edge", "snd_hda", "3")}
    (root / "proc/interrupts").write_text(interrupts_text(rows))
    faults("proc/irq/34/smp_affinity_list", errno.EACCES)
    back = undo_irq_record(root=root)
    assert results(back) == {"34": "refused", "33": "another", "32": "there", "31": "done"}
    said = {one.write.path.split("/")[2]: one.said for one in back.results}
    assert "somebody had moved it on to '7'" in said["31"]
    assert "it is of snd_hda now, left alone" in said["33"]
    assert (back.ok, affinity(root, 31), affinity(root, 33)) == (False, "0-7", "3")
    assert (root / DEFAULT_RECORD).exists()


def test_a_record_that_cannot_be_kept_stops_before_the_first_write(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)])
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        apply_irq_plan(plan, root, record=tmp_path / "file" / "record.json")
    assert everything(root) == before
    with pytest.raises(BadInput, match=r"cannot be read.*`irq apply` saved"):
        undo_irq_record(root=root)


def test_a_record_that_could_not_be_finished_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)])

    def no_space(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(BadInput, match="cannot be written: No space left"):
            apply_irq_plan(plan, root)
    assert list((root / DEFAULT_RECORD).parent.iterdir()) == []
    assert apply_irq_plan(plan, root).ok


def test_a_kill_while_the_record_is_written_leaves_none(root: Path) -> None:
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)])
    with forking():
        child = os.fork()
    if not child:  # the kernel kills it at the first byte it writes
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            apply_irq_plan(plan, root)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ
    assert not (root / DEFAULT_RECORD).exists()
    assert apply_irq_plan(plan, root).ok
    assert undo_irq_record(root=root).ok


def test_plans_that_make_no_sense(root: Path) -> None:
    seen = read_interrupts(root)
    with pytest.raises(BadInput, match="CPUs 8 are not online"):
        plan_interrupts(seen, [DeviceQueuePin("eth0", 0, 8)])
    with pytest.raises(BadInput, match="no CPU is left"):
        plan_interrupts(seen, quiet=ALL)
    with pytest.raises(TypeError, match="no truth value"):
        bool(plan_interrupts(seen))
    notes = plan_interrupts(seen, [DeviceQueuePin("eth9", 0, 1), DeviceQueuePin("vda", 0, 1)], rps=True).notes
    assert notes == ("eth9:0: the host shows no such queue", "vda:0: it has no RPS")


def test_a_queue_without_an_interrupt_of_its_own_is_told(root: Path) -> None:
    rows = {number: row for number, row in INTERRUPTS.items() if number != 28}
    (root / "proc/interrupts").write_text(interrupts_text(rows))
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("nvme0", 3, 3)])
    assert (plan.moves, plan.notes) == ((), ("nvme0:3: no interrupt of its own is known",))


def test_an_interrupt_that_vanishes_at_the_write(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = HostFiles.write

    def vanishing(self: HostFiles, path: str, text: str) -> None:
        write(self, path, text)
        if "/31/" in path:
            (self.root / path).unlink()

    monkeypatch.setattr(HostFiles, "write", vanishing)
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)]), root)
    assert (outcome.ok, results(outcome)) == (True, {"31": "gone", "32": "done"})
    assert "gone after the write" in outcome.results[0].said


def test_a_value_that_cannot_be_read_back_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = HostFiles.write
    monkeypatch.setattr(HostFiles, "write", lambda self, path, text: write(self, path, text if text == "0-7" else "?"))
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2)]), root)
    assert (results(outcome), affinity(root, 31)) == ({"31": "refused", "32": "not tried"}, "0-7")


def test_what_was_kept_in_between_stays_kept_when_all_is_taken_back(root: Path, faults: Faults) -> None:
    faults("proc/irq/31/smp_affinity_list", errno.EINVAL)
    pins = [DeviceQueuePin("nvme0", 0, 1), DeviceQueuePin("eth0", 0, 2)]
    outcome = apply_irq_plan(plan_interrupts(read_interrupts(root), pins), root)
    assert results(outcome) == {"25": "managed", "31": "refused", "32": "not tried"}


def test_a_queue_with_two_users_goes_to_both(root: Path) -> None:
    plan = plan_interrupts(read_interrupts(root), [DeviceQueuePin("eth0", 0, 2), DeviceQueuePin("eth0", 0, 5)])
    assert {str(move.wanted) for move in plan.moves} == {"2,5"}


def test_hosts_that_show_less(root: Path) -> None:
    (root / "proc/irq/default_smp_affinity").unlink()
    for path in root.glob("proc/irq/*/*"):
        if path.name != "smp_affinity_list":
            path.unlink()
    for path in root.glob("sys/devices/**/mq/*/cpu_list"):
        path.unlink()
    seen = read_interrupts(root)
    assert seen.default is None
    assert {one.node for one in seen.interrupts} == {None}
    assert [str(one.cpus) for one in seen.queues if one.device == "nvme0"] == ["0,4", "1,5", "2,6", "3,7"]
    assert [one.path for one in plan_interrupts(seen, quiet=CpuSet([7])).writes if "default" in one.path] == []
    (root / "proc/interrupts").unlink()
    with pytest.raises(BadInput, match=r"proc/interrupts: cannot be read"):
        read_interrupts(root)


def test_a_huge_file_is_bad_input(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpuplace_linux.hostfiles.MAX_BYTES", 100)
    with pytest.raises(BadInput, match="proc/interrupts: the file is larger than 100 bytes"):
        read_interrupts(root)


def test_this_machine_is_read() -> None:
    seen = read_interrupts()
    assert seen.online == read_host().online
    for one in seen.interrupts:
        assert Path(f"/proc/irq/{one.number}").exists()
