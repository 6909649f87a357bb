"""The whole plugin beside a runtime of ours: it registers, places, tells, reloads, ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import cpuplace as cp
from cpuplace.formats import events as events_format
from cpuplace.replaying import replay
from cpuplace_nri import main as whole
from cpuplace_nri.asking import ask, ask_many
from cpuplace_nri.cgroups import Cpuset
from cpuplace_nri.config import Config, nri_policy
from cpuplace_nri.configfile import read_config
from cpuplace_nri.identity import Identity, Preinstalled
from cpuplace_nri.main import Service
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code, TtrpcError
from nri.fake_runtime import CriError, FakeRuntime, a_container, a_pod

HOST = cp.Topology.uniform(packages=1, nodes_per_package=2, cores_per_l3=4)
Life = Callable[[FakeRuntime], Awaitable[None]]


def config(folder: Path, rt: FakeRuntime | None = None, **more: Any) -> Config:
    sock = str(rt.path) if rt else str(folder / "nobody.sock")
    return Config(socket=sock, lock=str(folder / "run"), admin_socket=str(folder / "admin.sock"), **more)


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(service.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def live(life: Life, **options: Any) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(120), FakeRuntime(host=HOST, **options) as rt:
            await life(rt)

    asyncio.run(all_of_it())


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.01)


async def asked(path: Path, cmd: str, **fields: str) -> dict[str, Any]:
    return await asyncio.to_thread(ask, str(path), cmd, **fields)


def test_it_places_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt, log_format="json", listen=f"127.0.0.1:{port}")
        service = Service(said, reread=lambda: said, host=lambda: HOST)
        async with served(service):
            await rt.synchronized()
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            with pytest.raises(CriError, match=r"cpuplace: default/q/big: .*R4"):
                await rt.run(a_pod("q", qos="guaranteed"), a_container("big", "q", cpu=9, limited=True, memory=1 << 20))
            await until((tmp_path / "admin.sock").exists)
            status = await asked(tmp_path / "admin.sock", "status")
            assert [(one["container"], one["cpus"], one["rule"]) for one in status["containers"]] == [
                ("default/p/c", str(rt.cpus["c"]), "R4")
            ]
            assert status["runtime"]["name"] == "containerd" and status["runtime"]["missing"] == ""
            refused = await asked(tmp_path / "admin.sock", "explain", container="big")
            assert refused["decision"]["refusal"]["kind"] == "NotEnoughCpus"
            assert (await page(port, "/readyz")).startswith("HTTP/1.1 200")
            metrics = await page(port, "/metrics")
            assert 'cpuplace_decisions_total{kind="place"} 2.0' in metrics
            assert 'cpuplace_refusals_total{reason="NotEnoughCpus",rule="R4"} 1.0' in metrics
            assert 'cpuplace_handler_seconds_count{method="CreateContainer"} 2.0' in metrics

    live(life)
    assert not (tmp_path / "admin.sock").exists()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    placed = [one for one in lines if one["event"] in ("place", "place refused")]
    assert [(one["container"], one["rule"]) for one in placed] == [("default/p/c", "R4"), ("default/q/big", "R4")]
    assert [one["event"] for one in lines if one["level"] == "error"] == []


async def page(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return text


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_without_a_runtime_it_is_alive_and_not_ready_and_comes_when_the_runtime_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "ALONE", 0.05)
    port = free_port()

    async def life(rt: FakeRuntime) -> None:
        await rt.end()
        said = config(tmp_path, rt, listen=f"127.0.0.1:{port}")
        service = Service(said, reread=lambda: said, host=lambda: HOST)
        async with served(service):
            await until((tmp_path / "admin.sock").exists)
            assert (await page(port, "/healthz")).startswith("HTTP/1.1 200")
            assert (await page(port, "/readyz")).endswith("no runtime is connected\n")
            rt.come_back()
            await rt.synchronized()
            await until(lambda: not service.missing())
            assert (await page(port, "/readyz")).startswith("HTTP/1.1 200")
            await rt.restart()
            await rt.synchronized()
            await until(lambda: service.tally.counted("connections") == 2)
            assert service.tally.counted("disconnections") == 1

    live(life)


def test_a_recording_of_a_running_plugin_is_played_again(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        async with served(Service(said, reread=lambda: said, host=lambda: HOST)):
            await rt.synchronized()
            await rt.run(a_pod("w"), a_container("web", "w", cpu=0.5))
            await until((tmp_path / "admin.sock").exists)
            lines: list[str] = []
            begun = threading.Event()

            def record() -> None:
                for one in ask_many(str(tmp_path / "admin.sock"), "record"):
                    lines.append(one["line"])
                    begun.set()
                    if len(lines) == 6:
                        return

            reading = asyncio.ensure_future(asyncio.to_thread(record))
            await until(begun.is_set)
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            await rt.run(a_pod("pin", annotations={"cpuplace.dev/cores": "0-1"}), a_container("d", "pin", cpu=0.5))
            await rt.stop("c")
            await rt.remove("c")
            await rt.stop_pod("p")
            await rt.remove_pod("p")
            await reading
            read = events_format.parse("".join(lines))
            assert isinstance(read.host, cp.Topology)
            start = cp.HostState.empty(read.host, read.policy)
            played = list(replay(start, read.events, one_step_per_container=read.one_step_per_container))
            assert [one.missed for one in played] == [()] * len(played)
            words = [events_format.word_of(one.event) for one in played]
            assert words == ["restart", "place", "pin", "release", "forget"]

    live(life)


def test_a_reload_changes_what_is_live_as_a_whole_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "nri.yaml"

    async def life(rt: FakeRuntime) -> None:
        base = f"socket: {rt.path}\nlock: {tmp_path}/run\nadmin_socket: {tmp_path}/admin.sock\n"
        file.write_text(base)
        service = Service(read_config(file), reread=lambda: read_config(file), host=lambda: HOST)
        async with served(service):
            await rt.synchronized()
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            assert rt.cpus["c"] == cp.CpuSet([0, 1])
            for more, said in (
                ("index: 3\nlog_level: debug\n", "nothing was changed: index cannot change while the plugin runs"),
                ("indx: 3\n", "nothing was changed: " + str(file) + ", at line 4: indx: no field 'indx'"),
                ("policy: {reserved: 99}\n", "nothing was changed: policy, at reserved: names CPUs the host does not"),
                ("policy: {usable: 5-7, reserved: 6-7}\n", "nothing was changed: "),
            ):
                file.write_text(base + more)
                assert (await service.reload()).startswith(said)
                assert service.config.index == 99 and service.log.level == "info"
            file.write_text(base + "log_level: debug\npolicy: {min_shared_cpus: 3}\n")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: service.log.level == "debug")
            assert service.node is not None and service.node.state.policy.min_shared_cpus == 3
            assert service.tally.counted("reloads", "refused") == 4
            assert service.tally.counted("reloads", "done") == 1

    live(life)


def test_a_plugin_that_the_runtime_starts_and_tells_nothing_asks_what_runs(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        before = Service(said, reread=lambda: said, host=lambda: HOST)
        async with served(before):
            await rt.synchronized()
            await rt.run(a_pod("p", qos="guaranteed"), a_container("db", "p", cpu=2, limited=True))
        with rt.connect(told=False) as its:
            preinstalled = Preinstalled(Identity("cpuplace", "99"), os.dup(its.fileno()))
        service = Service(said, reread=lambda: said, preinstalled=preinstalled, host=lambda: HOST)
        async with served(service):
            await rt.synchronized()
            try:
                await rt.run(a_pod("q"), a_container("early", "q", cpu=0.5))
            except CriError as error:
                assert error.code is Code.UNAVAILABLE and "has not told yet what runs" in error.message
            await until(lambda: not service.missing())
            await rt.run(a_pod("r"), a_container("web", "r", cpu=0.5))
            assert rt.cpus["db"] == cp.CpuSet([0, 1])
            assert not rt.cpus["web"] & rt.cpus["db"]
            await until(lambda: [peer.name for peer in rt.plugins] == ["cpuplace"])

    live(life, version="0.6.1")


def test_a_plugin_that_the_runtime_starts_takes_its_configuration_from_it(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        with rt.connect() as its:
            preinstalled = Preinstalled(Identity("cpuplace", "42"), os.dup(its.fileno()))
        said = config(tmp_path)
        service = Service(said, reread=lambda: said, preinstalled=preinstalled, handed=True, host=lambda: HOST)
        async with served(service) as task:
            await rt.synchronized("42-cpuplace")
            assert service.config.policy == nri_policy("weka", reserved=cp.CpuSet([0]))
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            assert rt.cpus["c"] == cp.CpuSet([1, 2])
            assert "the configuration came from the runtime" in await service.reload()
            assert service.config.policy == nri_policy("weka", reserved=cp.CpuSet([0]))
            await rt.end()
            await task  # it ends with its connection

    live(life, config="profile: weka\npolicy: {reserved: 0}")


def test_a_configuration_from_the_runtime_that_is_not_good_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def life(rt: FakeRuntime) -> None:
        with rt.connect() as its:
            preinstalled = Preinstalled(Identity("cpuplace", "42"), os.dup(its.fileno()))
        said = config(tmp_path)
        service = Service(said, reread=lambda: said, preinstalled=preinstalled, handed=True, host=lambda: HOST)
        async with served(service) as task:
            await task
        assert rt.plugins == []

    live(life, config="profile: weka\nreserved: 0")
    assert "at line 2: reserved: 'reserved' is a field of the policy" in capsys.readouterr().err


class Unwritable:
    """Cgroups that have what they have, and take nothing."""

    def read(self, place: str) -> Cpuset | None:
        return None

    def write(self, place: str, held: cp.Held) -> None:
        raise PermissionError(1, "no")


def test_what_cannot_be_written_goes_by_a_second_connection_where_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpuplace_nri.cgroups.KernelCgroups", Unwritable)

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt, widen_delay=1, second_connection=True)
        async with served(Service(said, reread=lambda: said, host=lambda: HOST)):
            await rt.synchronized()
            await rt.run(a_pod("w"), a_container("web", "w", cpu=0.5))
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            assert rt.cpus["web"] == HOST.online - rt.cpus["c"]
            await rt.stop("c")
            await until(lambda: rt.cpus["web"] == HOST.online)

    live(life, version="0.8")


def test_a_socket_of_health_that_cannot_be_had_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def life(rt: FakeRuntime) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            said = config(tmp_path, rt, listen=f"127.0.0.1:{taken.getsockname()[1]}")
            async with served(Service(said, reread=lambda: said, host=lambda: HOST)):
                await rt.synchronized()
                await until((tmp_path / "admin.sock").exists)

    live(life)
    assert "health checks and metrics cannot be served" in capsys.readouterr().err


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "cpuplace_nri", *words], stderr=subprocess.PIPE, text=True)


def test_a_process_ends_when_told_to_and_a_second_one_says_who_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nri.yaml"
    file.write_text(f"socket: {tmp_path}/none\nlock: {tmp_path}/run\nadmin_socket: {tmp_path}/admin.sock\n")
    first = started("--config", str(file))
    try:
        pause = threading.Event()
        while not (tmp_path / "admin.sock").exists():
            assert first.poll() is None
            pause.wait(0.05)
        monkeypatch.setattr(whole, "TRIES", 1)
        with pytest.raises(cp.BadInput, match=f"a plugin 'cpuplace' runs already .process {first.pid}"):
            whole.run_plugin(file)
    finally:
        first.terminate()
        _, err = first.communicate(timeout=60)
    assert (first.returncode, err) == (0, "")
    assert not (tmp_path / "admin.sock").exists()


def test_a_process_that_cannot_run_says_why_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "nri.yaml"
    file.write_text("name: UP\n")
    process = started("--config", str(file))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith(f"cpuplace-nri: error: {file}, at line 1: name: 'UP' cannot name a plugin (")
    assert err.count("\n") == 1


def test_before_it_is_told_what_runs_nobody_is_placed(tmp_path: Path) -> None:
    async def life() -> None:
        said = config(tmp_path)
        service = Service(said, reread=lambda: said, host=lambda: HOST)
        plugin = service._plugin()
        request = nri.CreateContainerRequest(pod=a_pod("p"), container=a_container("c", "p"))
        with pytest.raises(TtrpcError, match="has not told yet what runs here") as refused:
            await plugin.create_container(request, None)
        assert refused.value.code == Code.UNAVAILABLE and service._state() is None
        await plugin.synchronize(nri.SynchronizeRequest(), None)
        assert (await plugin.create_container(request, None)).adjust.linux.resources.cpu.cpus == "0-7"
        await service._end()

    asyncio.run(life())
