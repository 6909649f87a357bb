"""What `apply` does, for people: refusals, the ordered steps, and how it went."""

from collections.abc import Iterator

from cpuplace_cli.apply_outcome import Applied
from cpuplace_cli.printable import printable
from cpuplace_cli.steps import step_text
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span
from cpuplace_cli.titled import CROSS, sum_line, titled


def before_lines(one: Applied, width: int) -> Iterator[Line]:
    """What is about to be done."""
    width = max(width, MIN_WIDTH)
    yield from titled("refused", one.decided.refused, width, mark=CROSS)
    yield from titled("notes", [*one.decided.notes, *one.notes], width)
    steps = [f"{number}. {step_text(step)}" for number, step in enumerate(one.plan.steps, 1)]
    yield from titled(f"steps, below {printable(one.backend.root)}", steps, width, mark=Span(""))
    if one.dry:
        yield from titled(
            "writes", [f"{write.file}: {write.text}".rstrip(": ") for write in one.writes], width, mark=Span("")
        )


def after_lines(one: Applied, width: int) -> Iterator[Line]:
    """How it went."""
    width = max(width, MIN_WIDTH)
    outcome = one.outcome
    if outcome is None:
        yield from sum_line("dry run", f": {len(one.plan.steps)} steps, nothing was changed", width)
    elif outcome.ok:
        yield from titled("notes", str(outcome).splitlines()[1:], width)
        done = f"{outcome.done} of {outcome.steps} steps carried out and verified"
        head, state = done if outcome.steps else "nothing to do", one.state
        yield from sum_line(head, f"; {len(state.exclusive)} CPUs exclusive, {len(state.pool)} shared", width)
    else:
        head, *rest = str(outcome).splitlines()
        yield from titled("failed", [head.removeprefix("failed: "), *rest], width, mark=CROSS)
        yield from sum_line(
            "not carried out", ": nothing of the plan is left but what is named above", width, "bold red"
        )
