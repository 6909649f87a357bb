"""Tally: what happened, in plain numbers; counting costs a microsecond, takes no lock and needs no library."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from attrs import field, mutable

from cpuplace_nri.decision import Decision

COUNTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "decisions": ("Decisions, by what was asked", ("kind",)),
    "refusals": ("Refusals, by rule and by reason", ("rule", "reason")),
    "moves": ("Containers that were moved for others", ()),
    "drift": ("Containers whose cgroup was not as decided", ()),
    "repairs": ("Containers whose cgroup was mended", ()),
    "late_answers": ("Handlers that the watchdog answered for, by method", ("method",)),
    "errors": ("What went wrong without being anybody's wish, by where or what", ("what",)),
    "connections": ("Connections to the runtime that were made", ()),
    "disconnections": ("Connections to the runtime that ended", ()),
    "updates_failed": ("Updates that the runtime could not carry out", ()),
    "reloads": ("Reloads of the configuration, by result", ("result",)),
    "log_lines_dropped": ("Log lines that were dropped because writing them did not keep up", ()),
    "recordings_cut": ("Readers of events that were too slow and were cut off", ()),
}
"""Counter -> its meaning and its labels."""

TIMES: Final[dict[str, tuple[str, str]]] = {
    "decision_seconds": ("How long deciding took, by what was asked", "kind"),
    "handler_seconds": ("How long a request of the runtime took to be answered, by method", "method"),
}
"""Histogram -> its meaning and its label."""

BOUNDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Upper ends of the buckets, in seconds: the runtime gives up after 2."""


@mutable(slots=True)
class Times:
    """How often something took how long; `buckets` are those of BOUNDS and one beyond."""

    buckets: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0


class Tally:
    """The numbers of one plugin since it started.

    >>> tally = Tally()
    >>> tally.count("reloads", "done")
    >>> tally.counted("reloads", "done"), tally.counted("reloads", "refused")
    (1, 0)
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.times: dict[tuple[str, str], Times] = {}

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """One more; a name or number of labels that COUNTS does not have is a KeyError or ValueError."""
        if len(labels) != len(COUNTS[name][1]):
            raise ValueError(f"{name} takes the labels {COUNTS[name][1]}")
        self.counts[name, labels] += by

    def counted(self, name: str, *labels: str) -> int:
        """How often so far."""
        return self.counts[name, labels]

    def time(self, name: str, label: str, seconds: float) -> None:
        """It took so long."""
        if name not in TIMES:
            raise KeyError(name)
        times = self.times.setdefault((name, label), Times())
        times.buckets[bisect_left(BOUNDS, seconds)] += 1
        times.total += seconds

    def decided(self, decision: Decision) -> None:
        """Count what a decision says."""
        self.count("decisions", decision.kind)
        self.time("decision_seconds", decision.kind, decision.seconds)
        if decision.moves:
            self.count("moves", by=len(decision.moves))
        if decision.refusal is not None:
            self.count("refusals", decision.refusal.rule, decision.refusal.kind)
