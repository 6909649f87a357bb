"""What `apply` is about to do, and how it went."""

from typing import Any

from attrs import frozen

from cpuplace.plan import Plan
from cpuplace.state import HostState
from cpuplace_cgroup import CgroupBackend, Outcome, Write
from cpuplace_cli.apply_wanted import Decided
from cpuplace_cli.steps import step_data


@frozen(slots=True, kw_only=True)
class Applied:
    """A decision, what it writes, how that went; `outcome` None = it was not carried out (`--dry-run`, or not yet)."""

    backend: CgroupBackend
    decided: Decided
    writes: tuple[Write, ...]
    notes: tuple[str, ...] = ()
    dry: bool = False
    outcome: Outcome | None = None

    @property
    def plan(self) -> Plan:
        """Its steps in order."""
        return self.decided.plan

    @property
    def state(self) -> HostState:
        """Who holds what afterwards: as before when it failed."""
        failed = self.outcome is not None and not self.outcome.ok
        return self.plan.before if failed else self.plan.after

    @property
    def complete(self) -> bool:
        """True when nobody was refused and everything was carried out, or would be."""
        return not self.decided.refused and (self.outcome is None or self.outcome.ok)


def applied_data(one: Applied) -> dict[str, Any]:
    """The same as plain values for JSON, without the schema number (docs/json-output.md)."""
    keys = dict.fromkeys(step.container_id for step in one.plan.steps if step.after is not None)
    return {
        "host": one.plan.after.topology.name,
        "root": one.backend.root,
        "dry_run": one.dry,
        "steps": [step_data(step) for step in one.plan.steps],
        "writes": [{"container_id": w.container_id, "file": w.file, "text": w.text} for w in one.writes],
        "groups": {key: one.backend.path_of(key) for key in keys},
        "refusals": list(one.decided.data),
        "outcome": None if one.outcome is None else one.outcome.to_dict(),
        "pool": str(one.state.pool),
        "free": str(one.state.free),
        "notes": [*one.decided.notes, *one.notes],
    }
