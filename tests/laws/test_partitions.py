"""Laws of the NumaPlanner (P1 to P6) on odd nodes, odd hosts and odd roles."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.errors import BadInput
from cpuplace.formats import partitions as plan_format
from cpuplace.partitions_host import nearest
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts

KINDS = ("nvme", "nic", "gpu")
IDS = tuple(f"p{number}" for number in range(8))


@st.composite
def roles(draw: st.DrawFn) -> tuple[cp.PartitionRole, ...]:
    """The usual roles, or a few others."""
    if draw(booleans()):
        return cp.DEFAULT_ROLES
    kinds = st.lists(sampled_from(KINDS), max_size=2, unique=True)
    return tuple(
        cp.PartitionRole(f"r{place}", draw(kinds), apart=draw(booleans())) for place in range(draw(integers(1, 4)))
    )


@st.composite
def devices(draw: st.DrawFn, name: str, cpus: Sequence[int]) -> cp.DeviceSpec:
    """A device with few queues, steered by us or by the kernel."""
    if draw(integers(0, 2)):
        return cp.DeviceSpec(name, draw(integers(0, 9)))
    some = st.builds(cp.CpuSet, st.lists(sampled_from(cpus), max_size=4))
    return cp.DeviceSpec(name, steerable=False, queue_cpus=draw(st.dictionaries(integers(0, 9), some, max_size=5)))


@st.composite
def nodes(draw: st.DrawFn) -> tuple[cp.NumaNodeSpec, ...]:
    """One to three nodes in any order, with sparse ids and CPUs; a device may be near to several."""
    count = draw(integers(1, 3))
    ids = draw(st.lists(integers(0, 9), min_size=count, max_size=count, unique=True))
    cpus = draw(st.lists(integers(0, 60), min_size=count, max_size=24, unique=True))
    parts = [[*cpus[place::count]] for place in range(count)]
    shared = draw(devices("shared", cpus)) if draw(booleans()) else None
    found = []
    for node, part in zip(ids, parts, strict=True):
        own = {kind: [draw(devices(f"{kind}{node}", part))] for kind in KINDS if draw(booleans())}
        nvme = [*own.pop("nvme", []), *([shared] if shared is not None and draw(booleans()) else [])]
        memory = draw(integers(0, 10**6))
        other = {kind: tuple(some) for kind, some in own.items() if kind == "gpu"}
        found.append(cp.NumaNodeSpec(node, part, memory, nvme=nvme, nic=own.get("nic", []), other=other))
    return tuple(found)


@st.composite
def planners(draw: st.DrawFn) -> cp.NumaPlanner:
    """A planner of described nodes, or of a host whose devices have queues."""
    if draw(booleans()):
        return cp.NumaPlanner(draw(nodes()))
    host = draw(hosts())
    managed = {}
    near = []
    for device in host.devices:
        kind = draw(sampled_from(KINDS))
        near.append(evolve(device, kind=kind, queues=draw(sampled_from([None, 0, 2, 9]))))
        if draw(integers(0, 2)) == 0:
            managed[device.name] = draw(devices(device.name, [*host.online])).queue_cpus
    host = evolve(host, devices=tuple(near))
    return cp.NumaPlanner(cp.node_specs(host, managed=managed), topology=host)


def fitting(planner: cp.NumaPlanner, wanted: Sequence[cp.PartitionRole]) -> cp.PartitionPlan:
    """The plan of as many partitions as fit, eight at most."""
    answer = planner.plan_partitions(IDS, wanted)
    if isinstance(answer, cp.PartitionPlan):
        return answer
    assert isinstance(answer, cp.TooFewCpus | cp.QueueWantedTwice)
    return planner.plan_partitions(IDS[: answer.fits], wanted).unwrap()


def home_of(planner: cp.NumaPlanner, name: str) -> tuple[str, set[int]]:
    """The kind of a device and the nodes that list it."""
    homes = [
        (kind, node.id)
        for node in planner.nodes
        for kind in KINDS
        for device in node.devices(kind)
        if device.name == name
    ]
    return homes[0][0], {node for _, node in homes}


def core_of(planner: cp.NumaPlanner, cpu: int) -> int:
    return cpu if planner.topology is None else planner.topology.cpu(cpu).core


def free_before(planner: cp.NumaPlanner, plan: cp.PartitionPlan) -> Iterator[tuple[cp.PartitionPinning, cp.CpuSet]]:
    """Each partition with the CPUs of its node that were free when it came."""
    free = {node.id: node.cpus for node in planner.nodes}
    for one in plan:
        yield one, free[one.numa_node]
        free[one.numa_node] -= one.cpus


@given(planners(), roles())
def test_p2_a_cpu_has_one_role_and_a_queue_one_cpu(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]
) -> None:
    plan = fitting(planner, wanted)
    assert (plan.shared_cpus, plan.shared_queues) == ((), ())
    assert len(plan.cpus) == len(plan) * len(wanted)
    queues = [(pin.device, pin.queue) for one in plan for pin in one.pins.queues]
    assert len(set(queues)) == len(queues)


@given(planners(), roles(), booleans())
def test_p3_every_role_gets_one_queue_of_each_kind_at_its_cpu(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...], share: bool
) -> None:
    plan = planner.plan_partitions(IDS[:3], wanted, oversubscribe=True).unwrap() if share else fitting(planner, wanted)
    kind_of = {device.name: kind for node in planner.nodes for kind in KINDS for device in node.devices(kind)}
    spec_of = {device.name: device for node in planner.nodes for device in node.all_devices}
    known = {kind_of[name] for name, spec in spec_of.items() if spec.queue_ids}
    for one in plan:
        for role in wanted:
            target = one.pins[role]
            assert len(target.cpus) == 1
            assert target.cpus <= next(node.cpus for node in planner.nodes if node.id == one.numa_node)
            got = [kind_of[pin.device] for pin in target.queues]
            missing = [kind for kind in role.devices if kind in known and kind not in got]
            assert got == [kind for kind in role.devices if kind in got]
            assert share or not missing
            assert all(
                any(f"{one.partition_id}/{role.name}: no {kind}" in note for note in plan.notes) for kind in missing
            )
            for pin in target.queues:
                assert pin.queue in spec_of[pin.device].queue_ids
                assert pin.cpu in target.cpus
                assert spec_of[pin.device].steerable or pin.cpu in spec_of[pin.device].queue_cpus[pin.queue]


@given(planners(), roles())
def test_queues_are_used_or_left_over(planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]) -> None:
    plan = fitting(planner, wanted)
    every = {
        (device.name, queue) for node in planner.nodes for device in node.all_devices for queue in device.queue_ids
    }
    left = [(one.device, queue) for one in plan.left_over for queue in one.queues]
    used = [(pin.device, pin.queue) for one in plan for pin in one.pins.queues]
    assert sorted(left + used) == sorted(every)


@given(planners(), roles(), integers(1, 10**4))
def test_p4_slices_add_up_to_the_byte(planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...], page: int) -> None:
    plan = planner.plan_partitions(IDS[:5], wanted, page_bytes=page, oversubscribe=True).unwrap()
    for node in planner.nodes:
        slices = [one.memory_bytes for one in plan if one.numa_node == node.id]
        if not slices:
            continue
        assert sum(slices) == node.memory_bytes
        pages = [amount // page for amount in slices]
        assert [amount % page for amount in slices] == [0] * (len(slices) - 1) + [node.memory_bytes % page]
        assert pages == sorted(pages, reverse=True)
        assert max(pages) - min(pages) <= 1


@given(planners(), roles(), booleans())
def test_p1_one_more_partition_never_moves_earlier_ones(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...], share: bool
) -> None:
    whole = planner.plan_partitions(IDS, wanted, oversubscribe=True).unwrap() if share else fitting(planner, wanted)
    for count in range(len(whole)):
        part = planner.plan_partitions(IDS[:count], wanted, oversubscribe=share).unwrap()
        assert [(one.numa_node, one.pins) for one in part] == [(one.numa_node, one.pins) for one in [*whole][:count]]


@given(nodes(), integers(1, 5), booleans())
def test_p1_the_node_with_the_most_unassigned_cpus(specs: tuple[cp.NumaNodeSpec, ...], size: int, share: bool) -> None:
    wanted = [cp.PartitionRole(f"r{place}") for place in range(size)]
    planner = cp.NumaPlanner(specs)
    plan = planner.plan_partitions(IDS, wanted, oversubscribe=True).unwrap() if share else fitting(planner, wanted)
    left = {node.id: len(node.cpus) for node in specs}
    for one in plan:
        assert one.numa_node == max(left, key=lambda node: left[node])  # the first of the best, as P1 has it
        left[one.numa_node] -= size
    assert share or len(plan) == min(len(IDS), sum(len(node.cpus) // size for node in specs))


@given(planners(), roles())
def test_p5_apart_roles_share_no_core_while_others_are_free(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]
) -> None:
    """Where the kernel ties queues to CPUs, those decide; so they are left out here."""
    wanted = tuple(evolve(role, devices=()) for role in wanted)
    plan = fitting(planner, wanted)
    apart = [role for role in wanted if role.apart]
    for one, free in free_before(planner, plan):
        cores = [core_of(planner, one.pins[role].cpus.min) for role in apart]
        distinct = len({core_of(planner, cpu) for cpu in free})
        assert len(set(cores)) == min(len(apart), distinct)


@given(planners(), roles())
def test_p5_a_partition_stays_in_an_l3_group_that_holds_it(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]
) -> None:
    host = planner.topology
    wanted = tuple(evolve(role, devices=()) for role in wanted)
    if host is None:
        return
    apart = sum(role.apart for role in wanted)
    for one, free in free_before(planner, fitting(planner, wanted)):
        groups: dict[int | None, list[int]] = {}
        for cpu in free:
            groups.setdefault(host.cpu(cpu).l3, []).append(cpu)
        holds = [
            cpus
            for cpus in groups.values()
            if len(cpus) >= len(wanted) and len({core_of(planner, cpu) for cpu in cpus}) >= apart
        ]
        if holds:
            assert len({host.cpu(cpu).l3 for cpu in one.cpus}) == 1


@given(planners(), integers(1, 6))
def test_p5_else_it_takes_the_fewest_l3_groups(planner: cp.NumaPlanner, size: int) -> None:
    host = planner.topology
    if host is None:
        return
    wanted = [cp.PartitionRole(f"r{place}") for place in range(size)]
    for one, free in free_before(planner, fitting(planner, wanted)):
        sizes = sorted(Counter(host.cpu(cpu).l3 for cpu in free).values(), reverse=True)
        fewest = next(count for count in range(1, len(sizes) + 1) if sum(sizes[:count]) >= size)
        assert len({host.cpu(cpu).l3 for cpu in one.cpus}) == fewest


@given(planners(), roles())
def test_p3_a_node_with_devices_of_its_own_uses_no_others(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]
) -> None:
    spec_of = {node.id: node for node in planner.nodes}
    for one in fitting(planner, wanted):
        for pin in one.pins.queues:
            kind, near = home_of(planner, pin.device)
            own = [device for device in spec_of[one.numa_node].devices(kind) if device.queue_ids]
            having = [node.id for node in planner.nodes if any(device.queue_ids for device in node.devices(kind))]
            assert one.numa_node in near if own else near & nearest(planner.topology, one.numa_node, having)


@given(planners(), roles())
def test_a_refusal_tells_how_many_fit(planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]) -> None:
    answer = planner.plan_partitions(IDS, wanted)
    if isinstance(answer, cp.PartitionPlan):
        return
    assert isinstance(answer, cp.TooFewCpus | cp.QueueWantedTwice)
    assert answer.container_id == IDS[answer.fits]
    assert (answer.rule, answer.asked) == ("P2", len(IDS))
    assert len(planner.plan_partitions(IDS[: answer.fits], wanted).unwrap()) == answer.fits
    assert planner.plan_partitions(IDS[: answer.fits + 1], wanted).kind == answer.kind  # type: ignore[union-attr]


@given(planners(), roles())
def test_oversubscribing_changes_nothing_that_fits(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...]
) -> None:
    plan = fitting(planner, wanted)
    ids = [one.partition_id for one in plan]
    assert planner.plan_partitions(ids, wanted, oversubscribe=True) == plan
    shared = planner.plan_partitions(IDS, wanted, oversubscribe=True).unwrap()
    assert len(shared) == len(IDS)
    assert len(shared.cpus) + sum(len(one.users) - 1 for one in shared.shared_cpus) == len(IDS) * len(wanted)


@given(nodes(), roles(), integers(1, 3), integers(0, 50), booleans())
def test_renumbering_nodes_and_cpus_renumbers_the_plan(
    specs: tuple[cp.NumaNodeSpec, ...], wanted: tuple[cp.PartitionRole, ...], step: int, more: int, share: bool
) -> None:
    def moved(cpus: cp.CpuSet) -> cp.CpuSet:
        return cp.CpuSet(cpu * step + more for cpu in cpus)

    def device(one: cp.DeviceSpec) -> cp.DeviceSpec:
        return evolve(one, queue_cpus={queue: moved(cpus) for queue, cpus in one.queue_cpus.items()})

    renamed = [
        cp.NumaNodeSpec(
            node.id * step + more,
            moved(node.cpus),
            node.memory_bytes,
            nvme=map(device, node.nvme),
            nic=map(device, node.nic),
            other={kind: tuple(map(device, some)) for kind, some in node.other.items()},
        )
        for node in specs
    ]
    before = cp.NumaPlanner(specs).plan_partitions(IDS[:4], wanted, oversubscribe=share)
    after = cp.NumaPlanner(renamed).plan_partitions(IDS[:4], wanted, oversubscribe=share)
    if isinstance(before, cp.PartitionRefusal):
        assert type(after) is type(before)
        return
    for one, other in zip(before, after.unwrap(), strict=True):
        assert (other.numa_node, other.memory_bytes) == (one.numa_node * step + more, one.memory_bytes)
        for role in wanted:
            assert other.pins[role].cpus == moved(one.pins[role].cpus)
            assert [str(pin) for pin in other.pins[role].queues] == [str(pin) for pin in one.pins[role].queues]


@given(planners(), roles(), booleans())
def test_p6_a_plan_is_read_back_as_it_was(
    planner: cp.NumaPlanner, wanted: tuple[cp.PartitionRole, ...], share: bool
) -> None:
    plan = planner.plan_partitions(IDS[:3], wanted, oversubscribe=True).unwrap() if share else fitting(planner, wanted)
    assert plan_format.parse(plan_format.render(plan)) == plan
    assert plan.changes(plan) == ()


@given(planners(), planners())
def test_p6_plans_that_differ_have_changes(one: cp.NumaPlanner, other: cp.NumaPlanner) -> None:
    before = one.plan_partitions(IDS[:2], oversubscribe=True).unwrap()
    after = other.plan_partitions(IDS[1:3], oversubscribe=True).unwrap()
    told = before.changes(after)
    assert {change.partition_id for change in told if change.what in ("added", "removed")} == {"p0", "p2"}
    same = before["p1"] == after["p1"]
    assert same == (not [change for change in told if change.partition_id == "p1"])


JSON: st.SearchStrategy[object] = (
    st.none() | booleans() | integers(-1, 9) | st.text(max_size=3) | st.builds(list) | st.builds(dict)
)


def places(value: object) -> Iterator[tuple[dict[str, object] | list[object], str | int]]:
    """Every container and key of a JSON value."""
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = [*value.items()]
    elif isinstance(value, list):
        pairs = [*enumerate(value)]
    for key, below in pairs:
        yield value, key  # type: ignore[misc]
        yield from places(below)


@given(planners(), st.data())
def test_p6_a_plan_that_was_edited_is_a_plan_or_bad_input(planner: cp.NumaPlanner, data: st.DataObject) -> None:
    plan = planner.plan_partitions(IDS[:2], oversubscribe=True).unwrap()
    value = plan_format.to_dict(plan)
    where, key = data.draw(st.sampled_from([*places(value)]))
    where[key] = data.draw(JSON)  # type: ignore[index]
    try:
        read = plan_format.parse(json.dumps(value))
    except BadInput:
        return
    assert plan_format.parse(plan_format.render(read)) == read


@given(st.text() | JSON.map(json.dumps))
def test_any_other_text_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        plan_format.parse(text)
