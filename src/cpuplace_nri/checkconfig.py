"""Checking a configuration: does its policy fit the host, and does the kubelet keep from the scheduler what it must?

A pod that the scheduler sends to a node and the plugin must refuse is not sent elsewhere by itself: what the plugin can
never give out exclusively (reserved CPUs, the floor of the pool) must not be schedulable.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from attrs import field, frozen

from cpuplace import HostState, Topology
from cpuplace_nri.config import Config
from cpuplace_nri.kubeletconfig import KubeletConfig

Level = Literal["wrong", "warning", "note"]
_NO_NAMES: Final = 'reservedSystemCPUs: ""'
"""Named CPUs replace the amounts, so these count only without them."""


@frozen(slots=True)
class Finding:
    """One thing worth saying: `wrong` = pods will be refused or moved about, with what to do."""

    level: Level
    text: str


@frozen(slots=True, kw_only=True)
class Checked:
    """What was found, the numbers behind it, and the lines for the kubelet's configuration."""

    findings: tuple[Finding, ...]
    online: int
    exclusive: int
    kept: int
    withheld: int | None
    lines: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """True when nothing is wrong; warnings and notes may be."""
        return not any(one.level == "wrong" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON; `withheld` in CPUs, None = no kubelet was looked at."""
        return {
            "good": self.good,
            "findings": [{"level": one.level, "text": one.text} for one in self.findings],
            "online": self.online,
            "exclusive": self.exclusive,
            "kept": self.kept,
            "withheld": None if self.withheld is None else self.withheld / 1000,
            "kubelet": list(self.lines),
        }


def check(config: Config, host: Topology, kubelet: KubeletConfig | None) -> Checked:
    """What the configuration means on this host beside this kubelet (None = it is not known).

    Raises BadInput, with the policy's field, when the policy does not fit the host.

    >>> check(Config(), Topology.uniform(cores_per_l3=8), KubeletConfig(system=1000)).good
    True
    """
    idle = HostState.empty(host, config.policy)
    exclusive = most_exclusive(idle)
    kept = len(host.online) - exclusive
    return Checked(
        findings=tuple(_findings(config, idle, kept, kubelet)),
        online=len(host.online),
        exclusive=exclusive,
        kept=kept,
        withheld=None if kubelet is None else kubelet.withheld,
        lines=tuple(_lines(idle, kept, kubelet)),
    )


def most_exclusive(idle: HostState) -> int:
    """How many CPUs integer containers can own at most: all free ones, but for what the pool's floor needs.

    >>> from cpuplace import CpuSet, Policy
    >>> host = Topology.uniform(cores_per_l3=8)
    >>> most_exclusive(HostState.empty(host, Policy(min_shared_cpus=3)))
    5
    >>> most_exclusive(HostState.empty(host, Policy(min_shared_cpus=3, reserved=CpuSet([0, 1]))))
    5
    """
    lasting = idle.pool - idle.free  # in the pool whatever integer containers take
    missing = max(idle.policy.min_shared_cpus - len(lasting), 0)
    return max(len(idle.free) - missing, 0)


def _findings(config: Config, idle: HostState, kept: int, kubelet: KubeletConfig | None) -> Iterator[Finding]:
    if not idle.pool or len(idle.pool) < idle.policy.min_shared_cpus:
        floor = idle.policy.min_shared_cpus
        yield Finding("wrong", f"the pool has {len(idle.pool)} CPUs at most, min_shared_cpus asks for {floor}")
    if most_exclusive(idle) == 0:
        yield Finding("warning", "no CPU is left for integer containers: every one of them will be refused")
    if kubelet is None:
        yield Finding("note", "no kubelet configuration was looked at: name one with --kubelet-config")
        return
    yield from _reservation(idle, kept, kubelet)
    yield from _other_managers(config, kubelet)


def _reservation(idle: HostState, kept: int, kubelet: KubeletConfig) -> Iterator[Finding]:
    if kubelet.withheld < kept * 1000:
        yield _too_little(idle, kept, kubelet)
    elif kubelet.withheld > kept * 1000 and kubelet.withheld >= len(idle.topology.online) * 1000:
        yield _too_much(len(idle.topology.online), kept, kubelet)
    absent = kubelet.reserved_cpus - idle.topology.online
    if absent:
        yield Finding("wrong", f"reservedSystemCPUs names CPUs that are not online: {absent}")
    given = kubelet.reserved_cpus & idle.free
    if given:
        yield Finding(
            "warning",
            f"reservedSystemCPUs {given} are not reserved by the policy: containers may be given them exclusively; "
            f"add `reserved: {kubelet.reserved_cpus | idle.reserved}` to the policy",
        )


def _too_little(idle: HostState, kept: int, kubelet: KubeletConfig) -> Finding:
    named = _NO_NAMES in _lines(idle, kept, kubelet)
    return Finding(
        "wrong",
        f"the kubelet keeps {_cpus(kubelet.withheld)} from the scheduler, but {kept} can never be given out "
        "exclusively: the last integer pods that are sent here will be refused; use the kubelet lines below"
        + (" (reservedSystemCPUs must be empty: it replaces the amounts)" if named else ""),
    )


def _too_much(online: int, kept: int, kubelet: KubeletConfig) -> Finding:
    """A kubelet that is to keep more than there is ends at once; one that keeps all of it has nothing to offer."""
    then = "it does not start" if kubelet.withheld > online * 1000 else "no pod that asks for CPUs is sent here"
    return Finding(
        "wrong",
        f"the kubelet keeps {_cpus(kubelet.withheld)} from the scheduler, and the host has {online}: {then}; lower its "
        f"reservation to {_cpus(kept * 1000)}",
    )


def _other_managers(config: Config, kubelet: KubeletConfig) -> Iterator[Finding]:
    if kubelet.cpu_manager != "none":
        yield Finding(
            "warning",
            f"cpuManagerPolicy is {kubelet.cpu_manager}: the kubelet gives out CPUs as well and writes its own cpusets "
            "every 10 seconds; set it to none and remove /var/lib/kubelet/cpu_manager_state",
        )
    if kubelet.memory_manager.lower() != "none" and config.policy.memory_policy == "strict":
        yield Finding(
            "warning",
            f"memoryManagerPolicy is {kubelet.memory_manager}: the kubelet writes memory nodes as well; set it to "
            "None, or memory_policy of the policy to none",
        )


def _cpus(millis: int) -> str:
    return f"{millis / 1000:g} CPUs"


def _lines(idle: HostState, kept: int, kubelet: KubeletConfig | None) -> Iterator[str]:
    """Reserved CPUs by name where they suffice; else an amount, since which CPUs the floor is made of changes."""
    yield "cpuManagerPolicy: none"
    if idle.reserved and len(idle.reserved) >= kept:
        yield f'reservedSystemCPUs: "{idle.reserved}"'
    else:
        if kubelet is not None and kubelet.reserved_cpus:
            yield _NO_NAMES
        yield "systemReserved:"
        yield f'  cpu: "{kept}"'
