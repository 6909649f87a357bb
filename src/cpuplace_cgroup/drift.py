"""Drift: where what is differs from what should be; and who may be on CPUs that are somebody's own."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from attrs import asdict, frozen

from cpuplace import HostState
from cpuplace.request import Kind
from cpuplace.state import Assignment
from cpuplace_cgroup.group import Group, Observation
from cpuplace_cgroup.partitions import PartitionKind
from cpuplace_cgroup.shortage import is_short


@frozen(slots=True, kw_only=True)
class Drift:
    """One difference. `file` is "" when the group is gone; `now` what it says, `why` what probably happened."""

    container_id: str
    file: str
    should: str
    now: str
    why: str

    def __str__(self) -> str:
        """One line."""
        if not self.file:
            return f"{self.container_id}: {self.why}"
        return f'{self.container_id}: {self.file} is "{self.now}", should be "{self.should}": {self.why}'

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return asdict(self)


def drift(state: HostState, observation: Observation, *, partition: PartitionKind | None = None) -> tuple[Drift, ...]:
    """Every difference between what `state` says and what was observed, in the order of the state; pure.

    Containers that are not managed have none. With `partition`, groups of exclusive ones should be that.
    `cpuplace.synchronize` of the same observation makes the plan that mends what can be mended.
    """
    return tuple(
        found
        for key, one in state.assignments.items()
        if one.kind is not Kind.UNMANAGED
        for found in _of(one, observation.get(key), observation, partition, short=is_short(state, key))
    )


def _of(
    one: Assignment, group: Group | None, observation: Observation, partition: PartitionKind | None, *, short: bool
) -> Iterator[Drift]:
    key = one.container_id
    if group is None:
        yield Drift(container_id=key, file="", should=str(one.cpus), now="", why="its group is gone")
        return
    if group.cpus != one.cpus and (group.cpus or group.effective_cpus != one.cpus):  # none of its own: the parent's
        yield _drift(key, group, "cpuset.cpus", one.cpus, group.cpus, _who_wrote(group, bool(group.cpus)))
    elif group.effective_cpus != one.cpus and not (short and _has_the_rest(one, group, observation)):
        why = _why_not_effective(one, group, observation)
        yield _drift(key, group, "cpuset.cpus.effective", one.cpus, group.effective_cpus, why)
    if partition and one.exclusive and group.partition != partition:
        why = "the kernel has ended it: another group uses some of its CPUs" if " " in group.partition else "it is none"
        yield _drift(key, group, "cpuset.cpus.partition", partition, group.partition, why)
    if not one.mems:
        return
    if group.mems != one.mems and (group.mems or group.effective_mems != one.mems):
        yield _drift(key, group, "cpuset.mems", one.mems, group.mems, _who_wrote(group, bool(group.mems)))
    elif group.effective_mems != one.mems:
        why = "its parent may use other memory nodes only"
        yield _drift(key, group, "cpuset.mems.effective", one.mems, group.effective_mems, why)


def _has_the_rest(one: Assignment, group: Group, observation: Observation) -> bool:
    """True when it runs on what is online of its CPUs, or, without any, on all that the root has."""
    return group.effective_cpus == (one.cpus & observation.cpus or observation.cpus)


def _drift(key: str, group: Group, name: str, should: object, now: object, why: str) -> Drift:
    return Drift(container_id=key, file=f"{group.path}/{name}", should=str(should), now=str(now), why=why)


def _who_wrote(group: Group, has_some: bool) -> str:
    if has_some:
        return "somebody else wrote it"
    if group.unit:
        return "it was emptied: systemd sets back what it was not told (daemon-reload)"
    return "it was emptied, or never written"


def _why_not_effective(one: Assignment, group: Group, observation: Observation) -> str:
    lost = one.cpus - group.effective_cpus
    if lost & observation.cpus:
        return "a folder between allows less, or a partition took CPUs"
    if group.effective_cpus <= one.cpus:
        return f"CPUs {lost} are offline, in a partition, or not allowed to the root of these groups"
    return "none of its CPUs can be used, so it runs wherever its parent may"


def intruders(state: HostState, observation: Observation) -> tuple[Group, ...]:
    """Groups with processes that nobody asked about and that may run on exclusive CPUs.

    Exclusive means against what we manage: whoever else runs on the host has to be kept off (`allowed_cpus_lines`), or
    the groups made partitions.
    """
    taken = state.exclusive | state.withheld
    return tuple(
        group
        for group in observation
        if group.container_id not in state and group.populated and group.effective_cpus & taken
    )


class Observer(Protocol):
    """Whoever can say what is."""

    def observe(self) -> Observation:
        """What is now."""
        ...


def watch(
    observer: Observer,
    state_of: Callable[[], HostState],
    interval: float,
    *,
    mending: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Drift, ...]]:
    """The drift each time it differs from before, first what it is now; looks every `interval` seconds, without end.

    `mending`: whoever is told mends it, so the same drift as before has come back, or could not be mended: told again.
    """
    last: tuple[Drift, ...] | None = None
    while True:
        now = drift(state_of(), observer.observe())
        if now != last or (mending and now):
            last = now
            yield now
        sleep(interval)
