"""Journal: every change of the cgroup file system, each with the way back."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen

from cpuplace_cgroup.failure import CgroupFailed, Unanswered, Vanished, refused, said
from cpuplace_cgroup.files import Files
from cpuplace_cgroup.observing import text_of
from cpuplace_cgroup.systemd import Systemd

_KEPT: Final = ("cpuset.cpus", "cpuset.mems", "cpuset.cpus.exclusive", "cpuset.cpus.partition")
"""What is set again in a folder that is made again, in this order."""


@frozen(slots=True)
class _Wrote:
    file: str
    was: str


@frozen(slots=True)
class _Made:
    place: str


@frozen(slots=True)
class _Removed:
    place: str
    texts: tuple[tuple[str, str], ...]


class _Approximately(Exception):  # noqa: N818
    """As good as restored, and what differs."""


class Journal:
    """Changes things and remembers how they were; `restore` goes back. Raises CgroupFailed or Vanished."""

    def __init__(self, files: Files, systemd: Systemd) -> None:
        self._files, self._systemd = files, systemd
        self._entries: list[_Wrote | _Made | _Removed] = []

    def write(self, container_id: str, file: str, text: str) -> bool:
        """Write a file unless it says so already; True when it was written."""
        was = text_of(self._files, file)
        if was == text:
            return False
        with self._remembered(_Wrote(file, was)):
            self._put(container_id, file, text)
        return True

    def enable(self, container_id: str, folder: str) -> None:
        """Hand the controller cpuset on to the children of a folder. That stays: others may rely on it by then."""
        file = f"{folder}/cgroup.subtree_control"
        if "cpuset" not in text_of(self._files, file).split():
            self._put(container_id, file, "+cpuset")

    def make(self, container_id: str, place: str) -> None:
        """Make one folder; in a threaded subtree it becomes threaded too, since nothing could run in it else."""
        try:
            self._files.make(place)
        except FileExistsError:
            return
        except OSError as error:
            raise _refused(error, container_id, place, "mkdir") from None
        self._entries.append(_Made(place))
        if text_of(self._files, f"{place}/cgroup.type") == "domain invalid":
            self._put(container_id, f"{place}/cgroup.type", "threaded")

    def remove(self, container_id: str, place: str) -> None:
        """Remove one folder."""
        texts = tuple((name, text_of(self._files, f"{place}/{name}")) for name in _KEPT)
        try:
            self._files.remove(place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused(error, container_id, place, "rmdir") from None
        self._entries.append(_Removed(place, texts))

    def inherit(self, container_id: str, file: str) -> str:
        """Leave it to the parent what holds; the text written instead where processes forbid that, else ""."""
        was = text_of(self._files, file)
        if not was:
            return ""
        with self._remembered(_Wrote(file, was)):
            return self._put_inherited(container_id, file)

    @contextmanager
    def _remembered(self, entry: _Wrote) -> Iterator[None]:
        """Before it is done, since Ctrl-C may come right after; forgotten when it was refused."""
        self._entries.append(entry)
        try:
            yield
        except Unanswered:
            raise
        except (CgroupFailed, Vanished):
            self._entries.pop()
            raise

    def _put_inherited(self, container_id: str, file: str) -> str:
        """A populated group cannot lose its list (ENOSPC): it gets what its parent has, written out."""
        try:
            self._put(container_id, file, "")
        except CgroupFailed as failed:
            if not failed.failure.said.startswith("ENOSPC"):
                raise
            place, _, name = file.rpartition("/")
            instead = text_of(self._files, f"{place.rpartition('/')[0]}/{name}.effective")
            self._put(container_id, file, instead)
            return instead
        return ""

    def _put(self, container_id: str, file: str, text: str) -> None:
        place, _, name = file.rpartition("/")
        unit = self._systemd.takes(place, name)
        if unit:
            self._systemd.write(unit, file, text, container_id=container_id)
            return
        try:
            self._files.write(file, text)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV) and not self._files.is_folder(place):
                raise Vanished(container_id) from None
            raise CgroupFailed(refused(error, container_id=container_id, file=file, wrote=text)) from None

    def restore(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take everything back, last first, so that prefixes are as safe as on the way: (restored, what was not)."""
        restored: dict[str, None] = {}
        failed: list[str] = []
        while self._entries:
            entry = self._entries.pop()
            try:
                restored[self._back(entry)] = None
            except (Vanished, FileNotFoundError):
                continue  # it ended: there is nothing to set back
            except (OSError, CgroupFailed, _Approximately) as error:
                failed.append(_why_not(entry, error))
        return tuple(restored), tuple(failed)

    def _back(self, entry: _Wrote | _Made | _Removed) -> str:
        """Undo one change; its name."""
        if isinstance(entry, _Made):
            self._files.remove(entry.place)
            return entry.place
        if isinstance(entry, _Removed):
            self._files.make(entry.place)
            for name, text in entry.texts:
                if text and text != "member":
                    self._put("", f"{entry.place}/{name}", text)
            return entry.place
        if entry.file.endswith(".partition"):  # "isolated invalid (why)": only the first word is written
            self._put("", entry.file, entry.was.split(" ")[0])
        elif entry.was or entry.file.endswith(".exclusive"):
            self._put("", entry.file, entry.was)
        elif instead := self._put_inherited("", entry.file):
            raise _Approximately(f'processes run there: it has "{instead}" written out, as its parent has')
        return entry.file


def _refused(error: OSError, container_id: str, place: str, what: str) -> CgroupFailed:
    failure = refused(error, container_id=container_id, file=f"{place}/{what}", wrote="")
    return CgroupFailed(failure)


def _why_not(entry: _Wrote | _Made | _Removed, error: OSError | CgroupFailed | _Approximately) -> str:
    what = entry.file if isinstance(entry, _Wrote) else entry.place
    wanted = f' to "{entry.was}"' if isinstance(entry, _Wrote) else ""
    why = said(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, CgroupFailed):
        why = error.failure.said
    return f"{what}{wanted}: {why}"
