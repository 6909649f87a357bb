"""Kinds: from what Kubernetes or a runtime says about a pod to one request a container (section 2 of the rules).

`KINDS` is the table K0-K4; the first line that holds decides. *Integer semantics*: the pod is Guaranteed and this
container's CPU limit is whole, in the reading that `Policy.integer_scope` chooses.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from attrs import evolve, fields, frozen

from cpuplace.annotations import NOTHING_SAID, Said, Sheet, has_pin, managed, read_said, sort_annotations, what_of
from cpuplace.errors import BadInput
from cpuplace.facts import (
    PLACING_ORDER,
    counted,
    cpu_request,
    has_pod_level,
    is_even,
    is_guaranteed,
    memory_request,
    whole_cpus,
)
from cpuplace.facts import ContainerFacts as ContainerFacts
from cpuplace.facts import PodFacts as PodFacts
from cpuplace.idset import NO_CPUS
from cpuplace.policy import Policy
from cpuplace.refusal import BadAnnotation, Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.wishes import NO_WISHES, Wishes, parse_numa


@frozen(slots=True, kw_only=True)
class Reading:
    """One container with everything the table asks about; `meant`: wishes it should hear of when they are not used."""

    container: ContainerFacts
    said: Said
    left_alone: bool
    integer: bool
    meant: tuple[str, ...] = ()


class KindRule(NamedTuple):
    """One line of the table."""

    name: str
    when: str
    kind: Kind
    holds: Callable[[Reading], bool]


KINDS: Final[tuple[KindRule, ...]] = (
    KindRule(
        "K0",
        "an unmanaged namespace, cpuplace.dev/manage: false, or a cpuset that someone else set before us",
        Kind.UNMANAGED,
        lambda one: one.left_alone,
    ),
    KindRule(
        "K1",
        "a pin, and integer semantics",
        Kind.PINNED,
        lambda one: one.said.pin is not None and one.integer,
    ),
    KindRule(
        "K2",
        "a pin, otherwise (an ephemeral container has none)",
        Kind.PINNED_SHARED,
        lambda one: one.said.pin is not None and one.container.role != "ephemeral",
    ),
    KindRule("K3", "integer semantics", Kind.INTEGER, lambda one: one.integer),
    KindRule("K4", "otherwise, and every ephemeral container", Kind.SHARED, lambda _one: True),
)
"""First match wins; docs print it."""


def read_pod(pod: PodFacts, policy: Policy) -> tuple[ContainerRequest | Refusal, ...]:
    """One request a container, or why there is none, in placing order: init containers and sidecars first.

    A key of ours that cannot be read refuses the containers it concerns; O(containers + annotations).

    >>> db = ContainerFacts(name="db", container_id="c1", cpu_limit=4000, memory_limit=2**30)
    >>> [request] = read_pod(PodFacts(uid="u1", name="db-0", containers=(db,)), Policy())
    >>> request.kind.value, request.count
    ('integer', 4)
    """
    ordered = sorted(pod.containers, key=lambda one: PLACING_ORDER[one.role])
    if pod.namespace in policy.unmanaged_namespaces:
        return tuple(_request(pod, _alone(one), policy) for one in ordered)
    try:
        names = [one.name for one in pod.containers] if pod.complete else None
        sheet = sort_annotations(pod.annotations, names)
    except BadInput as bad:
        return tuple(_unread(pod, one, bad, policy) for one in ordered)
    return tuple(_read_container(pod, sheet, one, policy) for one in ordered)


def _unread(pod: PodFacts, one: ContainerFacts, bad: BadInput, policy: Policy) -> ContainerRequest | Refusal:
    """What is left of a container whose pod says something unreadable: others' cpusets are kept all the same."""
    return _refused(pod, one, bad) if one.cpuset is None else _request(pod, _alone(one), policy)


def _read_container(pod: PodFacts, sheet: Sheet, one: ContainerFacts, policy: Policy) -> ContainerRequest | Refusal:
    try:
        if one.cpuset is not None or not managed(sheet, one.name):
            return _request(pod, _alone(one), policy)
        said = read_said(sheet, one.name, ignore_bad_forbid=policy.bad_forbid == "ignore")
    except BadInput as bad:
        return _refused(pod, one, bad, "R1" if what_of(bad.source) == "cores" else "section 2")
    if one.role == "ephemeral" and sheet.own.get(one.name):
        said = evolve(said, notes=(*said.notes, "its annotations are not used: an ephemeral container is shared"))
    integer, meant = _is_integer(pod, one, policy), _meant(pod, sheet, one, said.wishes, policy)
    return _request(pod, Reading(container=one, said=said, left_alone=False, integer=integer, meant=meant), policy)


def _meant(pod: PodFacts, sheet: Sheet, one: ContainerFacts, wishes: Wishes, policy: Policy) -> tuple[str, ...]:
    """The wishes said of this container alone, and those of its pod when no container of it can be who they are for."""
    if wishes is NO_WISHES or one.role == "ephemeral":
        return ()
    said = [each.name.replace("_", "-") for each in fields(Wishes) if getattr(wishes, each.name)]
    if not pod.complete or any(
        _is_integer(pod, other, policy) and not has_pin(sheet, other.name) for other in pod.containers
    ):
        said = [what for what in said if what in sheet.own.get(one.name, {})]
    return tuple(said)


def _alone(one: ContainerFacts) -> Reading:
    return Reading(container=one, said=NOTHING_SAID, left_alone=True, integer=False)


def _refused(pod: PodFacts, one: ContainerFacts, bad: BadInput, rule: str = "section 2") -> BadAnnotation:
    where = f" at position {bad.position}" if bad.position is not None else ""
    value = pod.annotations[bad.source]
    return BadAnnotation(
        container_id=one.container_id,
        rule=rule,
        sentence=f"annotation {bad.source} = {value!r}: {bad.problem}{where} ({bad.hint})",
        annotation=bad.source,
        value=value,
    )


def _request(pod: PodFacts, one: Reading, policy: Policy) -> ContainerRequest:
    """The request of the first line of the table that holds."""
    kind = next(rule.kind for rule in KINDS if rule.holds(one))
    facts, said = one.container, one.said
    pinned = kind in (Kind.PINNED, Kind.PINNED_SHARED)
    bound = pinned or kind is Kind.INTEGER
    return ContainerRequest(
        container_id=facts.container_id,
        kind=kind,
        pod=pod.uid,
        name=facts.name,
        namespace=pod.namespace,
        count=whole_cpus(facts) if kind is Kind.INTEGER else 0,
        pin=(said.pin if pinned else facts.cpuset) or NO_CPUS,
        forbid=said.forbid if kind in (Kind.INTEGER, Kind.SHARED) else NO_CPUS,
        wishes=said.wishes if bound else NO_WISHES,
        limit=whole_cpus(facts) or None,
        memory_bytes=memory_request(facts) or 0 if bound else 0,
        huge_pages=facts.huge_pages if bound else {},
        init=facts.role == "init",
        notes=tuple(f"{facts.container_id}: {note}" for note in _notes(pod, one, kind, policy)),
    )


def _notes(pod: PodFacts, one: Reading, kind: Kind, policy: Policy) -> tuple[str, ...]:
    notes = list(one.said.notes)
    if kind in (Kind.PINNED, Kind.PINNED_SHARED) and one.said.forbid:
        notes.append("its forbid list is not used: a pin is taken as it is")
    unused = _unused(one, kind)
    if unused:
        why = "a shared container runs on the pool" if kind is Kind.SHARED else "a pin is taken as it is"
        notes.append(f"its wishes are not used ({', '.join(unused)}): {why}")
    if kind is Kind.SHARED and one.container.role != "ephemeral":
        notes += _why_shared(pod, one.container, policy)
    return tuple(notes)


def _unused(one: Reading, kind: Kind) -> list[str]:
    """The wishes that come to nothing: of a pin never `move`, and a node list only where the pin lies elsewhere."""
    if kind is Kind.SHARED:
        return list(one.meant)
    if kind not in (Kind.PINNED, Kind.PINNED_SHARED):
        return []
    listed = parse_numa(one.said.wishes.numa or "prefer").nodes is not None
    return [what for what in one.meant if what != "move" and not (listed and what == "numa")]


def _why_shared(pod: PodFacts, one: ContainerFacts, policy: Policy) -> list[str]:
    """Why a container with a whole CPU limit of its own is shared all the same: mostly a slip, here or next to it.

    A runtime does not show all of its memory's numbers, so they are no reason there.
    """
    count, memory = whole_cpus(one), _memory_slip(one)
    if not count or cpu_request(one) != one.cpu_limit or (memory and pod.guaranteed is not None):
        return []
    asks = f"asks for {count} whole CPU{'s' * (count > 1)} but is shared, as "
    if policy.integer_scope == "container":
        return [asks + memory]
    if is_guaranteed(pod):
        return [f"{asks}others of its pod do not ({policy.integer_scope})"]
    return [f"{asks}its pod is not Guaranteed{_why_not_guaranteed(pod, one)}"]


def _why_not_guaranteed(pod: PodFacts, one: ContainerFacts) -> str:
    """What in the pod is uneven, seen from one container; nothing where the containers do not decide."""
    if pod.guaranteed is not None or has_pod_level(pod):
        return ""
    odd = [other.name for other in counted(pod) if other is not one and not is_even(other)]
    reasons = [_memory_slip(one), f"see {', '.join(odd)}" if odd else ""]
    return ": " + "; ".join(filter(None, reasons))


def _memory_slip(one: ContainerFacts) -> str:
    """What is wrong with a container's memory for a Guaranteed pod, "" when nothing is."""
    if not one.memory_limit:
        return "its memory has no limit"
    return "" if memory_request(one) == one.memory_limit else "its memory request is not its limit"


def _is_integer(pod: PodFacts, one: ContainerFacts, policy: Policy) -> bool:
    """Integer semantics of one container under the operator's `integer_scope`."""
    if one.role == "ephemeral" or not whole_cpus(one) or cpu_request(one) != one.cpu_limit:
        return False
    if policy.integer_scope == "container":
        return pod.guaranteed is True or is_even(one)
    if not is_guaranteed(pod):
        return False
    return policy.integer_scope == "guaranteed-pod" or all(whole_cpus(other) for other in counted(pod))
