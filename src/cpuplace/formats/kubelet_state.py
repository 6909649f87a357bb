"""Kubelet's `cpu_manager_state`: who its static CPU manager policy gave which CPUs.

v1 (to Kubernetes 1.17) names containers by id, v2 by pod UID and container name. The checksum is not verified: its
recipe changed between releases, and a file that was edited by hand is worth looking at too.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from cpuplace.cpulist import union_of
from cpuplace.errors import BadInput
from cpuplace.formats.json_fields import Field, load
from cpuplace.formats.state_container import read_text
from cpuplace.idset import CpuSet
from cpuplace.policy import Policy
from cpuplace.request import ContainerRequest
from cpuplace.state import Assignment, HostState
from cpuplace.topology import Topology
from cpuplace.transitions import with_owner

_FIELDS: Final = ("policyName", "defaultCpuSet", "entries", "checksum")


@frozen(slots=True)
class KubeletEntry:
    """Exclusive CPUs of one container; v1 knows no pod: the id is then all there is (`pod` = `container`)."""

    pod: str
    container: str
    cpus: CpuSet

    @property
    def key(self) -> str:
        """What to call it: `pod/container`, or the id.

        >>> KubeletEntry("uid", "main", CpuSet([1])).key
        'uid/main'
        """
        return self.container if self.pod == self.container else f"{self.pod}/{self.container}"


@frozen(slots=True, kw_only=True)
class KubeletState:
    """The whole file: `default` is the pool as the kubelet keeps it, `policy` "static" or "none"."""

    policy: str
    default: CpuSet
    entries: tuple[KubeletEntry, ...] = ()


def parse(text: str | bytes, *, source: str = "cpu_manager_state") -> KubeletState:
    """What the file says, v1 or v2; BadInput with line or field for anything else.

    >>> parse('{"policyName": "static", "defaultCpuSet": "0,3", "entries": {"uid": {"main": "1-2"}}}').entries
    (KubeletEntry(pod='uid', container='main', cpus=CpuSet('1-2')),)
    """
    top = load(text, source=source)
    top.known(*_FIELDS)
    return KubeletState(
        policy=read_text(top.need("policyName")),
        default=top.need("defaultCpuSet").cpus(),
        entries=top.maybe("entries", lambda field: tuple(_entries(field)), ()),
    )


def is_kubelet_state(text: str | bytes) -> bool:
    """True when this looks like kubelet's file rather than one of ours; never raises.

    >>> is_kubelet_state('{"policyName": "none"}'), is_kubelet_state('{"schema": 1}'), is_kubelet_state("{")
    (True, False, False)
    """
    try:
        top = load(text, source="").value
    except BadInput:
        return False
    return isinstance(top, dict) and "policyName" in top and "schema" not in top


def to_state(
    saved: KubeletState, topology: Topology, policy: Policy | None = None
) -> tuple[HostState, tuple[str, ...]]:
    """The file as a state that is checked by nobody, and what was left out of it.

    Every entry is an integer container of as many CPUs as it has. Kubelet lets the later containers of a pod use the
    CPUs of its init containers, and keeps what is left of those until the pod is gone: of entries of one pod that
    overlap, those that meet the fewest others, the largest first, have all of theirs, and the others the rest. It
    knows nothing of kernel-isolated CPUs: without a policy they are CPUs like others.

    >>> saved = parse('{"policyName": "static", "defaultCpuSet": "1", "entries": {"uid": {"main": "0"}}}')
    >>> to_state(saved, Topology.uniform(cores_per_l3=2))[0]["uid/main"].cpus
    CpuSet('0')
    """
    state = HostState.empty(topology, policy or Policy(isolated_cpus="ignore"))
    own, notes = _divided(saved.entries)
    for one in saved.entries:
        if own[one.key] or not one.cpus:
            state = with_owner(state, _assignment(one, own[one.key]))
    return state, notes


def _divided(entries: Sequence[KubeletEntry]) -> tuple[dict[str, CpuSet], tuple[str, ...]]:
    """Each CPU of a pod to one entry, by key, and who has less for it: containers that run at the same time share
    nothing, so who meets the fewest others is the least likely to be an init container."""
    own: dict[str, CpuSet] = {}
    notes: list[str] = []
    for one in sorted(entries, key=lambda one: (len(_met(one, entries)), -len(one.cpus))):
        former = [other for other in _met(one, entries) if other.key in own]
        theirs = CpuSet.from_mask(union_of(other.cpus.mask for other in former))
        own[one.key] = one.cpus - theirs
        if former:
            notes.append(_note(one, former, theirs))
    return own, tuple(notes)


def _met(one: KubeletEntry, entries: Sequence[KubeletEntry]) -> list[KubeletEntry]:
    """Other entries of its pod that name some of its CPUs."""
    return [other for other in entries if other.pod == one.pod and other is not one and other.cpus & one.cpus]


def _note(one: KubeletEntry, former: Sequence[KubeletEntry], theirs: CpuSet) -> str:
    who = " and ".join(other.container for other in former)
    alone = f"; has {one.cpus - theirs} alone" if one.cpus - theirs else ""
    return f"{one.key}: shares CPUs {one.cpus & theirs} with {who} of its pod, as init containers do{alone}"


def _assignment(one: KubeletEntry, own: CpuSet) -> Assignment:
    request = ContainerRequest.integer(one.key, max(len(own), 1), pod=one.pod, name=one.container)
    return Assignment(request, own, baseline=own)


def _entries(field: Field) -> Iterator[KubeletEntry]:
    versions = {type(one.value) is str for _, one in field.entries()}
    if len(versions) > 1:
        raise field.bad("container ids (v1) and pods (v2) are mixed")
    for name, one in field.entries():
        _check_name(name, one)
        if versions == {True}:
            yield KubeletEntry(name, name, one.cpus())
            continue
        for container, cpus in one.entries():
            _check_name(container, cpus)
            yield KubeletEntry(name, container, cpus.cpus())


def _check_name(name: str, field: Field) -> None:
    if not name or "/" in name or any("\ud800" <= char <= "\udfff" for char in name):
        raise field.bad(f"{name[:40]!r} is no name of a pod or container")
