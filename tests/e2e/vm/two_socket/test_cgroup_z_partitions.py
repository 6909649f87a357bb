"""Partitions on a real kernel. Last in its machine: the kernel may leak CPUs of partitions that became invalid."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpuplace as cp
from cgroup.live import MOUNT, allowed, ask, clear, put, sleepers, tell
from cpuplace_cgroup import CgroupBackend, drift
from cpuplace_linux import read_host

ROOT = f"{MOUNT}/cpuplace"
HOST = read_host("/")
EMPTY = cp.HostState.empty(HOST)
Request = cp.ContainerRequest


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    clear(ROOT)
    yield
    clear(ROOT)


def carried(backend: CgroupBackend, state: cp.HostState, answer: cp.Plan | cp.Refusal) -> cp.HostState:
    outcome = backend.carry_out(answer.unwrap())
    assert outcome.ok, str(outcome)
    assert outcome.notes == (), str(outcome)
    return cp.apply(state, answer.unwrap())


def rest(state: cp.HostState) -> cp.CpuSet:
    return HOST.online - state.exclusive


@pytest.mark.parametrize("kind", ["root", "isolated"])
def test_the_kernel_keeps_exclusive_cpus_from_everybody(kind: str) -> None:
    backend = CgroupBackend(ROOT, systemd=False, partition="root" if kind == "root" else "isolated")
    with sleepers(2) as pids:
        state = carried(backend, EMPTY, cp.place(EMPTY, Request.shared("s")))
        backend.enter("s", pids[0])
        plan = cp.place(state, Request.integer("a", 4)).unwrap()
        assert backend.carry_out(plan).partitions == {"a": kind}
        state = cp.apply(state, plan)
        backend.enter("a", pids[1])
        assert ask(f"{ROOT}/a/cpuset.cpus.partition") == kind
        assert allowed(os.getpid()).cpus == rest(state)  # we are in no group at all
        assert allowed(pids[1]).cpus == state["a"].cpus
        state = carried(backend, state, cp.place(state, Request.pinned("p", cp.CpuSet.parse("0-1"), exclusive=True)))
        assert allowed(pids[1]).cpus == state["a"].cpus and not state["a"].cpus & state["p"].cpus
        assert allowed(os.getpid()).cpus == rest(state)
        assert drift(state, backend.observe(), partition=backend.partition) == ()
        state = carried(backend, state, cp.release(state, "p"))
        put(MOUNT, pids[1])
        state = carried(backend, state, cp.release(state, "a"))
        assert allowed(os.getpid()).cpus == HOST.online == allowed(pids[0]).cpus
        assert ask(f"{MOUNT}/cpuset.cpus.isolated") == ""
        clear(ROOT)


def test_a_neighbour_ends_it_and_repair_makes_it_again_elsewhere() -> None:
    """Integer containers leave the CPUs of strangers."""
    backend = CgroupBackend(ROOT, systemd=False, partition="isolated")
    state = carried(backend, EMPTY, cp.place(EMPTY, Request.integer("a", 4)))
    Path(f"{ROOT}/x").mkdir()
    tell(f"{ROOT}/x/cpuset.cpus", "0-1")
    (found,) = drift(state, backend.observe(), partition="isolated")
    assert found.file == "a/cpuset.cpus.partition" and found.now.startswith("isolated invalid"), str(found)
    assert drift(state, backend.observe()) == ()
    plan, outcome = backend.repair(state)
    assert outcome.ok and outcome.partitions == {"a": "isolated"}, str(outcome)
    held = plan.after["a"].cpus
    assert ask(f"{ROOT}/a/cpuset.cpus.effective") == str(held) and not held & cp.CpuSet.parse("0-1")


def test_who_cannot_leave_stays_a_member_until_the_neighbour_is_gone() -> None:
    backend = CgroupBackend(ROOT, systemd=False, partition="isolated")
    pin = Request.pinned("p", cp.CpuSet.parse("0-3"), exclusive=True)
    state = carried(backend, EMPTY, cp.place(EMPTY, pin))
    Path(f"{ROOT}/x").mkdir()
    tell(f"{ROOT}/x/cpuset.cpus", "0-1")
    _, outcome = backend.repair(state)
    assert outcome.ok and "stays a member" in str(outcome), str(outcome)
    assert ask(f"{ROOT}/p/cpuset.cpus.partition") == "member" and ask(f"{ROOT}/p/cpuset.cpus.effective") == "0-3"
    assert ask(f"{ROOT}/cpuset.cpus.exclusive") == ""
    Path(f"{ROOT}/x").rmdir()
    _, outcome = backend.repair(state)
    assert outcome.ok and outcome.partitions == {"p": "isolated"}, str(outcome)
    assert allowed(os.getpid()).cpus == rest(state)


def test_where_a_partition_is_a_must_the_plan_fails_without_it() -> None:
    strict = CgroupBackend(ROOT, systemd=False, partition="isolated", partition_fails="fail")
    carried(strict, EMPTY, cp.place(EMPTY, Request.shared("s")))
    Path(f"{ROOT}/x").mkdir()
    tell(f"{ROOT}/x/cpuset.cpus", "0-15")
    outcome = strict.carry_out(cp.place(EMPTY, Request.integer("a", 4)).unwrap())
    assert not outcome.ok and outcome.failure is not None and outcome.failure.step is None
    assert "cpuset.cpus.partition" in str(outcome), str(outcome)
    assert not Path(f"{ROOT}/a").is_dir() and outcome.not_restored == ()
    assert ask(f"{ROOT}/cpuset.cpus.exclusive") == ""
    assert allowed(os.getpid()).cpus == HOST.online
