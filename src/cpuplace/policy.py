"""Policy: the operator's choices, one field each (section 9); docs, schema and `policy show` come from here."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import field, fields, frozen

from cpuplace.errors import BadInput
from cpuplace.given import check_types
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.wishes import NO_WISHES, Wishes

DEFAULT_SEARCH_BUDGET: Final = 4000
_TAKES: Final[dict[str, type]] = {
    "reserved": CpuSet,
    "strict_reservation": bool,
    "min_shared_cpus": int,
    "allow_reserved_pins": bool,
    "unmanaged_namespaces": frozenset,
    "reserved_memory": Mapping,
    "wishes": Wishes,
    "search_budget": int,
}
_TAKES_OR_NONE: Final[dict[str, type]] = {"usable": CpuSet, "pin_namespaces": frozenset}


def _doc(text: str, **more: Any) -> Any:
    """An attrs field that carries its own row of the docs."""
    choices = more.pop("choices", ())
    return field(metadata={"doc": text, "choices": choices}, **more)


@frozen(slots=True, kw_only=True)
class Policy:
    """The operator's choices; the defaults are kubelet's where kubelet has one.

    >>> Policy(reserved=CpuSet.parse("0,64")).min_shared_cpus
    1
    """

    usable: CpuSet | None = _doc("CPUs that may be managed; not said = all online ones", default=None)
    reserved: CpuSet = _doc("usable CPUs never given out exclusively by choice", default=NO_CPUS)
    strict_reservation: bool = _doc("shared containers stay off the reserved CPUs too", default=False)
    isolated_cpus: Literal["exclusive-only", "ignore", "unusable"] = _doc(
        "kernel-isolated CPUs: only for who wishes them, like any other, or not used at all",
        default="exclusive-only",
        choices=("exclusive-only", "ignore", "unusable"),
    )
    min_shared_cpus: int = _doc("no plan makes the pool of shared CPUs smaller than this", default=1)
    allow_reserved_pins: bool = _doc("pins may name reserved CPUs", default=False)
    pin_overlap: Literal["refuse", "share"] = _doc(
        "what happens when a pin meets another pod's exclusive pin",
        default="refuse",
        choices=("refuse", "share"),
    )
    pin_size: Literal["note", "match"] = _doc(
        "a pin whose length is not the CPU limit: noted, or refused",
        default="note",
        choices=("note", "match"),
    )
    pin_namespaces: frozenset[str] | None = _doc("namespaces whose pods may pin; not said = all", default=None)
    unmanaged_namespaces: frozenset[str] = _doc("namespaces that are never touched", default=frozenset())
    integer_scope: Literal["guaranteed-pod", "container", "all-containers"] = _doc(
        "whose numbers make a container integer: its Guaranteed pod's, its own, or every container's of the pod",
        default="guaranteed-pod",
        choices=("guaranteed-pod", "container", "all-containers"),
    )
    memory_policy: Literal["strict", "preferred", "none"] = _doc(
        "memory nodes: enforced (cpuset.mems), preferred, or left alone",
        default="strict",
        choices=("strict", "preferred", "none"),
    )
    memory_scope: Literal["pinned", "exclusive"] = _doc(
        "whose memory is bound: pinned containers only, or every exclusive one",
        default="pinned",
        choices=("pinned", "exclusive"),
    )
    reserved_memory: Mapping[int, int] = _doc(
        "bytes of each NUMA node that containers may not be bound to", factory=dict, hash=False
    )
    wishes: Wishes = _doc("the wishes every container has unless its own win", default=NO_WISHES)
    scope: Literal["container", "pod"] = _doc(
        "place each container for itself, or a pod's containers as one grant that is then divided",
        default="container",
        choices=("container", "pod"),
    )
    reassign: Literal["allow", "never"] = _doc(
        "integer containers in the way of a pin may be moved, or not",
        default="allow",
        choices=("allow", "never"),
    )
    widen: Literal["now", "lazy"] = _doc(
        "shared containers get freed CPUs at once, or with the next change they need anyway",
        default="now",
        choices=("now", "lazy"),
    )
    resize_below_baseline: Literal["give-back", "refuse"] = _doc(
        "shrinking below the size at creation: give CPUs back, or refuse",
        default="give-back",
        choices=("give-back", "refuse"),
    )
    search_budget: int = _doc("how many search nodes one decision may look at", default=DEFAULT_SEARCH_BUDGET)
    bad_forbid: Literal["refuse", "ignore"] = _doc(
        "a forbid list that cannot be read: refused, or ignored with a note",
        default="refuse",
        choices=("refuse", "ignore"),
    )

    def __attrs_post_init__(self) -> None:
        """Refuse values that no field takes; whether ids fit a host is checked with the host."""
        said = {name: kind for name, kind in _TAKES_OR_NONE.items() if getattr(self, name) is not None}
        check_types(self, _TAKES | said, source="policy")
        for attribute in fields(Policy):
            choices = attribute.metadata["choices"]
            value = getattr(self, attribute.name)
            if choices and value not in choices:
                raise BadInput(
                    f"{value!r} is not a value of {attribute.name}",
                    source="policy",
                    position=attribute.name,
                    hint="one of " + ", ".join(choices),
                )
        for name, least in (("min_shared_cpus", 0), ("search_budget", 1)):
            if getattr(self, name) < least:
                raise BadInput(f"must be at least {least}", source="policy", position=name)
        for node, amount in self.reserved_memory.items():
            if node < 0 or amount < 0:
                raise BadInput(f"node {node}: {amount} bytes", source="policy", position="reserved_memory")

    @staticmethod
    def weka(**changes: Any) -> "Policy":
        """The policy that decides as Weka's plugin does, for clusters that migrate from it.

        >>> Policy.weka().pin_overlap
        'share'
        """
        weka: dict[str, Any] = {
            "pin_overlap": "share",
            "integer_scope": "all-containers",
            "allow_reserved_pins": True,
            "bad_forbid": "ignore",
        }
        return Policy(**weka | changes)
