"""A plan of partitions as a Kubernetes ConfigMap, for an engine that reads where its threads belong."""

import re
from typing import Any, Final

from cpuplace.errors import BadInput
from cpuplace.formats import partitions as plan_format
from cpuplace.partitions_plan import PartitionPlan

MAX_BYTES: Final = 1 << 20
"""What the API server takes in one ConfigMap."""

_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def config_map(plan: PartitionPlan, *, name: str = "partition-plan", namespace: str | None = None) -> dict[str, Any]:
    """The manifest as plain values: the plan as JSON, and what the pod that runs it must ask for.

    `data`: `plan.json`; `cpus`, the list to pin to; `requests.cpu`, how many those are; `requests.memory`, the
    slices in bytes. Raises BadInput for a name that the API server would refuse, and for a plan beyond 1 MiB.

    >>> config_map(PartitionPlan(pinnings=(), roles=(), page_bytes=4096))["data"]["requests.cpu"]
    '0'
    """
    for what, text, allowed in (("name", name, _NAME), ("namespace", namespace, _LABEL)):
        if text is not None and not allowed.fullmatch(text):
            raise BadInput(
                f"{text[:60]!r} cannot be a {what}", source="ConfigMap", hint="lower-case letters, digits and -"
            )
    data = {
        "cpus": str(plan.cpus),
        "requests.cpu": str(len(plan.cpus)),
        "requests.memory": str(plan.memory_bytes),
        "plan.json": plan_format.render(plan) + "\n",
    }
    if sum(len(text.encode()) for text in data.values()) > MAX_BYTES:
        raise BadInput(f"the plan is larger than {MAX_BYTES} bytes", source="ConfigMap", hint="plan fewer partitions")
    place = {} if namespace is None else {"namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **place}, "data": data}


def render(plan: PartitionPlan, *, name: str = "partition-plan", namespace: str | None = None) -> str:
    """The same as YAML, the plan as a block that people can read."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    Dumper.add_representer(
        str,
        lambda dumper, text: dumper.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
        ),
    )
    return yaml.dump(
        config_map(plan, name=name, namespace=namespace), Dumper=Dumper, sort_keys=False, allow_unicode=True
    )
