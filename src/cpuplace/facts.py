"""Facts: a pod and its containers as Kubernetes or a runtime describes them, and what those numbers mean."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet

Role = Literal["init", "sidecar", "main", "ephemeral"]

PLACING_ORDER: Final[Mapping[Role, int]] = {"init": 0, "sidecar": 0, "main": 1, "ephemeral": 2}
"""Containers start in this order; within one number in the order of the pod."""

_NUMBERS: Final = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")


@frozen(slots=True, kw_only=True)
class ContainerFacts:
    """One container as Kubernetes or a runtime describes it; None = not said.

    CPU in thousandths (millicores, a smaller rest rounded up), memory in bytes, huge pages as page size -> bytes.
    `cpuset` is what someone else set before us. A sidecar is an init container that restarts always.
    """

    name: str
    container_id: str
    role: Role = "main"
    cpu_request: int | None = None
    cpu_limit: int | None = None
    memory_request: int | None = None
    memory_limit: int | None = None
    huge_pages: Mapping[int, int] = field(factory=dict, hash=False)
    cpuset: CpuSet | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse negative numbers."""
        _check_numbers(self, f"container {self.name}")


@frozen(slots=True, kw_only=True)
class PodFacts:
    """One pod; `guaranteed` None = compute it from the numbers, else what the runtime's cgroup parent says.

    `complete` False = there may be more containers than these: a runtime shows them one by one as they are created.
    The four numbers are the pod-level resources (KEP-2837), None where the pod has none.
    """

    uid: str
    name: str
    containers: tuple[ContainerFacts, ...]
    namespace: str = "default"
    annotations: Mapping[str, str] = field(factory=dict, hash=False)
    guaranteed: bool | None = None
    complete: bool = True
    cpu_request: int | None = None
    cpu_limit: int | None = None
    memory_request: int | None = None
    memory_limit: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse negative numbers and two containers of one name."""
        _check_numbers(self, f"pod {self.name}")
        names = [one.name for one in self.containers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"two containers are named {twice!r}", source=f"pod {self.namespace}/{self.name}")


def _check_numbers(facts: ContainerFacts | PodFacts, source: str) -> None:
    for name in _NUMBERS:
        if (getattr(facts, name) or 0) < 0:
            raise BadInput("a negative amount", source=source, position=name)


def whole_cpus(one: ContainerFacts) -> int:
    """The CPU limit when it is whole, else 0.

    >>> whole_cpus(ContainerFacts(name="a", container_id="a", cpu_limit=1500))
    0
    """
    count, rest = divmod(one.cpu_limit or 0, 1000)
    return 0 if rest else count


def is_guaranteed(pod: PodFacts) -> bool:
    """Whether the pod's QoS class is Guaranteed: as told, else from pod-level resources, else from every container.

    Source: Kubernetes, "Pod Quality of Service Classes"; KEP-2837. Ephemeral containers have no resources.
    """
    if pod.guaranteed is not None:
        return pod.guaranteed
    if has_pod_level(pod):
        cpu = _pod_request(pod, "cpu_request", pod.cpu_request, pod.cpu_limit)
        memory = _pod_request(pod, "memory_request", pod.memory_request, pod.memory_limit)
        return _equal(cpu, pod.cpu_limit) and _equal(memory, pod.memory_limit)
    return all(is_even(one) for one in counted(pod))


def counted(pod: PodFacts) -> list[ContainerFacts]:
    """The containers whose numbers count: all but ephemeral ones, which have none."""
    return [one for one in pod.containers if one.role != "ephemeral"]


def has_pod_level(pod: PodFacts) -> bool:
    """Whether the pod as a whole has numbers (KEP-2837); they alone then decide its QoS class."""
    return any(getattr(pod, name) is not None for name in _NUMBERS)


def cpu_request(one: ContainerFacts) -> int | None:
    """The CPU request in millicores; a missing one is the limit, as the API server has it."""
    return one.cpu_limit if one.cpu_request is None else one.cpu_request


def memory_request(one: ContainerFacts) -> int | None:
    """The memory request in bytes; a missing one is the limit, as the API server has it."""
    return one.memory_limit if one.memory_request is None else one.memory_request


def is_even(one: ContainerFacts) -> bool:
    """Whether request = limit > 0 for CPU and memory."""
    return _equal(cpu_request(one), one.cpu_limit) and _equal(memory_request(one), one.memory_limit)


def _equal(request: int | None, limit: int | None) -> bool:
    """Both said, equal, and not zero: Kubernetes counts an amount of zero as not said."""
    return bool(limit) and request == limit


def _pod_request(pod: PodFacts, name: str, request: int | None, limit: int | None) -> int | None:
    """The pod-level request: as written, else what the containers request in all, else the pod-level limit."""
    if request is not None or limit is None:
        return request
    asked = {id(one): cpu_request(one) if name == "cpu_request" else memory_request(one) for one in counted(pod)}
    if all(amount is None for amount in asked.values()):
        return limit
    peak = running = 0
    for one in sorted(counted(pod), key=lambda one: PLACING_ORDER[one.role]):
        amount = asked[id(one)] or 0
        peak = max(peak, running + amount)  # an init container runs beside the sidecars before it
        running += 0 if one.role == "init" else amount
    return max(peak, running)


_UNGUARANTEED: Final = re.compile(r"(?:^|[-/])(?:burstable|besteffort)(?=$|[-/.])")


def guaranteed_by_cgroup_parent(path: str) -> bool:
    """Whether a pod's cgroup parent is that of a Guaranteed pod; both kubelet cgroup drivers' spellings are read.

    >>> guaranteed_by_cgroup_parent("/kubepods/burstable/pod1")
    False
    >>> guaranteed_by_cgroup_parent("kubepods-pod1.slice")
    True
    """
    return _UNGUARANTEED.search(path) is None


def count_by_runtime(quota: int | None, period: int | None, shares: int | None) -> int | None:
    """The whole number of CPUs that a runtime's numbers stand for, or None.

    `quota` and `period` in microseconds (period 0 or None = 100,000), no quota = None or <= 0; then `shares` / 1024
    counts, because kubelet drops the quota of containers with exclusive CPUs. Shares end at 262144 (256 CPUs), the
    kernel's maximum: a larger container cannot be told from one of 256 by them.

    >>> count_by_runtime(400_000, 100_000, 4096), count_by_runtime(-1, 100_000, 2048), count_by_runtime(None, None, 102)
    (4, 2, None)
    """
    amount, unit = (quota, period or 100_000) if quota is not None and quota > 0 else (shares or 0, 1024)
    count, rest = divmod(amount, unit)
    return count if count > 0 and not rest else None
