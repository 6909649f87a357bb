"""Advice: the sentence of a refusal as it ends in the events of a pod: what, which rule, who holds, what to do now."""

from typing import Final

from cpuplace import Refusal
from cpuplace_nri.known import Known

_ELSEWHERE: Final = "the kubelet tries again on this node only: delete the pod to have it scheduled elsewhere"
_ADVICE: Final = {
    "BadPin": "correct the annotation and create the pod again",
    "BadAnnotation": "correct the annotation and create the pod again",
    "PinOverlap": f"choose other CPUs, or end the holder; {_ELSEWHERE}",
    "NoLegalMove": f"choose other CPUs, or end who is in the way; {_ELSEWHERE}",
    "Impossible": f"choose other CPUs, or end who is in the way; {_ELSEWHERE}",
    "SearchBudgetSpent": f"raise search_budget, choose other CPUs, or {_ELSEWHERE.partition(': ')[2]}",
    "WishUnmet": f"soften the wish, ask for fewer CPUs, or end a container here; {_ELSEWHERE}",
    "NotEnoughMemory": f"ask for less memory, or memory_policy preferred; {_ELSEWHERE}",
}
_ROOM: Final = f"make room here, or ask for fewer CPUs; {_ELSEWHERE}"
_NO_ROOM: Final = ("NotEnoughCpus", "PoolExhausted", "WishUnmet")
_NAMED: Final = 3


def sentence(known: Known, name: str, refusal: Refusal) -> str:
    """One sentence for people who see only the pod's events: names instead of ids, the rule, holders, what to do."""
    said = known.in_words(refusal.sentence)
    held = _holders(known) if refusal.kind in _NO_ROOM else ""
    return f"cpuplace: {name}: {said} ({refusal.kind}, {refusal.rule}){held}; {_ADVICE.get(refusal.kind, _ROOM)}"


def _holders(known: Known) -> str:
    """Who has CPUs of their own, with how many, the largest first."""
    owners = [one for one in known.state.owners.values() if one.exclusive]
    largest = sorted(owners, key=lambda one: -len(one.cpus))[:_NAMED]
    named = ", ".join(f"{known.name(one.container_id)} has {len(one.cpus)}" for one in largest)
    more = f" and {len(owners) - _NAMED} more" if len(owners) > _NAMED else ""
    return f"; of the exclusive CPUs {named}{more}" if named else ""
