"""Who runs where, as data: the shape of `ps -o json` (docs/json-output.md)."""

from typing import Any

from cpuplace.state import Assignment
from cpuplace_cgroup import Group
from cpuplace_cgroup.managing import View


def ps_data(view: View) -> dict[str, Any]:
    """The view as plain values, without the schema number."""
    state = view.state
    return {
        "host": state.topology.name,
        "root": view.observation.root,
        "containers": [_container(one, view) for one in state.assignments.values()],
        "pool": str(state.pool),
        "free": str(state.free),
        "drift": [one.to_dict() for one in view.drift],
        "intruders": [
            {"path": one.path, "cpus": str(one.effective_cpus), "pids": list(one.pids)} for one in view.intruders
        ],
        "keep_off": list(view.keep_off),
        "notes": list(view.news),
    }


def _container(one: Assignment, view: View) -> dict[str, Any]:
    group = view.observation.get(one.container_id)
    return {
        "id": one.container_id,
        "kind": one.kind.value,
        "cpus": str(one.cpus),
        "mems": None if one.mems is None else str(one.mems),
        "exclusive": one.exclusive,
        "withheld": str(one.withheld),
        "degraded": one.degraded,
        "run_by": view.runs.get(one.container_id),
        "group": None if group is None else _group(group),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "path": group.path,
        "cpus": str(group.cpus),
        "mems": str(group.mems),
        "effective_cpus": str(group.effective_cpus),
        "effective_mems": str(group.effective_mems),
        "pids": list(group.pids),
        "made": group.made,
    }
