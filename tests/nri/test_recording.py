"""What is recorded is played again, and the same comes of it."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.events import Event, Expect, Hotplug, Restart, Start
from cpuplace.formats import events as events_format
from cpuplace.replaying import Outcome, replay
from cpuplace_nri import recording
from cpuplace_nri.answer import Answer
from cpuplace_nri.config import nri_policy
from cpuplace_nri.decision import Decision
from cpuplace_nri.node import Node
from cpuplace_nri.translate import seen_of
from laws.events import events
from laws.strategies import hosts
from laws.worlds import policies
from nri.messages import container, pod


@st.composite
def lives(draw: st.DrawFn) -> tuple[cp.HostState, list[Event], int]:
    """A host, what happens to it, and after how many events somebody begins to record."""
    host = draw(hosts())
    happened = draw(st.lists(events().filter(lambda one: not isinstance(one, (Hotplug, Restart))), max_size=8))
    start = cp.HostState.empty(host, draw(policies(host)))
    return start, [evolve(one, expect=Expect()) for one in happened], draw(st.integers(0, len(happened)))


def decision(outcome: Outcome) -> Decision:
    """What a node would tell of it."""
    event, answer = outcome.event, outcome.answer
    key = event.request.container_id if isinstance(event, Start) else ""
    if isinstance(answer, cp.Refusal):
        return Decision(kind="place", container_id=key, refusal=answer, event=event)
    cpus = answer.after[key].cpus if key else None
    return Decision(kind="place", container_id=key, cpus=cpus, event=event)


@given(lives())
def test_a_recording_from_the_beginning_is_played_again_with_the_same_results(
    life: tuple[cp.HostState, list[Event], int],
) -> None:
    start, happened, _ = life
    outcomes = list(replay(start, happened, one_step_per_container=True))
    text = recording.head(start, at="t") + "".join(recording.line(decision(one), at="t") or "" for one in outcomes)
    read = events_format.parse(text)
    assert isinstance(read.host, cp.Topology)
    assert read.one_step_per_container
    again = list(replay(cp.HostState.empty(read.host, read.policy), read.events, one_step_per_container=True))
    assert [one.missed for one in again] == [()] * (1 + len(outcomes))
    assert [one.after.assignments for one in again[1:]] == [one.after.assignments for one in outcomes]


@given(lives())
def test_a_recording_from_the_middle_begins_with_what_runs(life: tuple[cp.HostState, list[Event], int]) -> None:
    start, happened, begun = life
    outcomes = list(replay(start, happened[:begun], one_step_per_container=True))
    now = outcomes[-1].after if outcomes else start
    read = events_format.parse(recording.head(now, at="noon"))
    [restart] = read.events
    assert isinstance(restart, Restart)
    assert restart.at == "noon"
    assert {one.container_id for one in restart.observed or ()} == set(now.assignments)
    assert restart.expect.holds == {key: one.cpus for key, one in now.assignments.items()}
    [played] = replay(cp.HostState.empty(start.topology, start.policy), read.events, one_step_per_container=True)
    own = {key: one.cpus for key, one in now.owners.items() if not one.degraded}
    assert {key: played.after[key].cpus for key in own} == own


def test_another_policy_and_cpus_that_go_are_told_and_played_again() -> None:
    told: list[Decision] = []
    host = cp.Topology.uniform(cores_per_l3=8)
    node = Node(host, nri_policy(), told.append)
    text = recording.head(node.state, at="t")
    of = pod()
    for key in ("db", "mq"):
        placed = node.create(seen_of(of, container(key, of, name=key, cpu=2000), created=True))
        assert isinstance(placed, Answer)
        node.commit(placed)
    node.commit(node.reloaded(node.change_policy(nri_policy(reserved=cp.CpuSet([0, 1]))).unwrap()))
    assert [(one.kind, one.container_id, one.moves) for one in told[2:]] == [
        ("reload", "", ("db",)),
        ("move", "db", ()),
    ]
    assert told[-1].reason == "another policy: from 0-1 to 4-5"
    node.commit(node.change_topology(host.with_online(cp.CpuSet.parse("0-3,5-7"))))
    assert (told[-1].kind, told[-1].moves) == ("hotplug", ("db",))
    text += "".join(recording.line(one, at="t") or "" for one in told)
    read = events_format.parse(text)
    assert isinstance(read.host, cp.Topology)
    again = list(replay(cp.HostState.empty(read.host, read.policy), read.events, one_step_per_container=True))
    assert [one.missed for one in again] == [()] * len(again)
    assert (again[-1].after.assignments, again[-1].after.policy) == (node.state.assignments, node.state.policy)


def test_what_cannot_be_played_again_has_no_line() -> None:
    assert recording.line(Decision(kind="validate"), at="t") is None
