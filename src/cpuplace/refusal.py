"""Refusal: every "no" of a decision as a frozen value with its rule, its numbers and a sentence (section 8)."""

from typing import Any, NoReturn

from attrs import asdict, frozen

from cpuplace.errors import CpuplaceError
from cpuplace.idset import CpuSet, NodeSet


class Refused(CpuplaceError):  # noqa: N818
    """Raised by `Refusal.unwrap()`; `.refusal` is the value."""

    def __init__(self, refusal: "Refusal") -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@frozen(slots=True, kw_only=True)
class Refusal:
    """A "no" that a person can act on; `kind` is the class name, `rule` the rule of section 3 of the rules."""

    container_id: str
    rule: str
    sentence: str

    @property
    def kind(self) -> str:
        """The name of the reason, e.g. "NotEnoughCpus"."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.container_id}: {self.sentence} ({self.kind}, {self.rule})"

    def unwrap(self) -> NoReturn:
        """Raise `Refused` with this refusal."""
        raise Refused(self)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON: sets as list text, tuples as lists."""
        plain = asdict(self, value_serializer=lambda _self, _field, value: _plain(value))
        return {"kind": self.kind} | plain


def _plain(value: Any) -> Any:
    if isinstance(value, (CpuSet, NodeSet)):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


@frozen(slots=True, kw_only=True)
class BadPin(Refusal):
    """R1: the pin names CPUs that cannot be pinned, or does not fit the limit."""

    cpus: CpuSet
    wrong: CpuSet


@frozen(slots=True, kw_only=True)
class PinOverlap(Refusal):
    """R2: the pin meets CPUs that another pod's pin owns."""

    cpus: CpuSet
    holders: tuple[str, ...]


@frozen(slots=True, kw_only=True)
class NoLegalMove(Refusal):
    """R3: integer containers are on the pinned CPUs and may not move away, or have no safe way to do so."""

    cpus: CpuSet
    holders: tuple[str, ...]
    missing: str


@frozen(slots=True, kw_only=True)
class NotEnoughCpus(Refusal):
    """R4: fewer free CPUs than asked for; `fits` is the largest smaller count that would be placed."""

    asked: int
    free: CpuSet
    fits: int


@frozen(slots=True, kw_only=True)
class PoolExhausted(Refusal):
    """R5/R6: the pool would be too small, or a shared container would be left without a CPU."""

    asked: int
    fits: int
    holders: tuple[str, ...] = ()


@frozen(slots=True, kw_only=True)
class WishUnmet(Refusal):
    """Section 5: a hard wish cannot be had; `fits` is the largest smaller count that would be placed with it."""

    wish: str
    asked: int
    fits: int
    missing: str


@frozen(slots=True, kw_only=True)
class NotEnoughMemory(Refusal):
    """R12: the memory of no reachable set of nodes holds what is asked for."""

    asked_bytes: int
    free_bytes: int
    nodes: NodeSet


@frozen(slots=True, kw_only=True)
class BadAnnotation(Refusal):
    """Section 2: an annotation or a number of the pod that cannot be read."""

    annotation: str
    value: str


@frozen(slots=True, kw_only=True)
class AlreadyPlaced(Refusal):
    """R15: the id is there with another request."""


@frozen(slots=True, kw_only=True)
class UnknownContainer(Refusal):
    """R15: nothing has this id."""


@frozen(slots=True, kw_only=True)
class SearchBudgetSpent(Refusal):
    """Section 4: no answer within the search budget, and none was ruled out."""

    budget: int


@frozen(slots=True, kw_only=True)
class Impossible(Refusal):
    """Section 4: proved that these containers and wishes cannot hold together."""

    holders: tuple[str, ...]
