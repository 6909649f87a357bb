"""The rows of a plan's table: one a container, replicas that differ in nothing else as one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from attrs import evolve, frozen

from cpuplace.idset import NO_CPUS, NodeSet
from cpuplace.request import Kind
from cpuplace.state import Assignment, HostState
from cpuplace_cli.looks import Look
from cpuplace_cli.plan_outcome import Outcome
from cpuplace_cli.plan_why import memory_text, why_of, why_of_many
from cpuplace_cli.replicas import MANY, runs, together

_LONG: Final = 22
"""Letters of a CPU list of many replicas."""
_FALLBACK_RULES: Final = {Kind.SHARED: "R5", Kind.UNMANAGED: "K0"}


@frozen(slots=True, kw_only=True)
class Row:
    """One line of the table; `look` is how its CPUs look on the map, when they are drawn as its own."""

    pod: str
    container: str
    kind: str
    count: str
    cpus: str
    memory: str
    rule: str
    why: str
    look: Look | None = None


class Entry(NamedTuple):
    """One container on its way to a row."""

    held: Assignment
    init: bool
    there_already: bool


class PodEntries(NamedTuple):
    """The containers of one pod."""

    uid: str
    entries: tuple[Entry, ...]


def rule_of(held: Assignment) -> str:
    """The rule that gave a container its CPUs."""
    return held.rule or _FALLBACK_RULES[held.kind]


def rows_of(outcome: Outcome, looks: Mapping[str, Look], *, every: bool = False) -> list[Row]:
    """The rows in file order; `looks` by container id. `every` = one row a container, however many."""
    pods = [
        PodEntries(one.uid, tuple(Entry(held, held in one.init, not one.new) for held in outcome.held(one)))
        for one in outcome.started
    ]
    rows = _Rows(outcome.state, looks)
    if every:
        return [row for pod in pods for row in rows.of([pod])]
    found: list[Row] = []
    for alike in runs(pods, lambda pod: pod.uid, _kind_of_pod):
        exact = runs(alike, lambda pod: pod.uid, rows.shown)
        for run in [alike] if len(alike) > MANY else exact:
            found += rows.of(run)
    return found


def _kind_of_pod(pod: PodEntries) -> object:
    """What replicas shown together have in common."""
    return [
        (one.held.request.name, one.held.kind, one.held.request.count, one.held.request.wishes, *one[1:])
        for one in pod.entries
    ]


class _Rows:
    """Rows of pods that are alike, on one host."""

    def __init__(self, state: HostState, looks: Mapping[str, Look]) -> None:
        self._state, self._looks = state, looks

    def of(self, pods: Sequence[PodEntries]) -> Iterator[Row]:
        """One row a container for all these pods."""
        for entries in zip(*(pod.entries for pod in pods), strict=True):
            row = self._row(pods[0].uid, entries[0])
            same = all(entry.held.cpus == entries[0].held.cpus for entry in entries)
            if not same:
                row = self._joined(row, entries)
            yield evolve(row, pod=together([pod.uid.removeprefix("default/") for pod in pods]))

    def shown(self, pod: PodEntries) -> object:
        """All that the rows of a pod show besides its name."""
        return [evolve(self._row("", entry), look=None) for entry in pod.entries]

    def _row(self, uid: str, entry: Entry) -> Row:
        held = entry.held
        shared = held.kind is Kind.SHARED and held.cpus == self._state.pool
        return Row(
            pod=uid,
            container=held.request.name,
            kind=f"{held.kind}, init" if entry.init else str(held.kind),
            count=str(len(held.cpus)) if held.cpus else "",
            cpus="pool" if shared else str(held.cpus) or "-",
            memory=memory_text(held.mems, held.preferred),
            rule=rule_of(held),
            why=self._why(entry),
            look=None if entry.init else self._looks.get(held.container_id),
        )

    def _joined(self, row: Row, entries: Sequence[Entry]) -> Row:
        """One row for containers that have the same number of CPUs each, but not the same ones."""
        held = [entry.held for entry in entries]
        cpus = NO_CPUS
        for one in held:
            cpus |= one.cpus
        return evolve(
            row,
            count=f"{len(entries)} x {len(held[0].cpus)}",
            cpus=_cut(str(cpus)),
            memory=memory_text(_union(one.mems for one in held), _union(one.preferred for one in held)),
            why=why_of_many(self._state, held),
        )

    def _why(self, entry: Entry) -> str:
        words = why_of(self._state, entry.held)
        return f"there already: {words}" if entry.there_already else words


def _cut(cpus: str) -> str:
    """The beginning of a list that is too long for a line: the map and `--all` show the rest."""
    return cpus if len(cpus) <= _LONG else f"{cpus[: _LONG - 2].rpartition(',')[0]},…"


def _union(sets: Iterable[NodeSet | None]) -> NodeSet | None:
    found = [one for one in sets if one is not None]
    return NodeSet(node for one in found for node in one) if found else None
