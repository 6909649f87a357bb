"""Exceptions of cpuplace: raised for misuse only; every "no" of a decision is a `Refusal` value."""


class CpuplaceError(Exception):
    """Base of everything cpuplace raises on purpose."""


class BadInput(CpuplaceError, ValueError):  # noqa: N818 - the name is the field's word, not "...Error"
    """A text or value from outside that cannot be used: says what, where and what to do.

    `source` names the input (a file, an annotation, "cpu list"), `position` the 0-based character
    or the line or field in it, `hint` what would be accepted.

    >>> print(BadInput("expected a number", source="cpu list", position=2, hint="write 0-3,8"))
    cpu list, at 2: expected a number (write 0-3,8)
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str = "",
        position: int | str | None = None,
        hint: str = "",
    ) -> None:
        """Keep the parts apart, so that callers can render them their own way."""
        super().__init__(problem)
        self.problem = problem
        self.source = source
        self.position = position
        self.hint = hint

    def __str__(self) -> str:
        """One line: source, position, problem, hint."""
        where = ", ".join(
            part for part in (self.source, "" if self.position is None else f"at {self.position}") if part
        )
        head = f"{where}: " if where else ""
        tail = f" ({self.hint})" if self.hint else ""
        return f"{head}{self.problem}{tail}"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword parts (process pools pass exceptions this way)."""
        return _rebuild_bad_input, (self.problem, self.source, self.position, self.hint)


def _rebuild_bad_input(problem: str, source: str, position: int | str | None, hint: str) -> BadInput:
    return BadInput(problem, source=source, position=position, hint=hint)


class StalePlan(CpuplaceError):  # noqa: N818
    """A plan was applied to a state other than the one it was made for."""


class BrokenInvariant(CpuplaceError):  # noqa: N818
    """A promise of cpuplace itself does not hold: a bug to report, never a user's mistake."""
