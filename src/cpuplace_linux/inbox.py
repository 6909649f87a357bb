"""The bounded queue of a role: full makes senders wait, closed lets the receiver finish what is there."""

import threading
from collections import deque
from queue import Empty, Full
from typing import Any

from cpuplace import CpuplaceError


class RoleEnded(CpuplaceError):  # noqa: N818 - the name says what happened
    """Something was sent to a role, or awaited by one, that has ended or is ending."""


class Inbox:
    """First in, first out, at most `size` items; any thread may put, any may get."""

    def __init__(self, role: str, size: int) -> None:
        """Empty and open."""
        self._role = role
        self._size = size
        self._items: deque[Any] = deque()
        self._closed = False
        self._change = threading.Condition()

    def put(self, item: object, timeout: float | None = None) -> None:
        """Add an item, waiting for room up to `timeout` seconds (None = as long as need be).

        Raises queue.Full when there was none, RoleEnded when the box is closed, before or meanwhile.
        """
        with self._change:
            room = self._change.wait_for(lambda: self._closed or len(self._items) < self._size, timeout)
            if self._closed:
                raise RoleEnded(f"the role {self._role} takes nothing any more")
            if not room:
                raise Full
            self._items.append(item)
            self._change.notify_all()

    def get(self, timeout: float | None = None) -> Any:
        """The oldest item; raises queue.Empty when none comes in time, RoleEnded when it is closed and empty."""
        with self._change:
            self._change.wait_for(lambda: self._closed or self._items, timeout)
            if self._items:
                item = self._items.popleft()
                self._change.notify_all()
                return item
            raise RoleEnded(f"the role {self._role} is told to end") if self._closed else Empty

    def close(self, *, drop: bool = False) -> int:
        """Take nothing more; who waits wakes. The items that are dropped with `drop`, as a number."""
        with self._change:
            self._closed = True
            dropped = len(self._items) if drop else 0
            if drop:
                self._items.clear()
            self._change.notify_all()
            return dropped
