"""Plans on a real kernel: what real processes may use after each, and at every moment in between."""

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

import cpuplace as cp
from cgroup.live import MOUNT, Hooked, allowed, ask, clear, dies_at, end, put, sleeper, sleepers, tell
from cpuplace_cgroup import CgroupBackend, drift, observed
from cpuplace_cgroup.files import KernelFiles
from cpuplace_linux import read_host

ROOT = f"{MOUNT}/cpuplace"
HOST = read_host("/")
EMPTY = cp.HostState.empty(HOST)
Request = cp.ContainerRequest


@pytest.fixture
def backend() -> Iterator[CgroupBackend]:
    clear(ROOT)
    yield CgroupBackend(ROOT, systemd=False)
    clear(ROOT)


def carried(backend: CgroupBackend, state: cp.HostState, answer: cp.Plan | cp.Refusal) -> cp.HostState:
    outcome = backend.carry_out(answer.unwrap())
    assert outcome.ok, str(outcome)
    assert outcome.vanished == ()
    return cp.apply(state, answer.unwrap())


def check(state: cp.HostState, pids: dict[str, int]) -> None:
    """Every process may use what its container holds."""
    for key, one in state.assignments.items():
        now = allowed(pids[key])
        assert now.cpus == one.cpus, key
        assert one.mems is None or now.mems == one.mems, key


def test_processes_may_use_what_was_planned(backend: CgroupBackend) -> None:
    with sleepers(4) as pids:
        names = dict(zip(("shared", "one", "two", "pin"), pids, strict=True))
        state = EMPTY
        for request in (
            Request.shared("shared"),
            Request.integer("one", 4),
            Request.integer("two", 2, wishes=cp.Wishes(numa="1")),
            Request.pinned("pin", cp.CpuSet.parse("0-1"), exclusive=True),  # "one" makes way
        ):
            state = carried(backend, state, cp.place(state, request))
            backend.enter(request.container_id, names[request.container_id])
            check(state, {key: names[key] for key in state.assignments})
        assert allowed(names["pin"]).mems == cp.NodeSet([0])
        assert drift(state, backend.observe()) == ()
        state = carried(backend, state, cp.resize(state, Request.integer("two", 6)))
        check(state, names)
        for key in ("one", "pin"):
            failed = backend.carry_out(cp.release(state, key))
            assert not failed.ok and str(names[key]) in str(failed), str(failed)
            check(state, names)
            put(MOUNT, names[key])
            state = carried(backend, state, cp.release(state, key))
            assert not Path(backend.path_of(key)).is_dir()
        check(state, names)
        clear(ROOT)


def say(text: str) -> None:
    sys.stderr.write(f"\n{text}\n")


class Fleet:
    """Real processes in the groups of a state that changes at random."""

    def __init__(self, seed: int, spare: list[int]) -> None:
        self.random, self.spare = random.Random(seed), spare
        self.state, self.plan = EMPTY, cp.release(EMPTY, "nobody")
        self.pids: dict[str, int] = {}
        self.moments = self.moves = 0
        self.backend = CgroupBackend(ROOT, systemd=False, files=Hooked(after=self.look))

    def request(self, key: str) -> Request:
        kind = self.random.choice(["integer", "integer", "integer", "pinned", "lent", "shared"])
        if kind == "integer":
            wishes = cp.Wishes(cores=self.random.choice(["prefer-full", "any", "isolate"]))
            return Request.integer(key, self.random.randint(1, 5), wishes=wishes)
        if kind == "shared":
            return Request.shared(key)
        start = self.random.choice(sorted(HOST.online))
        cpus = cp.CpuSet(range(start, start + self.random.randint(1, 3))) & HOST.online
        return Request.pinned(key, cpus, exclusive=kind == "pinned")

    def answer(self, number: int) -> cp.Plan | cp.Refusal:
        keys = sorted(self.state.assignments)
        dice = self.random.random()
        if keys and (dice < 0.3 or not self.spare):
            return cp.release(self.state, self.random.choice(keys))
        if keys and dice < 0.45:
            return cp.resize(self.state, Request.integer(self.random.choice(keys), self.random.randint(1, 6)))
        return cp.place(self.state, self.request(f"c{number}"))

    def step(self, number: int) -> bool:
        answer = self.answer(number)
        if not isinstance(answer, cp.Plan):
            return False
        self.plan = answer
        for key in [key for key in self.pids if key not in answer.after]:
            put(MOUNT, self.pids[key])
            self.spare.append(self.pids.pop(key))
        self.state = carried(self.backend, self.state, answer)
        for key in [key for key in self.state.assignments if key not in self.pids]:
            self.pids[key] = self.spare.pop()
            self.backend.enter(key, self.pids[key])
        check(self.state, self.pids)
        self.moves += sum(step.op is cp.Op.MOVE for step in answer.steps)
        return True

    def look(self, file: str) -> None:
        """The invariants, on what the kernel says at this moment: exclusive CPUs are one's own."""
        if not file.endswith(("cpuset.cpus", "/rmdir")) and "/cpuset" in file:
            return
        self.moments += 1
        before, after = self.plan.before, self.plan.after
        seen = {}
        for key in {*before.assignments, *after.assignments}:
            try:
                own = ask(f"{ROOT}/{key}/cpuset.cpus")
                seen[key] = cp.CpuSet.parse(ask(f"{ROOT}/{key}/cpuset.cpus.effective")) if own else None
            except FileNotFoundError:
                continue
        for key, cpus in seen.items():
            assert cpus is None or cpus, key
        for a, b in combinations(seen, 2):
            mine, theirs = seen[a], seen[b]
            if mine is None or theirs is None:
                continue  # just made: no process is in it yet
            exclusive = any(self.always_exclusive(key) for key in (a, b))
            assert not (exclusive and mine & theirs), (a, b, mine & theirs, self.plan.steps)

    def always_exclusive(self, key: str) -> bool:
        return all(state[key].exclusive for state in (self.plan.before, self.plan.after) if key in state)


def test_two_hundred_random_plans(backend: CgroupBackend) -> None:
    del backend
    with sleepers(10) as spare:
        fleet = Fleet(7, spare.copy())
        done = number = 0
        while done < 200:
            done += fleet.step(number)
            number += 1
        assert cp.violations(fleet.state) == ()
        assert drift(fleet.state, fleet.backend.observe()) == ()
        assert fleet.moments > 200 and fleet.moves > 10
        say(f"{done} plans, {number - done} refusals, {fleet.moments} moments, {fleet.moves} moves")
        clear(ROOT)


def crowded(backend: CgroupBackend, pids: list[int]) -> tuple[cp.HostState, cp.Plan]:
    """A host with four containers, and a plan with every kind of step."""
    state = EMPTY
    for request, pid in zip(
        (Request.shared("s"), Request.integer("a", 4), Request.integer("b", 4), Request.shared("t")), pids, strict=True
    ):
        state = carried(backend, state, cp.place(state, request))
        backend.enter(request.container_id, pid)
    plan = cp.place(state, Request.pinned("p", cp.CpuSet.parse("0-2"), exclusive=True)).unwrap()
    assert {step.op for step in plan.steps} >= {cp.Op.NARROW, cp.Op.MOVE, cp.Op.GRANT}
    return state, plan


def test_killed_at_every_write(backend: CgroupBackend) -> None:
    with sleepers(4) as pids:
        number, status = 0, 1
        while status:
            clear(ROOT)
            state, plan = crowded(backend, pids)
            child = os.fork()
            if child == 0:
                CgroupBackend(ROOT, systemd=False, files=dies_at(number)).carry_out(plan)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            for knows in (state, cp.HostState.empty(HOST)):
                asked = {key: one.request for key, one in plan.after.assignments.items()}
                backend.sweep(asked)
                seen = backend.observe()
                there = {key: request for key, request in asked.items() if key in seen}
                mending = cp.synchronize(knows, observed(seen, there))
                after = carried(backend, knows, mending)
                assert cp.violations(after) == ()
                for key, pid in zip("sabt", pids, strict=True):
                    assert allowed(pid).cpus == after[key].cpus
                assert drift(after, backend.observe()) == ()
            number += 1
        assert number > 5
        say(f"killed before each of {number - 1} writes")
        clear(ROOT)


def test_refused_at_every_write_and_taken_back(backend: CgroupBackend) -> None:
    with sleepers(4) as pids:
        state, plan = crowded(backend, pids)
        before = {pid: allowed(pid) for pid in pids}
        number, ok = 0, False
        while not ok:
            refusing = CgroupBackend(ROOT, systemd=False, files=Hooked(before=refuses_at(number)))
            outcome = refusing.carry_out(plan)
            ok = outcome.ok
            if not ok:
                assert {pid: allowed(pid) for pid in pids} == before, number
                assert not Path(f"{ROOT}/p").is_dir()
                assert outcome.not_restored == (), str(outcome)
                assert drift(state, backend.observe()) == ()
            number += 1
        assert number > 5
        clear(ROOT)


def refuses_at(number: int) -> Callable[[int], None]:
    def before(change: int) -> None:
        if change == number:
            raise OSError(errno.EBUSY, "")

    return before


def test_a_group_that_vanishes_midway(backend: CgroupBackend) -> None:
    with sleepers(3) as pids:
        victim = sleeper()
        state, plan = crowded(backend, [pids[0], victim, pids[1], pids[2]])
        moved = next(n for n, step in enumerate(plan.steps) if step.container_id == "a")

        def before(change: int) -> None:
            if change == moved:
                end(victim)
                while True:
                    try:
                        Path(f"{ROOT}/a").rmdir()
                        return
                    except OSError:  # the kernel needs a moment to see it off
                        pass

        outcome = CgroupBackend(ROOT, systemd=False, files=Hooked(before=before)).carry_out(plan)
        assert outcome.ok and outcome.vanished == ("a",), str(outcome)
        after = cp.apply(state, plan)
        after = carried(backend, after, cp.release(after, "a"))
        assert drift(after, backend.observe()) == ()
        clear(ROOT)


def test_cpus_go_and_come_back_under_running_groups(backend: CgroupBackend) -> None:
    with sleepers(2) as pids:
        state = EMPTY
        for key, request in zip(pids, (Request.integer("a", 2), Request.shared("s")), strict=True):
            state = carried(backend, state, cp.place(state, request))
            backend.enter(request.container_id, key)
        gone = state["a"].cpus.max
        try:
            tell(f"/sys/devices/system/cpu/cpu{gone}/online", "0")
            (found,) = [one for one in drift(state, backend.observe()) if one.container_id == "a"]
            assert found.file == "a/cpuset.cpus.effective" and "offline" in found.why, str(found)
            changed = cp.change_topology(state, read_host("/"))
            state = carried(backend, state, changed)
            assert gone not in state["a"].cpus and len(state["a"].cpus) == 2
            check(state, dict(zip("as", pids, strict=True)))
            assert drift(state, backend.observe()) == ()
        finally:
            tell(f"/sys/devices/system/cpu/cpu{gone}/online", "1")
        state = carried(backend, state, cp.change_topology(state, read_host("/")))
        check(state, dict(zip("as", pids, strict=True)))
        assert gone in state["s"].cpus
        clear(ROOT)


def test_cpus_that_went_offline_meanwhile_fail_the_plan(backend: CgroupBackend) -> None:
    plan = cp.place(EMPTY, Request.pinned("p", cp.CpuSet([15]), exclusive=True)).unwrap()
    tell("/sys/devices/system/cpu/cpu15/online", "0")
    try:
        outcome = backend.carry_out(plan)
        assert not outcome.ok and "online" in str(outcome), str(outcome)
        assert not Path(f"{ROOT}/p").is_dir()
    finally:
        tell("/sys/devices/system/cpu/cpu15/online", "1")
    assert backend.carry_out(plan).ok


def test_what_systemd_or_anybody_resets_is_seen_and_repaired(backend: CgroupBackend) -> None:
    with sleepers(4) as pids:
        state, plan = crowded(backend, pids)
        state = carried(backend, state, plan)
        tell(f"{ROOT}/a/cpuset.cpus", "0-15")
        assert [one.container_id for one in drift(state, backend.observe())] == ["a"]
        _, outcome = backend.repair(state)
        assert outcome.ok, str(outcome)
        assert drift(state, backend.observe()) == ()
        clear(ROOT)


def test_the_mark_of_ours_outlives_us_and_is_only_on_ours(backend: CgroupBackend) -> None:
    carried(backend, EMPTY, cp.place(EMPTY, Request.integer("a", 2)))
    Path(f"{ROOT}/theirs").mkdir()
    files = KernelFiles()
    assert files.is_ours(f"{ROOT}/a") and files.is_ours(ROOT) and not files.is_ours(f"{ROOT}/theirs")
    assert backend.sweep(()) == ("a",)
    assert not Path(f"{ROOT}/a").is_dir() and Path(f"{ROOT}/theirs").is_dir()
