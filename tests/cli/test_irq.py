"""`cpuplace irq` on an imitated host: what it shows, writes, restores and refuses."""

import errno
import json
from pathlib import Path

import pytest

import cpuplace as cp
from cli.commands import Run
from cpuplace.formats import partitions as plan_format
from cpuplace.formats import state as state_format
from cpuplace_linux import read_host
from cpuplace_linux.hostfiles import HostFiles, KernelRefused
from linux.imitated import put

SPEC = "{partitions: 2, roles: [{name: io, devices: [nvme]}, {name: net, devices: [nic]}], memory: 0}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return put(tmp_path / "host")


@pytest.fixture
def spec(tmp_path: Path) -> str:
    file = tmp_path / "engine.yaml"
    file.write_text(SPEC)
    return str(file)


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the kernel says to writes: it keeps the timer."""
    codes = {"proc/irq/0/smp_affinity_list": errno.EPERM}
    write = HostFiles.write

    def said(self: HostFiles, path: str, text: str) -> None:
        if path in codes:
            raise KernelRefused(self.where(path), text, codes[path], opened=True)
        write(self, path, text)

    monkeypatch.setattr(HostFiles, "write", said)
    return codes


def affinity(root: Path, number: int) -> str:
    return (root / f"proc/irq/{number}/smp_affinity_list").read_text().strip()


def test_the_plan_as_a_table(run: Run, root: Path, spec: str) -> None:
    code, out, err = run("irq", "plan", spec, "--root", str(root), "--width", "120")
    assert (code, err) == (0, "")
    assert out == (
        "IRQ  NAME              QUEUE    NOW  WANTED  MOVABLE\n"
        "25   nvme0q1           nvme0:0  0,4  0       is there\n"
        "26   nvme0q2           nvme0:1  1,5  5       is there\n"
        "31   virtio2-input.0   eth0:0   0-7  1       yes\n"
        "32   virtio2-output.0  eth0:0   0-7  1       yes\n"
        "33   virtio2-input.1   eth0:1   0-7  4       yes\n"
        "34   virtio2-output.1  eth0:1   0-7  4       yes\n"
        "\n"
        "tell irqbalance, where it runs\n"
        '· IRQBALANCE_ARGS="--banirq=31 --banirq=32 --banirq=33 --banirq=34"\n'
        "\n"
        "4 files to write, 6 interrupts looked at\n"
    )
    assert affinity(root, 31) == "0-7"


def test_apply_and_undo(run: Run, root: Path, spec: str) -> None:
    at = ("--root", str(root), "--width", "160")
    code, out, err = run("irq", "apply", spec, "--quiet-exclusive", "--rps", "--xps", *at)
    assert (code, err) == (0, "")
    record = root / "run/cpuplace/irq-undo.json"
    assert f"; cpuplace irq undo {record} restores them\n" in out
    assert "· " + str(root / "proc/irq/0/smp_affinity_list") + ": wrote '2-3', the kernel said EPERM" in out
    assert [affinity(root, number) for number in (9, 24, 30, 31, 33)] == ["2-3,6-7"] * 3 + ["1", "4"]
    assert (root / "sys/class/net/eth0/queues/rx-1/rps_cpus").read_text() == "00000010\n"
    assert run("irq", "apply", spec, *at) == (0, "0 files written\n", ""), "all of it is there"
    (root / "proc/irq/31/smp_affinity_list").write_text("7")
    code, out, err = run("irq", "apply", spec, *at)
    assert (code, out) == (2, "")
    assert err.startswith(f"cpuplace: error: {record}: interrupts were moved before")
    code, out, err = run("irq", "undo", *at)
    assert (code, err) == (0, "")
    assert out.endswith(" files restored\n")
    assert [affinity(root, number) for number in (9, 24, 30, 31, 33)] == ["0-7"] * 5
    code, out, err = run("irq", "undo", *at)
    assert (code, out) == (2, "")
    assert err == f"cpuplace: error: {record}: cannot be read: No such file or directory (what `irq apply` saved)\n"


def test_a_refusal_of_the_kernel_is_exit_code_1_and_moves_nothing(
    run: Run, root: Path, spec: str, kernel: dict[str, int]
) -> None:
    kernel["proc/irq/33/smp_affinity_list"] = errno.ENOSPC
    code, out, err = run("irq", "apply", spec, "--root", str(root), "--width", "200")
    assert (code, err) == (1, "")
    assert (
        "✗ " + str(root / "proc/irq/33/smp_affinity_list") + ": wrote '4', the kernel said ENOSPC: No space left" in out
    )
    assert out.endswith("\nnothing is moved\n")
    assert affinity(root, 31) == "0-7"


def test_json_of_all_three(run: Run, root: Path, spec: str, tmp_path: Path) -> None:
    at = ("--root", str(root), "-o", "json")
    plan = json.loads(run("irq", "plan", spec, "--quiet-exclusive", *at).out)
    assert (plan["schema"], plan["host"], plan["quiet"]) == (1, "host", "0-1,4-5")
    shown = {one["irq"]: one for one in plan["interrupts"]}
    assert (shown[25]["movable"], shown[25]["is_there"], shown[25]["why"], shown[25]["device"]) == (
        False,
        True,
        "queue",
        "nvme0",
    )
    assert (shown[9]["now"], shown[9]["wanted"], shown[9]["why"]) == ("0-7", "2-3,6-7", "quiet")
    assert plan["irqbalance"][0] == "IRQBALANCE_BANNED_CPULIST=0-1,4-5"
    record = tmp_path / "record.json"
    done = json.loads(run("irq", "apply", spec, "--record", str(record), *at).out)
    assert (done["ok"], done["failure"], done["record"]) == (True, None, str(record))
    assert {one["result"] for one in done["results"]} == {"done"}
    assert [one["path"] for one in done["results"]] == [
        f"proc/irq/{number}/smp_affinity_list" for number in (31, 32, 33, 34)
    ]
    back = json.loads(run("irq", "undo", str(record), *at).out)
    assert (back["ok"], back["record"], len(back["results"])) == (True, None, 4)


def test_a_saved_plan_is_carried_out_as_it_is(run: Run, root: Path, tmp_path: Path) -> None:
    plan = cp.NumaPlanner(read_host(root)).plan_partitions(["p0"], [cp.PartitionRole("net", ["nic"])]).unwrap()
    file = tmp_path / "plan.json"
    file.write_text(plan_format.render(plan))
    out = json.loads(run("irq", "plan", str(file), "--root", str(root), "-o", "json").out)
    assert {one["wanted"] for one in out["interrupts"]} == {str(plan["p0"].cpus)}


def test_the_exclusive_cpus_of_a_saved_state_get_quiet(run: Run, root: Path, tmp_path: Path) -> None:
    state = cp.HostState.empty(read_host(root), cp.Policy())
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.integer("db", 3)).unwrap())
    file = tmp_path / "state.json"
    file.write_text(state_format.render(state))
    out = json.loads(run("irq", "plan", "--state", str(file), "--root", str(root), "-o", "json").out)
    assert out["quiet"] == str(state.exclusive) == "0-2"
    assert {one["why"] for one in out["interrupts"]} == {"quiet"}


def test_partitions_that_do_not_fit(run: Run, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "engine.yaml"
    file.write_text("partitions: 9")
    code, out, _ = run("irq", "plan", str(file), "--root", str(root))
    assert (code, "TooFewCpus" in out) == (1, True)
    assert out.endswith("\nnothing planned; oversubscribe: true in the file shares CPUs and queues\n")
    code, out, _ = run("irq", "apply", str(file), "--root", str(root), "-o", "json")
    assert (code, json.loads(out)["refusal"]["kind"]) == (1, "TooFewCpus")


def test_what_the_file_says_of_a_device_wins(run: Run, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "engine.yaml"
    file.write_text("{partitions: 1, roles: [{name: io, devices: [nvme]}], devices: {nvme0: {queues: 1}}, usable: 7}")
    code, out, _ = run("irq", "plan", str(file), "--root", str(root), "--width", "120")
    assert code == 0
    assert "25   nvme0q1  nvme0:0  0,4  7       no, kernel-managed\n" in out
    assert "· nvme0q1: kernel-managed, it serves CPUs 0,4, not 7\n" in out


def test_bad_usage(run: Run, root: Path, spec: str, tmp_path: Path) -> None:
    assert run("irq", "plan", "--root", str(root)).err == (
        "cpuplace: error: irq: either partitions or --state is needed (cpuplace irq plan engine.yaml)\n"
    )
    assert run("irq", "plan", spec, "--state", "x.json", "--root", str(root)).code == 2
    assert run("irq", "plan", spec, "--root", str(tmp_path / "none")).code == 2
    (tmp_path / "record.json").write_text(
        '{"schema": 1, "irq_undo": [{"path": "etc/passwd", "before": "", "after": ""}]}'
    )
    code, out, err = run("irq", "undo", str(tmp_path / "record.json"), "--root", str(root))
    assert (code, out) == (2, "")
    assert "at irq_undo[0].path: not a file of interrupts: 'etc/passwd'" in err


@pytest.mark.parametrize("width", ["40", "80"])
def test_the_text_keeps_to_the_width(run: Run, root: Path, spec: str, width: str) -> None:
    for command in (("plan", spec, "--quiet-exclusive", "--rps"), ("apply", spec, "--rps", "--record", "/dev/null/x")):
        out = run("irq", *command, "--root", str(root), "--width", width).out
        assert max(map(len, out.splitlines()), default=0) <= int(width)
