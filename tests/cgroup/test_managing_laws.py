"""One command after another on an imitated kernel: killed ones, lost states, strangers, CPUs that go. Whatever happens,
nobody is given a CPU that somebody else has, and the state that is kept says what the kernel does."""

import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import cpuplace as cp
from cgroup.fake import MOUNT, FakeKernel
from cpuplace.request import Kind
from cpuplace_cgroup import CgroupBackend, managing, statedir
from cpuplace_cgroup.managing import ManagedHost, Running, Session
from cpuplace_cgroup.statedir import StateDir
from cpuplace_cgroup.statefile import parse

HOST = cp.Topology.uniform(packages=2, cores_per_l3=3, threads_per_core=2)
EXCLUSIVE = (Kind.INTEGER, Kind.PINNED)


class Commands(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.kernel = FakeKernel.of(HOST)
        self.kept = StateDir(self.folder)
        self.running: dict[str, AbstractContextManager[Running]] = {}
        self.pids = 1000
        self.host = HOST

    def teardown(self) -> None:
        for key in list(self.running):
            self.finish_one(key)
        shutil.rmtree(self.folder)

    @property
    def managed(self) -> ManagedHost:
        backend = CgroupBackend(f"{MOUNT}/ours", files=self.kernel, systemd=False)
        return ManagedHost(host=self.host, backend=backend, kept=self.kept, patience=0)

    def populate(self, key: str) -> None:
        self.pids += 1
        self.kernel.tree[f"ours/{key}"].procs = {self.pids}

    def populated(self) -> dict[str, cp.CpuSet]:
        """Our groups with processes in them, and what the kernel lets these use."""
        return {
            path.removeprefix("ours/"): cp.CpuSet.from_mask(self.kernel.cpus(path))
            for path, node in self.kernel.tree.items()
            if path.startswith("ours/") and node.procs and node.ours
        }

    # --- commands --------------------------------------------------------------------------------

    @rule(count=st.integers(1, 5), kind=st.sampled_from(["integer", "shared", "isolate", "pinned"]))
    def run(self, count: int, kind: str) -> None:
        def ask(session: Session) -> cp.ContainerRequest:
            name = session.free_name("run")
            if kind == "shared":
                return cp.ContainerRequest.shared(name)
            if kind == "pinned":
                return cp.ContainerRequest.pinned(name, cp.CpuSet([count, count + 1]), exclusive=True)
            wishes = cp.Wishes(cores="isolate") if kind == "isolate" else cp.Wishes()
            return cp.ContainerRequest.integer(name, count, wishes=wishes)

        command = self.managed.running(ask)
        try:
            key = command.__enter__().held.container_id
        except cp.Refused:
            return
        self.running[key] = command
        self.populate(key)

    def finish_one(self, key: str, *, left: bool = False) -> None:
        if f"ours/{key}" in self.kernel.tree and not left:
            self.kernel.tree[f"ours/{key}"].procs = set()
        self.running.pop(key).__exit__(None, None, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), left=st.booleans())
    def finish(self, data: st.DataObject, left: bool) -> None:
        self.finish_one(data.draw(st.sampled_from(sorted(self.running))), left=left)

    @rule(count=st.integers(1, 3), alive=st.booleans(), kept=st.booleans())
    def run_and_be_killed(self, count: int, alive: bool, kept: bool) -> None:
        """kill -9: the lock of the run is free, its file and group are there; the state perhaps not yet written."""
        with self.managed.alone() as session:
            before = self.kept.read()
            request = cp.ContainerRequest.integer(session.free_name("killed"), count)
            try:
                plan = session.start(request)
            except cp.Refused:
                return
            with self.kept.running(request.container_id):
                session.carry_out(plan, strict=True)
            if not kept:
                self.kept.forget() if before is None else self.kept.write(before)
        if alive and kept:
            self.populate(request.container_id)

    @rule()
    def those_left_end(self) -> None:
        for key in self.populated().keys() - self.running.keys():
            self.kernel.tree[f"ours/{key}"].procs = set()

    @rule()
    def look(self) -> None:
        before = self.kernel.texts()
        self.managed.look()
        assert self.kernel.texts() == before

    # --- what happens beside ---------------------------------------------------------------------

    @rule(name=st.sampled_from("xy"), cpus=st.sets(st.integers(0, 11), min_size=1, max_size=2))
    def a_stranger_comes_or_goes(self, name: str, cpus: set[int]) -> None:
        if f"ours/{name}" in self.kernel.tree:
            self.kernel.drop(f"ours/{name}")
        else:
            self.kernel.add(f"ours/{name}", cpus=str(cp.CpuSet(cpus)), pids=(1,))

    @rule(online=st.sampled_from(["0-11", "0-10", "0-4,6-11"]))
    def cpus_go_and_come(self, online: str) -> None:
        self.host = HOST.with_online(cp.CpuSet.parse(online))
        self.kernel.online = self.host.online.mask

    @precondition(lambda self: self.kept.file.exists())
    @rule(torn=st.booleans())
    def the_state_is_lost(self, torn: bool) -> None:
        if torn:
            self.kept.file.write_bytes(self.kept.file.read_bytes()[:-9])
            with pytest.raises(cp.BadInput, match="torn"):
                self.managed.look()
        else:
            self.kept.forget()
        self.managed.repair()

    @precondition(lambda self: self.populated())
    @rule(data=st.data(), cpus=st.sets(st.integers(0, 11), min_size=1))
    def somebody_writes(self, data: st.DataObject, cpus: set[int]) -> None:
        key = data.draw(st.sampled_from(sorted(self.populated())))
        before = self.managed.look().state
        if before[key].kind is not Kind.UNMANAGED:
            self.kernel.tree[f"ours/{key}"].cpus = cp.CpuSet(cpus).mask
        _, outcome, _ = self.managed.repair()
        assert outcome.ok, str(outcome)
        assert dict(self.managed.look().state.assignments) == dict(before.assignments)

    # --- always ----------------------------------------------------------------------------------

    @invariant()
    def the_next_command_finds_all_in_order(self) -> None:
        with self.managed.alone() as session:
            state = session.state
        view = self.managed.look()
        assert cp.violations(state) == ()
        assert view.drift == ()
        assert view.news == ()
        has = self.populated()
        own = [key for key in has if key in state and state[key].kind in EXCLUSIVE and not state[key].degraded]
        for key in own:
            # Whose own CPUs are all offline runs anywhere, says the kernel; who is pinned or not ours stays so.
            sane = [other for other in has if other in state and state[other].cpus & self.host.online]
            others = [has[other] for other in sane if other != key]
            assert not any(has[key] & other for other in others), (key, has)
        assert self.running.keys() <= has.keys() | state.assignments.keys()
        assert has.keys() <= state.assignments.keys()
        empty = {path for path, node in self.kernel.tree.items() if path.startswith("ours/") and not node.procs}
        assert empty == set()


@pytest.mark.hypothesis
def test_whatever_happens_the_next_command_finds_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one text of the state says is worked out once; the power stays on, so nothing is synced; no systemd runs."""
    monkeypatch.setattr(statedir, "parse", lru_cache(64)(parse))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(managing, "systemd_runs", lambda: False)
    run_state_machine_as_test(Commands, settings=settings())
