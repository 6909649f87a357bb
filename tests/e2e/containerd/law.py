"""What must hold at every moment, by what the kernel and the runtime say: nobody has a CPU that is another's."""

from collections.abc import Mapping
from typing import Final

import attrs

from cpuplace import CpuSet, NodeSet, Topology
from cpuplace.idset import NO_CPUS

from .kubelet import Container, Kubelet


@attrs.frozen(slots=True, kw_only=True)
class Wanted:
    """What a container asked for: a pin, a number of CPUs of its own, or neither."""

    pin: CpuSet = NO_CPUS
    count: int = 0

    @property
    def exclusive(self) -> bool:
        """Whether its CPUs are nobody else's."""
        return self.count > 0


SHARED: Final = Wanted()


@attrs.frozen(slots=True)
class Held:
    """What a container has."""

    cpus: CpuSet
    mems: NodeSet


def held(kubelet: Kubelet, container: Container, running: bool) -> Held:
    """Of one that runs what its group says, its process agreeing; of another what it will be started with."""
    if not running:
        spec = kubelet.spec(container)
        return Held(CpuSet.parse(str(spec.get("cpus", ""))), NodeSet.parse(str(spec.get("mems", ""))))
    seen = kubelet.look(container)
    assert seen.cpus == seen.effective == seen.allowed, (container.said, seen)
    assert seen.mems <= seen.effective_mems == seen.allowed_mems, (container.said, seen)
    return Held(seen.cpus, seen.mems)


def check(host: Topology, live: Mapping[str, tuple[Wanted, Held]]) -> None:
    """Raises AssertionError with everything when a law is broken; `live` is by a name that a person knows."""
    taken = NO_CPUS
    for name, (wanted, has) in live.items():
        if wanted.exclusive:
            assert not has.cpus & taken, (name, live)
            taken |= has.cpus
            assert len(has.cpus) == wanted.count, (name, live)
            assert has.mems == nodes(host, has.cpus), (name, live)
        assert not wanted.pin or has.cpus == wanted.pin, (name, live)
    for name, (wanted, has) in live.items():
        if not wanted.exclusive:
            assert has.cpus, (name, live)
            assert not has.cpus & taken, (name, live)
    assert taken < host.online, "somebody has the pool's last CPU"


def nodes(host: Topology, cpus: CpuSet) -> NodeSet:
    """The nodes of these CPUs."""
    return NodeSet(node.id for node in host.nodes if node.cpus & cpus)
