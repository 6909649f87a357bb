"""Kubelet's cpu_manager_state: both versions, and one clear BadInput for everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.checkup import check_up
from cpuplace.formats import kubelet_state

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2, name="box")


def text(default: str = "0-15", **more: object) -> str:
    return json.dumps({"policyName": "static", "defaultCpuSet": default, "checksum": 1, **more})


def findings(said: str, policy: cp.Policy | None = None) -> list[tuple[str, str]]:
    saved = kubelet_state.parse(said)
    state, _ = kubelet_state.to_state(saved, HOST, policy)
    return [(one.kind, str(one.cpus)) for one in check_up(state, pool=saved.default).findings]


def test_v1_names_containers_by_id_and_v2_by_pod_and_name() -> None:
    one = kubelet_state.parse(text(entries={"3f2a": "1,9"})).entries
    two = kubelet_state.parse(text(entries={"uid": {"main": "1,9"}})).entries
    assert [(entry.key, str(entry.cpus)) for entry in (*one, *two)] == [("3f2a", "1,9"), ("uid/main", "1,9")]


@pytest.mark.parametrize("entries", [None, {}, {"uid": {}}])
def test_nothing_is_placed(entries: object) -> None:
    saved = kubelet_state.parse(text(entries=entries))
    assert (saved.policy, str(saved.default), saved.entries) == ("static", "0-15", ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{", "at line 1 column 2: Expecting property name"),
        ("[]", "at the top: expected an object"),
        (text(podEntries={}), "unknown field 'podEntries' (known are policyName, defaultCpuSet"),
        (json.dumps({"policyName": "static"}), "the field 'defaultCpuSet' is missing"),
        (text("0-"), "at defaultCpuSet: "),
        (text(entries={"u": {"c": "1-"}}), "at entries.u.c: "),
        (text(entries={"u": 7}), "at entries.u: expected an object"),
        (text(entries={"u": {"c": "1"}, "3f": "2"}), "at entries: container ids (v1) and pods (v2) are mixed"),
        (text(entries={"": "1"}), "'' is no name"),
        (text(entries={"u": {"a/b": "1"}}), "'a/b' is no name"),
        (text(entries={"\ud800": {}}), "is no name"),
    ],
)
def test_what_cannot_be_read(said: str, words: str) -> None:
    with pytest.raises(cp.BadInput) as caught:
        kubelet_state.parse(said, source="f")
    assert str(caught.value).startswith("f, at ")
    assert words in str(caught.value)


@given(st.text(max_size=20) | st.dictionaries(st.text(max_size=4), st.text(max_size=4)).map(json.dumps))
def test_nothing_but_a_value_or_bad_input(said: str) -> None:
    assert kubelet_state.is_kubelet_state(said) in (True, False)
    with pytest.raises(cp.BadInput):
        kubelet_state.parse(said)


def test_a_healthy_file() -> None:
    assert findings(text("0,3-8,11-15", entries={"u": {"main": "1,9"}, "v": {"main": "2,10"}})) == []


def test_killed_between_two_writes() -> None:
    """kubernetes#136604: the entry is written, the default set is not; or the other way round."""
    assert findings(text("0-15", entries={"u": {"main": "1,9"}})) == [("overlap", "1,9")]
    assert findings(text("0,2-8,10-15")) == [("leak", "1,9")]


def test_cpus_of_two_pods_offline_unknown() -> None:
    said = text("0,3-14,20", entries={"u": {"main": "1-2"}, "v": {"main": "2,15,16"}})
    assert findings(said) == [
        ("overlap", "2"),
        ("unknown", "16"),
        ("unknown", "20"),
    ]
    saved = kubelet_state.parse(said)
    host = HOST.with_online(HOST.online - cp.CpuSet([14, 15]))
    found = check_up(kubelet_state.to_state(saved, host)[0], pool=saved.default).findings
    assert [(one.kind, str(one.cpus), one.containers) for one in found if one.kind == "offline"] == [
        ("offline", "15", ("v/main",)),
        ("offline", "14", ()),
    ]


def test_init_containers_lend_their_cpus_within_the_pod() -> None:
    saved = kubelet_state.parse(text("0,4-15", entries={"u": {"init": "1", "main": "1-2", "side": "3"}}))
    state, notes = kubelet_state.to_state(saved, HOST)
    assert list(state.assignments) == ["u/main", "u/side"]
    assert notes == ("u/init: shares CPUs 1 with main of its pod, as init containers do",)
    assert check_up(state, pool=saved.default).healthy


@pytest.mark.parametrize(
    ("pod", "own"),
    [
        # two containers that run, on what an init container had and on more
        ({"init": "0-7", "app1": "0-5", "app2": "6-9"}, {"app1": "0-5", "app2": "6-9"}),
        ({"app1": "0-3", "app2": "4-7", "init": "0-7"}, {"app1": "0-3", "app2": "4-7"}),
        ({"i1": "0-7", "i2": "0-3", "app1": "0-5", "app2": "6-9"}, {"app1": "0-5", "app2": "6-9"}),
        # what is left of an init container stays the pod's until the pod is gone
        ({"init": "0-7", "app1": "0-1", "app2": "2-3"}, {"init": "4-7", "app1": "0-1", "app2": "2-3"}),
        # nobody can tell who of the two ended: the pod keeps all
        ({"c1": "0-3", "c2": "2-5"}, {"c1": "0-3", "c2": "4-5"}),
        ({"small": "0-1", "large": "0-7"}, {"large": "0-7"}),
    ],
)
def test_a_pod_owns_all_that_its_entries_name(pod: dict[str, str], own: dict[str, str]) -> None:
    owned = cp.CpuSet(cpu for cpus in pod.values() for cpu in cp.CpuSet.parse(cpus))
    saved = kubelet_state.parse(text(str(HOST.online - owned), entries={"u": pod}))
    state, notes = kubelet_state.to_state(saved, HOST)
    found = check_up(state, pool=saved.default)
    assert found.healthy
    assert {key: str(one.cpus) for key, one in found.repair.after.owners.items()} == {
        f"u/{name}": cpus for name, cpus in own.items()
    }
    assert len(notes) == sum(own.get(name) != cpus for name, cpus in pod.items())


def test_who_shares_with_whom_is_noted() -> None:
    saved = kubelet_state.parse(text(entries={"u": {"init": "0-7", "app1": "0-1", "app2": "2-3"}}))
    [note] = kubelet_state.to_state(saved, HOST)[1]
    assert note == "u/init: shares CPUs 0-3 with app1 and app2 of its pod, as init containers do; has 4-7 alone"


def test_reserved_cpus_are_in_the_default_set_unless_strict() -> None:
    reserved = cp.CpuSet([0])
    assert findings(text("0-15"), cp.Policy(reserved=reserved)) == []
    assert findings(text("1-15"), cp.Policy(reserved=reserved)) == [("leak", "0")]
    assert findings(text("1-15"), cp.Policy(reserved=reserved, strict_reservation=True)) == []
    owned = text("1-15", entries={"u": {"main": "0"}})
    assert findings(owned, cp.Policy(reserved=reserved)) == [("promise", "")]


def test_an_entry_without_cpus_is_a_broken_promise() -> None:
    assert {kind for kind, _ in findings(text(entries={"u": {"main": ""}}))} == {"promise"}
