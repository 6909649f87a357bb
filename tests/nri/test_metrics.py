"""Metrics: every number that is counted appears, in Prometheus' format, with the node as it is now."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import cpuplace as cp
from cpuplace_nri.decision import Decision
from cpuplace_nri.metrics import GAUGES, Metrics, fragmentation, largest_free_node
from cpuplace_nri.tally import BOUNDS, COUNTS, TIMES, Tally
from nri.nodes import HOST, busy

NO = cp.NotEnoughCpus(container_id="c", rule="R4", sentence="no", asked=9, free=cp.CpuSet(), fits=2)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_the_page() -> None:
    tally = Tally()
    tally.decided(Decision(kind="place", moves=("a", "b"), seconds=0.0003))
    tally.decided(Decision(kind="place", refusal=NO, seconds=0.3))
    tally.decided(Decision(kind="release", seconds=9.0))
    tally.count("connections")
    node = busy()
    found = samples(Metrics(tally, lambda: node.state, lambda: True, {"version": "1"}))
    expected = {
        ("cpuplace_decisions_total", (("kind", "place"),)): 2,
        ("cpuplace_decisions_total", (("kind", "release"),)): 1,
        ("cpuplace_refusals_total", (("reason", "NotEnoughCpus"), ("rule", "R4"))): 1,
        ("cpuplace_moves_total", ()): 2,
        ("cpuplace_drift_total", ()): 0,
        ("cpuplace_connections_total", ()): 1,
        ("cpuplace_decision_seconds_bucket", (("kind", "place"), ("le", "0.0002"))): 0,
        ("cpuplace_decision_seconds_bucket", (("kind", "place"), ("le", "0.0005"))): 1,
        ("cpuplace_decision_seconds_bucket", (("kind", "place"), ("le", "+Inf"))): 2,
        ("cpuplace_decision_seconds_bucket", (("kind", "release"), ("le", "2.0"))): 0,
        ("cpuplace_decision_seconds_count", (("kind", "release"),)): 1,
        ("cpuplace_decision_seconds_sum", (("kind", "release"),)): 9,
        ("cpuplace_up", ()): 1,
        ("cpuplace_cpus", (("set", "exclusive"),)): 5,
        ("cpuplace_cpus", (("set", "pool"),)): 11,
        ("cpuplace_cpus", (("set", "usable"),)): 16,
        ("cpuplace_containers", (("kind", "integer"),)): 1,
        ("cpuplace_containers", (("kind", "shared"),)): 1,
        ("cpuplace_plugin_info", (("version", "1"),)): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["cpuplace_fragmentation_ratio", ()] == fragmentation(node.state) == 1 / 11  # the sibling of the pin
    assert found["cpuplace_largest_free_node_cpus", ()] == largest_free_node(node.state) == 8


def test_a_node_that_is_not_known_yet() -> None:
    found = samples(Metrics(Tally(), lambda: None, lambda: False))
    assert found["cpuplace_up", ()] == 0
    assert not any(name == "cpuplace_cpus" for name, _ in found)


def test_every_name_has_a_meaning() -> None:
    text = Metrics(Tally(), lambda: busy().state, lambda: True).text().decode()
    for name, doc in [*((n, d[0]) for n, d in (COUNTS | TIMES).items()), *GAUGES.items()]:
        assert f"# HELP cpuplace_{name}{'_total' if name in COUNTS else ''} {doc}\n" in text


@given(st.lists(st.floats(0, 3), max_size=20))
def test_buckets_hold_what_was_measured(times: list[float]) -> None:
    tally = Tally()
    for one in times:
        tally.time("handler_seconds", "CreateContainer", one)
    found = samples(Metrics(tally, lambda: None, lambda: True)) if times else {}
    for bound in BOUNDS if times else ():
        key = ("cpuplace_handler_seconds_bucket", (("le", str(bound)), ("method", "CreateContainer")))
        assert found[key] == sum(one <= bound for one in times)


def test_what_is_counted_has_a_name() -> None:
    with pytest.raises(KeyError):
        Tally().count("nothing")
    with pytest.raises(KeyError):
        Tally().time("nothing", "x", 1.0)
    with pytest.raises(ValueError, match="labels"):
        Tally().count("decisions")


def test_nothing_is_free_on_a_full_host() -> None:
    state = cp.HostState.empty(HOST, cp.Policy(reserved=HOST.online))
    assert (fragmentation(state), largest_free_node(state)) == (0.0, 0)


def test_a_start_waits_for_no_library() -> None:
    code = (
        "import sys, cpuplace_nri.metrics, cpuplace_nri.health, cpuplace_nri.logs, cpuplace_nri.watching, "
        "cpuplace_nri.answering, cpuplace_nri.admin, cpuplace_nri.configfile, cpuplace_nri.reloading\n"
        "print(sorted({'structlog', 'prometheus_client', 'yaml', 'cyclopts', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
