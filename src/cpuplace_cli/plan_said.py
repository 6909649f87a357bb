"""What a plan says beside its table: refusals and notes, those of equal replicas as one."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cpuplace_cli.looks import printable
from cpuplace_cli.plan_outcome import Outcome, PodAnswer
from cpuplace_cli.replicas import member, runs, together
from cpuplace_cli.table import fold_text
from cpuplace_cli.textmap import Line, Span

_CUT: Final = "the search budget cut the choice short, better CPUs may be free (policy: search_budget)"


class Said(NamedTuple):
    """Something said about one container of a pod; `pod` "" = about nobody in particular."""

    pod: str
    container: str
    text: str


def refusals(outcome: Outcome) -> list[Said]:
    """Every refusal with its sentence, and which containers were therefore not placed."""
    return merged(map(_refusal, outcome.refused))


def refusal_lines(outcome: Outcome, width: int) -> Iterator[Line]:
    """The refusals for people."""
    for one in refusals(outcome):
        first, *more = fold_text(printable(f"{one.pod}, container {one.container}: {one.text}"), width - 2)
        yield Span("✗ ", "red"), Span(first[: len(one.pod)], "bold"), Span(first[len(one.pod) :])
        yield from ((Span(f"  {text}"),) for text in more)


def _refusal(one: PodAnswer) -> Said:
    refusal, container = one.refusal, one.refused
    assert refusal is not None and container is not None
    others = not_placed(one)
    therefore = f"; so the rest of its pod is not placed: {', '.join(others)}" if others else ""
    return Said(one.uid, container.name, f"{refusal.sentence} ({refusal.kind}, {refusal.rule}){therefore}")


def not_placed(one: PodAnswer) -> list[str]:
    """The containers of a refused pod that were not refused themselves, but are not placed either."""
    return [other.name for other in one.pod.containers if other is not one.refused]


def note_lines(outcome: Outcome, width: int) -> Iterator[Line]:
    """Everything worth saying: about containers, about a cut search, about the manifests."""
    for one in merged(_notes(outcome)):
        who = f"{one.pod}, container {one.container}: " if one.container else f"{one.pod}: " if one.pod else ""
        first, *more = fold_text(printable(who + one.text), width - 2)
        yield Span("· ", "dim"), Span(first)
        yield from ((Span(f"  {text}"),) for text in more)


def _notes(outcome: Outcome) -> Iterator[Said]:
    names = {held.container_id: (one.uid, held.name) for one in outcome.started for held in one.requests}
    for note in outcome.plan.notes:
        who, _, text = note.partition(": ")
        yield Said(*names[who], text) if who in names else Said("", "", note)
    for one in outcome.started:
        if not one.optimal:
            yield Said(one.uid, "", _CUT)
    yield from (Said("", "", note) for note in outcome.notes)


def merged(said: Iterable[Said]) -> list[Said]:
    """The same things, in order of first appearance; the same about replicas that follow each other as one.

    >>> merged([Said("a/w-0", "m", "x"), Said("a/w-0", "n", "y"), Said("a/w-1", "m", "x")])
    [Said(pod='a/w-0..1', container='m', text='x'), Said(pod='a/w-0', container='n', text='y')]
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in said:
        groups.setdefault((member(one.pod).stem, one.container, one.text), []).append(one.pod)
    return [
        Said(together(run).removeprefix("default/"), container, text)
        for (_, container, text), pods in groups.items()
        for run in runs(dict.fromkeys(pods), str, lambda _pod: None)
    ]
