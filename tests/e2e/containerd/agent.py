"""The plugin as a node runs it: a process of its own, with a configuration file and the runtime's socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .cri import SLOW
from .daemon import Containerd


class Agent:
    """`cpuplace nri run` beside one containerd; its files lie in a folder of its own."""

    def __init__(
        self,
        containerd: Containerd,
        folder: Path,
        *,
        policy: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        socket: Path | None = None,
    ) -> None:
        self.folder = folder
        self._socket = socket or containerd.nri
        self._containerd = containerd
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(policy=policy, settings=settings)

    def configure(
        self, *, policy: Mapping[str, object] | None = None, settings: Mapping[str, object] | None = None
    ) -> None:
        """Another configuration, from its next start or reload on."""
        said = {
            "admin_socket": str(self.folder / "admin.sock"),
            "lock": str(self.folder / "lock"),
            "widen_delay": 100,
            **(settings or {}),
            "policy": dict(policy or {}),
        }
        (self.folder / "config.yaml").write_text(json.dumps(said))  # which is YAML too

    @property
    def words(self) -> list[str]:
        """The command, from an interpreter that has the package."""
        asked = ["nri", "run", "--config", str(self.folder / "config.yaml"), "--socket", str(self._socket)]
        return [sys.executable, "-m", "cpuplace_cli", *asked]

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> "Agent":
        """The runtime sends it events when this returns, unless nobody waits for that."""
        since = len(self._containerd.log())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        if wait:
            self._await(since)
        return self

    def _await(self, since: int) -> None:
        try:
            self._containerd.joined("99-cpuplace", since=since)
        except AssertionError as error:
            raise AssertionError(f"{error}\nThe plugin's log:\n{self.log()[-4000:]}") from None

    def kill(self) -> None:
        """Gone, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """Told to end; its exit status, None when it did not run."""
        return self._end(signal.SIGTERM)

    def wait(self, seconds: float = SLOW) -> int:
        """The exit status of one that ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """All that it said."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
