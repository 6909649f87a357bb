"""Values of a type that their field does not take: refused where they are given, before they mean something else."""

from collections.abc import Mapping
from typing import Final

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet

_HOW: Final[dict[type, str]] = {
    CpuSet: 'CpuSet.parse("0-3,8")',
    frozenset: 'frozenset({"data"})',
    tuple: '("nvme0", "eth0!")',
}


def check_types(owner: object, takes: Mapping[str, type], *, source: str) -> None:
    """Nothing when each named field of `owner` holds what it takes, else BadInput that names the first other one.

    >>> check_types(3 + 4j, {"real": float}, source="number")
    """
    for name, kind in takes.items():
        value = getattr(owner, name)
        if not isinstance(value, kind):
            problem = f"must be of type {kind.__name__}, not the {type(value).__name__} {str(value)[:40]!r}"
            raise BadInput(problem, source=source, position=name, hint=_HOW.get(kind, ""))
