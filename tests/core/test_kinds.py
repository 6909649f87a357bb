"""Kinds: the table K0-K4, integer semantics, annotations, runtime numbers."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.annotations import KEYS
from cpuplace.errors import BadInput
from cpuplace.facts import (
    ContainerFacts,
    PodFacts,
    Role,
    count_by_runtime,
    guaranteed_by_cgroup_parent,
    is_guaranteed,
    whole_cpus,
)
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.kinds import KINDS, read_pod
from cpuplace.policy import Policy
from cpuplace.refusal import BadAnnotation
from cpuplace.request import ContainerRequest, Kind
from cpuplace.wishes import NO_WISHES, Wishes

GIB = 2**30
DEFAULT, WEKA = Policy(), Policy.weka()


def container(name: str = "main", cpu: int | None = 4000, memory: int | None = GIB, **more: Any) -> ContainerFacts:
    return ContainerFacts(name=name, container_id=f"id-{name}", cpu_limit=cpu, memory_limit=memory, **more)


def pod(*containers: ContainerFacts, annotations: dict[str, str] | None = None, **more: Any) -> PodFacts:
    return PodFacts(uid="u", name="p", containers=containers, annotations=annotations or {}, **more)


def read(facts: PodFacts, policy: Policy = DEFAULT) -> list[ContainerRequest]:
    answers = read_pod(facts, policy)
    assert all(isinstance(one, ContainerRequest) for one in answers), answers
    return [one for one in answers if isinstance(one, ContainerRequest)]


def kinds(facts: PodFacts, policy: Policy = DEFAULT) -> dict[str, Kind]:
    return {one.name: one.kind for one in read(facts, policy)}


def refusal(annotations: dict[str, str], policy: Policy = DEFAULT, *names: str) -> BadAnnotation:
    answer = read_pod(pod(*map(container, names or ("main",)), annotations=annotations), policy)[0]
    assert isinstance(answer, BadAnnotation), answer
    return answer


# The table


def test_each_line_of_the_table_is_reached() -> None:
    pin = {"cpuplace.dev/cores": "0-3"}
    fractional = container(cpu=500)
    assert [rule.name for rule in KINDS] == ["K0", "K1", "K2", "K3", "K4"]
    assert kinds(
        pod(container(), namespace="kube-system"), Policy(unmanaged_namespaces=frozenset({"kube-system"}))
    ) == {"main": Kind.UNMANAGED}
    assert kinds(pod(container(), annotations={"cpuplace.dev/manage": "false"})) == {"main": Kind.UNMANAGED}
    assert kinds(pod(container(cpuset=CpuSet([1])), annotations=pin)) == {"main": Kind.UNMANAGED}
    assert kinds(pod(container(), annotations=pin)) == {"main": Kind.PINNED}
    assert kinds(pod(fractional, annotations=pin)) == {"main": Kind.PINNED_SHARED}
    assert kinds(pod(container())) == {"main": Kind.INTEGER}
    assert kinds(pod(fractional)) == {"main": Kind.SHARED}


def test_what_a_request_carries() -> None:
    facts = container(huge_pages={2**21: 2**30})
    [integer] = read(pod(facts, annotations={"cpuplace.dev/numa": "require-one", "cpuplace.dev/forbid": "0"}))
    assert (integer.count, integer.limit, integer.memory_bytes) == (4, 4, GIB)
    assert (integer.pod, integer.namespace, integer.container_id) == ("u", "default", "id-main")
    assert (integer.wishes, integer.forbid) == (Wishes(numa="require-one"), CpuSet([0]))
    assert integer.huge_pages == {2**21: 2**30}
    [pinned] = read(pod(facts, annotations={"cpuplace.dev/cores": "2-3", "cpuplace.dev/forbid": "0"}))
    assert (pinned.pin, pinned.count, pinned.limit, pinned.forbid) == (CpuSet([2, 3]), 0, 4, NO_CPUS)
    assert "a pin is taken as it is" in pinned.notes[0]
    [shared] = read(pod(container(cpu=1500), annotations={"cpuplace.dev/numa": "0", "cpuplace.dev/forbid": "0"}))
    assert (shared.limit, shared.memory_bytes, shared.wishes) == (None, 0, NO_WISHES)
    assert shared.forbid == CpuSet([0]) and ["numa" in note for note in shared.notes] == [True]
    [unmanaged] = read(pod(container(cpuset=CpuSet([7]))))
    assert (unmanaged.pin, unmanaged.count) == (CpuSet([7]), 0)


def test_containers_come_in_placing_order() -> None:
    roles: list[tuple[str, Role]] = [
        ("m1", "main"),
        ("i1", "init"),
        ("e", "ephemeral"),
        ("s", "sidecar"),
        ("i2", "init"),
    ]
    requests = read(pod(*(container(name, role=role) for name, role in roles)))
    assert [one.name for one in requests] == ["i1", "s", "i2", "m1", "e"]
    assert [one.name for one in requests if one.init] == ["i1", "i2"]


def test_ephemeral_containers_are_shared_and_do_not_count() -> None:
    facts = pod(
        container(), container("debug", None, None, role="ephemeral"), annotations={"cpuplace.dev/cores": "0-3"}
    )
    assert kinds(facts) == {"main": Kind.PINNED, "debug": Kind.SHARED}
    assert kinds(evolve(facts, annotations={}), WEKA) == {"main": Kind.INTEGER, "debug": Kind.SHARED}
    own = read(evolve(facts, annotations={"cores.cpuplace.dev/debug": "0-3"}))[1]
    assert own.kind is Kind.SHARED
    assert "ephemeral" in own.notes[0]


# Integer semantics


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ((container(),), True),
        ((container(cpu_request=4000, memory_request=GIB),), True),
        ((container(cpu_request=3000),), False),
        ((container(memory_request=1),), False),
        ((container(memory=None),), False),
        ((container(cpu=None, cpu_request=4000),), False),
        ((container(cpu=0),), False),
        ((container(cpu_request=0),), False),
        ((container(), container("b", 500)), True),
        ((container(), container("b", None)), False),
        ((container(), container("b", None, role="init")), False),
        ((container(), container("b", None, None, role="ephemeral")), True),
    ],
)
def test_guaranteed(containers: tuple[ContainerFacts, ...], expected: bool) -> None:
    assert is_guaranteed(pod(*containers)) is expected
    assert (kinds(pod(*containers))["main"] is Kind.INTEGER) is expected


def test_what_a_runtime_says_of_the_pod_wins_over_the_numbers() -> None:
    assert kinds(pod(container(memory=None), guaranteed=True)) == {"main": Kind.INTEGER}
    assert kinds(pod(container(), guaranteed=False)) == {"main": Kind.SHARED}
    assert kinds(pod(container(memory=None), guaranteed=True), Policy(integer_scope="container")) == {
        "main": Kind.INTEGER
    }


def test_integer_scope_container_looks_at_this_container_only() -> None:
    facts = pod(container(), container("log", None, None), container("odd", 4000, cpu_request=1000))
    assert set(kinds(facts).values()) == {Kind.SHARED}
    assert kinds(facts, Policy(integer_scope="container")) == {
        "main": Kind.INTEGER,
        "log": Kind.SHARED,
        "odd": Kind.SHARED,
    }


def test_integer_scope_all_containers_is_spoiled_by_one_fraction() -> None:
    facts = pod(container(), container("log", 500))
    assert kinds(facts) == {"main": Kind.INTEGER, "log": Kind.SHARED}
    assert kinds(facts, WEKA) == {"main": Kind.SHARED, "log": Kind.SHARED}
    assert kinds(evolve(facts, annotations={"cpuplace.dev/cores": "0-3"}), WEKA)["main"] is Kind.PINNED_SHARED
    assert "others of its pod do not (all-containers)" in read(facts, WEKA)[0].notes[0]


def test_a_whole_limit_that_is_shared_all_the_same_is_explained() -> None:
    facts = pod(container(), container("log", None, None), container("old", 2000))
    notes = {one.name: one.notes for one in read(facts)}
    assert notes["main"] == ("id-main: asks for 4 whole CPUs but is shared, as its pod is not Guaranteed: see log",)
    assert notes["log"] == ()
    assert "see" not in read(evolve(facts, guaranteed=False))[0].notes[0]
    assert read(pod(container(cpu=500), container("log", None)))[0].notes == ()


def test_a_whole_limit_that_is_shared_for_its_own_memory_is_explained() -> None:
    shared = "id-main: asks for 4 whole CPUs but is shared, as "
    unlimited, uneven = container(memory=None), container(memory_request=GIB // 2)
    assert read(pod(unlimited))[0].notes == (shared + "its pod is not Guaranteed: its memory has no limit",)
    assert read(pod(uneven))[0].notes == (shared + "its pod is not Guaranteed: its memory request is not its limit",)
    both = pod(unlimited, container("log", None, None))
    assert read(both)[0].notes == (shared + "its pod is not Guaranteed: its memory has no limit; see log",)
    alone = Policy(integer_scope="container")
    assert read(pod(unlimited), alone)[0].notes == (shared + "its memory has no limit",)
    assert read(pod(container(cpu_request=1000, memory=None)))[0].notes == ()  # half a limit is meant to be shared


def test_in_a_pod_with_its_own_numbers_memory_of_a_container_is_no_reason() -> None:
    notes = read(pod(container(memory=None), cpu_limit=8000))[0].notes
    assert notes == ("id-main: asks for 4 whole CPUs but is shared, as its pod is not Guaranteed",)


def test_what_a_runtime_does_not_show_is_no_reason() -> None:
    assert read(pod(container(memory=None), guaranteed=False, complete=False))[0].notes == ()


# Pod-level resources


POD_LEVEL: dict[str, Any] = {"cpu_limit": 8000, "memory_limit": GIB}


@pytest.mark.parametrize(
    ("numbers", "containers", "expected"),
    [
        (POD_LEVEL, (container(cpu=None, memory=None),), True),
        (POD_LEVEL | {"cpu_request": 4000}, (container(),), False),
        (POD_LEVEL | {"cpu_request": 8000, "memory_request": GIB}, (container(memory=None),), True),
        ({"cpu_limit": 8000}, (container(),), False),
        ({"cpu_request": 8000}, (container(),), False),
        (POD_LEVEL, (container(), container("b")), False),  # requests default to the containers' sum: 2 GiB
        ({"cpu_limit": 8000, "memory_limit": 2 * GIB}, (container(), container("b")), True),
        (POD_LEVEL, (container(), container("b", 4000, 0, role="init")), False),
        (POD_LEVEL, (container(), container("b", 8000, GIB, role="init")), True),
        (POD_LEVEL, (container(memory=GIB // 2), container("b", 4000, GIB // 2, role="sidecar")), True),
        (
            POD_LEVEL,
            (container(cpu=100), container("s", 4000, 1, role="sidecar"), container("i", 4000, GIB - 1, role="init")),
            False,
        ),
    ],
)
def test_pod_level_resources_decide_the_class(
    numbers: dict[str, Any], containers: tuple[ContainerFacts, ...], expected: bool
) -> None:
    assert is_guaranteed(pod(*containers, **numbers)) is expected


def test_in_a_pod_with_its_own_numbers_a_container_is_integer_by_its_own_limit() -> None:
    facts = pod(
        container(memory=None), container("log", None, None), cpu_limit=8000, cpu_request=8000, memory_limit=GIB
    )
    assert kinds(facts) == {"main": Kind.INTEGER, "log": Kind.SHARED}
    uneven = pod(container(cpu_request=1000), cpu_request=8000, **POD_LEVEL)
    assert kinds(uneven) == {"main": Kind.SHARED}


# Annotations


def test_a_container_key_wins_over_the_pods() -> None:
    facts = pod(
        container(),
        container("log"),
        annotations={"cpuplace.dev/cores": "0-3", "cores.cpuplace.dev/log": "isolate", "cpuplace.dev/numa": "spread"},
    )
    pinned, free = read(facts)
    assert (pinned.kind, pinned.pin) == (Kind.PINNED, CpuSet.parse("0-3"))
    assert (free.kind, free.wishes) == (Kind.INTEGER, Wishes(cores="isolate", numa="spread"))


def test_every_wish_has_a_key() -> None:
    said = {
        "cores": "require-full",
        "numa": "0-1",
        "l3": "ignore",
        "package": "require-one",
        "devices": "nvme0!, mlx5_0",
        "core-kind": "performance!",
        "isolated": "prefer",
        "move": "never",
    }
    wishes = Wishes(
        cores="require-full",
        numa="0-1",
        l3="ignore",
        package="require-one",
        devices=("nvme0!", "mlx5_0"),
        core_kind="performance!",
        isolated="prefer",
        move="never",
    )
    assert set(said) == set(KEYS) - {"forbid", "manage"}
    assert read(pod(container(), annotations={f"cpuplace.dev/{k}": v for k, v in said.items()}))[0].wishes == wishes
    assert (
        read(pod(container(), annotations={f"{k}.cpuplace.dev/main": v for k, v in said.items()}))[0].wishes == wishes
    )
    assert read(pod(container(), annotations={"cpuplace.dev/core_kind": "efficiency"}))[0].wishes.core_kind


def test_wishes_of_a_shared_container_are_noted_as_unused() -> None:
    wished = {"cpuplace.dev/numa": "require-one", "cpuplace.dev/core-kind": "efficiency"}
    half = container("log", 1500)
    assert read(pod(half, annotations=wished))[0].notes == (
        "id-log: its wishes are not used (numa, core-kind): a shared container runs on the pool",
    )
    beside = {one.name: one for one in read(pod(container(), half, annotations=wished))}
    assert beside["main"].wishes.numa == "require-one" and beside["log"].notes == ()  # they are meant for main
    own = read(pod(container(), half, annotations={"numa.cpuplace.dev/log": "0"}))[1]
    assert own.notes == ("id-log: its wishes are not used (numa): a shared container runs on the pool",)
    policy = Policy(wishes=Wishes(numa="require-one"))
    assert read(pod(half), policy)[0].notes == ()


def test_of_pods_that_come_one_by_one_only_own_wishes_are_noted() -> None:
    facts = pod(container("log", 1500), annotations={"cpuplace.dev/numa": "0"}, complete=False)
    assert read(facts)[0].notes == ()
    (note,) = read(evolve(facts, annotations={"numa.cpuplace.dev/log": "0"}))[0].notes
    assert "not used (numa)" in note


def test_wishes_of_a_pinned_container_are_noted_as_unused() -> None:
    wished = {"cpuplace.dev/cores": "0-1", "cpuplace.dev/l3": "require-one", "cpuplace.dev/move": "never"}
    assert read(pod(container(), annotations=wished | {"cpuplace.dev/numa": "spread"}))[0].notes == (
        "id-main: its wishes are not used (numa, l3): a pin is taken as it is",
    )
    assert read(pod(container(), annotations={"cpuplace.dev/cores": "0-1", "cpuplace.dev/numa": "0-1"}))[0].notes == ()


def test_manage() -> None:
    facts = pod(
        container(), container("b"), annotations={"cpuplace.dev/manage": "false", "manage.cpuplace.dev/b": "true"}
    )
    assert kinds(facts) == {"main": Kind.UNMANAGED, "b": Kind.INTEGER}
    assert refusal({"cpuplace.dev/manage": "no"}).rule == "section 2"


def test_weka_keys_are_aliases() -> None:
    [one] = read(pod(container(), annotations={"weka.io/cores-ids": "2-3"}))
    assert (one.kind, one.pin) == (Kind.PINNED, CpuSet([2, 3]))
    [same] = read(pod(container(), annotations={"weka.io/cores-ids": "2,3", "cpuplace.dev/cores": "2-3"}))
    assert same.pin == CpuSet([2, 3])
    [word] = read(pod(container(), annotations={"weka.io/cores-ids": "2,3", "cpuplace.dev/cores": "any"}))
    assert word.pin == CpuSet([2, 3])
    [forbidding] = read(pod(container(), annotations={"weka.io/forbid-core-ids": "0-1"}))
    assert forbidding.forbid == CpuSet([0, 1])


@pytest.mark.parametrize(
    ("annotations", "rule", "parts"),
    [
        ({"cpuplace.dev/core": "0"}, "section 2", ["no such key, did you mean cores", "one of cores, forbid"]),
        ({"cpuplace.dev/xyzzy": "0"}, "section 2", ["no such key (one of"]),
        ({"a.b.cpuplace.dev/main": "0"}, "section 2", ["no such key"]),
        ({"cores.cpuplace.dev/mian": "0"}, "section 2", ["no container 'mian', did you mean main", "it has main"]),
        ({"forbid.cpuplace.dev/zzz": "0"}, "section 2", ["no container 'zzz' (it has"]),
        ({"cpuplace.dev/cores": "0-"}, "R1", ["position 1", "a CPU list such as", "isolate"]),
        ({"cpuplace.dev/cores": "isolated"}, "R1", ["'isolated'", "isolate"]),
        ({"weka.io/cores-ids": "any"}, "R1", ["a CPU list such as 0-3,8)"]),
        ({"cpuplace.dev/cores": "1", "weka.io/cores-ids": "2"}, "R1", ["cpuplace.dev/cores = '1'", "keep one"]),
        ({"cpuplace.dev/forbid": "x"}, "section 2", ["position 0", "CPU list"]),
        ({"cpuplace.dev/forbid": "1", "weka.io/forbid-core-ids": "2"}, "section 2", ["keep one"]),
        ({"cpuplace.dev/numa": "one"}, "section 2", ["require-one", "spread:2"]),
        ({"cpuplace.dev/l3": ""}, "section 2", ["prefer, ignore, require-one"]),
        ({"cpuplace.dev/devices": "a,,b"}, "section 2", ["device name"]),
        ({"core-kind.cpuplace.dev/main": "fast"}, "section 2", ["performance!"]),
        ({"cpuplace.dev/core-kind": "efficiency", "cpuplace.dev/core_kind": "performance"}, "section 2", ["keep one"]),
    ],
)
def test_unreadable_annotations_are_refused(annotations: dict[str, str], rule: str, parts: list[str]) -> None:
    answer = refusal(annotations)
    assert answer.rule == rule
    assert answer.annotation in annotations
    assert answer.value == annotations[answer.annotation]
    for part in (answer.annotation, repr(answer.value), *parts):
        assert part in answer.sentence


def test_a_bad_key_of_one_container_refuses_that_one_only() -> None:
    facts = pod(container(), container("b"), annotations={"numa.cpuplace.dev/b": "x"})
    good, bad = read_pod(facts, DEFAULT)
    assert isinstance(good, ContainerRequest)
    assert isinstance(bad, BadAnnotation)


def test_keys_of_containers_that_are_not_known_yet_wait_for_them() -> None:
    annotations = {"cores.cpuplace.dev/later": "0-1", "cpuplace.dev/forbid": "3"}
    [one] = read(pod(container(), annotations=annotations, complete=False))
    assert one.forbid == CpuSet([3])
    assert refusal(annotations).annotation == "cores.cpuplace.dev/later"


def test_what_others_set_is_kept_whatever_the_annotations_say() -> None:
    facts = pod(container(cpuset=CpuSet([5])), container("b"), annotations={"cpuplace.dev/typo": "x"})
    alone, refused = read_pod(facts, DEFAULT)
    assert isinstance(alone, ContainerRequest)
    assert alone.pin == CpuSet([5])
    assert isinstance(refused, BadAnnotation)


def test_unreadable_forbid_lists_are_ignored_with_a_note_where_the_policy_says_so() -> None:
    [one] = read(pod(container(), annotations={"weka.io/forbid-core-ids": "0-x", "cpuplace.dev/forbid": "3"}), WEKA)
    assert one.forbid == CpuSet([3])
    assert "weka.io/forbid-core-ids, at 1" in one.notes[0]
    assert refusal({"cpuplace.dev/forbid": "1", "weka.io/forbid-core-ids": "2"}, WEKA).annotation.startswith("weka")


def test_foreign_keys_and_unmanaged_pods_are_not_looked_at() -> None:
    foreign = {"example.com/cores": "x", "cpuplace.dev.example.com/y": "", "plain": "1", "weka.io/other": "?"}
    assert kinds(pod(container(), annotations=foreign)) == {"main": Kind.INTEGER}
    assert kinds(pod(container(), annotations={"cpuplace.dev/manage": "false", "cpuplace.dev/numa": "?"})) == {
        "main": Kind.UNMANAGED
    }


@given(st.dictionaries(st.sampled_from([f"cpuplace.dev/{what}" for what in KEYS] + ["weka.io/cores-ids"]), st.text()))
def test_any_value_gives_a_request_or_a_refusal_that_names_it(annotations: dict[str, str]) -> None:
    [answer] = read_pod(pod(container(), annotations=annotations), DEFAULT)
    if isinstance(answer, BadAnnotation):
        assert repr(annotations[answer.annotation]) in answer.sentence
        assert answer.to_dict()["kind"] == "BadAnnotation"
    else:
        assert isinstance(answer, ContainerRequest)


@given(st.text(alphabet="cores./-_vdplubai", max_size=20), st.sampled_from(["", "cpuplace.dev/", ".cpuplace.dev/main"]))
def test_any_key_is_foreign_read_or_refused(word: str, where: str) -> None:
    key = word + where if where.startswith(".") else where + word
    [answer] = read_pod(pod(container(), annotations={key: "1"}), DEFAULT)
    assert isinstance(answer, (ContainerRequest, BadAnnotation))


# Facts and runtime numbers


@pytest.mark.parametrize("name", ["cpu_request", "cpu_limit", "memory_request", "memory_limit"])
def test_negative_amounts_are_bad_input(name: str) -> None:
    negative: dict[str, Any] = {name: -1}
    with pytest.raises(BadInput, match="negative"):
        ContainerFacts(name="a", container_id="a", **negative)
    with pytest.raises(BadInput, match="negative"):
        pod(container(), **negative)


def test_two_containers_of_one_name_are_bad_input() -> None:
    with pytest.raises(BadInput, match="two containers are named 'main'"):
        pod(container(), container())


@given(st.integers(0, 10**6))
def test_whole_cpus(cpu: int) -> None:
    assert whole_cpus(container(cpu=cpu)) == (cpu // 1000 if cpu % 1000 == 0 else 0)
    assert whole_cpus(container(cpu=None)) == 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/kubepods/podabc", True),
        ("/kubepods/burstable/podabc", False),
        ("/kubepods/besteffort/podabc", False),
        ("kubepods-podabc.slice", True),
        ("kubepods-burstable-podabc.slice", False),
        ("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice", False),
        ("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice", True),
        ("/kubepods.slice/kubepods-burstable.slice", False),
        ("/kubepods/pod-unburstable", True),
        ("", True),
    ],
)
def test_guaranteed_by_cgroup_parent(path: str, expected: bool) -> None:
    assert guaranteed_by_cgroup_parent(path) is expected


@given(st.integers(1, 2000), st.sampled_from([None, 0, 100_000, 50_000]), st.none() | st.integers(0, 262144))
def test_a_whole_quota_decides_whatever_the_shares(count: int, period: int | None, shares: int | None) -> None:
    assert count_by_runtime(count * (period or 100_000), period, shares) == count
    assert count_by_runtime(count * (period or 100_000) + 1, period, shares) is None


@pytest.mark.parametrize(("shares", "count"), [(None, None), (0, None), (2, None), (1024, 1), (8192, 8), (1536, None)])
@pytest.mark.parametrize("quota", [None, 0, -1])
def test_without_a_quota_the_shares_decide(quota: int | None, shares: int | None, count: int | None) -> None:
    assert count_by_runtime(quota, 100_000, shares) == count
