"""A plan as data: the shape of `plan -o json` (docs/json-output.md)."""

from typing import Any

from cpuplace.state import Assignment
from cpuplace_cli.plan_explain import explain_data
from cpuplace_cli.plan_outcome import Outcome, PodAnswer
from cpuplace_cli.plan_rows import rule_of
from cpuplace_cli.plan_said import not_placed
from cpuplace_cli.steps import step_data


def plan_data(outcome: Outcome, *, explain: bool = False) -> dict[str, Any]:
    """The plan as plain values, without the schema number."""
    state = outcome.state
    explanations = {"explanations": explain_data(outcome.explanation)} if explain else {}
    return {
        "host": state.topology.name,
        "containers": [
            _container(one, held, init=held in one.init) for one in outcome.started for held in outcome.held(one)
        ],
        "pool": str(state.pool),
        "free": str(state.free),
        "steps": [step_data(step) for step in outcome.plan.steps],
        "released": [{"pod": one.pod, "cpus": str(one.cpus)} for one in outcome.released],
        "refusals": [refusal_data(one) for one in outcome.refused],
        "notes": [*outcome.plan.notes, *outcome.notes],
        "optimal": outcome.plan.optimal,
        **explanations,
    }


def _container(one: PodAnswer, held: Assignment, *, init: bool) -> dict[str, Any]:
    return {
        "pod": one.uid,
        "container": held.request.name,
        "kind": held.kind.value,
        "cpus": str(held.cpus),
        "mems": None if held.mems is None else str(held.mems),
        "preferred_mems": None if held.preferred is None else str(held.preferred),
        "exclusive": held.exclusive,
        "withheld": str(held.withheld),
        "init": init,
        "rule": rule_of(held),
    }


def refusal_data(one: PodAnswer) -> dict[str, Any]:
    """A refused pod: which container, why, in the refusal's own fields, and who is therefore not placed."""
    refusal, container = one.refusal, one.refused
    assert refusal is not None and container is not None
    return {"pod": one.uid, "container": container.name, **refusal.to_dict(), "not_placed": not_placed(one)}
