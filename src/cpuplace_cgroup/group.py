"""Group and Observation: what the kernel shows of a subtree, as values."""

from collections.abc import Iterator, Mapping
from typing import Literal

from attrs import field, frozen

from cpuplace import CpuSet, NodeSet
from cpuplace.request import ContainerRequest
from cpuplace.synchronizing import Observed
from cpuplace_cgroup.names import Qos

GroupType = Literal["domain", "domain threaded", "domain invalid", "threaded"]


@frozen(slots=True, kw_only=True)
class Group:
    """One group as the kernel shows it. `cpus`, `mems` are its own, empty = the parent's; `effective_...` what holds.

    `pids` are processes of it and of everything below it, threads where it is threaded. `partition` is the kernel's
    word ("member", "isolated", "root invalid (why)", "" when it has no such file). `made`: it is one of ours.
    `path` is relative to the root of the observation; `pod`, `qos`, `runtime`, `unit` are "" when the name is silent.
    """

    container_id: str
    path: str
    cpus: CpuSet
    mems: NodeSet
    effective_cpus: CpuSet
    effective_mems: NodeSet
    pids: tuple[int, ...] = ()
    partition: str = ""
    type: GroupType = "domain"
    qos: Qos = ""
    pod: str = ""
    runtime: str = ""
    unit: str = ""
    made: bool = False

    @property
    def populated(self) -> bool:
        """True when a process runs in it."""
        return bool(self.pids)


@frozen(slots=True, kw_only=True)
class Observation:
    """The groups of a subtree that are containers, in path order; `cpus`, `mems` are what its root may use."""

    root: str
    groups: tuple[Group, ...]
    cpus: CpuSet
    mems: NodeSet
    _by_id: dict[str, Group] = field(init=False, eq=False, repr=False)

    @_by_id.default
    def _index(self) -> dict[str, Group]:
        return {group.container_id: group for group in self.groups}

    def get(self, container_id: str) -> Group | None:
        """The group of this container, or None."""
        return self._by_id.get(container_id)

    def __getitem__(self, container_id: str) -> Group:
        """The group of this container; KeyError when there is none."""
        return self._by_id[container_id]

    def __contains__(self, container_id: object) -> bool:
        return container_id in self._by_id

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)


def observed(observation: Observation, requests: Mapping[str, ContainerRequest]) -> tuple[Observed, ...]:
    """What `cpuplace.synchronize` wants to know: the requested containers that have a group, and what each has.

    Groups that nobody asked about but that have CPUs of their own are there as unmanaged (K0), except empty ones that
    we made: those are left over from something that was cut off, and `CgroupBackend.sweep` removes them.
    """
    known = tuple(
        Observed(request=requests[one.container_id], cpus=one.cpus, mems=one.mems or None)
        for one in observation
        if one.container_id in requests
    )
    strange = tuple(
        Observed(request=_unmanaged(one), cpus=one.cpus, mems=one.mems or None)
        for one in observation
        if one.container_id not in requests and one.cpus and (one.populated or not one.made)
    )
    return known + strange


def _unmanaged(group: Group) -> ContainerRequest:
    return ContainerRequest.unmanaged(group.container_id, cpus=group.cpus, pod=group.pod or None)
