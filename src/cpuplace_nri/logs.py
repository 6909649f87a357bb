"""Logs: one line a decision, written by a thread of their own so that no reader of them can hold up an answer.

Lines are kept until `open`, which is when structlog is imported: after registration. They go to standard error, or,
where that leads nowhere (a runtime starts its plugins so), to the system's log as `cpuplace-nri`.
"""

import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from cpuplace_nri.decision import Decision

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
KEPT: Final = 10_000
"""More lines than this that wait to be written are dropped, and counted."""

_SYSLOG: Final = "/dev/log"
_PRIORITIES: Final[Mapping[str, int]] = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_DAEMON: Final = 3 << 3
_PAUSE: Final = 0.02  # seconds that lines gather, so that writing them begins when the answer has been given
_GOODBYE: Final = 3.0  # seconds that the last lines may take, structlog's import included
_SYSTEM: Final = 1.0  # seconds that the system's log may take for a line

Line = dict[str, Any]
Sink = Callable[[str, Level], None]


class Log:
    """What the plugin says; `dropped` hears of every line that is lost.

    >>> log = Log(level="warning")
    >>> log.say("info", "nobody reads this")
    >>> log.waiting
    0
    """

    def __init__(self, *, level: Level = "info", dropped: Callable[[], None] = lambda: None) -> None:
        self.level: Level = level
        self.format = "keyvalue"
        self._dropped = dropped
        self._lines: deque[tuple[float, Level, str, Line | Decision]] = deque()
        self._some = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def opened(self) -> bool:
        """Whether anything is written yet."""
        return self._thread is not None

    @property
    def waiting(self) -> int:
        """How many lines are not written yet."""
        return len(self._lines)

    def say(self, level: Level, event: str, **fields: object) -> None:
        """Have a line written, with the fields that are not None or empty; never waits, never raises."""
        self._take(level, event, fields)

    def decided(self, decision: Decision) -> None:
        """One line: what was asked, what became of it, by which rule and why."""
        self._take("info" if decision.refusal is None else "warning", "", decision)

    def _take(self, level: Level, event: str, what: Line | Decision) -> None:
        """Put into words later, on the thread that writes: who says it has an answer to give."""
        if LEVELS[level] < LEVELS[self.level]:
            return
        if len(self._lines) >= KEPT:
            self._dropped()
            return
        self._lines.append((time.time(), level, event, what))
        if not self._some.is_set():
            self._some.set()

    def configure(self, level: Level, form: str) -> None:
        """From the next line on this level and this format."""
        self.level, self.format = level, form

    def open(self, sink: Sink | None = None) -> None:
        """Begin to write, on a thread; what was said before is written first."""
        self._thread = threading.Thread(target=self._write, args=(sink or find_sink(),), name="log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left, for at most three seconds."""
        self._closing = True
        self._some.set()
        if self._thread is not None:
            self._thread.join(_GOODBYE)

    def _write(self, sink: Sink) -> None:
        while True:
            self._some.wait()
            if not self._closing:
                time.sleep(_PAUSE)
            self._some.clear()
            while self._lines:
                at, level, event, what = self._lines.popleft()
                sink(rendered(line_of(at, level, event, what), self.format), level)
            if self._closing:
                return


def line_of(at: float, level: Level, event: str, what: Line | Decision) -> Line:
    """The fields of one line, in their order; `at` in seconds since 1970."""
    if isinstance(what, Decision):
        event, what = _words(what)
    said = {name: value for name, value in what.items() if value not in (None, "", ())}
    return {"timestamp": timestamp(at), "level": level, "event": event} | said


def timestamp(at: float) -> str:
    """The time in UTC, for people; `at` in seconds since 1970.

    >>> timestamp(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _words(one: Decision) -> tuple[str, Line]:
    refused = one.refusal
    return one.kind if refused is None else f"{one.kind} refused", {
        "container": one.name or one.container_id,
        "id": one.container_id[:12],
        "cpus": None if one.cpus is None else str(one.cpus),
        "mems": None if one.mems is None else str(one.mems),
        "rule": one.rule if refused is None else refused.rule,
        "reason": one.reason if refused is None else f"{refused.sentence} ({refused.kind})",
        "moved": ", ".join(one.moves),
        "ms": round(one.seconds * 1000, 3),
    }


def rendered(line: Line, form: str) -> str:
    """One line of text: key=value pairs, or a JSON object; what a terminal could take for a command is escaped.

    >>> rendered({"event": "place", "cpus": "0-1", "reason": "two words"}, "keyvalue")
    'event=place cpus=0-1 reason="two words"'
    """
    from structlog.processors import JSONRenderer, LogfmtRenderer

    safe = {name: _safe(value) for name, value in line.items()}
    renderer = JSONRenderer(ensure_ascii=False) if form == "json" else LogfmtRenderer(bool_as_flag=False)
    text = renderer(None, "", safe)
    return text if isinstance(text, str) else text.decode()


def _safe(value: object) -> object:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in value)


def find_sink() -> Sink:
    """Standard error, or the system's log where standard error is /dev/null or closed."""
    if _leads_nowhere(sys.stderr) and os.path.exists(_SYSLOG):  # noqa: PTH110 - a socket, looked at once
        return _to_system
    return _to_stderr


def _leads_nowhere(stream: TextIO | None) -> bool:
    try:
        return stream is None or os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))  # noqa: PTH116
    except (OSError, ValueError):
        return False


def _to_stderr(text: str, _level: Level) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody is there to tell


def _to_system(text: str, level: Level) -> None:
    message = f"<{_DAEMON | _PRIORITIES[level]}>cpuplace-nri[{os.getpid()}]: {text}".encode(errors="replace")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
            system.settimeout(_SYSTEM)
            system.connect(_SYSLOG)
            system.send(message)
    except OSError:
        pass  # no more than it would be with /dev/null
