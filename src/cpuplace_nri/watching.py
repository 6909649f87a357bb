"""Watch: where decisions go: the log, the numbers, what is told of each container, and whoever reads along."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from cpuplace_nri.decision import Decision
from cpuplace_nri.logs import Level, Log, timestamp
from cpuplace_nri.tally import Tally

QUEUED: Final = 4096
"""A reader of events that is further behind than this is cut off."""
REMEMBERED: Final = 4096
"""Of so many containers it is kept what was last decided about them."""


@frozen(slots=True)
class Noted:
    """A decision and when it was made, in seconds since 1970."""

    seconds: float
    decision: Decision

    @property
    def at(self) -> str:
        """The same for people."""
        return timestamp(self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        one = self.decision
        return {
            "at": self.at,
            "decision": one.kind,
            "id": one.container_id,
            "container": one.name,
            "cpus": None if one.cpus is None else str(one.cpus),
            "mems": None if one.mems is None else str(one.mems),
            "rule": one.rule,
            "reason": one.reason,
            "moved": list(one.moves),
            "refusal": None if one.refusal is None else one.refusal.to_dict(),
            "ms": round(one.seconds * 1000, 3),
        }


Reader = asyncio.Queue[Noted | None]
"""What a reader takes from; None = it was too slow, or the plugin ends."""


class Watch:
    """Hears of every decision, and of what else is worth saying or counting.

    All of it is called from inside handlers, so nothing here waits or raises.
    """

    def __init__(self, log: Log, tally: Tally, *, clock: Callable[[], float] = time.time) -> None:
        self.log = log
        self.tally = tally
        self._clock = clock
        self._last: dict[str, Noted] = {}
        self._readers: set[Reader] = set()
        self._closed = False

    def now(self) -> str:
        """The time, in UTC, for people."""
        return timestamp(self._clock())

    def decided(self, decision: Decision) -> None:
        """Take one decision."""
        noted = Noted(self._clock(), decision)
        self.tally.decided(decision)
        self.log.decided(decision)
        if decision.container_id:
            self._last.pop(decision.container_id, None)
            self._last[decision.container_id] = noted
            if len(self._last) > REMEMBERED:
                del self._last[next(iter(self._last))]
        for reader in tuple(self._readers):
            self._tell(reader, noted)

    def say(self, level: Level, event: str, **fields: object) -> None:
        """One line of the log."""
        self.log.say(level, event, **fields)

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """More of something that the tally counts."""
        self.tally.count(name, *labels, by=by)

    def time(self, name: str, label: str, seconds: float) -> None:
        """It took so long."""
        self.tally.time(name, label, seconds)

    def last(self, container_id: str) -> Noted | None:
        """What was last decided about a container, None when that is not known."""
        return self._last.get(container_id)

    def all_last(self) -> tuple[Noted, ...]:
        """What was last decided about each container, those that are gone included; oldest first."""
        return tuple(self._last.values())

    def reader(self) -> Reader:
        """A queue of all decisions from now on; give it back to `leave`."""
        made: Reader = asyncio.Queue(QUEUED)
        self._readers.add(made)
        if self._closed:
            self._cut(made)
        return made

    def leave(self, reader: Reader) -> None:
        """The reader reads no more."""
        self._readers.discard(reader)

    def close(self) -> None:
        """No more decisions: readers come to an end, those too who come late."""
        self._closed = True
        for reader in tuple(self._readers):
            self._cut(reader)

    def _tell(self, reader: Reader, noted: Noted) -> None:
        try:
            reader.put_nowait(noted)
        except asyncio.QueueFull:
            self._cut(reader)
            self.tally.count("recordings_cut")

    def _cut(self, reader: Reader) -> None:
        """Its next thing is the end: an incomplete recording must not look like a whole one."""
        self._readers.discard(reader)
        if reader.full():
            reader.get_nowait()
        reader.put_nowait(None)
