"""Explaining: the reasons behind a placement, worked out again when somebody asks."""

from cpuplace.candidates import explain_choice
from cpuplace.explanation import Considered, Explanation, Reason
from cpuplace.granting import Granted, ask_of, given_of, grant
from cpuplace.idset import CpuSet
from cpuplace.request import ContainerRequest
from cpuplace.state import HostState


def explain_fixed(container_id: str, rule: str, sentence: str) -> Explanation:
    """The reason of a decision that had no alternative."""
    return Explanation((Reason(container_id=container_id, rule=rule, sentence=sentence),))


def explain_grant(state: HostState, request: ContainerRequest, within: int) -> Explanation:
    """The reason of an integer grant: the same choice again, with the candidates it looked at."""
    answer = grant(state, request, within)
    if not isinstance(answer, Granted):  # pragma: no cover - explained only after it was granted
        raise AssertionError(answer)
    held = answer.assignment
    if held.rule == "R8":
        return explain_fixed(request.container_id, "R8", f"returns to its remembered CPUs {held.cpus}")
    ask = ask_of(state, request, request.count, within)
    looked_at = explain_choice(
        state.ground.host_map, ask.free, ask.wanted, budget=state.policy.search_budget, **given_of(state, ask)
    )
    considered = tuple(
        Considered(
            cpus=CpuSet.from_mask(one.cpus), measures=tuple(one.measures.items()), won=one.cpus == held.cpus.mask
        )
        for one in looked_at
    )
    sentence = f"given {held.cpus}, the best {len(held.cpus)} of {ask.free.bit_count()} free CPUs"
    if considered and not considered[0].won:
        sentence += "; better ones would leave a shared container without a CPU"
    reason = Reason(container_id=request.container_id, rule="R4", sentence=sentence, considered=considered)
    return Explanation((reason,))
