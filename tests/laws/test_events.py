"""Recordings: written and read back equal, within the schema, and replayed to the state the planner would reach."""

import json
from itertools import pairwise

import jsonschema
import pytest
from attrs import evolve
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.events import Event, Expect, Hotplug, Release, Resize, Restart, Start
from cpuplace.formats import events as events_format
from cpuplace.formats import events_schema
from cpuplace.formats.events import Recording
from cpuplace.replaying import replay
from laws.events import events, words
from laws.strategies import hosts
from laws.worlds import policies

recordings = st.builds(
    Recording,
    events=st.lists(events(), max_size=4).map(tuple),
    host=st.none() | st.just("vm-2cpu") | hosts(),
    policy=st.none() | st.just(cp.Policy(min_shared_cpus=2)),
    one_step_per_container=st.booleans(),
    source=words,
    why=words,
)


@given(recordings)
def test_a_recording_is_read_back_equal(recording: Recording) -> None:
    text = events_format.render(recording)
    assert events_format.parse(text) == recording
    assert [one.line for one in events_format.parse(text).events] == list(range(2, 2 + len(recording.events)))


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(recordings)
def test_what_is_written_is_within_the_schema(recording: Recording) -> None:
    validator = jsonschema.Draft202012Validator(events_schema.SCHEMA)
    for line in events_format.render(recording).splitlines():
        assert validator.is_valid(json.loads(line)), line


def calm(event: Event) -> Event:
    return evolve(event, expect=Expect())


@st.composite
def played(draw: st.DrawFn) -> tuple[cp.HostState, list[Event]]:
    """A host, and events that can be: hotplug of its own CPUs, restarts with what was there."""
    host = draw(hosts())
    ids = st.sets(st.sampled_from(sorted(host.online)), max_size=2).map(cp.CpuSet)
    found = draw(st.lists(events(ids).map(calm), max_size=8))
    known = [evolve(one, observed=None) if isinstance(one, Restart) else one for one in found]
    return cp.HostState.empty(host, draw(policies(host))), known


@given(played(), st.booleans())
def test_a_replay_is_what_the_planner_does(world: tuple[cp.HostState, list[Event]], once: bool) -> None:
    start, happened = world
    outcomes = []
    try:
        for one in replay(start, happened, one_step_per_container=once):
            outcomes.append(one)
    except cp.BadInput as bad:
        assert isinstance(happened[len(outcomes)], Hotplug), bad
    assert [one.missed for one in outcomes] == [()] * len(outcomes)  # promises hold after each
    assert all(one.after == other.before for one, other in pairwise(outcomes))
    for one in outcomes:
        assert isinstance(one.answer, cp.Refusal) or one.answer.one_step_per_container == once
        assert set(one.moved) <= set(one.before.owners) & set(one.after.owners)
        match one.event:
            case Start(request=request):
                again = cp.place(one.before, request, one_step_per_container=once)
                assert one.answer == again or not isinstance(one.answer, cp.Refusal)
                assert one.granted in (None, request.container_id)
            case Release(container_id=key):
                assert key not in one.after
            case Resize(container_id=key, count=count) if isinstance(one.answer, cp.Plan):
                held = one.after[key]
                assert held.kind is not cp.Kind.INTEGER or held.request.count == count
            case _:
                assert isinstance(one.answer, cp.Plan) or isinstance(one.event, Resize)


@given(played())
def test_what_came_of_it_can_be_expected(world: tuple[cp.HostState, list[Event]]) -> None:
    """A recording with its results as expectations holds, and does not with another pool."""
    start, happened = world
    recorded: list[Event] = []
    try:
        for one in replay(start, happened):
            refused = one.answer.kind if isinstance(one.answer, cp.Refusal) else None
            holds = {key: held.cpus for key, held in one.after.assignments.items()}
            recorded.append(evolve(one.event, expect=Expect(refused=refused, holds=holds, pool=one.after.pool)))
    except cp.BadInput:
        pass
    assert [one.missed for one in replay(start, recorded)] == [()] * len(recorded)
    for event in recorded[-1:]:
        other = evolve(event, expect=Expect(pool=cp.CpuSet([60000])))
        assert [one.missed != () for one in replay(start, [*recorded[:-1], other])][-1]


@pytest.mark.parametrize("online", [True, False])
def test_cpus_that_are_not_there(online: bool) -> None:
    start = cp.HostState.empty(cp.Topology.uniform())
    event = Hotplug(cpus=cp.CpuSet([7]), online=online, line=3)
    with pytest.raises(cp.BadInput, match="at line 3: the host has no CPU 7"):
        list(replay(start, [event]))
