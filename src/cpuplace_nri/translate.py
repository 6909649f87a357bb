"""Translate: messages of the runtime to values, and answers to messages. Nothing is decided here."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from cpuplace import BadInput, CpuSet, Held, NodeSet
from cpuplace.facts import ContainerFacts, PodFacts, count_by_runtime, guaranteed_by_cgroup_parent
from cpuplace_nri.answer import Own
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.seen import Mark, Seen

PLACED: Final = "cpuplace.dev/placed"
"""Annotation of a container: the CPUs of its creation, or the word below. So a restarted plugin knows its own."""
LEFT_ALONE: Final = "unmanaged"

_UNITS: Final = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_NO_LIMIT: Final = 1 << 62
_PAGE: Final = re.compile(r"(\d+)(KB|MB|GB|TB)")
_SHARES: Final = 1024
_MOST_SHARES: Final = 262_144
_NO_REQUEST: Final = 2
"""The kernel's least: what who requests nothing has."""
_MILLI: Final = 1000


def seen_of(pod: nri.PodSandbox, container: nri.Container, *, created: bool = False) -> Seen:
    """One container of one pod. `created`: it is being created now, so a cpuset that is there is somebody else's."""
    resources = container.linux.resources
    mark, baseline = _mark(container.annotations.get(PLACED, ""))
    cpus = _cpus(resources.cpu.cpus)
    one_number = _guaranteed(pod) or (mark == "ours" and _is_quota_off(resources.cpu, cpus))
    return Seen(
        container_id=container.id,
        sandbox=pod.id,
        pod=pod_facts(pod),
        facts=container_facts(container.name or container.id, container.id, resources, one_number=one_number),
        cpus=cpus,
        mems=_nodes(resources.cpu.mems),
        baseline=baseline,
        mark=mark,
        cgroup=container.linux.cgroups_path,
        pid=container.pid,
        foreign=mark == "unmanaged" or (created and bool(cpus)),
    )


def pod_facts(pod: nri.PodSandbox) -> PodFacts:
    """The pod itself; containers come one by one."""
    return PodFacts(
        uid=pod.uid or pod.id,
        name=pod.name,
        namespace=pod.namespace or "default",
        annotations=dict(pod.annotations),
        guaranteed=_guaranteed(pod),
        complete=False,
        containers=(),
    )


def container_facts(name: str, container_id: str, resources: nri.LinuxResources, *, one_number: bool) -> ContainerFacts:
    """The numbers of a container, as the kernel will have them; `one_number`: its CPU request is its limit."""
    request, limit = _cpu(resources.cpu, one_number=one_number)
    return ContainerFacts(
        name=name,
        container_id=container_id,
        cpu_request=request,
        cpu_limit=limit,
        memory_limit=_memory(resources),
        huge_pages=_huge_pages(resources.hugepage_limits),
    )


def with_numbers(seen: Seen, resources: nri.LinuxResources) -> Seen:
    """The container under new numbers; those that are not said stay (zero is said by who means nothing)."""
    request, limit = _cpu(resources.cpu, one_number=bool(seen.pod.guaranteed))
    memory = _memory(resources)
    facts = seen.facts
    if request is not None or limit is not None:
        facts = evolve(facts, cpu_request=request, cpu_limit=limit)
    if memory is not None:
        facts = evolve(facts, memory_limit=memory)
    return evolve(seen, facts=facts)


def asked_cpus(resources: nri.LinuxResources) -> CpuSet | None:
    """The cpuset that somebody else asks for in an update, None = none."""
    return _cpus(resources.cpu.cpus)


def updates(changes: Iterable[tuple[str, Held]], *, quota_off: str = "") -> list[nri.ContainerUpdate]:
    """The changes as messages, in order; with its own the container `quota_off` loses its quota.

    Shared containers have one change in common: it is put into words once. There may be hundreds: reading the same
    bytes again is three times as fast as copying a message.
    """
    made, last, words = [], None, b""
    for container_id, held in changes:
        if held is not last and held != last:
            last, words = held, _update(held).SerializeToString()
        one = nri.ContainerUpdate.FromString(words)
        one.container_id = container_id
        if container_id == quota_off:
            one.linux.resources.cpu.quota.value = -1
        made.append(one)
    return made


def _update(held: Held) -> nri.ContainerUpdate:
    return nri.ContainerUpdate(linux=nri.LinuxContainerUpdate(resources=_resources(held)))


def adjustment(own: Own, *, memory_policy: bool, quota_off: bool) -> nri.ContainerAdjustment:
    """What a new container gets: its cpuset, its mark, and, when the CPUs are its own, that it is told so.

    `memory_policy`: the runtime knows memory policies; `quota_off`: no CFS quota on CPUs of its own.
    """
    if own.left_alone:
        return nri.ContainerAdjustment(annotations={PLACED: LEFT_ALONE} if own.marked else {})
    made = nri.ContainerAdjustment(annotations={PLACED: str(own.held.cpus)})
    made.linux.resources.CopyFrom(_resources(own.held))
    if own.exclusive:
        made.env.add(key="CPUPLACE_CPUS", value=str(own.held.cpus))
        if quota_off:
            made.linux.resources.cpu.quota.value = -1
    if own.held.preferred and memory_policy:
        made.linux.memory_policy.mode = nri.MPOL_PREFERRED_MANY
        made.linux.memory_policy.nodes = str(own.held.preferred)
    return made


def _resources(held: Held) -> nri.LinuxResources:
    """Never an empty list of CPUs, which would mean "no change"."""
    return nri.LinuxResources(cpu=nri.LinuxCPU(cpus=str(held.cpus), mems=str(held.mems or "")))


def _mark(text: str) -> tuple[Mark, CpuSet | None]:
    if text == LEFT_ALONE:
        return "unmanaged", None
    cpus = _cpus(text)
    return ("ours", cpus) if cpus else ("", None)


def _guaranteed(pod: nri.PodSandbox) -> bool:
    return guaranteed_by_cgroup_parent(pod.linux.cgroup_parent)


def _is_quota_off(cpu: nri.LinuxCPU, cpus: CpuSet | None) -> bool:
    """Whether it has no quota since its CPUs are its own (`exclusive_quota: off`): as many as its shares stand for."""
    return _said(cpu, "quota") == -1 and cpus is not None and len(cpus) == count_by_runtime(-1, None, cpu.shares.value)


def _cpu(cpu: nri.LinuxCPU, *, one_number: bool) -> tuple[int | None, int | None]:
    """(request, limit) in millicores: the quota is the limit, the shares are the request.

    `one_number`: both are one, as in a Guaranteed pod, so without a quota it is the one that the shares stand for.
    """
    quota, period, shares = (_said(cpu, name) for name in ("quota", "period", "shares"))
    limited = quota is not None and quota > 0
    count = count_by_runtime(quota, period, shares) if limited or one_number else None
    if count:
        limit: int | None = count * _MILLI
    else:
        limit = -(-(quota or 0) * _MILLI // (period or 100_000)) if limited else None
    if one_number or shares is None or (limit is not None and shares == min(limit * _SHARES // _MILLI, _MOST_SHARES)):
        return limit, limit
    return (None if shares <= _NO_REQUEST else shares * _MILLI // _SHARES), limit


def _said(message: Any, name: str) -> int | None:
    """The value in a wrapper message; 0 and absent are both "not said"."""
    return int(getattr(message, name).value) or None if message.HasField(name) else None


def _memory(resources: nri.LinuxResources) -> int | None:
    limit = _said(resources.memory, "limit")
    return limit if limit is not None and 0 < limit < _NO_LIMIT else None


def _huge_pages(limits: Iterable[nri.HugepageLimit]) -> Mapping[int, int]:
    """Page size -> bytes, of sizes that may be used at all and have a bound."""
    pages = {}
    for one in limits:
        match = _PAGE.fullmatch(one.page_size)
        if match and 0 < one.limit < _NO_LIMIT:
            pages[int(match[1]) * _UNITS[match[2]]] = one.limit
    return pages


def _cpus(text: str) -> CpuSet | None:
    """The list, None for none and for what no kernel would take."""
    with suppress(BadInput):
        return (CpuSet.parse(text) or None) if text else None
    return None


def _nodes(text: str) -> NodeSet | None:
    with suppress(BadInput):
        return (NodeSet.parse(text) or None) if text else None
    return None
