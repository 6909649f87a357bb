"""The steps of a plan, as data and in words."""

from typing import Any

from cpuplace.state import Held
from cpuplace.step import Step


def step_data(step: Step) -> dict[str, Any]:
    """One step as plain values for JSON."""
    return {
        "op": step.op.value,
        "container_id": step.container_id,
        "before": _held(step.before),
        "after": _held(step.after),
    }


def _held(held: Held | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"cpus": str(held.cpus), "mems": None if held.mems is None else str(held.mems)}


def step_text(step: Step) -> str:
    """One step in words.

    >>> from cpuplace.idset import CpuSet
    >>> from cpuplace.step import Op
    >>> step_text(Step(Op.MOVE, "db", Held(CpuSet([0, 1])), Held(CpuSet([2, 3]))))
    'move db from 0-1 to 2-3'
    """
    was, will = step.before, step.after
    if was is None or will is None:
        held = was or will
        return f"{step.op} {step.container_id}" + (f": {held.cpus}" if held else "")
    if was.cpus == will.cpus:
        return f"bind {step.container_id} to the memory of node {will.mems if will.mems is not None else 'any'}"
    return f"{step.op} {step.container_id} from {was.cpus} to {will.cpus}"
