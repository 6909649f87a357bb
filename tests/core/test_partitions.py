"""NumaPlanner by example: the tiny sample, a real host, kernel-managed queues, refusals, input that cannot be used."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace.formats import partitions as plan_format

GIB = 1 << 30
REACTOR, WAL, APPLY, CHECKPOINT, TELEMETRY = cp.DEFAULT_ROLES
EPYC = "amd-epyc-7742-2s-nps4"


def tiny() -> cp.NumaPlanner:
    """Two nodes of four CPUs and 64 GiB with one NVMe and one NIC of two queues each."""
    return cp.NumaPlanner(
        [
            cp.NumaNodeSpec(
                node,
                range(4 * node, 4 * node + 4),
                64 * GIB,
                nvme=[cp.DeviceSpec(f"nvme{node}", 2)],
                nic=[cp.DeviceSpec(f"eth{node}", 2)],
            )
            for node in (0, 1)
        ]
    )


def cpus(plan: cp.PartitionPlan) -> list[str]:
    return [str(one.cpus) for one in plan]


def queues(plan: cp.PartitionPlan) -> list[list[str]]:
    return [[str(queue) for queue in one.pins.queues] for one in plan]


# --- the tiny sample -----------------------------------------------------------------------------


def test_the_tiny_sample_is_refused() -> None:
    answer = tiny().plan_partitions(["p0", "p1"])
    assert isinstance(answer, cp.TooFewCpus)
    assert (answer.rule, answer.roles, answer.asked, answer.fits, str(answer.free)) == ("P2", 5, 2, 0, "0-7")
    with pytest.raises(cp.Refused) as caught:
        answer.unwrap()
    assert caught.value.refusal is answer


def test_the_tiny_sample_oversubscribed_lists_what_is_shared() -> None:
    plan = tiny().plan_partitions(["p0", "p1"], oversubscribe=True).unwrap()
    assert [one.numa_node for one in plan] == [0, 1]
    assert [one.memory_bytes for one in plan] == [64 * GIB, 64 * GIB]
    assert [(one.cpu, one.users) for one in plan.shared_cpus] == [
        (2, ("p0/apply-worker", "p0/telemetry-worker")),
        (6, ("p1/apply-worker", "p1/telemetry-worker")),
    ]
    assert [(one.device, one.queue, one.users) for one in plan.shared_queues] == [
        ("nvme0", 0, ("p0/io-reactor", "p0/checkpoint-worker")),
        ("nvme1", 0, ("p1/io-reactor", "p1/checkpoint-worker")),
    ]
    assert plan.left_over == (cp.LeftoverQueues("eth0", (1,)), cp.LeftoverQueues("eth1", (1,)))


def test_oversubscribed_partitions_spread_evenly() -> None:
    plan = tiny().plan_partitions(range(6), oversubscribe=True).unwrap()
    assert [one.numa_node for one in plan] == [0, 1, 0, 1, 0, 1]
    assert {len(one.users) for one in plan.shared_cpus} == {3, 4}


def test_a_queue_wanted_twice_is_refused() -> None:
    node = cp.NumaNodeSpec(3, range(8), nvme=[cp.DeviceSpec("nvme0", 2)])
    answer = cp.NumaPlanner([node]).plan_partitions(["a"])
    assert isinstance(answer, cp.QueueWantedTwice)
    assert (answer.rule, answer.role, answer.device_kind, answer.devices) == (
        "P2",
        "checkpoint-worker",
        "nvme",
        ("nvme0",),
    )
    assert (answer.numa_node, answer.asked, answer.fits) == (3, 1, 0)
    assert answer.sentence == (
        "no nvme queue is left for checkpoint-worker on node 3: the 2 of nvme0 are in use; "
        "0 of 1 partitions fit unshared"
    )
    assert answer.to_dict()["devices"] == ["nvme0"]


def test_no_nodes_and_nodes_without_cpus_are_refused() -> None:
    nothing = cp.NumaPlanner([]).plan_partitions(["a"])
    assert isinstance(nothing, cp.NoNodes)
    assert str(nothing) == "there is no NUMA node to put partitions on (NoNodes, P1)"
    empty = cp.NumaPlanner([cp.NumaNodeSpec(0, [0]), cp.NumaNodeSpec(4, [])]).plan_partitions([], oversubscribe=True)
    assert isinstance(empty, cp.NodeWithoutCpus)
    assert (empty.rule, empty.nodes) == ("P1", cp.NodeSet([4]))


def test_a_partition_goes_where_its_queues_are_when_only_there_are_enough() -> None:
    poor = cp.NumaNodeSpec(0, range(20), nvme=[cp.DeviceSpec("nvme0", 2)])
    rich = cp.NumaNodeSpec(1, range(20, 26), nvme=[cp.DeviceSpec("nvme1", 8)])
    assert [one.numa_node for one in cp.NumaPlanner([poor, rich]).plan_partitions(["a"]).unwrap()] == [1]


# --- hosts ---------------------------------------------------------------------------------------


def test_partitions_of_an_epyc_each_have_an_l3_group() -> None:
    host = catalogue.host(EPYC)
    plan = cp.NumaPlanner(host).plan_partitions([f"p{number}" for number in range(9)]).unwrap()
    assert [one.numa_node for one in plan] == [*range(8), 0]
    assert (cpus(plan)[0], cpus(plan)[8]) == ("0-2,128-129", "4-6,132-133")
    assert all(len({host.cpu(cpu).l3 for cpu in one.cpus}) == 1 for one in plan)
    assert "no nic of its own at nodes 4,6-7: served by eth1 elsewhere" in plan.notes
    assert (plan.host, len(plan.cpus), plan.memory_bytes) == (EPYC, 45, 8 * 64 * GIB)


def test_apart_roles_keep_away_from_those_of_other_partitions() -> None:
    host = cp.Topology.uniform(cores_per_l3=4, threads_per_core=2)
    roles = [REACTOR, TELEMETRY]
    plan = cp.NumaPlanner(host).plan_partitions(range(4), roles).unwrap()
    assert [str(one.pins[REACTOR].cpus) for one in plan] == ["0", "1", "2", "3"]


def test_where_every_core_is_used_apart_roles_keep_away_from_each_other() -> None:
    host = cp.Topology.uniform(cores_per_l3=2, threads_per_core=3)  # siblings (0,2,4) (1,3,5)
    node = cp.NumaNodeSpec(0, range(6), nvme=managed(ssd={0: "0", 1: "2-3"}), nic=managed(nic={0: "1", 1: "5"}))
    roles = [cp.PartitionRole("loner", "nvme", apart=True), cp.PartitionRole("other", "nic")]
    plan = cp.NumaPlanner([node], topology=host).plan_partitions(range(2), roles).unwrap()
    assert [[str(target.cpus) for target in one.pins.values()] for one in plan] == [["0", "1"], ["3", "5"]]


def test_the_largest_l3_groups_come_together() -> None:
    host = cp.Topology.uniform(l3_per_node=3, cores_per_l3=4)
    planner = cp.NumaPlanner(cp.node_specs(host, usable=cp.CpuSet.parse("0,4-7,8-10")), topology=host)
    assert cpus(planner.plan_partitions(["p"]).unwrap()) == ["4-8"]


def test_as_many_l3_groups_as_it_takes() -> None:
    host = cp.Topology.uniform(l3_per_node=4, cores_per_l3=2)
    planner = cp.NumaPlanner(cp.node_specs(host, usable=cp.CpuSet.parse("0-6")), topology=host)
    assert cpus(planner.plan_partitions(["p"]).unwrap()) == ["0-4"]


def test_devices_are_near_to_the_nodes_that_the_host_says() -> None:
    host = evolve(
        cp.Topology.uniform(packages=2, nodes_per_package=2, cores_per_l3=2, distances=(10, 12, 32)),
        devices=(
            cp.Device(name="everywhere", kind="nic", queues=1),
            cp.Device(name="local", kind="nic", local_cpus=cp.CpuSet([2, 4]), queues=1),
            cp.Device(name="nvme0", kind="nvme", node=3, queues=1),
            cp.Device(name="sda", kind="block"),
        ),
    )
    near = {node.id: [device.name for device in node.all_devices] for node in cp.node_specs(host)}
    assert near == {
        0: ["everywhere", "sda"],
        1: ["everywhere", "local", "sda"],
        2: ["everywhere", "local", "sda"],
        3: ["nvme0", "everywhere", "sda"],
    }
    part = cp.node_specs(host, usable=cp.CpuSet.parse("0-5"))
    assert [device.name for device in part[2].nvme] == ["nvme0"]  # node 3 is not ours, node 2 the nearest to it
    assert [node.nvme for node in part[:2]] == [(), ()]


def test_memory_only_nodes_and_nodes_of_equal_cpus_take_no_partition() -> None:
    host = cp.Topology.from_rows([cp.CpuRow(cpu, node=(0, 5)) for cpu in range(5)], memory_bytes={0: GIB, 7: GIB})
    plan = cp.NumaPlanner(host).plan_partitions(["p"]).unwrap()
    assert [(one.numa_node, one.memory_bytes) for one in plan] == [(0, GIB)]


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_host_of_the_catalogue_takes_what_it_says(name: str) -> None:
    planner = cp.NumaPlanner(catalogue.host(name))
    answer = planner.plan_partitions(range(200))
    assert isinstance(answer, cp.TooFewCpus | cp.QueueWantedTwice)
    plan = planner.plan_partitions(range(answer.fits)).unwrap()
    assert len(plan.cpus) == 5 * answer.fits


# --- devices -------------------------------------------------------------------------------------


def managed(**maps: dict[int, str]) -> list[cp.DeviceSpec]:
    return [
        cp.DeviceSpec(name, steerable=False, queue_cpus={queue: cp.CpuSet.parse(text) for queue, text in one.items()})
        for name, one in maps.items()
    ]


def test_kernel_managed_queues_decide_where_roles_run() -> None:
    node = cp.NumaNodeSpec(0, range(8), nvme=managed(nvme0={1: "0-1", 2: "2-3", 3: "4-7"}))
    plan = cp.NumaPlanner([node]).plan_partitions(["p"]).unwrap()
    assert [(role, str(target.cpus), [*map(str, target.queues)]) for role, target in plan["p"].pins.items()] == [
        ("io-reactor", "0", ["nvme0:1"]),
        ("wal-writer", "2", ["nvme0:2"]),
        ("apply-worker", "1", []),
        ("checkpoint-worker", "4", ["nvme0:3"]),
        ("telemetry-worker", "3", []),
    ]


def test_roles_tied_to_queues_choose_before_others() -> None:
    """Without that, the role that is kept apart would take the only CPU on which a queue runs."""
    node = cp.NumaNodeSpec(0, range(2), nvme=managed(nvme0={0: "0"}))
    plan = cp.NumaPlanner([node]).plan_partitions(
        ["p"], [cp.PartitionRole("loner", apart=True), cp.PartitionRole("disk", ["nvme"])]
    )
    assert [str(target.cpus) for target in plan.unwrap()["p"].pins.values()] == ["1", "0"]


def test_a_queue_that_is_tied_to_the_cpu_goes_before_one_that_can_be_steered() -> None:
    devices = [cp.DeviceSpec("free0", 4), *managed(tied0={7: "0"})]
    plan = cp.NumaPlanner([cp.NumaNodeSpec(0, range(2), nvme=devices)]).plan_partitions(["p"], [WAL, CHECKPOINT])
    assert queues(plan.unwrap()) == [["tied0:7", "free0:0"]]


def test_queues_come_from_the_idlest_device() -> None:
    devices = [cp.DeviceSpec("nvme0", 2), cp.DeviceSpec("nvme1", 4)]
    plan = cp.NumaPlanner([cp.NumaNodeSpec(0, range(4), nvme=devices)]).plan_partitions(range(2), [WAL, CHECKPOINT])
    assert queues(plan.unwrap()) == [["nvme1:0", "nvme1:1"], ["nvme0:0", "nvme1:2"]]


def test_managed_queues_that_run_elsewhere_are_refused_or_said() -> None:
    planner = cp.NumaPlanner([cp.NumaNodeSpec(0, range(4), nvme=managed(nvme0={0: "0", 1: "9"}))])
    answer = planner.plan_partitions(["p"], [WAL, CHECKPOINT])
    assert isinstance(answer, cp.QueueWantedTwice)
    assert "the 2 of nvme0 are in use or run on other CPUs" in answer.sentence
    plan = planner.plan_partitions(["p"], [WAL, CHECKPOINT], oversubscribe=True).unwrap()
    assert [(one.cpu, one.users) for one in plan.shared_cpus] == [(0, ("p/wal-writer", "p/checkpoint-worker"))]
    elsewhere = cp.NumaPlanner([cp.NumaNodeSpec(0, range(4), GIB, nvme=managed(nvme0={1: "9"}))])
    plan = elsewhere.plan_partitions(["p"], [WAL, CHECKPOINT], oversubscribe=True).unwrap()
    assert plan.notes == (
        "p/wal-writer: no nvme queue runs on CPU 0",
        "p/checkpoint-worker: no nvme queue runs on CPU 1",
    )


def test_a_shared_device_is_counted_once() -> None:
    nic = cp.DeviceSpec("eth0", 3)
    nodes = [cp.NumaNodeSpec(node, range(4 * node, 4 * node + 4), nic=[nic]) for node in (0, 1)]
    answer = cp.NumaPlanner(nodes).plan_partitions(range(4), [REACTOR])
    assert isinstance(answer, cp.QueueWantedTwice)
    assert answer.fits == 3


def test_devices_that_are_missing_or_unknown_are_said() -> None:
    nodes = [cp.NumaNodeSpec(0, range(5), 4096, nic=[cp.DeviceSpec("wlan0")]), cp.NumaNodeSpec(1, range(5, 8), GIB)]
    plan = cp.NumaPlanner(nodes).plan_partitions(["p"], page_bytes=8192).unwrap()
    assert plan.notes == (
        "no nvme device with queues is known: io-reactor, wal-writer, checkpoint-worker without one",
        "no nic device with queues is known: io-reactor without one",
        "wlan0 is not used: how many queues it has is not known",
    )
    none = cp.NumaPlanner([cp.NumaNodeSpec(0, range(5))]).plan_partitions(["p"]).unwrap()
    assert none.notes[-1] == "no memory for p: their nodes have none, none is known, or it is below a page each"


# --- the plan as a value -------------------------------------------------------------------------


def plan_of(count: int, memory: int = GIB) -> cp.PartitionPlan:
    nodes = [cp.NumaNodeSpec(0, range(10), memory, nvme=[cp.DeviceSpec("nvme0", 9)])]
    return cp.NumaPlanner(nodes).plan_partitions(range(count), [WAL, TELEMETRY]).unwrap()


def test_a_plan_is_printed() -> None:
    assert str(plan_of(1)).splitlines() == [
        "0  node 0  1073741824 B  wal-writer  CPU 0 nvme0:0",
        "0  node 0  1073741824 B  telemetry-worker  CPU 1",
    ]


def test_a_plan_is_looked_up() -> None:
    plan = plan_of(2)
    assert plan[1].pins[WAL] is plan[1].pins["wal-writer"]
    assert plan[1].pins.get("reader") is None
    assert len(plan[1].pins) == 2
    with pytest.raises(BadInput, match="no partition 7"):
        plan[7]
    with pytest.raises(TypeError, match="no truth value"):
        bool(plan)


def test_values_are_hashed_and_pickled() -> None:
    node = cp.NumaNodeSpec(0, range(4), nvme=managed(nvme0={0: "0"}))
    plan = plan_of(2)
    assert {node, node} == {node}
    assert pickle.loads(pickle.dumps((plan, node))) == (plan, node)
    assert hash(plan) == hash(plan_of(2))


def test_changes_are_told() -> None:
    before, after = plan_of(2), plan_of(3)
    assert [str(one) for one in before.changes(after)] == [
        "0: memory 536870912 -> 357916672",
        "1: memory 536870912 -> 357912576",
        "2: added, node 0, CPUs 4-5, 357912576 bytes",
    ]
    assert [str(one) for one in after.changes(before)][-1] == "2: removed, node 0, CPUs 4-5, 357912576 bytes"
    other = cp.NumaPlanner([cp.NumaNodeSpec(4, range(10, 20), 2 * GIB)]).plan_partitions([0, 1], [TELEMETRY]).unwrap()
    assert [str(one) for one in before.changes(other)][:5] == [
        "0: node 0 -> 4",
        "0: memory 536870912 -> 1073741824",
        "0 wal-writer: cpus 0 -> none",
        "0 wal-writer: queues nvme0:0 -> none",
        "0 telemetry-worker: cpus 1 -> 10",
    ]
    assert "0 wal-writer: cpus none -> 0" in [str(one) for one in other.changes(before)]


def cores_of(*cores: int) -> cp.Topology:
    """One node; the core of each CPU."""
    return cp.Topology.from_rows([cp.CpuRow(cpu, core, 0, 0, 0) for cpu, core in enumerate(cores)])


def test_who_is_not_kept_apart_takes_the_rest_of_a_core_that_others_use() -> None:
    plan = cp.NumaPlanner(cores_of(0, 1, 1, 0)).plan_partitions("ab", [TELEMETRY]).unwrap()
    assert cpus(plan) == ["0", "3"]


def test_who_is_kept_apart_shares_no_core_with_its_own_partition() -> None:
    apart = [evolve(TELEMETRY, name=name, apart=True) for name in "xy"]
    plan = cp.NumaPlanner(cores_of(0, 1, 2, 2, 0, 1)).plan_partitions("ab", apart).unwrap()
    assert cpus(plan) == ["0-1", "2,4"]


def test_who_is_kept_apart_goes_where_fewest_of_its_kind_are() -> None:
    apart = [evolve(TELEMETRY, apart=True)]
    plan = cp.NumaPlanner(cores_of(0, 1, 2, 0)).plan_partitions("abcde", apart, oversubscribe=True).unwrap()
    assert cpus(plan) == ["0", "1", "2", "3", "1"]


def test_json_follows_its_schema() -> None:
    for plan in (plan_of(0), plan_of(3), tiny().plan_partitions("ab", oversubscribe=True).unwrap()):
        value = plan_format.to_dict(plan)
        jsonschema.validate(value, plan_format.SCHEMA)
        assert plan_format.parse(json.dumps({**value, "changes": []})) == plan


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    value = plan_format.to_dict(plan_of(2))
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    ("change", "where", "problem"),
    [
        (lambda v: v.update(schema=2), "schema", "version 2 cannot be read"),
        (lambda v: v.update(schema=0), "schema", "version 0 cannot be read"),
        (lambda v: v.update(more=1), "the top", "unknown field 'more'"),
        (lambda v: v.pop("partitions"), "the top", "'partitions' is missing"),
        (lambda v: v["partitions"].append(v["partitions"][0]), "partitions", "'0' is there twice"),
        (lambda v: v["roles"].append(v["roles"][0]), "roles", "'wal-writer' is there twice"),
        (lambda v: v["roles"].pop(), "partitions[0].pins", "other roles than the plan"),
        (lambda v: v["roles"][0].update(name=""), "roles[0]", "needs a name"),
        (lambda v: v.update(cpus="0-4"), "cpus", "does not fit the pins"),
        (lambda v: v.update(page_bytes=0), "page_bytes", "at least 1"),
        (lambda v: v["partitions"][0].update(id=True), "partitions[0].id", "expected a whole number"),
        (
            lambda v: v["partitions"][0]["pins"]["wal-writer"].update(cpus="9"),
            "partitions[0].pins.wal-writer",
            "a CPU that the role does not have",
        ),
    ],
)
def test_json_that_was_edited_is_bad_input(
    change: Callable[[dict[str, Any]], object], where: str, problem: str
) -> None:
    with pytest.raises(BadInput) as caught:
        plan_format.parse(edited(change), source="plan.json")
    assert (caught.value.source, caught.value.position) == ("plan.json", where)
    assert problem in caught.value.problem


# --- input that cannot be used -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: cp.DeviceSpec(""), "a device needs a name"),
        (lambda: cp.DeviceSpec("a", -1), "negative number"),
        (lambda: cp.DeviceSpec("a", steerable=False, queue_cpus={-1: cp.CpuSet()}), "negative number"),
        (lambda: cp.DeviceSpec("a", queue_cpus={0: cp.CpuSet([1])}), "runs where it is told"),
        (lambda: cp.DeviceSpec("a", 2, steerable=False, queue_cpus={0: cp.CpuSet([1])}), "queue_cpus has 1"),
        (lambda: cp.NumaNodeSpec(-1, [0]), "negative"),
        (lambda: cp.NumaNodeSpec(0, [0], -5), "negative"),
        (lambda: cp.PartitionRole(""), "a role needs a name"),
        (lambda: cp.PartitionRole("a", ["nvme", "nvme"]), "named twice"),
        (lambda: tiny().plan_partitions(["a", "a"]), "the partition 'a' is given twice"),
        (lambda: tiny().plan_partitions([1, "1"]), "the partition '1' is given twice"),
        (lambda: tiny().plan_partitions(["a"], [WAL, evolve(REACTOR, name="wal-writer")]), "the role 'wal-writer'"),
        (lambda: tiny().plan_partitions(["a"], []), "no roles"),
        (lambda: tiny().plan_partitions(["a"], page_bytes=0), "a page of 0 bytes"),
        (lambda: cp.NumaPlanner([cp.NumaNodeSpec(0, [0]), cp.NumaNodeSpec(0, [1])]), "NUMA node 0: given twice"),
        (lambda: cp.NumaPlanner([cp.NumaNodeSpec(0, [0, 1]), cp.NumaNodeSpec(1, [1])]), "CPUs 1 belong to another"),
        (
            lambda: cp.NumaPlanner(
                [cp.NumaNodeSpec(0, [0], nvme=[cp.DeviceSpec("a", 1)], nic=[cp.DeviceSpec("a", 1)])]
            ),
            "device a: described in two ways",
        ),
        (lambda: cp.NumaPlanner([cp.NumaNodeSpec(3, [0])], topology=cp.Topology.uniform()), "no NUMA node 3"),
        (lambda: cp.NumaPlanner([cp.NumaNodeSpec(0, [9])], topology=cp.Topology.uniform()), "CPUs 9 are not online"),
        (lambda: cp.node_specs(cp.Topology.uniform(), managed={"nvme9": {}}), "no device 'nvme9'"),
    ],
)
def test_what_cannot_be_meant_is_bad_input(make: Callable[[], object], problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        make()
    assert problem in str(caught.value)


def test_one_kind_of_device_may_be_a_plain_text() -> None:
    assert cp.PartitionRole("disk", "nvme").devices == ("nvme",)
