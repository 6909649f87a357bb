"""Outcome: what became of a plan, as a value that says it in words."""

from typing import Any

from attrs import field, frozen

from cpuplace_cgroup.failure import Failure


@frozen(slots=True, kw_only=True)
class Outcome:
    """What became of a plan: all of it was carried out (`ok`), or nothing is left of it but `not_restored`.

    `done` steps were carried out and verified before the failure, if any; `restored` are the files that were set back.
    `vanished` are containers whose group went away meanwhile: their steps had nothing left to do. `partitions` are the
    kernel's words for those that were asked for.
    """

    done: int
    steps: int
    failure: Failure | None = None
    restored: tuple[str, ...] = ()
    not_restored: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    partitions: dict[str, str] = field(factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when every step holds: the plan is to be applied."""
        return self.failure is None

    def __str__(self) -> str:
        """A line for everything worth knowing."""
        lines = [f"{self.done} of {self.steps} steps carried out and verified"]
        if self.failure is not None:
            lines = [f"failed: {self.failure}"]
            lines.append(f"restored: {', '.join(self.restored) or 'nothing had been changed'}")
        lines += [f"not restored: {one}" for one in self.not_restored]
        lines += [f"gone meanwhile: {one}" for one in self.vanished]
        lines += [f"partition of {one}: {word}" for one, word in self.partitions.items()]
        return "\n".join([*lines, *(f"note: {one}" for one in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "ok": self.ok,
            "steps": self.steps,
            "done": self.done,
            "failure": None if self.failure is None else self.failure.to_dict(),
            "restored": list(self.restored),
            "not_restored": list(self.not_restored),
            "vanished": list(self.vanished),
            "partitions": dict(self.partitions),
            "notes": list(self.notes),
        }
