"""A pod or pod template to PodFacts."""

from collections.abc import Iterator
from typing import Final

from cpuplace.facts import ContainerFacts, PodFacts, Role
from cpuplace_k8s.resources import read_resources
from cpuplace_k8s.walking import as_text, label_at, needed_table, place_of, table_at, tables_at, text_at
from cpuplace_linux.yamltext import Table

_LISTS: Final[tuple[tuple[str, Role], ...]] = (
    ("initContainers", "init"),
    ("containers", "main"),
    ("ephemeralContainers", "ephemeral"),
)


def read_template(template: Table, *, namespace: str, name: str) -> PodFacts:
    """The facts of one pod made from this template; raises BadInput with the line. O(containers).

    Ids are made from names, so that the same manifest always gives the same ones: pod `default/web-0`, its
    container `default/web-0/main`.
    """
    spec = needed_table(template, "spec")
    uid = f"{namespace}/{name}"
    whole = read_resources(spec)
    return PodFacts(
        uid=uid,
        name=name,
        namespace=namespace,
        annotations=read_annotations(template),
        containers=tuple(_containers(spec, uid)),
        cpu_request=whole.cpu_request,
        cpu_limit=whole.cpu_limit,
        memory_request=whole.memory_request,
        memory_limit=whole.memory_limit,
    )


def read_annotations(owner: Table) -> dict[str, str]:
    """`metadata.annotations`; a value that is no text is an error, as for the API server."""
    found = table_at(owner, "metadata", "annotations")
    return {} if found is None else {key: as_text(value, f"annotation {key}") for key, value in found.entries.items()}


def _containers(spec: Table, uid: str) -> Iterator[ContainerFacts]:
    if not tables_at(spec, "containers"):
        raise place_of(spec, "containers").bad("a pod needs at least one container")
    names: set[str] = set()
    for key, role in _LISTS:
        for one in tables_at(spec, key):
            facts = _container(one, role, uid)
            if facts.name in names:
                raise place_of(one, "name").bad(f"a second container named {facts.name!r}")
            names.add(facts.name)
            yield facts


def _container(one: Table, role: Role, uid: str) -> ContainerFacts:
    name = label_at(one, "name")
    if name is None:
        raise one.place.bad("a container without a name")
    numbers = read_resources(one)
    return ContainerFacts(
        name=name,
        container_id=f"{uid}/{name}",
        role="sidecar" if role == "init" and text_at(one, "restartPolicy") == "Always" else role,
        cpu_request=numbers.cpu_request,
        cpu_limit=numbers.cpu_limit,
        memory_request=numbers.memory_request,
        memory_limit=numbers.memory_limit,
        huge_pages=numbers.huge_pages,
    )
