"""What follows an answer: others can go on deciding meanwhile, and whatever the kernel has otherwise is seen soon."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import cpuplace as cp
from cpuplace_nri import following
from cpuplace_nri.cgroups import Cpuset
from cpuplace_nri.seen import Seen
from cpuplace_nri.ttrpc import Code
from nri.fake_runtime import CriError, a_container, a_pod
from nri.placing import Placing, placing
from nri.test_plugin import asynchronous, half_freed, integer, shared, whole


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


def slow_reads(at: Placing) -> tuple[list[str], threading.Event]:
    """What is read from now on, and what it waits for."""
    reads, go, read = list[str](), threading.Event(), at.cgroups.read

    def slowly(place: str) -> Cpuset | None:
        reads.append(place)
        assert go.wait(60)
        return read(place)

    at.cgroups.read = slowly  # type: ignore[method-assign]
    return reads, go


async def coming_to_wait(at: Placing, key: str, count: int) -> "asyncio.Task[None]":
    """A container whose creation waits for its turn by now: somebody else has it."""
    came, is_short = asyncio.Event(), at.node.is_short

    def asked(one: Seen) -> bool:
        came.set()
        return is_short(one)

    at.node.is_short = asked  # type: ignore[method-assign]
    coming = asyncio.ensure_future(integer(at, key, count))
    await came.wait()
    return coming


# --- nobody waits for it -------------------------------------------------------------------------


async def shrinks_in_vain(at: Placing) -> None:
    """ "db" gives CPUs back, as far as the plugin knows; the kernel does not let it leave them."""
    at.runtime.kernel.broken.add("db")
    with pytest.raises(CriError, match="failed to update"):
        await at.runtime.update("db", whole("x", "x", 2).linux.resources)


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
    async with placing(request_timeout=2.0, widen_delay=50) as at:
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
            coming = await coming_to_wait(at, "new", 2)
        await coming
        await at.until(lambda: len(at.cgroups.writes) == 3)
        assert at.cgroups.writes[1] == "web1 2-7"  # who came did not wait for the others
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
                coming = await coming_to_wait(at, "new", 2)
            await coming
            await at.until(lambda: len(at.cgroups.writes) == 3)
            assert at.cgroups.writes[1] == second
            assert at.cpus == {"web0": "0-3", "web1": "0-3", "web2": "0-3", "new": "4-5"}


@asynchronous
async def test_who_comes_while_a_cgroup_is_looked_at_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.01)
    monkeypatch.setattr(following, "SECOND_LOOK", 60)
    async with placing() as at:
        await shared(at)
        reads, go = slow_reads(at)
        await at.until(lambda: reads)
        await integer(at, "db", 2)
        go.set()
        assert at.cpus == {"db": "0-1", "web": "2-7"}
        await at.until(lambda: reads.count("/podpod-web/web") == 2)  # it has others since


# --- looking -------------------------------------------------------------------------------------


@asynchronous
async def test_who_is_answered_during_a_second_look_is_looked_at_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.05)
    monkeypatch.setattr(following, "SECOND_LOOK", 0.5)
    async with placing() as at:
        await integer(at, "db", 2)
        at.runtime.kernel.write("db", "0-7")
        await at.until(lambda: "db" in at.following._doubted)
        await integer(at, "more", 1)
        at.runtime.kernel.write("more", "0-7")
        await at.until(lambda: "more" in at.following._doubted)
        assert "db" in at.following._doubted  # its own second look is still to come
        await at.until(lambda: at.cpus == {"db": "0-1", "more": "2"})
        assert at.heard.counts == {"drift": 2, "repairs": 2}


@asynchronous
async def test_who_starts_late_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.05)
    monkeypatch.setattr(following, "SECOND_LOOK", 0.05)
    async with placing() as at:
        pod = a_pod("p", qos="guaranteed")
        await at.runtime.run_pod(pod)
        await at.runtime.create(pod, whole("db", "p", 2))
        await asyncio.sleep(0.3)
        await at.runtime.start("db")
        at.runtime.kernel.write("db", "0-7")
        await at.until(lambda: at.cpus["db"] == "0-1")


@asynchronous
async def test_who_never_starts_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.02)
    monkeypatch.setattr(following, "ROUND", 0.2)
    async with placing() as at:
        pod = a_pod("p", qos="guaranteed")
        await at.runtime.run_pod(pod)
        await at.runtime.create(pod, whole("db", "p", 2))
        await at.until(lambda: not at.following._fresh and "look" not in at.following._tasks)


@asynchronous
async def test_what_drifts_without_an_answer_is_found_on_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.02)
    monkeypatch.setattr(following, "SECOND_LOOK", 0.02)
    monkeypatch.setattr(following, "ROUND", 0.3)
    async with placing() as at:
        await integer(at, "db", 2)
        for _ in range(2):
            await at.until(lambda: not at.following._fresh and "look" not in at.following._tasks)
            at.runtime.kernel.write("db", "0-7")
            await at.until(lambda: at.cpus["db"] == "0-1")


@asynchronous
async def test_cpus_that_cannot_be_used_are_said_once_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has what was asked for, and gives less: a parent's cpuset, or CPUs that just went."""
    for name in ("LOOK", "SECOND_LOOK", "ROUND"):
        monkeypatch.setattr(following, name, 0.02)
    async with placing() as at:
        await integer(at, "db", 2)
        whole_host = at.runtime.kernel.host
        for times in (1, 2):
            at.runtime.kernel.host = whole_host.with_online(cp.CpuSet.parse("1-7"))
            await at.until(lambda times=times: at.heard.counts.get("drift") == times)
            await asyncio.sleep(0.2)
            at.runtime.kernel.host = whole_host
            await at.until(lambda: not at.following._limited)
        said = "warning: its CPUs cannot be used: offline, or outside its parent's container=default/pod-db/db"
        assert at.heard.lines[1:] == [f"{said} should=0-1 now=in effect 1"] * 2
        assert at.cgroups.writes == []


@asynchronous
async def test_who_is_gone_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK", "SECOND_LOOK", "ROUND"):
        monkeypatch.setattr(following, name, 0.02)
    async with placing() as at:
        await integer(at, "db", 2)
        at.runtime.kernel.host = at.runtime.kernel.host.with_online(cp.CpuSet.parse("1-7"))
        await at.until(lambda: "db" in at.following._limited)
        await at.runtime.remove_pod("pod-db")
        await at.until(lambda: not at.following._limited and not at.following._doubted and not at.following._fresh)


# --- widening ------------------------------------------------------------------------------------


@asynchronous
async def test_widening_waits_for_owners_who_still_run_on_what_they_gave_back() -> None:
    async with placing(widen_delay=50) as at:
        await integer(at, "db", 4)
        await shared(at)
        await shrinks_in_vain(at)
        assert at.node.waits
        await asyncio.sleep(0.3)
        assert at.cpus == {"db": "0-3", "web": "4-7"}
        at.runtime.kernel.broken.clear()
        at.runtime.kernel.write("db", "0-1")
        await at.until(lambda: at.cpus["web"] == "2-7")


@asynchronous
async def test_widening_looks_again_when_somebody_gave_cpus_back_while_it_looked() -> None:
    async with placing(widen_delay=50) as at:
        await integer(at, "old", 2)
        await integer(at, "db", 4)
        await shared(at)
        await at.runtime.remove_pod("pod-old")
        reads, go = slow_reads(at)
        await at.until(lambda: reads == ["/podpod-db/db"])
        await shrinks_in_vain(at)
        go.set()
        await asyncio.sleep(0.3)
        assert at.cpus == {"db": "4-7", "web": "2-3"}
        at.runtime.kernel.broken.clear()
        at.runtime.kernel.write("db", "4-5")
        await at.until(lambda: at.cpus["web"] == "0-3,6-7")


@asynchronous
async def test_few_stale_specifications_ride_with_one_reply() -> None:
    async with placing(widen_delay=50) as at:
        await integer(at, "db", 4)
        webs = [f"web{number:02}" for number in range(20)]
        for key in webs:
            await shared(at, key)
        await at.runtime.remove_pod("pod-db")
        await at.until(lambda: len(at.node.known.stale) == 20)
        for left in (4, 0):
            await at.runtime.run(a_pod(f"be{left}", qos="besteffort"), a_container(f"be{left}", f"be{left}"))
            specs = [at.runtime.kernel.specs[key].linux.resources.cpu.cpus for key in webs]
            assert specs == ["0-7"] * (20 - left) + ["4-7"] * left
