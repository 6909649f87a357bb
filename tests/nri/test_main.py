"""The plugin as a program: what it loads before it registers, how it ends, what it says when it cannot run."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cpuplace as cp
from cpuplace_nri.arguments import Arguments
from cpuplace_nri.main import run_plugin

LATER = (
    *("argparse", "cyclopts", "rich", "yaml", "tomllib", "json", "structlog", "prometheus_client"),
    *("cpuplace.hardware", "cpuplace.state", "cpuplace.events", "cpuplace_linux", "cpuplace_cgroup"),
    *("cpuplace_nri.node", "cpuplace_nri.plugin", "cpuplace_nri.works", "cpuplace_nri.endpoints"),
)
"""What is loaded when the registration is on its way, or after it."""


@pytest.mark.parametrize(
    "start",
    [
        "import cpuplace_nri.main as main; main.main([])",
        "import cpuplace_cli.main as main; main.main(['nri', 'run', '--index', '07'])",
    ],
)
def test_a_registration_waits_for_nothing_that_is_not_needed(start: str, tmp_path: Path) -> None:
    """Looked at when there is a connection, since a registration is the first thing that it is used for."""
    code = f"""
import pathlib, sys
from cpuplace_nri import link, process

async def over(*arguments, **more):
    raise SystemExit(repr(sorted({set(LATER)!r} & set(sys.modules))))

link.Link.over = over
process._made = lambda folder: pathlib.Path({str(tmp_path)!r})
{start}
"""
    environment = {"NRI_PLUGIN_SOCKET": "0"}
    told, its = socket.socketpair()
    with told, its:
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, stdin=its.fileno(), env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "[]\n")


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
        monkeypatch.setattr("cpuplace_nri.process.TRIES", 1)
        with pytest.raises(cp.BadInput, match=f"a plugin 'cpuplace' runs already .process {first.pid}"):
            run_plugin(Arguments(config=file))
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
