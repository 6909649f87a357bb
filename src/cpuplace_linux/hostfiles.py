"""Small files of /proc and /sys below a root, read and written one by one; what the kernel says to a write is kept."""

import errno
import os
from pathlib import Path
from typing import Final

from cpuplace import BadInput, CpuplaceError

MAX_BYTES: Final = 64 << 20
"""The largest file read: /proc/interrupts of 768 CPUs with 3000 interrupts has about 25 MiB."""


class KernelRefused(CpuplaceError):  # noqa: N818 - the name says what happened
    """The kernel did not take a value: which file or call, what was written, what the kernel said.

    `code` is the errno; 0 when the kernel said nothing, but `shows` something else than what was written. `opened` =
    the file could be opened, so that it was the value, or what the file is about, that was refused.

    >>> print(KernelRefused("/proc/irq/9/smp_affinity_list", "0-3", 13))
    /proc/irq/9/smp_affinity_list: wrote '0-3', the kernel said EACCES: Permission denied
    """

    def __init__(
        self, target: str, wrote: str, code: int, *, shows: str = "", hint: str = "", opened: bool = False
    ) -> None:
        """Keep the parts apart, so that callers can act on them."""
        super().__init__(target, wrote, code)
        self.target = target
        self.wrote = wrote
        self.code = code
        self.shows = shows
        self.hint = hint
        self.opened = opened

    @property
    def said(self) -> str:
        """The errno by name and in words, or what is there instead."""
        if not self.code:
            return f"nothing, but shows {self.shows!r}"
        return f"{errno.errorcode.get(self.code, self.code)}: {os.strerror(self.code)}"

    def __str__(self) -> str:
        """One line."""
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.target}: wrote {self.wrote!r}, the kernel said {self.said}{tail}"


class HostFiles:
    """The files below `root` ("/" = this host); paths are written without a leading slash."""

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        """Nothing is opened yet."""
        self.root = Path(root)

    def where(self, path: str) -> str:
        """The whole path, for people."""
        return str(self.root / path)

    def text(self, path: str) -> str | None:
        """What the file holds; None when it is absent or cannot be read. Raises BadInput for one above 64 MiB."""
        try:
            with (self.root / path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, ValueError):  # ValueError: a NUL in a name
            return None
        if len(content) > MAX_BYTES:
            raise BadInput(f"the file is larger than {MAX_BYTES} bytes", source=self.where(path))
        return content.decode("utf-8", "replace").strip(" \t\r\n\0")

    def need(self, path: str) -> str:
        """What the file holds; raises BadInput when it is absent or cannot be read."""
        text = self.text(path)
        if text is None:
            raise BadInput("cannot be read", source=self.where(path), hint="is this the root of a Linux host?")
        return text

    def names(self, path: str) -> tuple[str, ...]:
        """The names in this folder, sorted; none when it is absent."""
        try:
            return tuple(sorted(os.listdir(self.root / path)))  # noqa: PTH208 - names, no Paths needed
        except (OSError, ValueError):
            return ()

    def real(self, path: str) -> str:
        """The path with all links followed, again below the root (a link out of it stays as it is)."""
        real, root = os.path.realpath(self.root / path), os.path.realpath(self.root)
        inside = os.path.commonpath((real, root)) == root
        return os.path.relpath(real, root) if inside else path

    def write(self, path: str, text: str) -> None:
        """Write the text in one go, as kernel files want it; raises KernelRefused. Never makes a file."""
        handle = None
        try:
            handle = os.open(self.root / path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
            os.write(handle, f"{text}\n".encode())
        except OSError as error:
            code, opened = error.errno or errno.EIO, handle is not None
            hint = "this needs root" if code in (errno.EACCES, errno.EPERM) and not opened and os.geteuid() else ""
            raise KernelRefused(self.where(path), text, code, hint=hint, opened=opened) from None
        finally:
            if handle is not None:
                os.close(handle)
