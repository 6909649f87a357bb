"""The kinds of object that run pods: where each keeps its pod template, and how many pods it makes."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cpuplace_k8s.walking import count_at, needed_table
from cpuplace_linux.yamltext import Row, Table, Tree


def _one(_spec: Table) -> int:
    return 1


def _replicas(spec: Table) -> int:
    return count_at(spec, "replicas", 1)


def _parallelism(spec: Table) -> int:
    """The pods a Job runs at the same time."""
    at_once = count_at(spec, "parallelism", 1)
    return min(at_once, count_at(spec, "completions", at_once))


class Workload(NamedTuple):
    """One kind: the path to the object that holds `spec.template`, and how many pods that makes on one host."""

    owner: tuple[str, ...]
    copies: Callable[[Table], int]
    said_by: str


_REPLICATED: Final = Workload(("spec",), _replicas, "replicas")

WORKLOADS: Final[Mapping[tuple[str, str], Workload]] = {
    ("", "ReplicationController"): _REPLICATED,
    ("apps", "Deployment"): _REPLICATED,
    ("apps", "ReplicaSet"): _REPLICATED,
    ("apps", "StatefulSet"): _REPLICATED,
    ("apps", "DaemonSet"): Workload(("spec",), _one, ""),
    ("batch", "Job"): Workload(("spec",), _parallelism, "parallelism"),
    ("batch", "CronJob"): Workload(("spec", "jobTemplate", "spec"), _parallelism, "parallelism"),
}
"""By API group and kind; a Pod is its own template."""

_OLD_GROUPS: Final = {"extensions": "apps"}


def workload_of(api_version: str | None, kind: str) -> Workload | None:
    """The workload of this kind, or None; without an apiVersion the kind alone decides.

    >>> workload_of("apps/v1", "DaemonSet").copies(None)
    1
    >>> workload_of("batch.volcano.sh/v1alpha1", "Job") is None
    True
    """
    if api_version is None:
        return next((one for (_group, name), one in WORKLOADS.items() if name == kind), None)
    group = group_of(api_version)
    return WORKLOADS.get((_OLD_GROUPS.get(group, group), kind))


def group_of(api_version: str) -> str:
    """The API group: "apps" of "apps/v1", "" of "v1"."""
    return api_version.rpartition("/")[0]


def owner_spec(document: Table, workload: Workload) -> Table:
    """The spec that holds the template and says how many; raises BadInput when it is missing."""
    return needed_table(document, *workload.owner)


def has_template(document: Table) -> bool:
    """Whether an object of a kind not known here seems to run pods all the same."""
    found: Tree | None = document
    for key in ("spec", "template", "spec", "containers"):
        found = found.entries.get(key) if isinstance(found, Table) else None
    return isinstance(found, Row)
