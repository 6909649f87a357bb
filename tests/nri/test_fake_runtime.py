"""The fake runtime merges as real ones were seen to: these are its promises to the tests that lean on it."""

import pytest

from cpuplace import CpuSet
from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from nri.asking import Scripted, cpus_update, created_with
from nri.fake_runtime import CriError, FakeRuntime, a_container, a_pod
from nri.test_link import every_version, run

OLD, NEW = "CPU pinning", "CPUSetCPUs"


def words(version: str) -> str:
    return NEW if version in ("0.10", "0.12.0", "0.12.2") else OLD


async def two_running(rt: FakeRuntime) -> None:
    await rt.run(a_pod("p"), a_container("a", "p", cpus="0"))
    await rt.run(a_pod("p"), a_container("b", "p", cpus="1"))


@every_version
def test_a_second_cpuset_for_one_container_fails_the_whole_request(version: str) -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        plugin.creating = created_with("3", cpus_update("a", "4"), cpus_update("b", "5"), cpus_update("a", "6"))
        with pytest.raises(CriError, match=f'plugins "99-cpuplace" and "99-cpuplace" both .* {words(version)}'):
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert rt.cpus == {"a": CpuSet.parse("0"), "b": CpuSet.parse("1")}

    run(tries, version)


def test_with_ignore_failure_the_second_is_dropped_in_silence() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        plugin.creating = created_with("3", cpus_update("a", "4"), cpus_update("a", "6", ignore=True))
        await rt.create(a_pod("p"), a_container("c", "p"))
        assert str(rt.cpus["a"]) == "4"

    run(tries)


@every_version
def test_two_plugins_that_want_the_same_fail_every_container(version: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        for _ in range(2):
            plugin = Scripted()
            plugin.creating = created_with("2")
            await rt.attach(plugin, Identity("cpuplace", "10"))
            while len(rt.plugins) == _:
                await rt.changed()
        with pytest.raises(CriError, match='plugins "10-cpuplace" and "10-cpuplace" both'):
            await rt.create(a_pod("p"), a_container("c", "p"))

    run(tries, version)


def test_later_plugins_see_what_earlier_ones_did() -> None:
    async def tries(rt: FakeRuntime) -> None:
        first, second = Scripted(), Scripted()
        first.creating = created_with("2")
        await rt.attach(second, Identity("later", "90"))
        await rt.attach(first, Identity("first", "10"))
        await rt.create(a_pod("p"), a_container("c", "p"))
        seen = [request for name, request in rt.requests if name == "CreateContainer"]
        assert [one.container.linux.resources.cpu.cpus for one in seen] == ["", "2"]  # type: ignore[attr-defined]

    run(tries)


def test_an_update_that_fails_before_a_create_is_logged_and_the_create_goes_ahead() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        rt.kernel.broken.add("a")
        plugin.creating = created_with("0", cpus_update("a", "4"), cpus_update("b", "5"))
        await rt.run(a_pod("p"), a_container("c", "p"))
        assert {key: str(cpus) for key, cpus in rt.cpus.items()} == {"a": "0", "b": "5", "c": "0"}

    assert any("pre-create update failed" in line for line in run(tries).log)


def test_the_container_that_is_created_cannot_be_updated_beside() -> None:
    plugin = Scripted()
    plugin.creating = created_with("0", cpus_update("c", "1"))

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        with pytest.raises(CriError, match="during creation"):
            await rt.create(a_pod("p"), a_container("c", "p"))

    run(tries)


def test_in_an_update_the_others_come_first_and_the_container_itself_last() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await rt.run(a_pod("p"), a_container("a", "p", cpus="0-1"))
        await rt.run(a_pod("p"), a_container("b", "p", cpus="2"))
        await rt.attach(plugin)
        plugin.updating.update.extend([cpus_update("a", "0"), cpus_update("b", "1-2")])
        before = len(rt.moments)
        await rt.update("a")
        assert [{key: str(cpus) for key, cpus in now.items()} for now in rt.moments[before:]] == [
            {"a": "0-1", "b": "1-2"},  # the trap: both on CPU 1 for a moment
            {"a": "0", "b": "1-2"},
        ]

    run(tries)


def test_what_the_kubelet_wants_is_overridden_freely_and_its_zeros_mean_nothing() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await rt.run(a_pod("p"), a_container("a", "p", cpu=2, limited=True, memory=1000, cpus="0-1"))
        await rt.attach(plugin)
        await rt.update("a", cpus="0-7")
        assert str(rt.cpus["a"]) == "0-7"
        plugin.updating.update.append(cpus_update("a", "0-1"))
        await rt.update("a", cpus="0-7")
        assert str(rt.cpus["a"]) == "0-1"
        cpu = rt.kernel.specs["a"].linux.resources.cpu
        assert (cpu.quota.value, cpu.shares.value) == (200_000, 2048)
        asked = next(request for name, request in rt.requests if name == "UpdateContainer")
        assert asked.linux_resources.cpu.HasField("quota")  # type: ignore[attr-defined]
        assert asked.linux_resources.cpu.quota.value == 0  # type: ignore[attr-defined]
        await rt.update("a", nri.LinuxResources(cpu=nri.LinuxCPU(quota=nri.OptionalInt64(value=300_000))))
        assert cpu.quota.value == 300_000

    run(tries)


def test_an_empty_cpuset_changes_nothing() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        plugin.updating.update.append(cpus_update("a", ""))
        await rt.update("a")
        assert str(rt.cpus["a"]) == "0"

    run(tries)


def test_updates_of_a_synchronization_are_not_checked_against_each_other() -> None:
    plugin = Scripted()
    plugin.synchronizing = [cpus_update("a", "4"), cpus_update("nobody", "1"), cpus_update("a", "5")]

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        assert str(rt.cpus["a"]) == "5"
        assert [str(now["a"]) for now in rt.moments[-2:]] == ["4", "5"]

    run(tries)


def test_a_create_that_fails_after_the_answer_ends_what_never_was() -> None:
    plugin = Scripted()
    plugin.creating = created_with("3")

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        rt.fail_creates = True
        with pytest.raises(CriError, match="no space left"):
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert "c" not in rt.cpus

    run(tries)
    assert plugin.told[-2:] == ["stop_container", "remove_container"]


def test_a_bad_cpuset_is_found_at_the_start_only() -> None:
    plugin = Scripted()
    plugin.creating = created_with("77")

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        await rt.create(a_pod("p"), a_container("c", "p"))
        with pytest.raises(CriError, match="failed to start"):
            await rt.start("c")

    run(tries)


def test_an_exit_is_told_late_and_what_exited_is_not_synchronized() -> None:
    plugin = Scripted()
    plugin.stopping.update.append(cpus_update("b", "0-1"))

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        rt.exit("a")
        await rt.create(a_pod("p"), a_container("a2", "p"))
        await rt.tell_exit("a")
        assert str(rt.cpus["b"]) == "0-1"
        await rt.restart()
        await rt.attach(plugin)
        await rt.remove("a")

    run(tries)
    assert plugin.told.index("create_container") < plugin.told.index("stop_container")
    assert [one.id for one in plugin.parts[-1].containers] == ["b", "a2"]


def test_a_refused_stop_is_logged_only() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        plugin.stopping.update.extend([cpus_update("b", "0"), cpus_update("b", "1")])
        await rt.stop("a")
        assert str(rt.cpus["b"]) == "1"

    assert any("NRI container stop failed" in line for line in run(tries).log)


def test_a_validator_is_told_who_owns_what() -> None:
    plugin = Scripted(1 << 3 | 1 << 13)
    plugin.creating = created_with("3", cpus_update("a", "4"))
    asked: list[nri.ValidateContainerAdjustmentRequest] = []

    async def validate(
        request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
    ) -> nri.ValidateContainerAdjustmentResponse:
        asked.append(request)
        return nri.ValidateContainerAdjustmentResponse(reject=True, reason="not by us")

    plugin.validate_container_adjustment = validate  # type: ignore[method-assign]

    async def tries(rt: FakeRuntime) -> None:
        await two_running(rt)
        await rt.attach(plugin)
        with pytest.raises(CriError, match="rejected: not by us"):
            await rt.create(a_pod("p"), a_container("c", "p"))

    run(tries)
    assert dict(asked[0].owners.owners["c"].simple) == {nri.Field.CPUSetCPUs: "99-cpuplace"}
    assert dict(asked[0].owners.owners["a"].simple) == {nri.Field.CPUSetCPUs: "99-cpuplace"}
    assert asked[0].container.linux.resources.cpu.cpus == ""
    assert asked[0].adjust.linux.resources.cpu.cpus == "3"
