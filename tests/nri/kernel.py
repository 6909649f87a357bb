"""The containers of a fake runtime and what a kernel would let them run on."""

from collections.abc import Callable, Mapping

from attrs import define, field

from cpuplace import BadInput, CpuSet, Topology
from cpuplace_nri.proto import nri_pb2 as nri


class CannotSetError(Exception):
    """A cpuset that the kernel refuses."""


@define
class Kernel:
    """`specs`: every container as its runtime knows it; `running`: the cpuset of those that run, as asked for."""

    host: Topology
    specs: dict[str, nri.Container] = field(factory=dict)
    running: dict[str, str] = field(factory=dict)
    broken: set[str] = field(factory=set)  # containers whose updates fail
    moments: list[Mapping[str, CpuSet]] = field(factory=list)  # who ran where after each single change
    on_change: Callable[[Mapping[str, CpuSet]], None] = field(default=lambda now: None)

    @property
    def cpus(self) -> dict[str, CpuSet]:
        """The CPUs that each container runs on, or will when it is started: `cpuset.cpus.effective`."""
        return {key: self.effective(self.running.get(key, cpus_of(one))) for key, one in self.specs.items()}

    def effective(self, text: str) -> CpuSet:
        """Of the CPUs asked for those that are online; without any, all that are online."""
        return (CpuSet.parse(text) & self.host.online) or self.host.online

    def start(self, key: str) -> None:
        cpus = cpus_of(self.specs[key])
        self._check(key, cpus)
        self._set(key, cpus)

    def end(self, key: str) -> None:
        if self.running.pop(key, None) is not None:
            self._note()

    def update(self, key: str, resources: nri.LinuxResources) -> None:
        """What of an update survives: cpus, mems, shares, quota, period, memory limit. Unknown ids are silent."""
        one = self.specs.get(key)
        if one is None:
            return
        cpu, mine = resources.cpu, one.linux.resources.cpu
        self._check(key, cpu.cpus)
        for name in ("shares", "quota", "period"):
            if cpu.HasField(name):
                getattr(mine, name).CopyFrom(getattr(cpu, name))
        if resources.memory.HasField("limit"):
            one.linux.resources.memory.limit.CopyFrom(resources.memory.limit)
        mine.mems = cpu.mems or mine.mems
        mine.cpus = cpu.cpus or mine.cpus
        if cpu.cpus and key in self.running:
            self._set(key, cpu.cpus)

    def write(self, key: str, cpus: str) -> None:
        """Somebody writes the cgroup's file directly: the runtime does not know."""
        self._check(key, cpus)
        self._set(key, cpus)

    def _check(self, key: str, cpus: str) -> None:
        try:
            wanted = CpuSet.parse(cpus)
        except BadInput as error:
            raise CannotSetError(f"{key}: {error}") from None
        if key in self.broken or not wanted <= CpuSet(cpu.id for cpu in self.host.cpus):
            raise CannotSetError(f"{key}: cpuset.cpus = {cpus}: invalid argument")

    def _set(self, key: str, cpus: str) -> None:
        self.running[key] = cpus
        self._note()

    def _note(self) -> None:
        now = {key: self.effective(text) for key, text in self.running.items()}
        self.moments.append(now)
        self.on_change(now)


def cpus_of(container: nri.Container) -> str:
    return container.linux.resources.cpu.cpus
