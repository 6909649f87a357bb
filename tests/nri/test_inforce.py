"""The configuration of a whole plugin: read again, or handed over by the runtime."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

import cpuplace as cp
from cpuplace_nri.config import nri_policy
from cpuplace_nri.configfile import read_config
from cpuplace_nri.process import Process
from nri.fake_runtime import FakeRuntime, a_container, a_pod
from nri.living import HOST, config, live, preinstalled, served, until


def test_a_reload_changes_what_is_live_as_a_whole_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "nri.yaml"

    async def life(rt: FakeRuntime) -> None:
        base = f"socket: {rt.path}\nlock: {tmp_path}/run\nadmin_socket: {tmp_path}/admin.sock\n"
        file.write_text(base)
        process = Process(read_config(file), reread=lambda: read_config(file), host=lambda: HOST)
        async with served(process):
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
                assert (await process.reload()).startswith(said)
                assert process.inforce.config.index == 99 and process.log.level == "info"
            file.write_text(base + "log_level: debug\npolicy: {min_shared_cpus: 3}\n")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: process.log.level == "debug")
            assert process.works is not None and process.works.node.state.policy.min_shared_cpus == 3
            assert process.tally.counted("reloads", "refused") == 4
            assert process.tally.counted("reloads", "done") == 1

    live(life)


def test_a_plugin_that_the_runtime_starts_takes_its_configuration_from_it(tmp_path: Path) -> None:
    async def life(rt: FakeRuntime) -> None:
        said, started = config(tmp_path), preinstalled(rt, "42")
        process = Process(said, reread=lambda: said, preinstalled=started, handed=True, host=lambda: HOST)
        async with served(process) as task:
            await rt.synchronized("42-cpuplace")
            assert process.inforce.config.policy == nri_policy("weka", reserved=cp.CpuSet([0]))
            await rt.run(a_pod("p", qos="guaranteed"), a_container("c", "p", cpu=2, limited=True, memory=1 << 20))
            assert rt.cpus["c"] == cp.CpuSet([1, 2])
            assert "the configuration came from the runtime" in await process.reload()
            assert process.inforce.config.policy == nri_policy("weka", reserved=cp.CpuSet([0]))
            await rt.end()
            await task  # it ends with its connection

    live(life, config="profile: weka\npolicy: {reserved: 0}")


def test_a_configuration_from_the_runtime_that_is_not_good_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def life(rt: FakeRuntime) -> None:
        said, started = config(tmp_path), preinstalled(rt, "42")
        process = Process(said, reread=lambda: said, preinstalled=started, handed=True, host=lambda: HOST)
        async with served(process) as task:
            await task
        assert rt.plugins == []

    live(life, config="profile: weka\nreserved: 0")
    assert "at line 2: reserved: 'reserved' is a field of the policy" in capsys.readouterr().err


def test_before_there_is_a_runtime_nothing_is_reloaded(tmp_path: Path) -> None:
    said = config(tmp_path)
    process = Process(said, reread=lambda: said)
    assert asyncio.run(process.reload()) == "nothing was changed: no runtime has been connected yet"
    assert process.tally.counted("reloads", "refused") == 1
