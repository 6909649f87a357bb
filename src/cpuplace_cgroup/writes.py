"""Writes: what one step writes, in which order; a plan on paper."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from cpuplace import Held, Op, Step

_CPUS: Final = "cpuset.cpus"
_MEMS: Final = "cpuset.mems"


@frozen(slots=True)
class Write:
    """One change: `file` is absolute, `text` what is written; of a folder the file is `mkdir` or `rmdir`, text ""."""

    container_id: str
    file: str
    text: str

    def __str__(self) -> str:
        """In words."""
        place, _, name = self.file.rpartition("/")
        if name in ("mkdir", "rmdir"):
            return f"{self.container_id}: {name} {place}"
        return f"{self.container_id}: {name} = {self.text or '(what the parent has)'}"


def texts(op: Op, held: Held) -> tuple[tuple[str, str], ...]:
    """(file, text) in order. None is ever empty; who loses CPUs leaves them first, who wins some has its memory first.

    >>> from cpuplace import CpuSet, NodeSet
    >>> texts(Op.MOVE, Held(CpuSet([8, 9]), NodeSet([1])))
    (('cpuset.mems', '1'), ('cpuset.cpus', '8-9'))
    """
    cpus, mems = (_CPUS, str(held.cpus)), (_MEMS, str(held.mems or ""))
    if not held.mems:
        return (cpus,)
    return (cpus, mems) if op is Op.NARROW else (mems, cpus)


def on_paper(steps: Iterable[Step], places: dict[str, str], ours: frozenset[str]) -> tuple[Write, ...]:
    """What these steps write; `places` has where each container is or will be, `ours` those that exist and are ours.

    Folders above, controllers, partitions and what turns out to be so already are left out.
    """
    return tuple(write for step in steps for write in _of(step, places[step.container_id], ours, places))


def _of(step: Step, place: str, ours: frozenset[str], places: dict[str, str]) -> tuple[Write, ...]:
    key = step.container_id
    if step.after is not None:
        return tuple(Write(key, f"{place}/{name}", text) for name, text in texts(step.op, step.after))
    if key in ours:
        return (Write(key, f"{place}/rmdir", ""),)
    return tuple(Write(key, f"{place}/{name}", "") for name in (_CPUS, _MEMS))
