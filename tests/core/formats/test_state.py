"""Saved states: exact both ways, within the schema, and one clear BadInput for everything else."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.formats import state as state_format
from laws.worlds import requests, states

HOST = cp.Topology.uniform(packages=2, nodes_per_package=2, cores_per_l3=4, threads_per_core=2, name="box")


def busy(policy: cp.Policy | None = None) -> cp.HostState:
    """A state with every kind of container, withheld CPUs, memory nodes, and something remembered."""
    state = cp.HostState.empty(HOST, policy or cp.Policy(reserved=cp.CpuSet([0]), wishes=cp.Wishes(numa="prefer")))
    make = cp.ContainerRequest
    for request in (
        make.pinned("pin", cp.CpuSet([1, 17]), exclusive=True, memory_bytes=5, huge_pages={2097152: 2097152}),
        make.integer("gone", 2, pod="p", name="gone", init=True),
        make.integer("lone", 2, pod="p", name="lone", wishes=cp.Wishes(cores="isolate", devices=("nvme0",))),
        make.pinned("both", cp.CpuSet([12, 13]), exclusive=False, limit=0),
        make.unmanaged("theirs", cpus=cp.CpuSet([14])),
        make.shared("web", namespace="shop", forbid=cp.CpuSet([15])),
        make.shared("more"),
    ):
        state = cp.apply(state, cp.place(state, evolve(request, notes=("seen",))).unwrap())
    return cp.apply(state, cp.release(state, "gone"))


def read(state: cp.HostState) -> cp.HostState:
    return state_format.parse(state_format.render(state), state.topology)


def everything(state: cp.HostState) -> tuple[object, ...]:
    """All that a state says, computed facts and the order of its containers included."""
    facts = (state.version, state.digest, state.pool, state.free, state.withheld, state.exclusive, state.set_aside)
    sums = (state.integer, state.owned, state.lent, state.told, state.apart, state.picky, state.by_name)
    return (*facts, *sums, state.policy, list(state.assignments.items()), state.remembered)


def test_a_state_in_which_all_that_share_hold_something_of_their_own_is_read_back() -> None:
    """A host that had no CPU for the pool comes back: nothing was told to all, and widening waits (R7)."""
    row = cp.Topology.uniform(cores_per_l3=4)
    state = cp.HostState.empty(row, cp.Policy(widen="lazy"))
    for request in (cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("s", forbid=cp.CpuSet([3]))):
        state = cp.apply(state, cp.place(state, request).unwrap())
    gone = cp.change_topology(state, row.with_online(cp.CpuSet.parse("0-1"))).after
    seen = [cp.Observed(request=one.request, cpus=one.cpus) for one in gone.assignments.values()]
    back = cp.change_topology(cp.synchronize(gone, seen).after, row).after
    assert (back.told, read(back).digest) == (0, back.digest)
    assert everything(read(back)) == everything(back)


@given(states(most=8))
def test_a_state_is_read_back_exactly(state: cp.HostState) -> None:
    again = read(state)
    assert again == state
    assert everything(again) == everything(state)
    assert state_format.render(again) == state_format.render(state)


@given(states(), st.data())
def test_a_state_read_back_decides_the_same(state: cp.HostState, data: st.DataObject) -> None:
    request = data.draw(requests("new", host=state.topology))
    was, now = cp.place(state, request), cp.place(read(state), request)
    if isinstance(was, cp.Plan):
        assert now.unwrap().steps == was.steps
        assert cp.apply(read(state), was) == was.after  # same version and digest, so the plan is not stale
    else:
        assert now == was


@given(states())
def test_every_saved_state_fits_the_schema(state: cp.HostState) -> None:
    jsonschema.validate(json.loads(state_format.render(state)), state_format.SCHEMA)


@pytest.mark.parametrize("policy", [None, cp.Policy(memory_policy="preferred", memory_scope="exclusive")])
def test_all_kinds_of_containers_are_kept(policy: cp.Policy | None) -> None:
    state = busy(policy)
    assert read(state) == state
    assert everything(read(state)) == everything(state)
    jsonschema.validate(json.loads(state_format.render(state)), state_format.SCHEMA)


def test_what_shared_containers_were_told_is_kept_when_it_is_not_the_pool() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(widen="lazy"))
    for request in (cp.ContainerRequest.integer("a", 2), cp.ContainerRequest.shared("web")):
        state = cp.apply(state, cp.place(state, request).unwrap())
    state = cp.apply(state, cp.release(state, "a"))
    state = cp.apply(state, cp.place(state, cp.ContainerRequest.shared("later")).unwrap())
    assert state["web"].cpus != state["later"].cpus == state.pool
    assert everything(read(state)) == everything(state)


def test_the_name_of_the_host_can_be_asked_alone() -> None:
    assert state_format.saved_host(state_format.render(busy())) == "box"
    assert state_format.saved_host(state_format.render(cp.HostState.empty(cp.Topology.uniform()))) == ""


def test_every_prefix_of_a_state_is_refused() -> None:
    text = state_format.render(busy())
    for length in range(0, len(text), 7):
        with pytest.raises(cp.BadInput) as caught:
            state_format.parse(text[:length], HOST, source="s.json")
        assert caught.value.source == "s.json"


def refused(text: str, host: cp.Topology = HOST) -> str:
    with pytest.raises(cp.BadInput) as caught:
        state_format.parse(text, host, source="s.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2), "CPUs online were 0-31, on this host"),
        (
            cp.Topology.uniform(packages=2, l3_per_node=2, cores_per_l3=4, threads_per_core=2, name="flat"),
            "CPUs of the NUMA nodes were 4 (0: 0-3,16-19; 1: 4-7,20-23; 2: 8-11,24-27; ...), on flat they are 2",
        ),
        (
            cp.Topology.uniform(
                packages=2, nodes_per_package=2, cores_per_l3=8, numbering="interleaved", threads_per_core=1
            ),
            "CPUs of the NUMA nodes were 4",
        ),
        (
            cp.Topology.uniform(packages=2, nodes_per_package=2, l3_per_node=2, cores_per_l3=2, threads_per_core=2),
            "CPUs that share an L3 were 4",
        ),
    ],
)
def test_another_host_is_refused_with_what_differs(other: cp.Topology, words: str) -> None:
    message = refused(state_format.render(busy()), other)
    assert words in message
    assert message.startswith("s.json, at host.")
    assert message.endswith("(it was saved for box)")


def test_a_host_without_a_name_is_called_that() -> None:
    text = state_format.render(cp.HostState.empty(cp.Topology.uniform()))
    assert refused(text).endswith("(it was saved for a host without a name)")


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    values = state_format.to_dict(busy())
    change(values)
    return json.dumps(values)


def container(name: str, /, **fields: Any) -> Callable[[dict[str, Any]], object]:
    """Change a container of the state; None takes a field away."""

    def change(values: dict[str, Any]) -> None:
        one = next(one for one in values["containers"] if one["id"] == name)
        one.update(fields)
        for key in [key for key, value in fields.items() if value is None]:
            del one[key]

    return change


def remembered(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda values: values["remembered"].append(values["remembered"][0] | fields)


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "newer": (lambda v: v.update(schema=2), "at schema: version 2 cannot be read, only 1 (written by a newer"),
    "older": (lambda v: v.update(schema=0), "at schema: version 0 cannot be read, only 1"),
    "no version": (lambda v: v.pop("schema"), "the field 'schema' is missing"),
    "unknown field": (lambda v: v.update(pods=[]), "unknown field 'pods'"),
    "no containers": (lambda v: v.pop("containers"), "the field 'containers' is missing"),
    "host of another type": (lambda v: v["host"].update(cores={"a": 1}), "CPUs that share a core were 1 (a: 1)"),
    "host of no type": (lambda v: v["host"].update(cores=7), "CPUs that share a core were 7"),
    "policy junk": (lambda v: v["policy"].update(scope="x"), "at policy: scope: 'x' is not a value of scope"),
    "policy no object": (lambda v: v.update(policy=3), "at policy: expected names and values"),
    "policy not for host": (lambda v: v["policy"].update(reserved="99"), "reserved: names CPUs the host does not have"),
    "twice": (lambda v: v["containers"].append(v["containers"][0]), "a second container 'pin'"),
    "same name": (container("web", pod="more", name="more"), "a second container 'more' of pod 'more'"),
    "unknown kind": (container("web", kind="guest"), "unknown kind 'guest' (one of unmanaged"),
    "shared with CPUs": (container("web", cpus="3"), "a shared container runs on the pool"),
    "no CPUs said": (container("pin", cpus=None), "the field 'cpus' is missing"),
    "bad list": (container("pin", cpus="3-1"), "at containers[0].cpus"),
    "bad node list": (container("pin", mems="x"), "at containers[0].mems"),
    "absent node": (container("pin", mems="9"), "names NUMA nodes the host does not have: 9"),
    "bad wish": (container("lone", wishes={"numa": "far"}), "at containers[1].wishes: wishes.numa"),
    "bad page size": (container("lone", huge_pages={"2M": 1}), "expected a page size in bytes"),
    "no count": (container("lone", count=None), "an integer container asks for at least 1"),
    "half a character": (container("lone", pod="\ud800"), "holds half a character"),
    "withheld from a pin": (container("pin", withheld="20"), "CPUs 20 cannot be withheld by it"),
    "withheld elsewhere": (container("lone", withheld="99"), "CPUs 99 cannot be withheld by it"),
    "two owners": (container("lone", cpus="1,5"), "cannot be: pin, lone: CPUs 1 belong to two owners (I1)"),
    "wrong count": (container("lone", count=3), "holds 2 CPUs, asked for 3 (I5)"),
    "remembered twice": (remembered(), "container 'gone' of pod 'p' is remembered twice"),
    "remembered elsewhere": (remembered(name="x", cpus="90"), "remembers CPUs that the host does not have: 90"),
    "told something else": (lambda v: v.update(told="5"), "shared containers were told of 5, the pool is"),
    "told nobody": (lambda v: v.update(held_apart={"zz": "1"}), "'zz' is no shared container of this state"),
    "told more": (lambda v: v.update(held_apart={"web": "1"}), "(only with widen: lazy)"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_state_is_refused_with_its_place(name: str) -> None:
    change, words = EDITS[name]
    message = refused(edited(change))
    assert message.startswith("s.json, at ")
    assert words in message


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**20) | st.text(max_size=5) | st.sampled_from(["0-3", "0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A real state in which one value, at any depth, is another."""
    values: Any = state_format.to_dict(busy())
    place = values
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or draw(st.integers(0, 3)) == 0:
            place[key] = draw(junk)
            return json.dumps(values)
        place = inner


@settings(max_examples=100)
@given(damaged() | st.text(max_size=30) | junk.map(json.dumps))
def test_no_text_gives_anything_but_a_sound_state_or_bad_input(text: str) -> None:
    try:
        state = state_format.parse(text, HOST)
    except cp.BadInput:
        return
    assert cp.violations(state) == ()
    assert read(state) == state


def test_offline_cpus_that_are_remembered_are_read_back() -> None:
    host = cp.Topology.uniform(cores_per_l3=4)
    held = cp.place(cp.HostState.empty(host), cp.ContainerRequest.integer("a", 1)).unwrap().after
    state = cp.change_topology(cp.release(held, "a").after, host.with_online(cp.CpuSet.parse("1-3"))).after
    assert state.remembered and state_format.parse(state_format.render(state), state.topology) == state
