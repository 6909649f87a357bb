"""The choice of section 5 is the least there is: compared, ids included, with exhaustive search on odd small hosts."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import ModuleType
from unittest.mock import patch

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import alike, nodesets, straight, subsets
from cpuplace.candidates import Choice, Shortfall, choose, explain_choice
from cpuplace.cpulist import ids_of
from cpuplace.exact import ExactSearch
from cpuplace.hostmap import HostMap
from cpuplace.idset import CpuSet
from cpuplace.preference import measure
from cpuplace.task import compile_task
from cpuplace.topology import Topology
from cpuplace.wishes import PLAIN_WISHES, CoresWish, L3Wish, ResolvedWishes
from laws.made_once import booleans, integers, sampled_from
from laws.oracle import Oracle, Question
from laws.strategies import hosts, masks, regular_hosts, resolved_wishes


def _asked(question: Question) -> Choice | Shortfall:
    """What `choose` says to a question."""
    ok = question.nodes_ok
    by_mask: Callable[[int], bool] | None = None if ok is None else lambda nodes: ok(frozenset(ids_of(nodes)))
    return choose(
        HostMap.of(question.host),
        CpuSet(question.free).mask,
        question.count,
        wishes=question.wishes,
        others=CpuSet(question.others).mask,
        base=CpuSet(question.base).mask,
        usable=None if question.usable is None else CpuSet(question.usable).mask,
        reserved=CpuSet(question.reserved).mask,
        isolated_free=CpuSet(question.isolated_free).mask,
        nodes_ok=by_mask,
        barred=CpuSet(question.barred).mask,
        budget=10**6,
    )


def agree(question: Question) -> None:
    """The search finds what the oracle finds, or says that there is nothing where there is nothing."""
    oracle, answer = Oracle(question), _asked(question)
    best = oracle.best()
    if best is None:
        assert isinstance(answer, Shortfall), oracle.tuple_of(set(ids_of(answer.mask)))
        assert answer.proved
        return
    assert isinstance(answer, Choice), (answer, best)
    grant = set(ids_of(answer.mask))
    assert (oracle.tuple_of(grant), grant) == best
    assert set(ids_of(answer.withheld)) == oracle.withheld(grant)
    assert answer.optimal


@given(st.data())
def test_plain_choice_is_the_least(data: st.DataObject) -> None:
    host = data.draw(hosts())
    free = frozenset(data.draw(masks(host)))
    agree(Question(host, free, data.draw(integers(1, len(free))), PLAIN_WISHES))


BIG_HOST_WAYS: dict[str, list[tuple[ModuleType, str, int]]] = {
    "as it is": [],
    "no list of unions": [(alike, "_UNIONS", 0)],
    "the walk over subsets": [(alike, "_UNIONS", 0), (subsets, "_LISTED", 0)],
    "no list of picks": [(straight, "_PICKS", 0)],
    "no list of node sets": [(straight, "_NODE_SETS", 0)],
    "nearest nodes first": [(straight, "_PICKS", 0), (nodesets, "_LISTED", 0), (nodesets, "_TIES", 1_000)],
}
"""Limits above which other code runs on big hosts; set to 0, that code runs on the small hosts of the oracle.

Eight equal nodes, which are listed but for this, have more sets of four (70) than ties end the search.
"""


@pytest.mark.parametrize("limits", BIG_HOST_WAYS.values(), ids=BIG_HOST_WAYS.keys())
@given(data=st.data())
def test_ways_for_big_hosts_are_exact(limits: list[tuple[ModuleType, str, int]], data: st.DataObject) -> None:
    with ExitStack() as stack:
        for module, name, value in limits:
            stack.enter_context(patch.object(module, name, value))
        agree(data.draw(plain_questions()))


@st.composite
def plain_questions(draw: st.DrawFn) -> Question:
    """Wishes that the straight way serves, mostly on hosts that it serves."""
    host = draw(st.one_of(regular_hosts(), regular_hosts(), hosts()))
    free = frozenset(draw(masks(host)))
    cores: CoresWish = draw(sampled_from(["prefer-full", "any"]))
    l3: L3Wish = draw(sampled_from(["prefer", "ignore"]))
    wishes = ResolvedWishes(cores=cores, l3=l3)
    return Question(host, free, draw(integers(1, len(free))), wishes)


@given(st.data())
def test_remembered_cpus_are_taken_late(data: st.DataObject) -> None:
    host = data.draw(hosts())
    free = frozenset(data.draw(masks(host)))
    others = frozenset(data.draw(masks(host, mostly=False)))
    agree(Question(host, free, data.draw(integers(1, len(free))), PLAIN_WISHES, others=others))


@given(st.data())
def test_remembered_cpus_are_taken_late_on_regular_hosts(data: st.DataObject) -> None:
    host = data.draw(regular_hosts())
    free = frozenset(data.draw(masks(host)))
    others = frozenset(data.draw(masks(host, mostly=False)))
    agree(Question(host, free, data.draw(integers(1, len(free))), PLAIN_WISHES, others=others))


@given(sampled_from([hosts, regular_hosts]), booleans(), booleans(), st.data())
def test_barred_cpus_stay_and_count_as_free(
    kind: Callable[[], st.SearchStrategy[Topology]], plain: bool, remembered: bool, data: st.DataObject
) -> None:
    host = data.draw(kind())
    free = frozenset(data.draw(masks(host)))
    wishes = PLAIN_WISHES if plain else data.draw(resolved_wishes(host))
    barred = frozenset(data.draw(masks(host, mostly=False)))
    others = frozenset(data.draw(masks(host, mostly=False))) if remembered else frozenset()
    agree(Question(host, free, data.draw(integers(1, len(free))), wishes, others=others, barred=barred))


@given(st.data())
def test_choice_with_wishes_is_the_least(data: st.DataObject) -> None:
    host = data.draw(hosts())
    free = frozenset(data.draw(masks(host)))
    wishes = data.draw(resolved_wishes(host))
    agree(Question(host, free, data.draw(integers(1, len(free))), wishes))


@given(st.data())
def test_choice_with_everything_at_once_is_the_least(data: st.DataObject) -> None:
    agree(data.draw(questions()))


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Wishes, CPUs held already, remembered ones, a narrowed usable set, kernel-isolated CPUs, memory."""
    host = draw(hosts())
    free = frozenset(draw(masks(host)))
    wishes = draw(resolved_wishes(host))
    base = frozenset(draw(masks(host, mostly=False))) if draw(booleans()) else frozenset()
    set_aside = frozenset(host.isolated & host.online) - base if draw(booleans()) else frozenset()
    free -= set_aside
    needed = draw(st.sets(sampled_from(sorted({cpu.node for cpu in host.cpus})), max_size=2))
    return Question(
        host,
        free,
        draw(integers(max(1, len(base)), max(1, len(base), len(free | base)))),
        wishes,
        others=frozenset(draw(masks(host, mostly=False))) if draw(booleans()) else frozenset(),
        base=base,
        usable=frozenset(draw(masks(host)) | CpuSet(free)) if draw(booleans()) else None,
        reserved=frozenset(draw(masks(host, mostly=False))) - free - set_aside if draw(booleans()) else frozenset(),
        isolated_free=set_aside,
        nodes_ok=(lambda nodes: needed <= nodes) if draw(booleans()) else None,
        barred=frozenset(draw(masks(host, mostly=False))) if draw(booleans()) else frozenset(),
    )


@given(st.data())
def test_both_ways_agree_on_larger_hosts(data: st.DataObject) -> None:
    host = HostMap.of(data.draw(regular_hosts(max_cpus=64)))
    free = data.draw(masks(host.topology)).mask
    others = data.draw(masks(host.topology, mostly=False)).mask if data.draw(booleans()) else 0
    count = data.draw(integers(1, free.bit_count()))
    answer = choose(host, free, count, others=others, budget=10**6)
    search = ExactSearch(10**6)
    search.run(compile_task(host, free, count, others=others))
    assert search.best is not None
    assert answer == Choice(search.best.grant, 0, True)


@given(st.data())
def test_a_shortfall_names_a_wish_that_is_in_the_way(data: st.DataObject) -> None:
    host = data.draw(hosts())
    free = data.draw(masks(host))
    wishes = data.draw(resolved_wishes(host))
    count = data.draw(integers(1, len(free) + 1))
    answer = choose(HostMap.of(host), free.mask, count, wishes=wishes, isolated_free=host.isolated.mask)
    if isinstance(answer, Shortfall):
        assert answer.missing
        if answer.wish:
            assert _dropped(wishes, answer.wish) != wishes
        else:
            assert count > len(free)


def _dropped(wishes: ResolvedWishes, wish: str) -> ResolvedWishes:
    fields = {
        "isolated": {"isolated": "prefer"},
        "core_kind": {"kind_hard": None},
        "numa": {"nodes": None, "limit": None},
        "cores": {"cores": "prefer-full"},
        "devices": {"devices_hard": ()},
        "package": {"one_package": False},
        "l3": {"l3": "prefer"},
        "": {},
    }
    return evolve(wishes, **fields[wish])  # type: ignore[arg-type]


@given(st.data())
def test_what_is_shown_of_a_grant_is_its_tuple(data: st.DataObject) -> None:
    question = data.draw(questions())
    oracle = Oracle(question)
    grant = set(data.draw(st.sets(sampled_from(sorted(oracle.free)), min_size=1))) if oracle.free else set()
    if not grant:
        return
    shown = measure(
        HostMap.of(question.host),
        CpuSet(grant).mask,
        free=CpuSet(oracle.free).mask,
        wishes=question.wishes,
        others=CpuSet(oracle.others).mask,
    )
    assert shown == Oracle(replace(question, count=len(grant))).tuple_of(grant)


@given(st.data())
def test_explanation_shows_the_winner_first(data: st.DataObject) -> None:
    host = data.draw(hosts())
    free = data.draw(masks(host))
    wishes = data.draw(resolved_wishes(host))
    count = data.draw(integers(1, len(free)))
    answer = choose(HostMap.of(host), free.mask, count, wishes=wishes)
    shown = explain_choice(HostMap.of(host), free.mask, count, wishes=wishes)
    if isinstance(answer, Shortfall):
        assert shown == ()
    else:
        assert shown[0].cpus == answer.mask
        assert [one.won for one in shown] == [True] + [False] * (len(shown) - 1)
        measures = [tuple(one.measures.values()) for one in shown]
        assert measures == sorted(measures)
