"""Files: the few things one does in a cgroup file system, as a port: the real one here, an imitation in tests."""

import os
import time
from contextlib import suppress
from typing import Final, Protocol

_MARK: Final = "user.cpuplace"
"""Extended attribute of the folders that we made (cgroup2 takes them since Linux 5.7): it outlives this process."""


class Files(Protocol):
    """What is needed of a cgroup file system; paths are absolute, everything raises OSError as the kernel says it."""

    def read(self, path: str) -> str:
        """The text of a file, without blanks around it."""
        ...

    def write(self, path: str, text: str) -> None:
        """Write all of a file in one go."""
        ...

    def folders(self, path: str) -> tuple[str, ...]:
        """The names of the folders in a folder, in order."""
        ...

    def is_folder(self, path: str) -> bool:
        """True when there is such a folder."""
        ...

    def make(self, path: str) -> None:
        """Make one folder, marked as ours."""
        ...

    def remove(self, path: str) -> None:
        """Remove one folder, which the kernel allows when neither processes nor folders are in it."""
        ...

    def is_ours(self, path: str) -> bool:
        """True when `make` made it, whichever process called that."""
        ...

    def problem(self, path: str) -> str:
        """Why this folder cannot be written: "read-only", "forbidden", or ""."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class KernelFiles:
    """The real thing."""

    def read(self, path: str) -> str:
        """See `Files`."""
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = [os.read(handle, 1 << 16)]
            while parts[-1]:
                parts.append(os.read(handle, 1 << 16))
        finally:
            os.close(handle)
        return b"".join(parts).decode("utf-8", "replace").strip()

    def write(self, path: str, text: str) -> None:
        """See `Files`; a newline goes with it, since the kernel never sees a write of no bytes."""
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(handle, f"{text}\n".encode())
        finally:
            os.close(handle)

    def folders(self, path: str) -> tuple[str, ...]:
        """See `Files`; links are none."""
        with os.scandir(path) as entries:
            return tuple(sorted(one.name for one in entries if one.is_dir(follow_symlinks=False)))

    def is_folder(self, path: str) -> bool:
        """See `Files`."""
        return os.path.isdir(path)  # noqa: PTH112 - text paths all the way, made a thousand times a call

    def make(self, path: str) -> None:
        """See `Files`; where attributes cannot be had it stays unmarked, and is then never removed by us."""
        os.mkdir(path, 0o755)  # noqa: PTH102
        with suppress(OSError):
            os.setxattr(path, _MARK, b"made")

    def remove(self, path: str) -> None:
        """See `Files`."""
        os.rmdir(path)  # noqa: PTH106

    def is_ours(self, path: str) -> bool:
        """See `Files`."""
        try:
            return os.getxattr(path, _MARK) == b"made"
        except OSError:
            return False

    def problem(self, path: str) -> str:
        """See `Files`."""
        try:
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return "read-only"
        except OSError:
            return "forbidden"
        return "" if os.access(path, os.W_OK) else "forbidden"

    def wait(self, seconds: float) -> None:
        """See `Files`."""
        time.sleep(seconds)
