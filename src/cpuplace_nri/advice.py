"""Advice: the sentence of a refusal as it ends in the events of a pod: what, which rule, and what to do now."""

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


def sentence(known: Known, name: str, refusal: Refusal) -> str:
    """One sentence for people who see only the pod's events: names instead of ids, the rule, what to do."""
    said = known.in_words(refusal.sentence)
    return f"cpuplace: {name}: {said} ({refusal.kind}, {refusal.rule}); {_ADVICE.get(refusal.kind, _ROOM)}"
