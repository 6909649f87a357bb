"""Sixty containers come and go in an order of chance; after every step the laws hold for what the kernel says."""

import random

import attrs

from cpuplace import CpuSet, Topology
from e2e.containerd import law
from e2e.containerd.agent import Agent
from e2e.containerd.cri import CriError
from e2e.containerd.daemon import Containerd
from e2e.containerd.kubelet import Container, Kubelet, Pod
from e2e.containerd.law import SHARED, Held, Wanted

CREATED = 60
STARTED = 4
"""One in so many is started: it takes a second or two here, and one that only was created has a place as well."""
LIVE = 12
PINS = {"p0": "0-1", "p1": "6-9", "p2": "3", "p3": "12-15", "p4": "4-7"}


@attrs.define
class Churn:
    """The containers that there are, and what becomes of them."""

    kubelet: Kubelet
    host: Topology
    chance: random.Random
    own: Pod
    shared: Pod
    live: dict[Container, tuple[Wanted, bool]] = attrs.Factory(dict)
    seen: dict[Container, Held] = attrs.Factory(dict)
    refused: int = 0
    moved: int = 0

    def create(self, serial: int) -> None:
        """One more, of a kind by chance; the runtime may refuse, and then nobody else has moved."""
        kind = self.chance.choice(["shared", "integer", "integer", "pin"])
        free = [name for name in PINS if name not in {container.name for container in self.live}]
        if kind == "shared" or (kind == "pin" and not free):
            pod, name, wanted, cpus = self.shared, f"s{serial}", SHARED, 0.5
        elif kind == "integer":
            count = self.chance.choice([1, 2, 2, 3, 4])
            pod, name, wanted, cpus = self.own, f"i{serial}", Wanted(count=count), float(count)
        else:
            name = self.chance.choice(free)
            pin = CpuSet.parse(PINS[name])
            pod, wanted, cpus = self.own, Wanted(pin=pin, count=len(pin)), float(len(pin))
        try:
            container = self.kubelet.create(pod, name, cpus=cpus, attempt=serial)
        except CriError as error:
            assert "\n" not in error.message
            self.refused += 1
            assert self.owned(self.look()) == self.owned(self.seen), error.message
            return
        runs = serial % STARTED == 0
        if runs:
            self.kubelet.start(container)
        self.live[container] = wanted, runs

    def remove(self) -> None:
        """One of them, by chance."""
        container = self.chance.choice(list(self.live))
        self.kubelet.remove(container)
        del self.live[container]

    def look(self) -> dict[Container, Held]:
        """What each has."""
        return {one: law.held(self.kubelet, one, runs) for one, (_, runs) in self.live.items()}

    def owned(self, found: dict[Container, Held]) -> dict[Container, Held]:
        """Those with CPUs of their own: shared ones may be widened at any moment."""
        return {one: has for one, has in found.items() if self.live[one][0].exclusive}

    def check(self) -> None:
        """The laws."""
        found = self.look()
        law.check(self.host, {one.said: (self.live[one][0], has) for one, has in found.items()})
        self.moved += sum(self.seen.get(one, has) != has for one, has in self.owned(found).items())
        self.seen = found


def test_sixty_containers_in_random_order(
    kubelet: Kubelet, containerd: Containerd, agent: Agent, host: Topology
) -> None:
    since = len(containerd.log())
    pins = {f"cores.cpuplace.dev/{name}": pin for name, pin in PINS.items()}
    own, shared = kubelet.pod("own", annotations=pins), kubelet.pod("shared", qos="burstable")
    churn = Churn(kubelet, host, random.Random(5), own, shared)
    for serial in range(CREATED):
        churn.create(serial)
        churn.check()
        while len(churn.live) >= LIVE or (churn.live and churn.chance.random() < 0.5):
            churn.remove()
            churn.check()
    assert churn.refused < CREATED // 3, "most find room"
    assert churn.moved > 0, "a pin met integer containers"
    others = [line for line in containerd.complaints(since) if "cpuplace: " not in line]
    assert others == [], "nothing but what was refused"
