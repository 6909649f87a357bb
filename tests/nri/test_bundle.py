"""The launcher of the bundle, beside the packages of this environment: started as a runtime starts it."""

import importlib.util
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpuplace_nri.mux import RUNTIME, Mux
from cpuplace_nri.proto import nri_pb2, ttrpc_pb2

BUNDLE = Path(__file__).resolve().parents[2] / "deploy" / "bundle"
PACKAGES = (
    *("attr", "attrs", "google", "prometheus_client", "sortedcontainers", "structlog", "yaml"),
    *("cpuplace", "cpuplace_linux", "cpuplace_cgroup", "cpuplace_nri"),
)
EXACTLY = {"NRI_PLUGIN_NAME": "cpuplace", "NRI_PLUGIN_IDX": "99", "NRI_PLUGIN_SOCKET": "3"}
"""The whole environment that a runtime gives."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder as `nox -s bundle` makes it, with links instead of copies, and this Python."""
    folder = tmp_path / "opt" / "cpuplace"
    (folder / "lib").mkdir(parents=True)
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.submodule_search_locations
        (folder / "lib" / name).symlink_to(next(iter(spec.submodule_search_locations)))
    for file in runpy.run_path(str(BUNDLE / "build.py"))["FILES"]:
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "99-cpuplace").chmod(0o755)
    (folder / "python").write_text(f"{sys.executable}\n")
    return folder


@contextmanager
def launched(program: Path, err: Path, *words: str) -> Iterator[tuple[int, socket.socket]]:
    """The program as a runtime starts it: its socket is file 3, its environment three words; its process is awaited."""
    ours, its = socket.socketpair()
    with ours, its, err.open("w") as told:
        files = [(os.POSIX_SPAWN_DUP2, told.fileno(), 2), (os.POSIX_SPAWN_DUP2, its.fileno(), 3)]
        process = os.posix_spawn(str(program), [str(program), *words], EXACTLY, file_actions=files)
        its.close()
        ours.settimeout(60)
        try:
            yield process, ours
        finally:
            ours.close()
            assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0  # the runtime hung up


def test_the_launcher_registers_with_nothing_but_what_a_runtime_gives(bundle: Path, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "99-cpuplace").symlink_to(bundle / "99-cpuplace")  # a folder of one name, which is as it must be
    config = tmp_path / "nri.toml"
    config.write_text(f'lock = "{tmp_path}/run"\nadmin_socket = ""\n')
    err = tmp_path / "err"
    with launched(plugins / "99-cpuplace", err, "--config", str(config)) as (_, runtime):
        mux, stream = Mux(), b""
        while len(stream) < 10 or len(stream) < 10 + int.from_bytes(stream[:4], "big"):
            part = runtime.recv(4096)
            assert part, err.read_text()
            stream += b"".join(piece for connection, piece in mux.receive(part) if connection == RUNTIME)
        request = ttrpc_pb2.Request.FromString(stream[10 : 10 + int.from_bytes(stream[:4], "big")])
        asked = nri_pb2.RegisterPluginRequest.FromString(request.payload)
        assert (request.method, asked.plugin_name, asked.plugin_idx) == ("RegisterPlugin", "cpuplace", "99")


def said(program: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run([str(program)], env=EXACTLY | environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_launcher_that_was_copied_alone_says_what_is_missing(tmp_path: Path) -> None:
    alone = tmp_path / "99-cpuplace"
    alone.write_bytes((BUNDLE / "99-cpuplace").read_bytes())
    alone.chmod(0o755)
    if Path("/opt/cpuplace/nri/lib").exists():
        pytest.skip("a bundle is installed on this machine")
    code, err = said(alone)
    assert code == 2
    assert err == f"99-cpuplace: its folder lib is neither beside {alone} nor in /opt/cpuplace/nri\n"


def test_an_old_python_is_told_what_is_needed(bundle: Path) -> None:
    start = (bundle / "start.py").read_text()
    (bundle / "start.py").write_text(start.replace("(3, 11)", "(99, 0)"))
    code, err = said(bundle / "99-cpuplace")
    version = ".".join(map(str, sys.version_info[:3]))
    assert (code, err) == (2, f"99-cpuplace: needs Python 3.11 or newer, this is {version}\n")


def test_an_old_python_can_read_the_start() -> None:
    """No word of it is newer than Python 3.4: an old one must come as far as the sentence."""
    import ast

    ast.parse((BUNDLE / "start.py").read_text(), feature_version=(3, 4))


def test_the_launcher_is_a_program() -> None:
    assert os.access(BUNDLE / "99-cpuplace", os.X_OK)
