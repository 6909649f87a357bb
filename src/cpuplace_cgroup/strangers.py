"""Strangers: groups that nobody asked about. Those with CPUs of their own are in the state as unmanaged (K0).

Nothing here is carried out: such groups are never touched, only known, so that others are not put beside them.
"""

from cpuplace import BadInput, HostState, Kind, Plan, apply, place, release
from cpuplace.formats import policy as policy_format
from cpuplace.policy import Policy
from cpuplace_cgroup.group import Observation, observed


def acquainted(state: HostState, observation: Observation) -> HostState:
    """The state with the strangers there are now: gone ones released, new and changed ones as they are.

    >>> from cpuplace import CpuSet, NodeSet, Topology
    >>> seen = Observation(root="/g", groups=(), cpus=CpuSet([0]), mems=NodeSet())
    >>> state = HostState.empty(Topology.uniform())
    >>> acquainted(state, seen) is state
    True
    """
    ours = {key: one.request for key, one in state.assignments.items() if one.kind is not Kind.UNMANAGED}
    there = {one.request.container_id: one.request for one in observed(observation, ours)}
    for key, one in state.assignments.items():
        if one.kind is Kind.UNMANAGED and there.get(key) != one.request:
            state = apply(state, release(state, key))
    for key, request in there.items():
        if key not in state:
            answer = place(state, request)
            state = apply(state, answer) if isinstance(answer, Plan) else state
    return state


def check_agreement(saved: Policy, said: Policy, *, source: str) -> None:
    """Nothing when the policy that is said is the one that a state was decided under; else BadInput with the field.

    `usable` counts only when somebody said it: it may have been narrowed to what the groups may use.
    """
    was, now = policy_format.render(saved), policy_format.render(said)
    for name, value in was.items():
        if now[name] != value and not (name == "usable" and said.usable is None):
            raise BadInput(
                f"what runs was placed under another policy: {name} was {value!r}, now it is {now[name]!r}",
                source=source,
                position=f"policy.{name}",
                hint="leave the policy out, or end what runs first",
            )
