"""Connecting, coming back, being alone, being started by the runtime, and the errand of a second connection."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import BadInput
from cpuplace_nri import running
from cpuplace_nri.backoff import Backoff
from cpuplace_nri.delivering import deliver
from cpuplace_nri.identity import AlreadyRunning, Identity, Preinstalled, only_one
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import Runner, Surroundings, connected_socket, inherited_socket
from cpuplace_nri.service import PluginService
from cpuplace_nri.ttrpc import TtrpcError
from nri.asking import CREATE, Scripted, cpus_update
from nri.fake_runtime import FakeRuntime, a_container, a_pod
from nri.test_link import every_version, run

ME = Identity()


class World:
    """A clock that only sleeping moves, chance that is none, and what was reported."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.errors: list[Exception] = []
        self.linked = 0
        self.between: Callable[[], Awaitable[None]] | None = None

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.between is not None:
            await self.between()
        await asyncio.sleep(0)

    def surroundings(self) -> Surroundings:
        def count(link: object) -> None:
            self.linked += 1

        return Surroundings(
            clock=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: 0.0,
            on_error=self.errors.append,
            on_link=count,
        )


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.001)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- coming back ----------------------------------------------------------------------------------------


@given(st.floats(0.001, 10), st.floats(1, 1000), st.lists(st.floats(0, 1, exclude_max=True), min_size=20, max_size=20))
def test_waits_grow_to_the_most_and_are_never_short(first: float, times: float, chances: list[float]) -> None:
    numbers = iter(chances)
    backoff = Backoff(first=first, most=first * times, chance=lambda: next(numbers))
    waits = [backoff.next() for _ in range(20)]
    for at, wait in enumerate(waits):
        whole = min(first * 2**at, first * times)
        assert whole / 2 <= wait * (1 + 1e-9)
        assert wait <= whole * (1 + 1e-9)


def test_after_a_success_waits_begin_anew() -> None:
    backoff = Backoff(first=1, most=8, chance=lambda: 0)
    assert [backoff.next() for _ in range(3)] == [1, 2, 4]
    backoff.reset()
    assert backoff.next() == 1


@every_version
def test_a_plugin_comes_back_when_the_runtime_does(version: str) -> None:
    world, plugin, made = World(), Scripted(), []

    def make() -> PluginService:
        made.append(plugin)
        return plugin

    async def tries(rt: FakeRuntime) -> None:
        runner = Runner(make, ME, world.surroundings())
        task = asyncio.create_task(runner.run(rt.path))
        await rt.synchronized()
        await rt.run(a_pod("p"), a_container("c", "p"))
        for _ in range(3):
            await rt.restart()
            await rt.synchronized()
        assert runner.connections == world.linked == 4
        assert runner.link is plugin.link
        await ended(task)
        await until(lambda: not rt.plugins)

    run(tries, version)
    assert len(made) == 1
    assert [len(part.containers) for part in plugin.parts] == [0, 1, 1, 1]


def test_while_nobody_is_there_it_looks_every_second_at_least(tmp_path: Path) -> None:
    world = World()

    async def main() -> None:
        runner = Runner(lambda: IdlePlugin(CREATE), ME, world.surroundings())
        task = asyncio.create_task(runner.run(tmp_path / "nobody"))
        await until(lambda: len(world.slept) > 10)
        await ended(task)

    asyncio.run(main())
    assert world.slept[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert world.errors == []


def test_who_is_thrown_out_again_and_again_waits_for_half_a_minute() -> None:
    world = World()

    async def tries(rt: FakeRuntime) -> None:
        runner = Runner(lambda: IdlePlugin(1 << 20), ME, world.surroundings())
        task = asyncio.create_task(runner.run(rt.path))
        await until(lambda: len(world.slept) > 9)
        await ended(task)

    run(tries)
    assert world.slept[:9] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_after_a_long_good_connection_waits_are_short_again() -> None:
    world = World()

    async def tries(rt: FakeRuntime) -> None:
        runner = Runner(lambda: IdlePlugin(CREATE), ME, world.surroundings())
        task = asyncio.create_task(runner.run(rt.path))
        for number, lasted in enumerate([1, 1, 1, 61, 1]):
            peer = await rt.synchronized()
            await until(lambda number=number: runner.connections == number + 1)  # type: ignore[misc]
            world.now += lasted
            rt.lose(peer, "thrown out")
        await until(lambda: len(world.slept) >= 5)
        await ended(task)

    run(tries)
    assert world.slept[:5] == [0.25, 0.5, 1.0, 0.25, 0.5]


def test_a_refused_registration_is_reported_and_tried_again() -> None:
    world = World()

    async def tries(rt: FakeRuntime) -> None:
        async def refuse(*_: object) -> None:
            raise TtrpcError(2, "plugin not allowed")

        rt._serve = refuse  # type: ignore[assignment, method-assign]
        runner = Runner(lambda: IdlePlugin(CREATE), ME, world.surroundings())
        task = asyncio.create_task(runner.run(rt.path))
        await until(lambda: len(world.errors) >= 2)
        await ended(task)
        assert runner.connections == 0

    run(tries)
    assert "not allowed" in str(world.errors[0])


def test_a_runtime_that_accepts_nobody_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_CONNECTING", 0.05)

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
            full.bind(str(tmp_path / "s"))
            full.listen(0)
            first.connect(str(tmp_path / "s"))
            await connected_socket(tmp_path / "s")

    with pytest.raises(OSError, match="nobody accepts"):
        asyncio.run(main())


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
            busy.bind(str(tmp_path / "s"))
            busy.listen(0)
            first.connect(str(tmp_path / "s"))
            waiting = asyncio.ensure_future(connected_socket(tmp_path / "s"))
            await asyncio.sleep(0)
            busy.accept()[0].close()
            with await waiting as ours:
                assert ours.getpeername() == str(tmp_path / "s")

    asyncio.run(asyncio.wait_for(main(), 30))


# --- started by the runtime ---------------------------------------------------------------------------------


def test_a_plugin_started_by_the_runtime_uses_the_socket_it_was_given() -> None:
    world, plugin = World(), Scripted()

    async def tries(rt: FakeRuntime) -> None:
        fd = rt.connect().detach()
        environment = {"NRI_PLUGIN_NAME": "cpuplace", "NRI_PLUGIN_IDX": "07", "NRI_PLUGIN_SOCKET": str(fd)}
        given_to_us = Preinstalled.of(environment)
        assert given_to_us == Preinstalled(Identity("cpuplace", "07"), fd)
        sock = inherited_socket(fd)
        assert not os.get_inheritable(fd)
        runner = Runner(lambda: plugin, given_to_us.identity, world.surroundings())
        task = asyncio.create_task(runner.run_once(sock))
        await rt.synchronized("07-cpuplace")
        assert plugin.configured[0].config == "debug: true"
        await rt.end()
        await task

    run(tries, "0.8", config="debug: true")


def test_nobody_started_us() -> None:
    assert Preinstalled.of({"PATH": "/bin"}) is None


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"NRI_PLUGIN_SOCKET": "three"}, "NRI_PLUGIN_SOCKET"),
        ({"NRI_PLUGIN_SOCKET": "3", "NRI_PLUGIN_NAME": "Bad Name"}, "plugin name"),
        ({"NRI_PLUGIN_SOCKET": "3", "NRI_PLUGIN_IDX": "100"}, "plugin index"),
    ],
)
def test_an_environment_that_makes_no_sense_is_bad_input(environment: dict[str, str], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        Preinstalled.of(environment)


def test_a_file_that_is_no_socket_is_bad_input(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(BadInput, match="no connected socket"):
        inherited_socket(file.fileno())


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "a" * 64])
def test_names_are_those_that_every_runtime_takes(name: str) -> None:
    with pytest.raises(BadInput, match="plugin name"):
        Identity(name)


@pytest.mark.parametrize("index", ["", "1", "001", "aa", "-1", "²³"])
def test_an_index_has_two_digits(index: str) -> None:
    with pytest.raises(BadInput, match="plugin index"):
        Identity("a", index)


# --- only one -------------------------------------------------------------------------------------------


def test_only_one_of_a_name_runs_and_the_second_says_whom_to_stop(tmp_path: Path) -> None:
    world = World()

    async def main() -> None:
        async with only_one(tmp_path, ME, tries=1, sleep=world.sleep):
            async with only_one(tmp_path, Identity("other"), tries=1, sleep=world.sleep):
                pass
            with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}.*stop that one"):
                async with only_one(tmp_path, Identity("cpuplace", "10"), tries=3, sleep=world.sleep):
                    pass
        async with only_one(tmp_path, ME, tries=1, sleep=world.sleep):
            pass

    asyncio.run(main())
    assert world.slept == [0.2, 0.2]


def test_the_second_waits_for_the_first_to_go(tmp_path: Path) -> None:
    world = World()

    async def main() -> None:
        first = only_one(tmp_path, ME, tries=1, sleep=world.sleep)
        await first.__aenter__()

        async def leave() -> None:
            if len(world.slept) == 2:
                await first.__aexit__(None, None, None)

        world.between = leave
        async with only_one(tmp_path, ME, tries=10, sleep=world.sleep):
            pass

    asyncio.run(main())
    assert world.slept == [0.2, 0.2]


def test_who_holds_the_lock_without_saying_so_is_unknown(tmp_path: Path) -> None:
    async def main() -> None:
        async with only_one(tmp_path, ME, tries=1, sleep=asyncio.sleep):
            (tmp_path / "cpuplace.lock").write_text("somebody")
            async with only_one(tmp_path, ME, tries=1, sleep=asyncio.sleep):
                pass

    with pytest.raises(AlreadyRunning, match="process unknown"):
        asyncio.run(main())


def test_a_lock_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    async def main() -> None:
        async with only_one(tmp_path / "nowhere", ME, tries=1, sleep=asyncio.sleep):
            pass

    with pytest.raises(BadInput, match="cannot be locked"):
        asyncio.run(main())


def test_a_link_at_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "cpuplace.lock").symlink_to(tmp_path / "elsewhere")

    async def main() -> None:
        async with only_one(tmp_path, ME, tries=1, sleep=asyncio.sleep):
            pass

    with pytest.raises(BadInput, match="cannot be locked"):
        asyncio.run(main())


# --- the errand of a second connection ----------------------------------------------------------------------


@every_version
def test_a_second_connection_delivers_updates_and_leaves(version: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(Scripted())
        await rt.run(a_pod("p"), a_container("c", "p"))
        sock = await connected_socket(rt.path)
        assert await deliver(sock, [cpus_update("c", "3")], ME, on_error=raised)
        await until(lambda: str(rt.cpus["c"]) == "3" and len(rt.plugins) == 1)
        await rt.run(a_pod("q"), a_container("d", "q"))

    rt = run(tries, version)
    assert any("99-cpuplace-sync connected and synchronized" in line for line in rt.log)


def test_it_delivers_to_a_long_list_with_its_last_part() -> None:
    async def tries(rt: FakeRuntime) -> None:
        for pod in range(10):
            await rt.run(a_pod(f"p{pod}"), a_container(f"c{pod}", f"p{pod}"))
        assert await deliver(rt.connect(), [cpus_update("c0", "3")], ME, on_error=raised)
        assert str(rt.cpus["c0"]) == "3"
        parts = [request for name, request in rt.requests if name == "Synchronize"]
        assert len(parts) > 1

    run(tries, "0.8", limit=400)


def test_it_says_when_the_runtime_did_not_listen() -> None:
    async def tries(rt: FakeRuntime) -> None:
        async def hang_up(peer: object) -> list[nri.ContainerUpdate]:
            rt.wires[0].close("not today")
            return []

        rt._synchronize = hang_up  # type: ignore[method-assign]
        assert not await deliver(rt.connect(), [cpus_update("c", "3")], ME, on_error=raised)

    run(tries, configure_first=False)


def raised(error: Exception) -> None:
    raise error
