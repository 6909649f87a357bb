"""Recordings: short to write by hand, and one clear BadInput with the line for whatever is none."""

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.events import Happening, Hotplug, Resize, Restart, Seen, Start
from cpuplace.formats import cpuplace_json
from cpuplace.formats import events as events_format
from cpuplace.formats.events import Recording
from cpuplace.replaying import replay

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, name="box")


def requests(text: str) -> list[cp.ContainerRequest]:
    return [one.request for one in events_format.parse(text).events if isinstance(one, Start)]


def test_what_goes_without_saying() -> None:
    text = '{"event": "place", "id": "a", "count": 2}\n{"event": "place", "id": "b"}\n'
    assert requests(text + '{"event": "pin", "id": "c", "pin": "3"}') == [
        cp.ContainerRequest.integer("a", 2),
        cp.ContainerRequest.shared("b"),
        cp.ContainerRequest.pinned("c", cp.CpuSet([3]), exclusive=True),
    ]


@pytest.mark.parametrize(
    "request_",
    [
        cp.ContainerRequest.unmanaged("a", cpus=cp.CpuSet([1])),
        cp.ContainerRequest.pinned("a", cp.CpuSet([1]), exclusive=False, pod="p"),
        evolve(cp.ContainerRequest.integer("a", 2), limit=None),
        cp.ContainerRequest.shared("a", namespace="shop"),
    ],
)
def test_every_kind_is_read_back(request_: cp.ContainerRequest) -> None:
    seen = Seen(container_id="a", request=request_)
    recording = Recording(events=(Start(request=request_), Restart(observed=(seen,))))
    assert events_format.parse(events_format.render(recording)) == recording


def test_who_is_new_at_a_restart_says_what_it_asks_for() -> None:
    new = Seen(container_id="a", cpus=cp.CpuSet([3, 5]), request=cp.ContainerRequest.integer("a", 2))
    (outcome,) = replay(cp.HostState.empty(HOST), [Restart(observed=(new,))])
    assert outcome.after["a"].cpus == cp.CpuSet([3, 5])


def test_empty_lines_and_remarks_are_skipped_but_counted() -> None:
    events = events_format.parse('# why\r\n\n  \n{"event": "forget", "pod": "p"}\n').events
    assert [one.line for one in events] == [4]
    assert events_format.parse("").events == ()


def test_the_first_line_may_hold_the_whole_host() -> None:
    head = json.dumps({"schema": 1, "host": cpuplace_json.to_dict(HOST), "policy": {"reserved": "0"}, "why": "x"})
    recording = events_format.parse(head)
    assert recording.host == HOST
    assert recording.policy == cp.Policy(reserved=cp.CpuSet([0]))


BAD = {
    '{"event": "place", "id": "a"}\n{"event"': "at line 2 column 9: Expecting ':' delimiter",
    "[1]": "at line 1: expected an object",
    "7": "at line 1: expected an object",
    "{}": "at line 1: the field 'event' is missing",
    "9" * 5000: "at line 1: not readable as JSON",
    '{"event": "start"}': "at line 1.event: unknown event 'start' (one of place, pin, release",
    '{"event": 3}': "at line 1.event: expected text",
    '{"event": "place", "id": "a", "id": "b"}': "at line 1: key 'id' is given twice",
    '\n{"event": "restart", "observed": [{"id": "a", "id": "b"}]}': "at line 2: key 'id' is given twice",
    '{"event": "release"}': "at line 1: the field 'id' is missing",
    '{"event": "release", "id": "a", "pod": "p"}': "unknown field 'pod' (known are event, at, expect, id)",
    '{"event": "place", "id": "a", "count": -1}': "at line 1.count: expected at least 0",
    '{"event": "place", "id": "a", "kind": "guest"}': "at line 1.kind: unknown kind 'guest'",
    '{"event": "place", "id": "a", "kind": "integer"}': "asks for at least 1",
    '{"event": "place", "id": ""}': "a container needs an id",
    '{"event": "pin", "id": "a", "pin": "3", "kind": "shared"}': "at line 1.kind: a pin is pinned or pinned-shared",
    '{"event": "pin", "id": "a"}': "at line 1: the field 'pin' is missing",
    '{"event": "offline", "cpus": "1-"}': "at line 1.cpus: ",
    '{"event": "restart", "observed": [{"id": "a", "mems": "x"}]}': "at line 1.observed[0].mems: ",
    '{"event": "restart", "observed": [{"id": "a", "held": "1"}]}': "unknown field 'held'",
    '{"event": "forget", "pod": "p", "expect": {"cpu": "1"}}': "at line 1.expect: unknown field 'cpu'",
    '{"event": "forget", "pod": "p", "expect": {"holds": {"a": 3}}}': "at line 1.expect.holds.a: expected text",
    '{"schema": 2}': "at line 1.schema: version 2 cannot be read, only 1 (written by a newer",
    '{"schema": 0}': "at line 1.schema: version 0 cannot be read, only 1",
    '{"schema": 1, "hosts": "x"}': "at line 1: unknown field 'hosts'",
    '{"schema": 1, "host": 7}': "at line 1.host: expected an object",
    '{"schema": 1, "host": {"schema": 1, "cpus": [], "nodes": []}}': "e.jsonl",
    '{"schema": 1, "policy": {"scope": "x"}}': "at line 1.policy: scope: 'x' is not a value",
    '{"schema": 1, "policy": 3}': "at line 1.policy: expected names and values",
    '{"event": "release", "id": "a"}\n{"schema": 1}': "at line 2: the field 'event' is missing",
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(cp.BadInput) as caught:
        events_format.parse(text, source="e.jsonl")
    assert str(caught.value).startswith("e.jsonl, at ")
    assert BAD[text] in str(caught.value)


lines: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(["event", "id", "pod", "count", "cpus", "pin", "expect", "observed", "schema", "host", "policy"]),
    st.sampled_from(["place", "pin", "restart", "0-3", "a", "", 0, 1, -1, None, [], {}, [{"id": "a"}], True])
    | st.text(max_size=3),
    max_size=5,
)


@given(st.lists(lines.map(json.dumps) | st.text(max_size=9), max_size=3).map("\n".join))
def test_nothing_but_a_recording_or_bad_input(text: str) -> None:
    try:
        recording = events_format.parse(text)
    except cp.BadInput as bad:
        assert "line " in str(bad)
        return
    assert events_format.parse(events_format.render(recording)) == recording


# --- replayed ------------------------------------------------------------------------------------


def outcome_of(*events: str) -> list[tuple[str, ...]]:
    start = cp.HostState.empty(HOST)
    return [one.missed for one in replay(start, events_format.parse("\n".join(events)).events)]


@pytest.mark.parametrize(
    ("expect", "missed"),
    [
        ('{"cpus": "0-1"}', ()),
        ('{"cpus": "2"}', ("expected a holds 2, it holds 0-1",)),
        ('{"refused": "NotEnoughCpus"}', ("expected the refusal NotEnoughCpus, was no refusal",)),
        ('{"holds": {"b": null, "a": "0-1"}}', ()),
        ('{"holds": {"b": "3"}}', ("expected b holds 3, it is not there",)),
        ('{"holds": {"a": null}}', ("expected a is not there, it holds 0-1",)),
        ('{"pool": "2-7"}', ()),
        ('{"pool": ""}', ("expected the pool empty, it is 2-7",)),
    ],
)
def test_what_is_expected(expect: str, missed: tuple[str, ...]) -> None:
    assert outcome_of(f'{{"event": "place", "id": "a", "count": 2, "expect": {expect}}}') == [missed]


def test_a_refusal_that_nobody_expected() -> None:
    assert outcome_of('{"event": "place", "id": "a", "count": 9, "expect": {"cpus": "0"}}') == [
        ("expected no refusal, was the refusal NotEnoughCpus",)
    ]
    assert outcome_of('{"event": "place", "id": "a", "count": 9}') == [()]
    assert outcome_of('{"event": "resize", "id": "a", "count": 2, "expect": {"refused": "UnknownContainer"}}') == [()]


def test_cpus_of_an_event_about_nobody_are_not_looked_at() -> None:
    assert outcome_of('{"event": "restart", "expect": {"cpus": "0"}}') == [()]


def test_a_resize_keeps_what_else_was_asked_for() -> None:
    placed = Start(request=cp.ContainerRequest.integer("a", 2, wishes=cp.Wishes(numa="require-one")))
    pin = Start(request=cp.ContainerRequest.pinned("b", cp.CpuSet([7]), exclusive=True))
    resizes = [Resize(container_id="a", count=3), Resize(container_id="a", count=0), Resize(container_id="b", count=2)]
    *_, whole, fraction, pinned = replay(cp.HostState.empty(HOST), [placed, pin, *resizes])
    assert whole.after["a"].request == cp.ContainerRequest.integer("a", 3, wishes=cp.Wishes(numa="require-one"))
    assert fraction.after["a"].kind is cp.Kind.SHARED
    assert pinned.after["b"].cpus == cp.CpuSet([7])


def test_a_container_that_nobody_knows() -> None:
    event = Restart(observed=(Seen(container_id="ghost", cpus=cp.CpuSet([1])),), line=9)
    with pytest.raises(cp.BadInput, match="at line 9: container 'ghost' was not there before"):
        list(replay(cp.HostState.empty(HOST), [event]))


def test_the_last_cpu_cannot_go() -> None:
    start = cp.HostState.empty(HOST)
    with pytest.raises(cp.BadInput) as caught:
        list(replay(start, [Hotplug(cpus=HOST.online, online=False)]))
    assert caught.value.source == "events"
    assert caught.value.position is None


def test_a_broken_promise_is_never_as_expected() -> None:
    start = cp.HostState.empty(HOST)
    wrong = evolve(start, integer=1)  # a sum that no assignment explains
    (outcome,) = replay(wrong, events_format.parse('{"event": "release", "id": "x"}').events)
    assert outcome.missed[0].startswith("a broken promise: the pool is 1-7")


def test_when_it_happened_is_a_text() -> None:
    text = '{"event": "release", "id": "a", "at": "12:00"}'
    (event,) = events_format.parse(text).events
    assert isinstance(event, Happening)
    assert (event.at, events_format.to_dict(event)) == ("12:00", json.loads(text))
