"""A reload is taken as a whole or not at all."""

import pytest
from attrs import evolve
from hypothesis import given

from cpuplace import BadInput, CpuSet, HostState, NotEnoughCpus, Plan, Policy, Refusal, Topology
from cpuplace_nri.config import FIELDS, Config, nri_policy
from cpuplace_nri.reloading import changes, reload
from nri.test_config import configs

STATE = HostState.empty(Topology.uniform())
PLAN = Plan(before=STATE, after=STATE)
NO = NotEnoughCpus(container_id="c", rule="R4", sentence="too few", asked=2, free=CpuSet(), fits=0)


def never(_policy: Policy) -> Plan | Refusal:
    raise AssertionError("the policy did not change")


@given(configs(), configs())
def test_the_changes_lead_from_one_to_the_other_and_all_hold_or_none(old: Config, new: Config) -> None:
    found = changes(old, new)
    assert (found == ()) == (old == new)
    assert {one.name.partition(".")[0] for one in found} == {n for n in FIELDS if getattr(old, n) != getattr(new, n)}
    asked: list[Policy] = []

    def ask(policy: Policy) -> Plan:
        asked.append(policy)
        return PLAN

    done = reload(old, new, ask)
    if any(not one.live for one in found):
        assert (done.config, asked, done.changed) == (old, [], ())
        assert all(one.name in done.refused for one in found if not one.live)
    else:
        assert (done.config, done.changed, done.refused) == (new, found, "")
        assert asked == ([new.policy] if old.policy != new.policy else [])


def test_what_is_live_changes_and_says_how() -> None:
    old = Config()
    new = evolve(old, log_level="debug", policy=nri_policy(reserved=CpuSet([0])))
    done = reload(old, new, lambda _policy: PLAN)
    assert str(done) == "log_level: info -> debug; policy.reserved: - -> 0"
    assert (done.config, done.plan) == (new, PLAN)
    assert str(reload(old, old, never)) == "nothing differs"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"socket": "/x"}, "socket"),
        ({"index": 3, "log_level": "debug"}, "index"),
        ({"fail_closed": True}, "fail_closed"),
        ({"listen": "127.0.0.1:1"}, "listen"),
    ],
)
def test_what_needs_a_restart_refuses_the_whole(changed: dict[str, object], name: str) -> None:
    old = Config()
    done = reload(old, old.with_changes(**changed), never)
    assert done.config is old
    assert str(done) == (
        f"nothing was changed: {name} cannot change while the plugin runs: start the plugin again for it"
    )


def test_a_policy_that_cannot_hold_refuses_the_whole() -> None:
    old = Config()
    new = evolve(old, log_level="debug", policy=nri_policy(min_shared_cpus=7))

    def bad(_policy: Policy) -> Plan:
        raise BadInput("CPU 99 is not there", source="policy", position="reserved")

    for answer, said in ((lambda _policy: NO, "c: too few (NotEnoughCpus, R4)"), (bad, "CPU 99 is not there")):
        done = reload(old, new, answer)
        assert done.config is old
        assert said in done.refused
