"""The plugin at a fake runtime of every version: who runs where is asked of the kernel, not of the plugin."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import pytest

import cpuplace as cp
from cpuplace_nri import following
from cpuplace_nri.identity import Identity
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.node import Node
from cpuplace_nri.plugin import EMPTY_PARTS
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.translate import seen_of
from cpuplace_nri.ttrpc import Code, TtrpcError
from nri.fake_runtime import VERSIONS, CriError, a_container, a_pod
from nri.placing import Placing, placing

T = TypeVar("T")
Test = Callable[..., Coroutine[Any, Any, None]]


def asynchronous(test: Test) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


every_version = pytest.mark.parametrize("version", VERSIONS)


def pinned(key: str, cpus: str) -> nri.PodSandbox:
    return a_pod(key, qos="guaranteed", annotations={"cpuplace.dev/cores": cpus})


def whole(key: str, pod: str, count: int, **more: Any) -> nri.Container:
    return a_container(key, pod, cpu=count, limited=True, **more)


async def shared(at: Placing, key: str = "web") -> None:
    await at.runtime.run(a_pod(f"pod-{key}"), a_container(key, f"pod-{key}", cpu=0.5))


async def integer(at: Placing, key: str, count: int) -> None:
    await at.runtime.run(a_pod(f"pod-{key}", qos="guaranteed"), whole(key, f"pod-{key}", count))


async def half_freed(at: Placing) -> None:
    """A shared container was told of CPUs 4-7, and 0-3 have come free since."""
    await integer(at, "db", 4)
    await shared(at)
    await at.runtime.remove_pod("pod-db")


def check_moments(at: Placing, *owners: str) -> None:
    """At no moment did anybody run on what an owner had, once that one ran."""
    for now in at.runtime.moments:
        for owner in owners:
            if owner in now:
                assert not any(now[owner] & cpus for key, cpus in now.items() if key != owner), now


# --- creating ------------------------------------------------------------------------------------


@every_version
@asynchronous
async def test_every_kind_runs_where_the_rules_say(version: str) -> None:
    async with placing(version) as at:
        await shared(at)
        assert at.cpus == {"web": "0-7"}
        await at.runtime.run(pinned("p", "6-7"), whole("pin", "p", 2))
        await integer(at, "db", 3)
        await at.runtime.run(a_pod("be", qos="besteffort"), a_container("be", "be"))
        await at.runtime.run(a_pod("q", annotations={"cpuplace.dev/cores": "4-5"}), a_container("some", "q", cpu=0.1))
        assert at.cpus == {"web": "3-5", "pin": "6-7", "db": "0-2", "be": "3-5", "some": "4-5"}
        check_moments(at, "pin", "db")
        made = at.runtime.kernel.specs["db"]
        assert made.annotations["cpuplace.dev/placed"] == "0-2"
        assert "CPUPLACE_CPUS=0-2" in made.env
        assert made.linux.resources.cpu.mems == ""
        assert not at.runtime.kernel.specs["web"].env


@every_version
@asynchronous
async def test_a_running_container_makes_way_for_a_pin(version: str) -> None:
    async with placing(version) as at:
        await integer(at, "db", 2)
        await shared(at)
        assert at.cpus == {"db": "0-1", "web": "2-7"}
        await at.runtime.run(pinned("p", "0"), whole("pin", "p", 1))
        assert at.cpus == {"db": "1-2", "web": "3-7", "pin": "0"}
        check_moments(at, "pin", "db")
        assert at.decisions[-1].moves == ("db",)
        assert "default/p/pin" in at.decisions[-1].name


@every_version
@asynchronous
async def test_a_refusal_reaches_whoever_asked_as_one_sentence(version: str) -> None:
    async with placing(version) as at:
        await integer(at, "db", 5)
        before = at.cpus
        with pytest.raises(CriError) as refused:
            await integer(at, "more", 4)
        assert refused.value.code is Code.FAILED_PRECONDITION
        assert refused.value.message.startswith("cpuplace: default/pod-more/more: ")
        assert "(NotEnoughCpus, R4); of the exclusive CPUs default/pod-db/db has 5; " in refused.value.message
        assert "delete the pod" in refused.value.message
        with pytest.raises(CriError, match="the pin 0-1,99 names CPUs the host does not have: 99") as refused:
            await at.runtime.run(pinned("p", "0-1,99"), whole("pin", "p", 3))
        assert refused.value.code is Code.INVALID_ARGUMENT
        with pytest.raises(CriError, match="default/pod-db/db"):  # the holder by name, not by the runtime's id
            await at.runtime.run(
                a_pod("w", qos="guaranteed", annotations={"cpuplace.dev/cores": "0-6"}), whole("pin", "w", 7)
            )
        assert at.cpus == before
        assert [one.refusal is None for one in at.decisions] == [True, True, False, False, False]
        assert [one.event is None for one in at.decisions] == [False] * 5
        await integer(at, "less", 2)  # still connected


@asynchronous
async def test_who_may_pin_and_who_is_left_alone() -> None:
    policy = {"pin_namespaces": frozenset({"data"}), "unmanaged_namespaces": frozenset({"kube-system"})}
    async with placing(policy=policy) as at:
        with pytest.raises(CriError, match="namespace default may not pin"):
            await at.runtime.run(pinned("p", "0"), whole("pin", "p", 1))
        system = a_pod("s", namespace="kube-system", qos="guaranteed")
        await at.runtime.run(system, whole("sys", "s", 2))
        assert not at.runtime.kernel.specs["sys"].annotations
        asked = a_pod("m", qos="guaranteed", annotations={"cpuplace.dev/manage": "false"})
        await at.runtime.run(asked, whole("own", "m", 2))
        await at.runtime.run(a_pod("k", qos="guaranteed"), whole("kubelets", "k", 2, cpus="4-5"))
        assert at.runtime.kernel.specs["kubelets"].annotations["cpuplace.dev/placed"] == "unmanaged"
        assert at.cpus == {"sys": "0-7", "own": "0-7", "kubelets": "4-5"}
        await integer(at, "db", 6)  # what somebody else set counts as a shared pin
        assert at.cpus["db"] == "0-3,6-7"
        await at.runtime.restart()
        await at.start_anew()
        assert at.node.state["kubelets"].kind is cp.Kind.UNMANAGED
        assert at.node.state["db"].kind is cp.Kind.INTEGER


@asynchronous
async def test_containers_with_cpus_of_their_own_lose_their_quota_where_that_is_wanted() -> None:
    async with placing(exclusive_quota="off") as at:
        await integer(at, "db", 2)
        await at.runtime.run(a_pod("w"), a_container("web", "w", cpu=0.5, limited=True))
        quotas = {key: one.linux.resources.cpu.quota.value for key, one in at.runtime.kernel.specs.items()}
        assert quotas == {"db": -1, "web": 50_000}
        await at.runtime.restart()
        await at.start_anew()
        assert at.node.state["db"].request.count == 2  # now by its shares


@asynchronous
async def test_without_a_quota_a_container_of_a_burstable_pod_keeps_its_cpus_over_a_restart() -> None:
    async with placing(exclusive_quota="off", policy={"integer_scope": "container"}) as at:
        await at.runtime.run(a_pod("p"), whole("db", "p", 2, memory=1 << 20))
        await at.runtime.run(a_pod("q"), a_container("web", "q", cpu=2))
        at.runtime.kernel.specs["web"].linux.resources.cpu.quota.value = -1  # as some runtimes spell "no limit"
        await at.runtime.restart()
        await at.start_anew()
        kinds = {key: one.kind for key, one in at.node.state.assignments.items()}
        assert kinds == {"db": cp.Kind.INTEGER, "web": cp.Kind.SHARED}
        assert at.cpus["db"] == "0-1"


@asynchronous
async def test_an_update_does_not_bring_a_quota_back() -> None:
    async with placing(exclusive_quota="off") as at:
        await integer(at, "db", 2)
        for count, quota in ((2, -1), (4, -1), (1.5, 150_000)):
            await at.runtime.update("db", a_container("db", "x", cpu=count, limited=True).linux.resources)
            assert at.runtime.kernel.specs["db"].linux.resources.cpu.quota.value == quota
        assert at.node.state["db"].kind is cp.Kind.SHARED


@asynchronous
async def test_an_update_does_not_bring_back_the_quota_of_a_pin_that_others_may_share() -> None:
    async with placing(exclusive_quota="off") as at:
        pin = a_pod("p", annotations={"cpuplace.dev/cores": "2-3"})
        await at.runtime.run(pin, whole("db", "p", 2))
        quota = at.runtime.kernel.specs["db"].linux.resources.cpu.quota
        assert (at.node.state["db"].kind, quota.value) == (cp.Kind.PINNED_SHARED, -1)
        await at.runtime.update("db", whole("db", "x", 2).linux.resources)
        assert quota.value == -1


@asynchronous
async def test_nothing_is_remembered_for_pods_that_went_while_the_plugin_was_away() -> None:
    async with placing() as at:
        await integer(at, "db", 2)
        await integer(at, "mq", 2)
        await at.runtime.stop("mq")
        at.runtime.lose(at.runtime.plugins[0], "a test")
        await at.runtime.remove_pod("pod-db")
        await at.attach()
        assert set(at.node.state.remembered) == {("pod-mq", "mq")}
        assert [one.name for one in at.decisions if one.kind == "forget"] == ["pod-db"]


@asynchronous
async def test_what_was_said_of_containers_that_are_gone_is_said_again() -> None:
    async with placing() as at:
        await integer(at, "db", 2)
        asked = nri.LinuxResources(cpu=nri.LinuxCPU(cpus="4-5"))
        await at.runtime.update("db", asked)
        at.runtime.lose(at.runtime.plugins[0], "a test")
        await at.runtime.remove_pod("pod-db")
        await at.attach()
        await integer(at, "db", 2)
        await at.runtime.update("db", asked)
        assert [one.container_id for one in at.decisions if one.kind == "hold"] == ["db", "db"]


@asynchronous
async def test_a_pin_binds_memory_too_and_prefers_it_where_the_runtime_can() -> None:
    host = cp.Topology.from_rows(
        [cp.CpuRow(cpu, cpu, 0, cpu // 4, cpu // 4) for cpu in range(8)], memory_bytes={0: 1 << 30, 1: 1 << 30}
    )
    async with placing(host=host) as at:
        await at.runtime.run(pinned("p", "6-7"), whole("pin", "p", 2))
        assert at.runtime.kernel.specs["pin"].linux.resources.cpu.mems == "1"
    for version, knows in (("0.8", False), ("0.12.0", True)):
        async with placing(version, host=host, policy={"memory_policy": "preferred"}) as at:
            await at.runtime.run(pinned("p", "6-7"), whole("pin", "p", 2))
            await at.runtime.run(pinned("q", "4-5"), whole("two", "q", 2))
            assert at.runtime.kernel.specs["pin"].linux.resources.cpu.mems == ""
            said = [line for line in at.heard.lines if "memory_policy preferred needs NRI 0.12" in line]
            assert len(said) == (0 if knows else 1)


# --- updating ------------------------------------------------------------------------------------


@every_version
@asynchronous
async def test_nobody_takes_the_cpuset_away(version: str) -> None:
    """A kubelet with static CPU policy writes its own cpusets every 10 s."""
    async with placing(version) as at:
        await integer(at, "db", 2)
        await shared(at)
        for _ in range(2):
            await at.runtime.update("db", cpus="4-5")
            await at.runtime.update("web", cpus="0-7")
        assert at.cpus == {"db": "0-1", "web": "2-7"}
        check_moments(at, "db")
        held = [one for one in at.decisions if one.kind == "hold"]
        assert [one.container_id for one in held] == ["db", "web"]  # said once each
        assert "asks for CPUs 4-5: it keeps 0-1" in held[0].reason


@every_version
@asynchronous
async def test_a_resize_in_place(version: str) -> None:
    async with placing(version, widen_delay=0) as at:
        await integer(at, "db", 2)
        await shared(at)
        await at.runtime.update("db", whole("x", "x", 4).linux.resources)
        assert at.cpus == {"db": "0-3", "web": "4-7"}
        await at.runtime.update("db", whole("x", "x", 3).linux.resources)
        assert at.cpus["db"] == "0-2"
        await at.until(lambda: at.cpus["web"] == "3-7")
        with pytest.raises(CriError, match=r"\(NotEnoughCpus, R4\)"):
            await at.runtime.update("db", whole("x", "x", 9).linux.resources)
        assert at.cpus["db"] == "0-2"
        await at.runtime.update("db", a_container("x", "x", cpu=2.5, limited=True).linux.resources)
        assert at.cpus["db"] == "0-7"
        await at.runtime.update("db", whole("x", "x", 2).linux.resources)
        assert at.cpus["db"] == "0-1"
        await at.until(lambda: at.cpus["web"] == "2-7")


@asynchronous
async def test_an_update_of_a_container_that_is_not_ours_is_left_as_it_is() -> None:
    async with placing() as at:
        await at.runtime.run(a_pod("k", qos="guaranteed"), whole("kubelets", "k", 2, cpus="4-5"))
        await at.runtime.update("kubelets", cpus="6-7")
        assert at.cpus["kubelets"] == "6-7"
        await integer(at, "db", 6)
        assert at.cpus["db"] == "0-5"


# --- ending --------------------------------------------------------------------------------------


@every_version
@asynchronous
async def test_a_crash_loop_gets_its_cpus_back_and_a_removed_pod_leaves_none(version: str) -> None:
    async with placing(version) as at:
        pod = a_pod("p", qos="guaranteed")
        await integer(at, "first", 2)
        await at.runtime.run(pod, whole("one", "p", 2, name="main"))
        assert at.cpus["one"] == "2-3"
        await at.runtime.remove_pod("pod-first")
        await at.runtime.stop("one")
        await at.runtime.run(pod, whole("two", "p", 2, name="main"))
        assert at.cpus["two"] == "2-3"  # not 0-1, which would be preferred
        at.runtime.exit("two")
        await at.runtime.run(pod, whole("three", "p", 2, name="main"))  # its stop is told later
        await at.runtime.tell_exit("two")
        assert at.cpus["three"] == "2-3"
        await at.runtime.remove_pod("p")
        assert not at.node.state.remembered
        await integer(at, "late", 2)
        assert at.cpus["late"] == "0-1"


@every_version
@asynchronous
async def test_a_create_that_fails_after_our_answer_gives_everything_back(version: str) -> None:
    async with placing(version) as at:
        at.runtime.fail_creates = True
        with pytest.raises(CriError, match="no space left"):
            await integer(at, "db", 4)
        at.runtime.fail_creates = False
        assert at.node.state.free == cp.CpuSet.parse("0-7")
        await integer(at, "again", 8 - 1)


@asynchronous
async def test_a_sandbox_that_is_replaced_takes_nothing_of_the_new_one() -> None:
    """The kubelet makes a new sandbox for the same pod, and removes the old one later."""
    async with placing() as at:
        old, new = a_pod("p", qos="guaranteed"), a_pod("p", qos="guaranteed")
        new.id = "p-again"
        await at.runtime.run(old, whole("one", "p", 2, name="main"))
        await at.runtime.run_pod(new)
        await at.runtime.run(new, whole("two", "p-again", 2, name="main"))
        await at.runtime.remove_pod("p")
        assert at.node.state["two"].cpus == at.runtime.cpus["two"] == cp.CpuSet.parse("0-1")
        assert "two" in at.node.names


# --- away and back -------------------------------------------------------------------------------


@every_version
@asynchronous
async def test_who_starts_anew_finds_all_as_it_was_and_mends_what_came_meanwhile(version: str) -> None:
    async with placing(version) as at:
        await integer(at, "db", 2)
        await at.runtime.run(pinned("p", "6-7"), whole("pin", "p", 2))
        await shared(at)
        at.runtime.lose(at.runtime.plugins[0], "killed")
        await integer(at, "meanwhile", 2)
        await shared(at, "late")
        assert at.cpus["meanwhile"] == "0-7"
        await at.start_anew()
        assert at.cpus == {"db": "0-1", "pin": "6-7", "web": "4-5", "meanwhile": "2-3", "late": "4-5"}
        assert at.node.state["db"].baseline == cp.CpuSet.parse("0-1")
        await at.runtime.restart()
        await at.start_anew()
        assert at.decisions[-1].reason == "5 containers run, 0 of them are mended"
        assert at.cpus == {"db": "0-1", "pin": "6-7", "web": "4-5", "meanwhile": "2-3", "late": "4-5"}


@asynchronous
async def test_nobody_is_placed_before_the_runtime_has_told_what_runs() -> None:
    """Of another connection too: what is remembered of the last one may be long past."""
    async with placing() as at:
        await integer(at, "db", 2)
        assert at.plugin.link is not None
        at.plugin.linked(at.plugin.link)
        with pytest.raises(CriError, match="has not told yet what runs here") as early:
            await integer(at, "early", 2)
        assert early.value.code is Code.UNAVAILABLE
        await at.plugin.synchronize(nri.SynchronizeRequest(), 30.0)
        await integer(at, "late", 2)


@asynchronous
async def test_who_was_made_smaller_began_with_as_many_cpus_as_before_for_who_starts_anew() -> None:
    async with placing() as at:
        await integer(at, "db", 4)
        await at.runtime.update("db", whole("x", "x", 1).linux.resources)
        await at.runtime.restart()
        await at.start_anew()
        assert (at.cpus["db"], at.node.state["db"].baseline) == ("0", cp.CpuSet.parse("0-3"))


@asynchronous
async def test_who_is_left_alone_drives_nobody_away_who_runs() -> None:
    async with placing() as at:
        await integer(at, "db", 2)
        await at.runtime.run(
            a_pod("k", annotations={"cpuplace.dev/manage": "false"}), a_container("k", "k", cpus="1-3")
        )
        await at.runtime.restart()
        await at.start_anew()
        assert at.cpus == {"db": "0-1", "k": "1-3"}
        assert any("default/k/k: not managed, runs on exclusive CPUs 1" in line for line in at.heard.lines)
        await integer(at, "web", 2)
        assert at.cpus["web"] == "4-5"


@asynchronous
async def test_a_pod_that_cannot_be_read_shares_the_pool_when_it_runs_already() -> None:
    async with placing() as at:
        at.runtime.lose(at.runtime.plugins[0], "killed")
        await at.runtime.run(pinned("p", "0-"), whole("odd", "p", 2))
        await at.start_anew()
        await integer(at, "db", 4)
        assert at.cpus == {"odd": "4-7", "db": "0-3"}
        assert any("default/p/odd: annotation cpuplace.dev/cores" in line for line in at.heard.lines)


@asynchronous
async def test_of_what_cannot_be_nothing_is_made_at_a_synchronize() -> None:
    """No id, a pod that nobody knows, a container that has ended: the others are told all the same."""
    async with placing() as at:
        pod, live = a_pod("p", qos="guaranteed"), nri.ContainerState.CONTAINER_RUNNING
        told = [whole("", "p", 1), whole("lost", "q", 1), whole("ended", "p", 1), whole("db", "p", 2)]
        for one in told:
            one.state = live
        told[2].state = nri.ContainerState.CONTAINER_STOPPED
        await at.plugin.synchronize(nri.SynchronizeRequest(containers=told, more=True), 30.0)
        answer = await at.plugin.synchronize(nri.SynchronizeRequest(pods=[pod]), 30.0)
        assert [one.container_id for one in answer.update] == ["db"]
        assert dict(at.node.names) == {"db": "default/p/db"}


@asynchronous
async def test_a_synchronize_that_never_ends_is_given_up() -> None:
    async with placing() as at:
        empty = nri.SynchronizeRequest(more=True)
        for _ in range(EMPTY_PARTS):
            assert (await at.plugin.synchronize(empty, 2.0)).more
        with pytest.raises(TtrpcError, match="without end"):
            await at.plugin.synchronize(empty, 2.0)


def slowly(decide: Callable[[T], Any]) -> Callable[[T], Any]:
    def late(about: T) -> Any:
        time.sleep(2.2)
        return decide(about)

    return late


# --- late ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "budget", "short"),
    [
        ({}, 4000, True),
        ({"cpuplace.dev/forbid": "0"}, 4000, True),
        ({"cpuplace.dev/cores": "0-1"}, 4000, False),
        ({"cores.cpuplace.dev/main": "0-1"}, 4000, False),
        ({"weka.io/cores-ids": "0-1"}, 4000, False),
        ({}, 1_000_000, False),
    ],
)
def test_what_may_take_long_is_decided_on_a_thread(annotations: dict[str, str], budget: int, short: bool) -> None:
    node = Node(cp.Topology.uniform(cores_per_l3=4), cp.Policy(search_budget=budget))
    assert node.is_short(seen_of(a_pod("p", annotations=annotations), whole("c", "p", 2), created=True)) is short


@asynchronous
async def test_a_decision_that_is_late_is_dropped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with placing(request_timeout=2.0) as at:
        create, stop = at.node.create, at.node.stop
        monkeypatch.setattr(at.node, "create", slowly(create))
        with pytest.raises(CriError, match="no decision in the time") as late:
            await at.runtime.run(pinned("p", "2-3"), whole("db", "p", 2))
        assert late.value.code is Code.DEADLINE_EXCEEDED
        assert at.runtime.plugins and "db" not in at.node.state
        monkeypatch.setattr(at.node, "create", create)
        await asyncio.sleep(1)
        await at.runtime.run(pinned("p", "2-3"), whole("db", "p", 2))
        monkeypatch.setattr(at.node, "stop", slowly(stop))
        await at.runtime.stop("db")
        assert at.runtime.plugins and at.heard.counts["late_answers/StopContainer"] == 1
        await at.until(lambda: "db" not in at.node.state)  # it becomes true all the same


# --- afterwards ----------------------------------------------------------------------------------


@every_version
@asynchronous
async def test_widening_waits_then_goes_past_the_runtime_and_rides_with_a_reply(version: str) -> None:
    async with placing(version, widen_delay=50) as at:
        await half_freed(at)
        assert at.cpus["web"] == "4-7"
        await at.until(lambda: at.cpus["web"] == "0-7")
        assert at.cgroups.writes == ["web 0-7"]
        assert at.runtime.kernel.specs["web"].linux.resources.cpu.cpus == "4-7"  # the runtime's books are stale
        await at.runtime.run(a_pod("b", qos="besteffort"), a_container("be", "b"))
        assert at.runtime.kernel.specs["web"].linux.resources.cpu.cpus == "0-7"
        assert not at.runtime.wedged


async def coming_and_going(at: Placing, name: str) -> None:
    """A container with a CPU of its own, gone at once: what it had is free."""
    await integer(at, name, 1)
    await at.runtime.remove_pod(f"pod-{name}")


@asynchronous
async def test_widening_waits_for_a_rest() -> None:
    async with placing(widen_delay=2000) as at:
        await half_freed(at)
        start = time.monotonic()
        while time.monotonic() < start + 2.5:
            await coming_and_going(at, "job")
            assert at.cgroups.writes == []
            await asyncio.sleep(0.05)
        await at.until(lambda: at.cpus["web"] == "0-7")


@asynchronous
async def test_widening_does_not_wait_forever() -> None:
    async with placing(widen_delay=150) as at:
        await half_freed(at)
        start = time.monotonic()
        while not at.cgroups.writes:
            assert time.monotonic() < start + 60
            await coming_and_going(at, "job")
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("version", "asks"), [("0.12.0", False), ("0.12.2", True)])
@asynchronous
async def test_a_cgroup_that_cannot_be_written_is_left_to_a_runtime_that_may_be_called(
    version: str, asks: bool
) -> None:
    async with placing(version, widen_delay=50) as at:
        at.cgroups.readonly = True
        await half_freed(at)
        if asks:
            await at.until(lambda: at.cpus["web"] == "0-7")
        else:
            await at.until(lambda: any("cannot write a cgroup" in line for line in at.heard.lines))
            assert at.cpus["web"] == "4-7"
            await shared(at, "next")
            assert at.cpus["web"] == "0-7"


@asynchronous
async def test_a_second_connection_brings_what_neither_way_can_where_that_is_wanted() -> None:
    async with placing("0.12.0", widen_delay=50, second_connection=True) as at:
        at.cgroups.readonly = True
        await half_freed(at)
        await at.until(lambda: at.cpus["web"] == "0-7")
        assert at.runtime.kernel.specs["web"].linux.resources.cpu.cpus == "0-7"
        await at.until(lambda: not at.node.known.stale)
        assert not at.errors
        await integer(at, "db", 2)
        assert at.cpus["db"] == "0-1"


@pytest.mark.parametrize("check", ["off", "report", "repair"])
@asynchronous
async def test_what_others_write_is_seen_and_mended(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.05)
    monkeypatch.setattr(following, "SECOND_LOOK", 0.05)
    monkeypatch.setattr(following, "ROUND", 0.2)
    async with placing(check=check) as at:
        await integer(at, "db", 2)
        await at.runtime.run(a_pod("k", qos="guaranteed"), whole("kubelets", "k", 2, cpus="6-7"))
        at.runtime.kernel.write("db", "0-7")
        at.runtime.kernel.write("kubelets", "0-7")
        if check == "repair":
            await at.until(lambda: at.cpus["db"] == "0-1")
        elif check == "report":
            await at.until(lambda: at.heard.counts.get("drift", 0))
        else:
            await asyncio.sleep(0.5)
            assert not at.heard.counts
        assert at.cpus["db"] == ("0-1" if check == "repair" else "0-7")
        assert at.cpus["kubelets"] == "0-7"
        assert bool(at.heard.counts.get("repairs")) == (check == "repair")


@asynchronous
async def test_an_update_that_failed_in_silence_is_seen_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The create goes ahead although the shared container was not narrowed; only the kernel knows."""
    monkeypatch.setattr(following, "LOOK", 0.05)
    monkeypatch.setattr(following, "SECOND_LOOK", 0.05)
    async with placing() as at:
        await shared(at)
        at.runtime.kernel.broken.add("web")
        await integer(at, "db", 2)
        assert at.cpus == {"web": "0-7", "db": "0-1"}
        await at.until(lambda: any("cannot write a cgroup" in line for line in at.heard.lines))
        at.runtime.kernel.broken.clear()
        await integer(at, "more", 1)
        await at.until(lambda: at.cpus["web"] == "3-7")


@asynchronous
async def test_cpus_that_go_offline_and_come_back() -> None:
    async with placing() as at:
        await integer(at, "db", 2)
        await shared(at)
        await at.runtime.run(pinned("p", "7"), whole("pin", "p", 1))
        online = cp.CpuSet.parse("1-6")
        at.runtime.kernel.host = at.runtime.kernel.host.with_online(online)
        answer = at.node.change_topology(at.runtime.kernel.host)
        at.node.commit(answer)
        at.following.carry_out(answer)
        await at.until(lambda: at.cpus["db"] == "1-2" and at.cpus["web"] == "3-6")
        assert at.node.state["pin"].degraded
        assert [one.reason for one in at.decisions[-1:]] == ["went offline"]


# --- failing closed ------------------------------------------------------------------------------


class Meddler(IdlePlugin):
    """Another plugin that wants CPUs of its own."""

    def __init__(self) -> None:
        super().__init__(1 << (nri.CREATE_CONTAINER - 1))

    async def create_container(
        self, request: nri.CreateContainerRequest, timeout: float | None
    ) -> nri.CreateContainerResponse:
        made = nri.CreateContainerResponse()
        made.adjust.linux.resources.cpu.cpus = "0"
        return made


@asynchronous
async def test_fail_closed_rejects_what_was_not_placed() -> None:
    async with placing("0.10", fail_closed=True) as at:
        await integer(at, "db", 2)
        await at.runtime.run(a_pod("k", qos="guaranteed"), whole("kubelets", "k", 2, cpus="6-7"))
        await at.runtime.attach(Meddler(), Identity("meddler", "99"))
        with pytest.raises(CriError, match="both tried to set"):
            await integer(at, "two", 1)
    async with placing("0.10", fail_closed=True) as at:
        seen = at.node.known.seen
        assert not seen
        request = nri.ValidateContainerAdjustmentRequest(pod=a_pod("p"), container=a_container("x", "p", cpu=1))
        answer = await at.plugin.validate_container_adjustment(request, 2.0)
        assert answer.reject and "was not placed by this plugin" in answer.reason
        await integer(at, "db", 2)
        request = nri.ValidateContainerAdjustmentRequest(
            pod=a_pod("pod-db", qos="guaranteed"), container=whole("db", "pod-db", 2)
        )
        request.adjust.linux.resources.cpu.cpus = "4-5"
        answer = await at.plugin.validate_container_adjustment(request, 2.0)
        assert answer.reason == "cpuplace: default/pod-db/db: was given CPUs 0-1, but would run on 4-5 (fail_closed)"


@asynchronous
async def test_fail_closed_says_where_it_cannot_be() -> None:
    async with placing("0.8", fail_closed=True) as at:
        assert any("fail_closed needs NRI 0.10" in line for line in at.heard.lines)
        await integer(at, "db", 2)


@every_version
@asynchronous
async def test_only_what_is_needed_is_asked_for(version: str) -> None:
    async with placing(version) as at:
        wanted = {nri.CREATE_CONTAINER, nri.UPDATE_CONTAINER, nri.STOP_CONTAINER, nri.REMOVE_CONTAINER}
        mask = sum(1 << (event - 1) for event in {*wanted, nri.REMOVE_POD_SANDBOX})
        assert at.runtime.plugins[0].events == mask
