"""check-config: what the plugin can never give out must not be schedulable."""

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace_nri.checkconfig import Checked, check, most_exclusive
from cpuplace_nri.config import Config
from cpuplace_nri.kubeletconfig import KubeletConfig, parse_kubelet
from laws.strategies import hosts
from laws.worlds import few_cpus, policies

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


@st.composite
def idle_hosts(draw: st.DrawFn) -> cp.HostState:
    host = draw(hosts())
    return cp.HostState.empty(host, draw(policies(host)))


@given(idle_hosts(), st.data())
def test_so_many_cpus_are_given_out_and_not_one_more(idle: cp.HostState, data: st.DataObject) -> None:
    """One CPU a container, whatever order: the planner stops exactly where `most_exclusive` says."""
    assume(idle.policy.wishes == cp.Wishes())  # a wish may leave CPUs that nobody can be given one by one
    most, state = most_exclusive(idle), idle
    for number in range(most):
        answer = cp.place(state, cp.ContainerRequest.integer(f"c{number}", 1))
        assert isinstance(answer, cp.Plan), answer
        state = answer.after
    assert isinstance(cp.place(state, cp.ContainerRequest.integer("more", 1)), cp.Refusal)


def checked(kubelet: KubeletConfig | None = None, **policy: object) -> Checked:
    return check(Config(policy=cp.Policy(**policy)), HOST, kubelet)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "kubelet", "good", "kept"),
    [
        ({}, KubeletConfig(), False, 1),
        ({}, KubeletConfig(system=999), False, 1),
        ({}, KubeletConfig(system=500, kube=500), True, 1),
        ({"min_shared_cpus": 4}, KubeletConfig(system=3900), False, 4),
        ({"reserved": cp.CpuSet([0, 8])}, KubeletConfig(reserved_cpus=cp.CpuSet([0, 8])), True, 2),
        # reservedSystemCPUs replaces the amounts, whatever they say
        ({"reserved": cp.CpuSet([0, 8])}, KubeletConfig(reserved_cpus=cp.CpuSet([0]), system=9000), False, 2),
        ({"reserved": cp.CpuSet([0, 8]), "strict_reservation": True}, KubeletConfig(system=2000), False, 3),
        ({"reserved": cp.CpuSet([0, 8]), "min_shared_cpus": 4}, KubeletConfig(system=4000), True, 4),
        ({"usable": cp.CpuSet(range(8))}, KubeletConfig(system=9000), True, 9),
    ],
)
def test_the_kubelet_must_keep_what_the_plugin_cannot_give(
    policy: dict[str, object], kubelet: KubeletConfig, good: bool, kept: int
) -> None:
    found = checked(kubelet, **policy)
    assert (found.good, found.kept) == (good, kept)
    assert found.online == 16 and found.exclusive == 16 - kept


@given(idle_hosts())
def test_the_lines_it_prints_make_it_good(idle: cp.HostState) -> None:
    config = Config(policy=idle.policy)
    lines = check(config, idle.topology, None).lines
    kubelet = parse_kubelet("kind: KubeletConfiguration\n" + "\n".join(lines))
    found = check(config, idle.topology, kubelet)
    wrong = [one.text for one in found.findings if one.level == "wrong"]
    assert all("the pool has" in text for text in wrong)
    assert not any("reservedSystemCPUs" in one.text for one in found.findings)


@given(idle_hosts(), few_cpus, st.integers(0, 40))
def test_the_lines_it_prints_make_any_kubelet_good(idle: cp.HostState, named: cp.CpuSet, system: int) -> None:
    config = Config(policy=idle.policy)
    plain = {"kind": "KubeletConfiguration", "reservedSystemCPUs": str(named), "systemReserved": {"cpu": system}}
    lines = check(config, idle.topology, parse_kubelet(yaml.safe_dump(plain))).lines
    kubelet = parse_kubelet(yaml.safe_dump(plain | yaml.safe_load("\n".join(lines))))
    wrong = [one.text for one in check(config, idle.topology, kubelet).findings if one.level == "wrong"]
    assert all("the pool has" in text for text in wrong)


def test_named_cpus_that_are_too_few_must_go_since_they_replace_the_amount() -> None:
    found = checked(KubeletConfig(reserved_cpus=cp.CpuSet([0]), system=9000), min_shared_cpus=4)
    assert found.lines == ("cpuManagerPolicy: none", 'reservedSystemCPUs: ""', "systemReserved:", '  cpu: "4"')
    [wrong] = [one.text for one in found.findings if one.level == "wrong"]
    assert wrong.endswith("use the kubelet lines below (reservedSystemCPUs must be empty: it replaces the amounts)")


@pytest.mark.parametrize(
    ("kubelet", "policy", "level", "said"),
    [
        (None, {}, "note", "no kubelet configuration was looked at"),
        (KubeletConfig(cpu_manager="static"), {}, "warning", "cpuManagerPolicy is static"),
        (KubeletConfig(memory_manager="Static"), {}, "warning", "memoryManagerPolicy is Static"),
        (
            KubeletConfig(reserved_cpus=cp.CpuSet([3])),
            {"reserved": cp.CpuSet([0])},
            "warning",
            "reservedSystemCPUs 3 are not reserved by the policy: containers may be given them exclusively; add "
            "`reserved: 0,3` to the policy",
        ),
        (KubeletConfig(reserved_cpus=cp.CpuSet([99])), {}, "wrong", "names CPUs that are not online: 99"),
        (
            KubeletConfig(system=12000, kube=4001),
            {},
            "wrong",
            "the kubelet keeps 16.001 CPUs from the scheduler, and the host has 16: it does not start; lower its "
            "reservation to 1 CPUs",
        ),
        (
            KubeletConfig(reserved_cpus=HOST.online),
            {"min_shared_cpus": 8},
            "wrong",
            "the kubelet keeps 16 CPUs from the scheduler, and the host has 16: no pod that asks for CPUs is sent "
            "here; lower its reservation to 8 CPUs",
        ),
        (
            KubeletConfig(),
            {"min_shared_cpus": 40},
            "wrong",
            "the pool has 16 CPUs at most, min_shared_cpus asks for 40",
        ),
        (KubeletConfig(), {"reserved": HOST.online}, "warning", "no CPU is left for integer containers"),
    ],
)
def test_findings(kubelet: KubeletConfig | None, policy: dict[str, object], level: str, said: str) -> None:
    found = checked(kubelet, **policy)
    assert any(one.level == level and said in one.text for one in found.findings)


def test_a_policy_that_gives_out_nothing_may_keep_everything() -> None:
    assert checked(KubeletConfig(system=16000), min_shared_cpus=16).good
    assert not checked(KubeletConfig(system=16001), min_shared_cpus=16).good
    assert checked(KubeletConfig(system=15999)).good


def test_memory_is_left_to_the_kubelet_when_the_policy_says_none() -> None:
    found = checked(KubeletConfig(memory_manager="Static", system=1000), memory_policy="none")
    assert found.findings == ()


def test_a_policy_that_does_not_fit_the_host() -> None:
    with pytest.raises(cp.BadInput, match="names CPUs the host does not have: 99"):
        checked(reserved=cp.CpuSet([99]))


def test_what_a_kubelet_says() -> None:
    text = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cpuManagerPolicy: static
memoryManagerPolicy: Static
reservedSystemCPUs: 0-1
kubeReserved: {cpu: 500m, memory: 1Gi}
systemReserved:
  cpu: 1
evictionPressureTransitionPeriod: 0s
logging: {verbosity: 0}
"""
    assert parse_kubelet(text) == KubeletConfig(
        reserved_cpus=cp.CpuSet([0, 1]), kube=500, system=1000, cpu_manager="static", memory_manager="Static"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "kubelet, at line 1: not a KubeletConfiguration"),
        ("", "kubelet: not a KubeletConfiguration"),
        ("kind: KubeletConfiguration\nreservedSystemCPUs: x", "at line 2: reservedSystemCPUs: cannot read"),
        ("kind: KubeletConfiguration\nkubeReserved: 3", "at line 2: kubeReserved: expected amounts"),
        ("kind: KubeletConfiguration\nkubeReserved:\n  cpu: x", "at line 3: kubeReserved.cpu: 'x' is not a quantity"),
        ("kind: KubeletConfiguration\ncpuManagerPolicy: [1]", "at line 2: cpuManagerPolicy: expected a word"),
    ],
)
def test_what_is_no_kubelet_configuration(text: str, said: str) -> None:
    with pytest.raises(cp.BadInput) as caught:
        parse_kubelet(text)
    assert said in str(caught.value)
