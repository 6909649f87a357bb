"""As planned: containers placed on exactly the CPUs that a plan made earlier, or elsewhere, gives them.

Nothing is chosen anew: where the host is no longer as it was when the plan was made, the answer is a refusal.
"""

from collections.abc import Iterable

from cpuplace.diffing import Holding, Snapshot
from cpuplace.idset import NO_CPUS
from cpuplace.plan import Plan
from cpuplace.planner import synchronize
from cpuplace.refusal import BadPin, PinOverlap, Refusal
from cpuplace.request import ContainerRequest, Kind
from cpuplace.state import HostState
from cpuplace.synchronizing import Observed
from cpuplace.wishes import NO_WISHES, Wishes


def as_planned(state: HostState, wanted: Iterable[Observed]) -> Plan | Refusal:
    """A plan that gives each of these containers exactly what it is said to have; the refusal of the first that cannot.

    Containers that are there already with the same CPUs stay; nobody who is there moves. All or none.

    >>> from cpuplace.idset import CpuSet
    >>> from cpuplace.topology import Topology
    >>> one = Observed(request=ContainerRequest.integer("c1", 2), cpus=CpuSet([3, 5]))
    >>> as_planned(HostState.empty(Topology.uniform(cores_per_l3=8)), [one]).after["c1"].cpus
    CpuSet('3,5')
    """
    there = {
        key: Observed(request=one.request, cpus=one.cpus, mems=one.mems, baseline=one.baseline)
        for key, one in state.assignments.items()
    }
    asked = {one.request.container_id: one for one in wanted}
    after = synchronize(state, (asked | there).values()).after
    for key, one in (there | asked).items():
        if one.request.kind is not Kind.SHARED and (key not in after.owners or after[key].cpus != one.cpus):
            return _refused(state, asked.get(key, one))
    for key, one in asked.items():
        if one.request.kind is not Kind.SHARED and one.mems != after[key].mems:
            nodes = f"memory nodes {one.mems or 'none'}, the policy here to {after[key].mems or 'none'}"
            sentence = f"the plan binds it to {nodes}: plan again"
            return BadPin(container_id=key, rule="R12", sentence=sentence, cpus=one.cpus, wrong=NO_CPUS)
    nobody_came = (after.owners, after.shared) == (state.owners, state.shared)
    return Plan(before=state, after=state if nobody_came else after)  # who waits to be widened then waits on (R7)


def _refused(state: HostState, one: Observed) -> Refusal:
    """Who or what is in the way of a container."""
    key = one.request.container_id
    holders = tuple(other for other, held in state.owners.items() if held.cpus & one.cpus or other == key)
    if holders:
        sentence = f"the plan gives it {one.cpus}, where {', '.join(holders)} is now: plan again"
        return PinOverlap(container_id=key, rule="R2", sentence=sentence, cpus=one.cpus, holders=holders)
    wrong = one.cpus - state.free
    sentence = f"the plan gives it {one.cpus}, which cannot be had as they are now: plan again"
    return BadPin(container_id=key, rule="R1", sentence=sentence, cpus=one.cpus, wrong=wrong)


def wanted_of(snapshot: Snapshot) -> tuple[Observed, ...]:
    """What the containers of a plan hold, for `as_planned`; what they had wished is not known any more.

    >>> from cpuplace.formats import plan
    >>> row = '{"pod": "default/a", "container": "main", "kind": "integer", "cpus": "0-1"}'
    >>> name, found = plan.parse('{"schema": 1, "host": "box", "containers": [' + row + '], "pool": "2-3"}')
    >>> wanted_of(found)[0].request.count
    2
    """
    return tuple(
        Observed(request=_request(pod, container, one), cpus=one.cpus, mems=one.mems)
        for (pod, container), one in snapshot.holdings.items()
    )


def _request(pod: str, container: str, one: Holding) -> ContainerRequest:
    return ContainerRequest(
        container_id=f"{pod}/{container}",
        kind=one.kind,
        pod=pod,
        name=container,
        namespace=pod.partition("/")[0],
        count=len(one.cpus) if one.kind is Kind.INTEGER else 0,
        pin=NO_CPUS if one.kind in (Kind.INTEGER, Kind.SHARED) else one.cpus,
        wishes=Wishes(cores="isolate") if one.withheld else NO_WISHES,
    )
