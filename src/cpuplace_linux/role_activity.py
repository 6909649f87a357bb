"""What happens to the roles of a partition while they run, as values; and the bounded log that keeps the latest."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import ClassVar

from attrs import frozen

from cpuplace.idset import CpuSet


@frozen(slots=True, kw_only=True)
class RoleActivity:
    """Something that happened to a role's thread or process; `tid` is the kernel's number of it.

    The kinds are attributes of this class: `RoleActivity.Pinned` and its sisters.
    """

    role: str
    tid: int

    Started: ClassVar[type["Started"]]
    Pinned: ClassVar[type["Pinned"]]
    NotPinned: ClassVar[type["NotPinned"]]
    Died: ClassVar[type["Died"]]
    Restarted: ClassVar[type["Restarted"]]
    Stopped: ClassVar[type["Stopped"]]
    Stuck: ClassVar[type["Stuck"]]


class Started(RoleActivity):
    """The thread or process is there, not yet where it belongs."""

    __slots__ = ()


@frozen(slots=True, kw_only=True)
class Pinned(RoleActivity):
    """It runs on these CPUs, as the kernel confirms."""

    cpus: CpuSet


@frozen(slots=True, kw_only=True)
class NotPinned(RoleActivity):
    """The kernel did not take its CPUs or its memory policy; it does not run."""

    error: str


@frozen(slots=True, kw_only=True)
class Died(RoleActivity):
    """It ended with an error; what it was working on is lost, what waits in its queue is not."""

    error: str


@frozen(slots=True, kw_only=True)
class Restarted(RoleActivity):
    """It runs again, for the `times`th time after the first."""

    times: int


class Stopped(RoleActivity):
    """It ended without an error."""

    __slots__ = ()


class Stuck(RoleActivity):
    """It did not end in the time it was given."""

    __slots__ = ()


RoleActivity.Started = Started
RoleActivity.Pinned = Pinned
RoleActivity.NotPinned = NotPinned
RoleActivity.Died = Died
RoleActivity.Restarted = Restarted
RoleActivity.Stopped = Stopped
RoleActivity.Stuck = Stuck


class ActivityLog:
    """The latest activities, oldest first; when nobody takes them the oldest are dropped and counted in `missed`."""

    def __init__(self, size: int = 1024, listener: Callable[[RoleActivity], object] | None = None) -> None:
        """`listener` is called with each activity, in the thread it happens in; its errors go to the excepthook."""
        self.missed = 0
        self._kept: deque[RoleActivity] = deque(maxlen=size)
        self._news = threading.Condition()
        self._listener = listener

    def publish(self, activity: RoleActivity) -> None:
        """Keep it, wake who waits, tell the listener; never waits itself."""
        with self._news:
            self.missed += len(self._kept) == self._kept.maxlen
            self._kept.append(activity)
            self._news.notify_all()
        if self._listener is not None:
            try:
                self._listener(activity)
            except Exception as error:
                # A listener's mistake must not end the role it listens to.
                told = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(told))

    def take(self, timeout: float | None = None) -> RoleActivity | None:
        """The oldest activity that nobody took yet, after waiting for one up to `timeout` seconds; None = none came."""
        with self._news:
            self._news.wait_for(lambda: self._kept, timeout)
            return self._kept.popleft() if self._kept else None

    def until(self, kind: type[RoleActivity], *, role: str | None = None, timeout: float = 10.0) -> RoleActivity | None:
        """The next activity of this kind (of this role), those before it taken too; None = none came in time."""
        end = monotonic() + timeout
        while (found := self.take(max(end - monotonic(), 0))) is not None:
            if isinstance(found, kind) and role in (None, found.role):
                return found
        return None

    def __iter__(self) -> Iterator[RoleActivity]:
        """All that is there now, taken."""
        while (found := self.take(0)) is not None:
            yield found
