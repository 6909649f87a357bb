"""What follows an answer: others can go on deciding meanwhile, and whatever the kernel has otherwise is seen soon."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import cpuplace as cp
from cpuplace_nri import following
from cpuplace_nri.ttrpc import Code
from nri.fake_runtime import CriError
from nri.placing import Placing, placing
from nri.test_plugin import asynchronous, half_freed, integer, shared


class Stuck:
    """A kernel that takes its time with the cgroups whose ids begin with `prefix`, until `go`."""

    def __init__(self, at: Placing, prefix: str) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self._write, self._prefix = at.cgroups.write, prefix

    def write(self, place: str, held: cp.Held) -> None:
        if place.rpartition("/")[2].startswith(self._prefix):
            self.entered.set()
            assert self.go.wait(60)
        self._write(place, held)


@contextmanager
def stuck(at: Placing, prefix: str = "web") -> Iterator[Stuck]:
    made = Stuck(at, prefix)
    at.cgroups.write = made.write  # type: ignore[method-assign]
    try:
        yield made
    finally:
        made.go.set()


# --- nobody waits for it -------------------------------------------------------------------------


@asynchronous
async def test_who_comes_while_a_cgroup_takes_its_time_is_answered_in_time() -> None:
    async with placing(request_timeout=2.0, widen_delay=50) as at:
        await half_freed(at)
        with stuck(at) as kernel:
            await at.until(kernel.entered.is_set)
            with pytest.raises(CriError, match="no decision in the time") as late:
                await integer(at, "db", 2)
            assert late.value.code is Code.DEADLINE_EXCEEDED
            assert at.runtime.plugins and "db" not in at.node.state
            assert at.heard.counts == {"late_answers/CreateContainer": 1}
            assert "answered with the safe default" in at.heard.lines[-1]
        await at.until(lambda: at.cpus["web"] == "0-7")
        await integer(at, "again", 2)
        assert at.cpus == {"web": "2-7", "again": "0-1"}


@asynchronous
async def test_all_that_is_told_meanwhile_becomes_true_in_the_order_in_which_it_was_told() -> None:
    async with placing(request_timeout=0.6, widen_delay=50) as at:
        await half_freed(at)
        await integer(at, "one", 1)
        await integer(at, "two", 1)
        with stuck(at) as kernel:
            await at.until(kernel.entered.is_set)
            for key in ("one", "two"):
                await at.runtime.stop(key)
            assert at.runtime.plugins and at.heard.counts["late_answers/StopContainer"] == 2
            assert {"one", "two"} <= at.node.state.assignments.keys()
        await at.until(lambda: not {"one", "two"} & at.node.state.assignments.keys())
        assert [one.container_id for one in at.decisions if one.kind == "release"] == ["db", "one", "two"]


@asynchronous
async def test_between_two_writes_others_have_their_turn() -> None:
    async with placing(widen_delay=50) as at:
        await integer(at, "db", 4)
        for number in range(3):
            await shared(at, f"web{number}")
        await at.runtime.remove_pod("pod-db")
        with stuck(at) as kernel:
            await at.until(kernel.entered.is_set)
            coming = asyncio.ensure_future(integer(at, "new", 2))
            await asyncio.sleep(0.05)
        await coming
        assert at.cgroups.writes[:2] == ["web0 0-7", "web1 2-7"]  # who came did not wait for the others
        assert at.cpus == {"new": "0-1", "web0": "2-7", "web1": "2-7", "web2": "2-7"}


@asynchronous
async def test_a_plan_is_carried_out_as_it_is_as_long_as_others_can_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for turn, second in ((30.0, "web1 0-5"), (0.0, "web1 0-3")):
        monkeypatch.setattr(following, "TURN", turn)
        async with placing() as at:
            for number in range(3):
                await shared(at, f"web{number}")
            with stuck(at) as kernel:
                answer = at.node.change_topology(at.runtime.kernel.host.with_online(cp.CpuSet.parse("0-5")))
                at.node.commit(answer)
                at.following.carry_out(answer)
                await at.until(kernel.entered.is_set)
                coming = asyncio.ensure_future(integer(at, "new", 2))
                await asyncio.sleep(0.05)
            await coming
            await at.until(lambda: len(at.cgroups.writes) == 3)
            assert at.cgroups.writes[1] == second
            assert at.cpus == {"web0": "0-3", "web1": "0-3", "web2": "0-3", "new": "4-5"}


@asynchronous
async def test_who_comes_while_a_cgroup_is_looked_at_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.01)
    async with placing() as at:
        await shared(at)
        entered, go, read = threading.Event(), threading.Event(), at.cgroups.read

        def slowly(place: str) -> object:
            entered.set()
            assert go.wait(60)
            return read(place)

        at.cgroups.read = slowly  # type: ignore[assignment, method-assign]
        await at.until(entered.is_set)
        await integer(at, "db", 2)
        go.set()
        assert at.cpus == {"db": "0-1", "web": "2-7"}
