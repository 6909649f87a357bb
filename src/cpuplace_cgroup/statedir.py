"""The state directory: who holds what on this host, kept between commands, one command at a time.

    lock        held from reading to writing, so that two commands never hand out the same CPU
    state       root, checksum, the host and who holds what (see `statefile`)
    runs/ID     locked by the command that runs ID as long as it lives: who can lock it knows that it is gone

It lies in /run, which is empty after a boot, as the groups are.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from attrs import field, frozen

from cpuplace import BadInput
from cpuplace_cgroup.lockfile import locked
from cpuplace_cgroup.names import folder_name
from cpuplace_cgroup.statefile import Kept, parse, render

DEFAULT: Final = "/run/cpuplace"
VARIABLE: Final = "CPUPLACE_STATE_DIR"
PATIENCE: Final = 10.0
"""Seconds to wait for another command; one that plans and writes takes some hundredths."""
_LARGEST: Final = 64 << 20


def default_path() -> Path:
    """CPUPLACE_STATE_DIR, else /run/cpuplace."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


@frozen(slots=True)
class StateDir:
    """One such directory; nothing is made before it is needed."""

    path: Path = field(factory=default_path, converter=Path)

    @property
    def file(self) -> Path:
        """Where the state is."""
        return self.path / "state"

    @contextmanager
    def locked(self, *, wait: float = PATIENCE) -> Iterator[None]:
        """Alone with the directory; raises Locked after `wait` seconds, BadInput when it cannot be made."""
        self._made(self.path)
        with locked(self.path / "lock", wait=wait):
            yield

    def read(self) -> Kept | None:
        """What is kept, None when nothing is; BadInput when it is torn. To look at it needs no lock."""
        try:
            with self.file.open("rb") as file:
                text = file.read(_LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", source=str(self.file)) from None
        return parse(text, source=str(self.file))

    def write(self, kept: Kept) -> None:
        """Keep this from now on; who reads meanwhile, or after a crash, finds the former or this, never a part."""
        self._made(self.path)
        text = render(kept)
        name = None
        try:
            with tempfile.NamedTemporaryFile("wb", dir=self.path, prefix=".state.", delete=False) as file:
                name = Path(file.name)
                file.write(text.encode())
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            name.replace(self.file)
            _sync(self.path)
        except OSError as error:
            if name is not None:
                name.unlink(missing_ok=True)
            raise BadInput(f"cannot be written: {error.strerror}", source=str(self.file)) from None

    def forget(self) -> None:
        """Keep nothing any more: for a state that cannot be read."""
        self.file.unlink(missing_ok=True)

    # --- who runs --------------------------------------------------------------------------------

    @contextmanager
    def running(self, container_id: str) -> Iterator[None]:
        """Mark this process as the one that runs the container, as long as it lives; take it under the lock."""
        path = self._run_file(container_id)
        self._made(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def ended(self, container_id: str) -> None:
        """Nobody runs it any more."""
        self._run_file(container_id).unlink(missing_ok=True)

    def runs(self) -> dict[str, int]:
        """Container id -> the process that runs it, 0 when that has gone without a word."""
        try:
            names = sorted(path.name for path in (self.path / "runs").iterdir())
        except OSError:
            return {}
        return {unquote(name): self._runner(unquote(name)) for name in names}

    def _runner(self, container_id: str) -> int:
        try:
            with self._run_file(container_id).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return int(file.read() or b"-1")
        except (OSError, ValueError):
            pass
        return 0

    def _run_file(self, container_id: str) -> Path:
        return self.path / "runs" / folder_name(container_id)

    def _made(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            hint = f"run as root, or say --state-dir or {VARIABLE}"
            raise BadInput(f"cannot be made: {error.strerror}", source=str(path), hint=hint) from None


def _sync(folder: Path) -> None:
    """A rename lasts when the folder is written; not every file system can say so."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
