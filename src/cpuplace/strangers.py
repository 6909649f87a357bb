"""Strangers: containers that are not managed (K0), and the exclusive CPUs of others on which they run.

They are never moved, and nobody who runs moves because of them: their CPUs are only not given to anybody any more.
"""

from collections.abc import Iterable, Iterator

from cpuplace.cpulist import union_of
from cpuplace.idset import CpuSet
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import HostState


def cpus_of_strangers(requests: Iterable[ContainerRequest]) -> int:
    """The CPUs that those of them have who are not managed, as a mask."""
    return union_of(request.pin.mask for request in requests if request.kind is Kind.UNMANAGED)


def intrusions(state: HostState, requests: Iterable[ContainerRequest]) -> Iterator[str]:
    """Which of these are not managed and run on exclusive CPUs, in words."""
    for request in requests:
        met = request.pin.mask & state.claimed_mask
        if met and request.kind is Kind.UNMANAGED:
            yield f"{request.container_id}: not managed, runs on exclusive CPUs {CpuSet.from_mask(met)}"
