"""How a runtime joins what several plugins want within one request, and where that fails."""

from attrs import define, field

from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code, TtrpcError

_FIELDS = {"cpus": ("CPU pinning", "CPUSetCPUs"), "mems": ("memory pinning", "CPUSetMems")}


@define
class Merging:
    """One request: who claimed what, what the container itself gets, and the updates to others in order."""

    key: str  # the container that is created or updated, "" for none
    new_names: bool  # of fields in conflicts, since 0.10
    creating: bool = False
    owners: dict[tuple[str, str], str] = field(factory=dict)
    own: nri.LinuxResources = field(factory=nri.LinuxResources)
    others: dict[str, nri.ContainerUpdate] = field(factory=dict)
    annotations: dict[str, str] = field(factory=dict)
    env: dict[str, str] = field(factory=dict)
    memory_policy: nri.LinuxMemoryPolicy | None = None

    def adjust(self, plugin: str, adjustment: nri.ContainerAdjustment) -> None:
        """A container's own adjustment at creation; TtrpcError when another plugin set the same."""
        self._claim(plugin, self.key, adjustment.linux.resources)
        for name, value in adjustment.annotations.items():
            self._claim_one(plugin, self.key, f"annotation {name}", f"annotation {name!r}")
            self.annotations[name] = value
        for pair in adjustment.env:
            self._claim_one(plugin, self.key, f"env {pair.key}", f"env {pair.key!r}")
            self.env[pair.key] = pair.value
        if adjustment.linux.HasField("memory_policy"):
            self.memory_policy = adjustment.linux.memory_policy
        merge(self.own, adjustment.linux.resources)

    def update(self, plugin: str, update: nri.ContainerUpdate) -> None:
        """An update in a reply. A second claim fails the request, even by the same plugin, or is dropped if it may."""
        key, resources = update.container_id, update.linux.resources
        if self.creating and key == self.key:
            raise TtrpcError(Code.UNKNOWN, f"plugin {plugin!r} asked update of {key!r} during creation")
        try:
            self._claim(plugin, key, resources)
        except TtrpcError:
            if update.ignore_failure:
                return
            raise
        if key == self.key:
            merge(self.own, resources)
            return
        known = self.others.setdefault(key, nri.ContainerUpdate(container_id=key))
        merge(known.linux.resources, resources)
        known.ignore_failure = update.ignore_failure

    def _claim(self, plugin: str, key: str, resources: nri.LinuxResources) -> None:
        for name, words in _FIELDS.items():
            if getattr(resources.cpu, name):
                self._claim_one(plugin, key, name, words[self.new_names])
        for name in ("shares", "quota", "period"):
            if resources.cpu.HasField(name):  # type: ignore[arg-type]
                self._claim_one(plugin, key, name, f"CPU {name}")

    def _claim_one(self, plugin: str, key: str, name: str, words: str) -> None:
        other = self.owners.get((key, name))
        if other is not None:
            raise TtrpcError(Code.UNKNOWN, f'plugins "{plugin}" and "{other}" both tried to set {words}')
        self.owners[key, name] = plugin


def merge(into: nri.LinuxResources, more: nri.LinuxResources) -> None:
    """What is said in `more` replaces what is in `into`."""
    for name in ("shares", "quota", "period"):
        if more.cpu.HasField(name):
            getattr(into.cpu, name).CopyFrom(getattr(more.cpu, name))
    into.cpu.cpus = more.cpu.cpus or into.cpu.cpus
    into.cpu.mems = more.cpu.mems or into.cpu.mems
    if more.memory.HasField("limit"):
        into.memory.limit.CopyFrom(more.memory.limit)
