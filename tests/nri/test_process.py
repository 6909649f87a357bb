"""The whole plugin beside a runtime of ours: it registers, places, tells, reloads, ends."""

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import cpuplace as cp
from cpuplace.formats import events as events_format
from cpuplace.replaying import replay
from cpuplace_nri import process as whole
from cpuplace_nri.asking import ask, ask_many
from cpuplace_nri.cgroups import Cpuset
from cpuplace_nri.configtext import render
from cpuplace_nri.process import Process
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code, TtrpcError
from nri.fake_runtime import CriError, FakeRuntime, a_container, a_pod
from nri.living import HOST, config, live, preinstalled, served, until
from nri.peers import Peer
from nri.placing import FakeCgroups


async def asked(path: Path, cmd: str, **fields: str) -> dict[str, Any]:
    return await asyncio.to_thread(ask, str(path), cmd, **fields)


def test_it_places_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt, log_format="json", listen=f"127.0.0.1:{port}")
        process = Process(said, reread=lambda: said, host=lambda: HOST)
        async with served(process):
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
        process = Process(said, reread=lambda: said, host=lambda: HOST)
        async with served(process):
            await until((tmp_path / "admin.sock").exists)
            assert (await page(port, "/healthz")).startswith("HTTP/1.1 200")
            assert (await page(port, "/readyz")).endswith("no runtime is connected\n")
            rt.come_back()
            await rt.synchronized()
            await until(lambda: not process.standing.missing())
            assert (await page(port, "/readyz")).startswith("HTTP/1.1 200")
            await rt.restart()
            await rt.synchronized()
            await until(lambda: process.tally.counted("connections") == 2)
            assert process.tally.counted("disconnections") == 1

    live(life)


def test_a_recording_of_a_running_plugin_is_played_again(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        async with served(Process(said, reread=lambda: said, host=lambda: HOST)):
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


def test_a_plugin_that_the_runtime_starts_and_tells_nothing_asks_what_runs(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        before = Process(said, reread=lambda: said, host=lambda: HOST)
        async with served(before):
            await rt.synchronized()
            await rt.run(a_pod("p", qos="guaranteed"), a_container("db", "p", cpu=2, limited=True))
        started = preinstalled(rt, told=False)
        process = Process(said, reread=lambda: said, preinstalled=started, host=lambda: HOST)
        async with served(process):
            await rt.synchronized()
            try:
                await rt.run(a_pod("q"), a_container("early", "q", cpu=0.5))
            except CriError as error:
                assert error.code is Code.UNAVAILABLE and "has not told yet what runs" in error.message
            await until(lambda: not process.standing.missing())
            await rt.run(a_pod("r"), a_container("web", "r", cpu=0.5))
            assert rt.cpus["db"] == cp.CpuSet([0, 1])
            assert not rt.cpus["web"] & rt.cpus["db"]
            await until(lambda: [peer.name for peer in rt.plugins] == ["cpuplace"])

    live(life, version="0.6.1")


class Unwritable:
    """Cgroups that have what they have, and take nothing."""

    def read(self, place: str) -> Cpuset | None:
        return None

    def write(self, place: str, held: cp.Held) -> None:
        raise PermissionError(1, "no")

    def pods_run(self) -> bool:
        return False


@pytest.mark.parametrize("way", ["reload", "hotplug"])
def test_what_nobody_asked_for_is_carried_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """No reply of ours carries it, and nobody compares who would find out."""

    async def life(rt: FakeRuntime) -> None:
        monkeypatch.setattr("cpuplace_nri.works.KernelCgroups", lambda: FakeCgroups(rt))
        said, hosts = config(tmp_path, rt, check="off"), [HOST]
        reserving = said.with_changes(policy=evolve(said.policy, usable=cp.CpuSet(range(7))))
        process = Process(said, reread=lambda: reserving, host=lambda: hosts[0])
        async with served(process):
            await rt.synchronized()
            await rt.run(a_pod("w"), a_container("web", "w", cpu=0.5))
            assert process.works is not None and rt.cpus["web"] == HOST.online
            if way == "reload":
                assert "policy.usable: - -> 0-6" in await process.reload()
            else:
                hosts[0] = HOST.with_online(HOST.online - cp.CpuSet([7]))
                await process.works.host_changed()
            await until(lambda: rt.kernel.running["web"] == "0-6")

    live(life)


UNTOLD = "the runtime does not tell what runs and takes no other connection: "


def pods_run(monkeypatch: pytest.MonkeyPatch, *said: bool) -> list[bool]:
    """What the kernel says of pods when it is asked: one after the other, the last one from then on."""
    left = list(said)

    class Cgroups(Unwritable):
        def pods_run(self) -> bool:
            return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr("cpuplace_nri.works.KernelCgroups", Cgroups)
    monkeypatch.setattr("cpuplace_nri.errands.ASKED", 0.1)
    return left


def test_on_a_host_that_has_just_booted_a_runtime_that_tells_nothing_is_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pods_run(monkeypatch, False, True)  # soon there is the sandbox of the first pod

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path)  # whose socket nobody listens at
        started = preinstalled(rt, told=False)
        process = Process(said, reread=lambda: said, preinstalled=started, host=lambda: HOST)
        async with served(process):
            await until(lambda: process.standing.introduced and not process.standing.missing())
            await rt.run(a_pod("p"), a_container("web", "p", cpu=0.5))
            assert rt.cpus["web"] == HOST.online

    live(life, version="0.6.1")
    assert UNTOLD + "no pod ran: taken for nothing" in capsys.readouterr().err


@pytest.mark.parametrize("drained", [False, True])
def test_while_pods_run_of_which_nothing_is_told_nobody_gets_their_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], drained: bool
) -> None:
    running = pods_run(monkeypatch, True)

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path)
        async with served(Process(said, reread=lambda: said, preinstalled=preinstalled(rt), host=lambda: HOST)):
            await rt.synchronized()
            await rt.run(a_pod("p", qos="guaranteed"), a_container("db", "p", cpu=2, limited=True))
        await until(lambda: not rt.plugins)
        started = preinstalled(rt, told=False)
        process = Process(said, reread=lambda: said, preinstalled=started, host=lambda: HOST)
        other = a_pod("q", qos="guaranteed"), a_container("other", "q", cpu=2, limited=True)
        async with served(process):
            await until(lambda: process._said)
            await asyncio.sleep(0.3)
            with pytest.raises(CriError, match="has not told yet what runs here") as refused:
                await rt.run(*other)
            assert refused.value.code is Code.UNAVAILABLE
            if drained:
                await rt.remove_pod("p")
                running[0] = False
            else:
                Path(said.socket).symlink_to(rt.path)  # a socket that opens late
            await until(lambda: not process.standing.missing())
            await rt.run(*other)
            assert rt.cpus["other"] == cp.CpuSet([0, 1] if drained else [2, 3])

    live(life, version="0.6.1")
    assert capsys.readouterr().err.count(UNTOLD + "no container is created until it does") == 1


class ThrowsOut(FakeRuntime):
    """Ends every second connection once it has registered."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.thrown_out = 0

    async def _bring_in(self, peer: Peer, told: bool) -> None:
        if peer.name.endswith("-sync"):
            self.thrown_out += 1
            peer.wire.close("no")
        else:
            await super()._bring_in(peer, told)


def test_a_runtime_that_ends_the_second_connection_is_asked_seldom(tmp_path: Path) -> None:
    """Each registration can hold up the node while a container is stopped."""

    async def life() -> None:
        async with ThrowsOut("0.6.1", HOST, configure_first=False) as rt:
            said = config(tmp_path, rt)
            started = preinstalled(rt, told=False)
            async with served(Process(said, reread=lambda: said, preinstalled=started, host=lambda: HOST)):
                await until(lambda: rt.thrown_out)
                await asyncio.sleep(1)
                assert 2 <= rt.thrown_out <= 4

    asyncio.run(life())


def test_a_host_that_changes_is_read_again_and_one_that_cannot_be_read_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts: list[cp.Topology] = [HOST, HOST.with_online(HOST.online - cp.CpuSet([7]))]

    def read() -> cp.Topology:
        if not hosts:
            raise cp.BadInput("gone", source="/sys")
        return hosts.pop(0)

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        process = Process(said, reread=lambda: said, host=read)
        async with served(process):
            await rt.synchronized()
            assert process.works is not None
            for could_be_read in (True, False):
                assert await process.works.host_changed() is could_be_read
                assert process.works.node.state.topology.online == cp.CpuSet(range(7))

    live(life)
    assert "the host cannot be read" in capsys.readouterr().err


def test_a_cpu_that_goes_while_the_plugin_registers_is_missed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr("cpuplace_nri.hotplug._listen", lambda: ours)
    hosts = [HOST]
    monkeypatch.setattr("cpuplace_nri.hotplug.fingerprint", lambda: str(hosts[0].online))

    def read() -> cp.Topology:
        [found], hosts[:] = hosts, [HOST.with_online(HOST.online - cp.CpuSet([7]))]  # it goes right afterwards
        return found

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        process = Process(said, reread=lambda: said, host=read)
        async with served(process):
            await rt.synchronized()
            kernels.send(b"offline@/devices/system/cpu/cpu7\0SUBSYSTEM=cpu\0")  # of another one, later
            await until(lambda: process.works and process.works.node.state.topology.online == cp.CpuSet(range(7)))

    with kernels:
        live(life)


def test_who_reads_along_is_told_the_end_before_the_servers_wait_for_their_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.12 on they do, and a reader never leaves by itself."""

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        process = Process(said, reread=lambda: said, host=lambda: HOST)
        reading_when_waited_for: list[int] = []

        async def wait_closed(_server: asyncio.Server) -> None:
            reading_when_waited_for.append(len(process.watch._readers))

        async with served(process) as task:
            await rt.synchronized()
            await until((tmp_path / "admin.sock").exists)
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "admin.sock"))
            writer.write(b'{"cmd": "events"}\n')
            await reader.readline()
            monkeypatch.setattr(asyncio.Server, "wait_closed", wait_closed)
            task.cancel()
            assert b"or the plugin ended" in await reader.read()
            writer.close()
        assert reading_when_waited_for == [0]
        late = process.watch.reader()  # its request was on its way
        assert await late.get() is None

    live(life)


@pytest.mark.parametrize("handed", [False, True])
def test_what_cannot_be_written_goes_by_a_second_connection_where_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed: bool
) -> None:
    """In its own file, or in what the runtime hands over."""
    monkeypatch.setattr("cpuplace_nri.works.KernelCgroups", Unwritable)

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt, widen_delay=1, second_connection=True)
        rt._config = json.dumps(render(said)) if handed else ""
        begun = config(tmp_path, rt) if handed else said
        started = preinstalled(rt) if handed else None
        process = Process(begun, reread=lambda: said, host=lambda: HOST, preinstalled=started, handed=handed)
        async with served(process):
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
            async with served(Process(said, reread=lambda: said, host=lambda: HOST)):
                await rt.synchronized()
                await until((tmp_path / "admin.sock").exists)

    live(life)
    assert "health checks and metrics cannot be served" in capsys.readouterr().err


def test_an_admin_socket_that_cannot_be_had_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "admin.sock").mkdir()

    async def life(rt: FakeRuntime) -> None:
        said = config(tmp_path, rt)
        process = Process(said, reread=lambda: said, host=lambda: HOST)
        async with served(process):
            await rt.synchronized()
            await until(lambda: process.log.opened)
            await rt.run(a_pod("p"), a_container("web", "p", cpu=0.5))

    live(life)
    assert "the admin socket cannot be served" in capsys.readouterr().err


def test_before_it_is_told_what_runs_nobody_is_placed(tmp_path: Path) -> None:
    async def life() -> None:
        said = config(tmp_path)
        process = Process(said, reread=lambda: said, host=lambda: HOST)
        plugin = process._plugin()
        request = nri.CreateContainerRequest(pod=a_pod("p"), container=a_container("c", "p"))
        with pytest.raises(TtrpcError, match="has not told yet what runs here") as refused:
            await plugin.create_container(request, None)
        assert refused.value.code == Code.UNAVAILABLE and process.standing.state() is None
        await plugin.synchronize(nri.SynchronizeRequest(), None)
        assert (await plugin.create_container(request, None)).adjust.linux.resources.cpu.cpus == "0-7"
        await process._end()

    asyncio.run(life())
