"""Explanation: why a container got its CPUs, as values that print themselves (section 8 of the rules)."""

from collections.abc import Iterable

from attrs import field, frozen

from cpuplace.idset import CpuSet


@frozen(slots=True, kw_only=True)
class Considered:
    """One set of CPUs that could have served; `measures` are the elements of the tuple, in order."""

    cpus: CpuSet
    measures: tuple[tuple[str, int | tuple[int, ...]], ...]
    won: bool


@frozen(slots=True, kw_only=True)
class Reason:
    """Why one container got what it got: the rule, a sentence, and what else was considered."""

    container_id: str
    rule: str
    sentence: str
    considered: tuple[Considered, ...] = ()

    @property
    def decided_by(self) -> str:
        """The first element in which the winner beat the next best set; "" when it had none, or did not win by it."""
        if len(self.considered) < 2 or not self.considered[0].won:
            return ""
        first, second = self.considered[0].measures, self.considered[1].measures
        return next((a[0] for a, b in zip(first, second, strict=True) if a[1] != b[1]), "ids")


@frozen(slots=True)
class Explanation:
    """The reasons of a plan, in the order of its decisions; `str()` is for people."""

    reasons: tuple[Reason, ...] = field(default=())

    @staticmethod
    def joined(parts: Iterable["Explanation"]) -> "Explanation":
        """One explanation of several."""
        return Explanation(tuple(reason for part in parts for reason in part.reasons))

    def __str__(self) -> str:
        return "\n".join(line for reason in self.reasons for line in _lines(reason))


def _lines(reason: Reason) -> Iterable[str]:
    yield f"{reason.container_id}: {reason.sentence} ({reason.rule})"
    for one in reason.considered:
        measures = " ".join(f"{name}={value}" for name, value in one.measures if name != "ids")
        yield f"  {'*' if one.won else ' '} {one.cpus!s:<24} {measures}"
    if reason.decided_by:
        yield f"    decided by {reason.decided_by}"
