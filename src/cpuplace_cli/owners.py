"""Who owns CPUs, in words for a legend: a container, a pod with a pin, or many replicas together."""

from collections.abc import Iterator
from typing import Final

from cpuplace.idset import CpuSet
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState
from cpuplace_cli.replicas import MANY, member, runs, together

_OBVIOUS: Final = "default/"
"""The namespace that goes without saying, as for kubectl."""
_KIND_WORDS: Final = {Kind.PINNED: " (pinned)", Kind.PINNED_SHARED: " (pinned, shared)", Kind.UNMANAGED: " (unmanaged)"}


def owner_labels(state: HostState) -> dict[str, str]:
    """Container id -> the label of its owner, for all that hold CPUs of their own, in the order they were placed.

    Containers of one pod on the same CPUs (a pin of the pod) are one owner, and so are the same containers of more
    than eight replicas.

    >>> from cpuplace import ContainerRequest, Topology, place
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> owner_labels(place(state, ContainerRequest.integer("db", 2)).unwrap().after)
    {'db': 'db'}
    """
    holders = [one for one in state.owners.values() if one.cpus]
    many = dict(_replicas(holders))
    pins: dict[tuple[str, CpuSet], list[Assignment]] = {}
    for one in holders:
        if one.kind is not Kind.INTEGER:
            pins.setdefault((one.request.pod, one.cpus), []).append(one)
    labels = {
        one.container_id: many.get(one.container_id, one.container_id)
        if one.kind is Kind.INTEGER
        else _label(pins[one.request.pod, one.cpus])
        for one in holders
    }
    return {key: label.removeprefix(_OBVIOUS) for key, label in labels.items()}


def _label(members: list[Assignment]) -> str:
    first, *more = members
    names = "".join(f", {one.request.name}" for one in more)
    return f"{first.container_id}{names}{_KIND_WORDS[first.kind]}"


def _replicas(holders: list[Assignment]) -> Iterator[tuple[str, str]]:
    """Container id -> label of those that are shown together."""
    integer = [one for one in holders if one.kind is Kind.INTEGER]
    order = sorted(integer, key=lambda one: (one.request.name, member(one.request.pod), one.container_id))
    for run in runs(order, lambda one: one.request.pod, lambda one: (one.request.name, one.request.count)):
        if len(run) > MANY:
            label = f"{together([one.request.pod for one in run])}/{run[0].request.name}"
            yield from ((one.container_id, label) for one in run)
