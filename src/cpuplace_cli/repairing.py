"""`--repair` of `ps` and `drift`: what was mended, told on standard error."""

import sys
from collections.abc import Iterable

from cpuplace_cgroup.managing import ManagedHost
from cpuplace_cli.printable import printable
from cpuplace_cli.steps import step_text


def repaired(managed: ManagedHost) -> bool:
    """Mend what differs and tell what was done; False when the kernel did not take it."""
    plan, outcome, notes = managed.repair()
    done = [step_text(step) for step in plan.steps] if outcome.ok else str(outcome).splitlines()
    tell_repair([*done, *plan.notes, *notes])
    return outcome.ok


def tell_repair(lines: Iterable[str]) -> None:
    """Say on standard error what became of a repair."""
    for line in lines:
        sys.stderr.write(f"cpuplace: repair: {printable(line)}\n")
