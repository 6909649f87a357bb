"""A containerd as a plain process: started, stopped, killed and asked for its log, all below one folder."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ..bed.runtimes import Runtimes, version
from . import config, images
from .config import Patience
from .cri import LATE, PAUSE, SLOW, Cri
from .log import complaints


class Containerd:
    """One containerd of its own."""

    def __init__(self, programs: Path, runtimes: Runtimes, base: Path, *, patience: Patience | None = None) -> None:
        self.version = version(programs / "containerd")
        self.base = base
        self._programs = programs
        self._runtimes = runtimes
        self._process: subprocess.Popen[bytes] | None = None
        for folder in ("tmp", "plugins", "conf.d", "cni"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        self.wait(patience or Patience())

    @property
    def socket(self) -> Path:
        """Where it serves the CRI."""
        return self.base / "c.sock"

    @property
    def nri(self) -> Path:
        """Where it waits for plugins."""
        return self.base / "nri.sock"

    @property
    def plugins(self) -> Path:
        """The folder of pre-installed plugins."""
        return self.base / "plugins"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def wait(self, patience: Patience) -> None:
        """How long it waits for plugins, from its next start on."""
        words = config.text(self.version, base=self.base, runc=self._runtimes.runc, patience=patience)
        (self.base / "config.toml").write_text(words)

    def connect(self) -> Cri:
        """A connection as the kubelet has one."""
        return Cri(self.socket, self._runtimes.cri)

    def start(self) -> None:
        """Ready to run pods when this returns; raises CriError when it does not come up."""
        environment = {"PATH": f"{self._programs}:{self._runtimes.runc.parent}:/usr/sbin:/usr/bin:/sbin:/bin"}
        with (self.base / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "containerd"), "--config", str(self.base / "config.toml")],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with self.connect() as cri:
            cri.ready(SLOW)

    def load(self) -> None:
        """The images, into a containerd that runs."""
        tar = self.base / "images.tar"
        images.write(tar, self._runtimes.busybox)
        words = [str(self._programs / "ctr"), "-a", str(self.socket), "-n", "k8s.io", "images", "import", str(tar)]
        subprocess.run(words, check=True, capture_output=True, timeout=LATE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """It is gone when this returns; its containers run on."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(number)
            process.wait(SLOW)

    def log(self, at: int = 0) -> str:
        """What it said since it had said so many characters."""
        return (self.base / "log").read_text(errors="replace")[at:]

    def said(self, words: str, *, since: int = 0, seconds: float = SLOW) -> str:
        """The line of the log that has these words, waited for; raises AssertionError with the log otherwise."""
        end = time.monotonic() + seconds
        while True:
            for line in self.log(since).splitlines():
                if words in line:
                    return line
            assert time.monotonic() < end, f"containerd never said {words!r}:\n{self.log(since)[-4000:]}"
            time.sleep(PAUSE)

    def joined(self, plugin: str, *, since: int = 0) -> None:
        """Wait until events go to this plugin ("98-idle"); newer versions say more after these words."""
        self.said(f'plugin \\"{plugin}\\" connected', since=since)

    def complaints(self, since: int = 0) -> list[str]:
        """Lines of level error that say something of pods or plugins."""
        return complaints(self.log(since))

    def clean(self) -> None:
        """Stop it, and end what it left behind: shims and mounts. None are left where the pods were removed."""
        self.stop()
        for pid in list(shims(self.socket)):
            os.kill(pid, signal.SIGKILL)
        for mount in reversed(mounts(self.base)):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


def shims(socket: Path) -> Iterator[int]:
    """The processes of shims that belong to this containerd: their command lines name its socket."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it ended
                continue
            if b"containerd-shim" in words[0] and str(socket).encode() in words:
                yield int(entry.name)


def mounts(base: Path) -> list[str]:
    """The mount points below a folder, outer ones first."""
    points = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{base}/")]
