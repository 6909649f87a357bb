"""On a real kernel with two sockets: devices at the right node, interrupts moved and restored, roles where planned.

The machine: 16 CPUs, an NVMe drive and a virtio disk at node 1, a virtio network card at node 0.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpuplace as cp
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.interrupts import HostInterrupts
from cpuplace.irq_planning import plan_interrupts
from cpuplace.partitions_pinning import DeviceQueuePin
from cpuplace_cli.main import main
from cpuplace_linux import (
    PartitionThreadLayoutBuilder,
    RoleActivity,
    allowed,
    apply_irq_plan,
    current_memory_policy,
    read_interrupts,
    split,
    undo_irq_record,
)

GROUP = Path("/sys/fs/cgroup/cpuplace-split")
"""A group of cgroup v2 for the tests that need a cpuset."""


@pytest.fixture
def seen(host: cp.Topology) -> HostInterrupts:
    return read_interrupts(host=host)


def by_name(host: cp.Topology, name: str) -> cp.Device:
    device = host.device(name)
    assert device is not None
    return device


def affinities(seen: HostInterrupts) -> dict[int, str]:
    """What the kernel says now, by number."""
    return {
        one.number: Path(f"/proc/irq/{one.number}/smp_affinity_list").read_text().strip() for one in seen.interrupts
    }


def test_devices_are_at_their_node(host: cp.Topology) -> None:
    assert [(name, by_name(host, name).node) for name in ("nvme0", "vda", "eth0")] == [
        ("nvme0", 1),
        ("vda", 1),
        ("eth0", 0),
    ]
    assert by_name(host, "nvme0").local_cpus == host.node(1).cpus
    assert by_name(host, "eth0").local_cpus == host.node(0).cpus


def test_every_queue_has_its_interrupts_and_cpus(host: cp.Topology, seen: HostInterrupts) -> None:
    for name in ("nvme0", "vda"):
        queues = [one for one in seen.queues if one.device == name]
        assert len(queues) == by_name(host, name).queues
        assert sum(len(one.cpus) for one in queues) == len(host.online), "blk-mq spreads every CPU once"
        assert CpuSet(cpu for one in queues for cpu in one.cpus) == host.online
        assert all(len(one.irqs) == 1 for one in queues)
    managed = {one.number for one in seen.interrupts if one.managed and one.device is not None}
    assert {number for one in seen.queues if one.device in ("nvme0", "vda") for number in one.irqs} == managed
    network = [one for one in seen.queues if one.device == "eth0"]
    assert network
    assert all(len(one.irqs) == 2 for one in network), "input and output"


def test_an_interrupt_is_moved_and_restored(host: cp.Topology, seen: HostInterrupts, tmp_path: Path) -> None:
    before = affinities(seen)
    cpu = host.node(0).cpus.max
    pins = [DeviceQueuePin("eth0", 0, cpu), DeviceQueuePin("nvme0", 0, cpu), DeviceQueuePin("vda", 0, cpu)]
    queue = {name: seen.queue(name, 0) for name in ("eth0", "nvme0", "vda")}
    plan = plan_interrupts(seen, pins, rps=True, xps=True)
    outcome = apply_irq_plan(plan, record=tmp_path / "undo.json")
    assert outcome.ok, outcome.failure
    now = affinities(seen)
    eth0 = queue["eth0"]
    assert eth0 is not None
    for number in eth0.irqs:
        assert now[number] == str(cpu)
    assert Path("/sys/class/net/eth0/queues/rx-0/rps_cpus").read_text().strip() == f"{1 << cpu:04x}"
    kept = {write.names[0] for write in outcome.of("managed")}
    assert kept == {
        irq.label
        for name in ("nvme0", "vda")
        if (one := queue[name]) is not None and cpu not in one.cpus
        for irq in seen.of_numbers(one.irqs)
    }, "the kernel refused exactly those that it manages"
    assert kept
    assert undo_irq_record(tmp_path / "undo.json").ok
    assert affinities(seen) == before
    assert Path("/sys/class/net/eth0/queues/rx-0/rps_cpus").read_text().strip() == "0000"
    assert not (tmp_path / "undo.json").exists()


def test_quiet_cpus_get_quiet(host: cp.Topology, seen: HostInterrupts, tmp_path: Path) -> None:
    before = affinities(seen)
    default = Path("/proc/irq/default_smp_affinity").read_text()
    quiet = host.node(1).cpus
    plan = plan_interrupts(seen, quiet=quiet)
    outcome = apply_irq_plan(plan, record=tmp_path / "undo.json")
    assert outcome.ok, outcome.failure
    stay = {one.number for one in plan.kept} | {int(write.path.split("/")[2]) for write in outcome.of("managed")}
    assert {number for number, cpus in affinities(seen).items() if CpuSet.parse(cpus) & quiet} <= stay | {
        one.number for one in seen.interrupts if one.managed
    }
    assert outcome.of("done")
    assert {name for write in outcome.of("managed") for name in write.names} <= {"timer", "cascade"}
    assert undo_irq_record(tmp_path / "undo.json").ok
    assert affinities(seen) == before
    assert Path("/proc/irq/default_smp_affinity").read_text() == default


def test_roles_run_where_the_plan_says(host: cp.Topology, seen: HostInterrupts) -> None:
    nodes = cp.node_specs(host, managed=seen.managed_queues)
    plan = cp.NumaPlanner(nodes, topology=host).plan_partitions(["p0", "p1"]).unwrap()
    assert {one.numa_node for one in plan} == {0, 1}
    for one in plan:
        with PartitionThreadLayoutBuilder(one).with_memory_policy("bind").build() as layout:
            confirmed = {
                activity.role: activity.cpus
                for activity in layout.activities
                if isinstance(activity, RoleActivity.Pinned)
            }
            assert confirmed == {role: target.cpus for role, target in one.pins.items()}
            for role, target in one.pins.items():
                status = Path(f"/proc/self/task/{layout.tids[role]}/status").read_text()
                assert f"Cpus_allowed_list:\t{target.cpus}\n" in status
            found: list[object] = []
            layout.send("wal-writer", lambda found=found: found.append(current_memory_policy()))
            pid = layout.launch("telemetry-worker", [sys.executable, "-c", "import time; time.sleep(600)"])
            status = Path(f"/proc/{pid}/status").read_text()
            assert f"Cpus_allowed_list:\t{one.pins['telemetry-worker'].cpus}\n" in status
        assert found == [("bind", NodeSet([one.numa_node]))]


def test_the_command_moves_and_restores(
    host: cp.Topology, seen: HostInterrupts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = affinities(seen)
    spec = tmp_path / "engine.yaml"
    spec.write_text("{partitions: 2, usable: 1-15}")
    assert main(["irq", "apply", str(spec), "--quiet-exclusive", "--rps", "--xps", "-o", "json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["record"] == "/run/cpuplace/irq-undo.json"
    now = affinities(seen)
    assert {one["path"] for one in done["results"] if one["result"] == "done"} > {
        f"proc/irq/{number}/smp_affinity_list" for number, cpus in now.items() if cpus != before[number]
    }
    assert now != before
    assert {one["result"] for one in done["results"]} <= {"done", "managed"}
    assert main(["irq", "apply", str(spec)]) == 0, "the queues are where they should be"
    assert main(["irq", "undo"]) == 0
    assert affinities(seen) == before


@pytest.fixture
def group() -> Iterator[Path]:
    GROUP.mkdir()
    yield GROUP
    GROUP.rmdir()


def test_split_stays_inside_a_cpuset(host: cp.Topology, group: Path) -> None:
    """In a child, which enters the group: this process must not."""
    one, two = host.node(0).cpus, host.node(1).cpus
    cores = [core.cpus for core in host.cores if core.cpus <= two]
    cpus = CpuSet([one.min]) | cores[0] | cores[1]
    (group / "cpuset.cpus").write_text(str(cpus))
    (group / "cpuset.mems").write_text("1")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            (group / "cgroup.procs").write_text(str(os.getpid()))
            may = allowed()
            answer = [str(may.cpus), str(may.mems), *map(str, split(3)), *map(str, split(2, cores[0] | cores[1]))]
            os.write(writer, ";".join(answer).encode())
            for some in split(3):
                os.sched_setaffinity(0, some)
                assert os.sched_getaffinity(0) == set(some)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as said:
        answer = said.read().split(";")
    assert os.waitpid(child, 0)[1] == 0
    parts = [str(CpuSet([one.min])), str(cores[0]), str(cores[1])]
    assert answer == [str(cpus), "1", *parts, *parts[1:]]
