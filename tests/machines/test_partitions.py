"""Laws of the NumaPlanner on real hosts: the captured machines, and those of the catalogue."""

from functools import cache

import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace import catalogue
from machines.captured import ABSENT, NAMES, host

HOSTS = [*(f"catalogue:{name}" for name in catalogue.NAMES), *(f"captured:{name}" for name in NAMES)]
IDS = tuple(f"p{number}" for number in range(6))
ROLES = tuple(evolve(role, devices=()) for role in cp.DEFAULT_ROLES)
"""CPUs alone: what real devices lack in queues is the business of other tests."""


def topology(name: str) -> cp.Topology:
    where, _, bare = name.partition(":")
    return catalogue.host(bare) if where == "catalogue" else host(bare)


@cache
def planned(name: str, count: int) -> tuple[cp.PartitionPinning, ...]:
    """The plan of so many partitions, of fewer when they do not fit."""
    found = topology(name)
    planner = cp.NumaPlanner(cp.node_specs(found), topology=found)
    answer = planner.plan_partitions(IDS[:count], ROLES)
    if isinstance(answer, cp.TooFewCpus) and answer.fits:
        answer = planner.plan_partitions(IDS[: answer.fits], ROLES)
    return tuple(answer) if isinstance(answer, cp.PartitionPlan) else ()


def test_there_are_captured_machines() -> None:
    if ABSENT:
        pytest.skip(ABSENT)
    assert any(planned(f"captured:{name}", len(IDS)) for name in NAMES)


@pytest.mark.parametrize("name", HOSTS)
def test_no_cpu_has_two_roles_and_all_lie_in_the_node(name: str) -> None:
    plan = planned(name, len(IDS))
    roomy = [node for node in cp.node_specs(topology(name)) if len(node.cpus) >= len(ROLES)]
    assert bool(plan) == bool(roomy)
    assert len(cp.CpuSet(cpu for one in plan for cpu in one.cpus)) == len(plan) * len(ROLES)
    for one in plan:
        assert one.cpus <= topology(name).node(one.numa_node).cpus & topology(name).online


@pytest.mark.parametrize("name", HOSTS)
def test_slices_add_up_to_the_byte(name: str) -> None:
    for node in cp.node_specs(topology(name)):
        slices = [one.memory_bytes for one in planned(name, len(IDS)) if one.numa_node == node.id]
        assert not slices or sum(slices) == node.memory_bytes


@pytest.mark.parametrize("name", HOSTS)
def test_one_more_partition_never_moves_earlier_ones(name: str) -> None:
    whole = [(one.numa_node, one.pins) for one in planned(name, len(IDS))]
    for count in range(1, len(whole)):
        assert [(one.numa_node, one.pins) for one in planned(name, count)] == whole[:count]


@pytest.mark.parametrize("name", HOSTS)
def test_renumbering_nodes_renumbers_the_plan(name: str) -> None:
    specs = cp.node_specs(topology(name))
    renamed = [evolve(node, id=2 * node.id + 1) for node in specs]
    before, after = (cp.NumaPlanner(some).plan_partitions(IDS, ROLES) for some in (specs, renamed))
    if isinstance(before, cp.PartitionPlan):
        assert [(2 * one.numa_node + 1, one.pins) for one in before] == [
            (one.numa_node, one.pins) for one in after.unwrap()
        ]
    else:
        assert type(after) is type(before)
