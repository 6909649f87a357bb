"""Recording: what the node decided, as the lines that `cpuplace replay` plays again.

A recording begins with the host, the policy and what runs, so that it needs nothing beside it. Each event carries what
came of it (`expect`), so that playing it again says whether another version would decide otherwise.
"""

import json
from typing import Any, Final

from attrs import evolve

from cpuplace import HostState
from cpuplace.events import Event, Expect, Happening, Restart, Seen, Start
from cpuplace.formats import events as events_format
from cpuplace.formats.events import Recording
from cpuplace_nri.decision import Decision

SOURCE: Final = "cpuplace nri record"


def head(state: HostState, *, at: str) -> str:
    """The first lines of a recording that begins now: host, policy, and a restart with all that runs.

    >>> from cpuplace import Topology
    >>> len(head(HostState.empty(Topology.uniform()), at="noon").splitlines())
    2
    """
    seen = tuple(
        Seen(container_id=one.container_id, cpus=one.cpus, mems=one.mems, request=one.request)
        for one in state.assignments.values()
    )
    holds = {one.container_id: one.cpus for one in state.assignments.values()}
    start = Restart(observed=seen, at=at, expect=Expect(holds=holds))
    return events_format.render(
        Recording(host=state.topology, policy=state.policy, source=SOURCE, one_step_per_container=True, events=(start,))
    )


def line(decision: Decision, *, at: str) -> str | None:
    """The line of one decision, None when there is nothing to play again."""
    event = decision.event
    return None if event is None else f"{json.dumps(events_format.to_dict(_told(event, decision, at)))}\n"


def _told(event: Event, decision: Decision, at: str) -> Event:
    """The event with its time and what came of it."""
    return evolve(event, at=at, expect=_expect(event, decision))


def _expect(event: Happening, decision: Decision) -> Expect:
    if decision.refusal is not None:
        return Expect(refused=decision.refusal.kind)
    said: dict[str, Any] = {"cpus": decision.cpus} if isinstance(event, Start) else {}
    return Expect(**said)
