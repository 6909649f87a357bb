"""Pods for the tests of plan and fit: facts at random, and small manifests as text."""

from pathlib import Path

from hypothesis import strategies as st

from cpuplace.facts import ContainerFacts, PodFacts, Role

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

_roles: st.SearchStrategy[Role] = st.sampled_from(["main", "main", "init", "sidecar"])
_annotations = st.sampled_from(
    [
        {},
        {},
        {"cpuplace.dev/cores": "0-1"},
        {"cpuplace.dev/cores": "isolate"},
        {"cpuplace.dev/numa": "require-one"},
        {"cpuplace.dev/forbid": "0"},
        {"cpuplace.dev/nonsense": "x"},
        {"cpuplace.dev/manage": "false"},
    ]
)


@st.composite
def pods(draw: st.DrawFn, *, most: int = 6) -> list[PodFacts]:
    """Some workloads with their replicas, one after another, as a manifest gives them."""
    found: list[PodFacts] = []
    for number in range(draw(st.integers(0, 3))):
        roles = [draw(_roles) for _ in range(draw(st.integers(0, 2)))]
        cpus = [draw(st.sampled_from([500, 1000, 1000, 2000, 3000])) for _ in range(len(roles) + 1)]
        annotations = draw(_annotations)
        for replica in range(draw(st.integers(1, most))):
            uid = f"default/w{number}-{replica}"
            containers = tuple(
                ContainerFacts(
                    name=f"c{at}",
                    container_id=f"{uid}/c{at}",
                    role=role,
                    cpu_limit=limit,
                    memory_limit=2**20,
                )
                for at, (role, limit) in enumerate(zip([*roles, "main"], cpus, strict=True))
            )
            found.append(PodFacts(uid=uid, name=uid[8:], containers=containers, annotations=annotations))
    return found


def pod(name: str, *cpus: str, annotations: str = "") -> str:
    """A manifest of a Guaranteed pod with one container for each CPU limit."""
    containers = "".join(
        f"\n  - {{name: c{at}, resources: {{limits: {{cpu: {limit}, memory: 1Mi}}}}}}" for at, limit in enumerate(cpus)
    )
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\n"
        f"spec:\n  containers:{containers}\n---\n"
    )


def deployment(name: str, replicas: int, *cpus: str) -> str:
    """A manifest of so many such pods."""
    lines = pod(name, *cpus).removesuffix("---\n").splitlines()
    template = "\n".join(f"    {line}" for line in lines[2:])
    head = f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: {replicas}\n"
    return f"{head}  template:\n{template}\n---\n"


def on_node(text: str, node: str, phase: str = "Running") -> str:
    """The manifest of a pod as a cluster lists it."""
    return text.replace("spec:\n", f"status: {{phase: {phase}}}\nspec:\n  nodeName: {node}\n")
