"""What a runtime tells, in the words of the core; and that nothing it could tell breaks the plugin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace_nri.answer import Own
from cpuplace_nri.node import Node
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.translate import PLACED, adjustment, asked_cpus, seen_of, updates, with_numbers
from nri.messages import container, pod, resources

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4)


def numbers(qos: str = "guaranteed", **cpu: int) -> tuple[int | None, int | None]:
    made = container("c", pod(qos=qos))
    made.linux.resources.ClearField("cpu")
    for name, value in cpu.items():
        getattr(made.linux.resources.cpu, name).value = value
    facts = seen_of(pod(qos=qos), made).facts
    return facts.cpu_request, facts.cpu_limit


@pytest.mark.parametrize(
    ("qos", "cpu", "expected"),
    [
        ("guaranteed", {"quota": 200_000, "period": 100_000, "shares": 2048}, (2000, 2000)),
        ("guaranteed", {"quota": -1, "shares": 2048}, (2000, 2000)),  # no quota on CPUs of its own
        ("guaranteed", {"quota": 150_000, "period": 100_000, "shares": 1536}, (1500, 1500)),
        ("guaranteed", {"shares": 262_144}, (256_000, 256_000)),
        ("burstable", {"quota": 200_000, "period": 100_000, "shares": 1024}, (1000, 2000)),
        ("burstable", {"quota": 200_000, "period": 100_000, "shares": 2048}, (2000, 2000)),
        ("burstable", {"shares": 2048}, (2000, None)),  # a request is no limit
        ("burstable", {"quota": 1, "period": 100_000, "shares": 2}, (None, 1)),
        ("besteffort", {"shares": 2}, (None, None)),
        ("besteffort", {}, (None, None)),
        ("guaranteed", {"quota": 0, "period": 0, "shares": 0}, (None, None)),  # present, and not said
    ],
)
def test_what_the_kernels_numbers_mean(qos: str, cpu: dict[str, int], expected: tuple[int | None, int | None]) -> None:
    assert numbers(qos, **cpu) == expected


def test_memory_and_huge_pages() -> None:
    made = container("c", pod(), cpu=1000, memory=1 << 30)
    for size, limit in (("2MB", 1 << 22), ("1GB", 0), ("64KB", 1 << 63), ("odd", 1)):
        made.linux.resources.hugepage_limits.add(page_size=size, limit=limit)
    facts = seen_of(pod(), made).facts
    assert (facts.memory_limit, dict(facts.huge_pages)) == (1 << 30, {1 << 21: 1 << 22})
    made.linux.resources.memory.limit.value = (1 << 63) - 4096  # the kernel's word for no limit
    assert seen_of(pod(), made).facts.memory_limit is None


def test_zeros_of_an_update_mean_nothing() -> None:
    seen = seen_of(pod(), container("c", pod(), cpu=2000, memory=1 << 30))
    assert with_numbers(seen, nri.LinuxResources()) == seen
    zeros = resources()
    zeros.cpu.shares.value = 0
    assert with_numbers(seen, zeros) == seen
    grown = with_numbers(seen, resources(cpu=3000, memory=1 << 31)).facts
    assert (grown.cpu_limit, grown.memory_limit) == (3000, 1 << 31)


def test_whose_cpuset_it_is() -> None:
    """Somebody else's while it is created; ours by the mark; adopted when it came while nobody was there."""
    made = container("c", pod(), cpu=2000, cpus="4-5")
    assert seen_of(pod(), made, created=True).foreign
    assert not seen_of(pod(), made).foreign
    made.annotations[PLACED] = "0-1"
    seen = seen_of(pod(), made)
    assert (seen.mark, seen.baseline, seen.cpus) == ("ours", cp.CpuSet([0, 1]), cp.CpuSet([4, 5]))
    made.annotations[PLACED] = "unmanaged"
    assert seen_of(pod(), made).foreign
    made.annotations[PLACED] = made.linux.resources.cpu.cpus = made.linux.resources.cpu.mems = "rubbish"
    seen = seen_of(pod(), made)
    assert (seen.mark, seen.cpus, seen.mems) == ("", None, None)


def test_what_is_said_of_a_new_container() -> None:
    held = cp.Held(cp.CpuSet.parse("2-3"), cp.NodeSet([1]))
    made = adjustment(Own(held=held, exclusive=True), memory_policy=True, quota_off=True)
    assert (made.linux.resources.cpu.cpus, made.linux.resources.cpu.mems) == ("2-3", "1")
    assert made.linux.resources.cpu.quota.value == -1
    assert [(one.key, one.value) for one in made.env] == [("CPUPLACE_CPUS", "2-3")]
    assert not made.linux.HasField("memory_policy")
    plain = adjustment(Own(held=held), memory_policy=True, quota_off=True)
    assert not plain.env and not plain.linux.resources.cpu.HasField("quota")
    preferred = adjustment(Own(held=held._replace(preferred=cp.NodeSet([1]))), memory_policy=True, quota_off=False)
    assert preferred.linux.memory_policy.mode == nri.MPOL_PREFERRED_MANY
    assert preferred.linux.memory_policy.nodes == "1"
    assert adjustment(Own(left_alone=True), memory_policy=True, quota_off=True) == nri.ContainerAdjustment()


def test_an_update_says_nothing_but_the_cpuset() -> None:
    (one,) = updates([("c", cp.Held(cp.CpuSet([1])))])
    assert one.container_id == "c" and one.linux.resources.cpu.cpus == "1"
    assert not one.ignore_failure and not one.linux.resources.cpu.HasField("shares")
    assert asked_cpus(one.linux.resources) == cp.CpuSet([1])
    assert asked_cpus(nri.LinuxResources()) is None


texts = st.one_of(
    st.text(max_size=12), st.sampled_from(["0-3", "1,7", "all", "0-", "-1", "99999999999", "require-one"])
)
keys = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["cpuplace.dev/cores", "cpuplace.dev/numa", "weka.io/cores-ids", "weka.io/forbid-core-ids"]),
    st.sampled_from(["cores.cpuplace.dev/main", "forbid.cpuplace.dev/other", "cpuplace.dev/devices", PLACED]),
)
amounts = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.sampled_from([0, -1, 100_000, 200_000, 1024, 2048]))


@st.composite
def odd_containers(draw: st.DrawFn) -> tuple[nri.PodSandbox, nri.Container]:
    """Anything that a runtime could tell, or a broken one."""
    of = nri.PodSandbox(id=draw(texts), uid=draw(texts), name=draw(texts), namespace=draw(texts))
    of.annotations.update(draw(st.dictionaries(keys, texts, max_size=3)))
    of.linux.cgroup_parent = draw(st.one_of(texts, st.sampled_from(["/kubepods/burstable/p", "/kubepods/p"])))
    made = nri.Container(id=draw(st.text(min_size=1, max_size=5)), name=draw(texts), pod_sandbox_id=of.id)
    made.annotations.update(draw(st.dictionaries(keys, texts, max_size=3)))
    cpu = made.linux.resources.cpu
    for name in ("quota", "shares", "period"):
        if draw(st.booleans()):
            value = draw(amounts)
            getattr(cpu, name).value = value if name == "quota" else abs(value)
    if draw(st.booleans()):
        made.linux.resources.memory.limit.value = draw(amounts)
    cpu.cpus, cpu.mems = draw(texts), draw(texts)
    return of, made


@given(st.lists(odd_containers(), max_size=4), st.sampled_from([cp.Policy(), cp.Policy.weka()]))
def test_whatever_is_told_the_node_answers_and_stays_sound(
    told: list[tuple[nri.PodSandbox, nri.Container]], policy: cp.Policy
) -> None:
    node = Node(HOST, policy)
    for of, made in told:
        seen = seen_of(of, made, created=True)
        answer = node.create(seen)
        if not isinstance(answer, cp.Refusal):
            updates(answer.changes)
            node.commit(answer)
        more = node.update(with_numbers(seen, made.linux.resources), asked_cpus(made.linux.resources))
        if not isinstance(more, cp.Refusal):
            node.commit(more)
        assert cp.violations(node.state) == ()
    again = Node(HOST, policy)
    answer = again.synchronize((seen_of(of, made) for of, made in told), {of.uid for of, _ in told})
    again.commit(answer)
    updates(answer.changes)
    assert cp.violations(again.state) == ()
