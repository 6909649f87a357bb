"""Seen: one container as a runtime tells of it, read into the words of the core; and what is asked for it."""

from collections.abc import Iterable
from typing import Literal

from attrs import evolve, frozen

from cpuplace import ContainerRequest, CpuSet, Kind, NodeSet, Policy, Refusal, read_pod
from cpuplace.facts import ContainerFacts, PodFacts

Mark = Literal["", "ours", "unmanaged"]
"""What our annotation on a container says: nothing (created while we were away), placed by us, or left alone."""


@frozen(slots=True, kw_only=True)
class Seen:
    """One container. `pod` holds the pod without containers, `facts` this container's numbers.

    `cpus`, `mems`: its cpuset in the runtime's specification, None = none; `baseline`: the CPUs of its creation;
    `cgroup`: where its processes are, in the spelling of the runtime; `foreign`: others set its cpuset before us.
    """

    container_id: str
    sandbox: str
    pod: PodFacts
    facts: ContainerFacts
    cpus: CpuSet | None = None
    mems: NodeSet | None = None
    baseline: CpuSet | None = None
    mark: Mark = ""
    cgroup: str = ""
    pid: int = 0
    foreign: bool = False

    @property
    def uid(self) -> str:
        """The pod, as Kubernetes knows it; it outlives its sandboxes."""
        return self.pod.uid

    @property
    def name(self) -> str:
        """namespace/pod/container, as people know it."""
        return f"{self.pod.namespace}/{self.pod.name}/{self.facts.name}"

    def request(self, policy: Policy, siblings: Iterable["Seen"] = ()) -> ContainerRequest | Refusal:
        """What it asks for; the containers of its pod that are known count with it (`Policy.integer_scope`)."""
        others = {one.facts.name: one.facts for one in siblings if one.facts.name != self.facts.name}
        facts = evolve(self.facts, cpuset=self.cpus or CpuSet()) if self.foreign else self.facts
        answers = read_pod(evolve(self.pod, containers=(*others.values(), facts)), policy)
        answer = next(one for one in answers if one.container_id == self.container_id)
        if isinstance(answer, ContainerRequest) and answer.kind is Kind.UNMANAGED and self.cpus:
            return evolve(answer, pin=self.cpus)  # whoever set it, it counts as a shared pin
        return answer

    def request_anyway(self, policy: Policy, siblings: Iterable["Seen"] = ()) -> tuple[ContainerRequest, str]:
        """The same for one that runs already: what cannot be read makes it a shared one, and is said."""
        answer = self.request(policy, siblings)
        if isinstance(answer, ContainerRequest):
            return answer, ""
        shared = ContainerRequest.shared(
            self.container_id, pod=self.uid, name=self.facts.name, namespace=self.pod.namespace
        )
        return shared, f"{self.name}: {answer.sentence}; it runs already, and shares the pool"
