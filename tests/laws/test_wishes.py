"""Laws of wishes: what a text means, and that joining narrows, never widens."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.idset import NodeSet
from cpuplace.resolving import resolve
from cpuplace.wishes import CHOICES, NO_WISHES, PLAIN_WISHES, NumaWish, ResolvedWishes, Wishes, parse_numa

node_lists = st.sets(st.integers(0, 5), min_size=1).map(lambda ids: str(NodeSet(ids)))
numas = st.sampled_from(["prefer", "require-one", "require-fewest", "spread", "spread:2"]) | node_lists
devices = st.lists(st.sampled_from(["a", "b", "a!", "b!", "c!"]), max_size=3).map(tuple)


@st.composite
def wishes(draw: st.DrawFn) -> Wishes:
    said: dict[str, Any] = {"numa": draw(st.none() | numas), "devices": draw(devices)}
    for name, choices in CHOICES.items():
        said[name] = draw(st.none() | st.sampled_from(choices))
    return Wishes(**said)


def hard_set(resolved: ResolvedWishes) -> set[str]:
    """Every demand as one word; a stricter one brings the words of those it implies."""
    words = {f"device {name}" for name in resolved.devices_hard}
    words |= {f"not node {n}" for n in range(6) if resolved.nodes is not None and n not in resolved.nodes}
    words |= {"one": {"fewest", "one"}, "fewest": {"fewest"}, None: set()}[resolved.limit]
    words |= {"isolate": {"whole", "isolate"}, "require-full": {"whole"}}.get(resolved.cores, set())
    words |= {"one l3"} if resolved.l3 == "require-one" else set()
    words |= {"one package"} if resolved.one_package else set()
    words |= {f"kind {resolved.kind_hard}"} if resolved.kind_hard else set()
    words |= {"never moves"} if resolved.move == "never" else set()
    return words


@given(wishes(), wishes())
def test_the_hard_set_is_never_weaker_than_either_side(operator: Wishes, own: Wishes) -> None:
    joined = resolve(operator, own)
    asked = hard_set(resolve(operator)) | hard_set(resolve(NO_WISHES, own))
    if joined.unmeetable:
        asked -= {word for word in asked if word.startswith("kind ")}
        assert hard_set(resolve(operator)) <= hard_set(joined)
    assert asked <= hard_set(joined)


@given(wishes(), wishes())
def test_isolated_that_an_operator_wrote_down_binds(operator: Wishes, own: Wishes) -> None:
    joined = resolve(operator, own)
    if operator.isolated in ("avoid", "require"):
        assert joined.isolated == operator.isolated
        if own.isolated in ("avoid", "require") and own.isolated != operator.isolated:
            assert "kernel-isolated" in joined.unmeetable
    elif own.isolated:
        assert joined.isolated == own.isolated


@given(wishes())
def test_joining_with_silence_or_itself_changes_nothing(one: Wishes) -> None:
    assert resolve(one, NO_WISHES) == resolve(NO_WISHES, one) == resolve(one, one)
    assert not resolve(one, one).unmeetable


@given(wishes(), wishes())
def test_a_soft_choice_of_the_container_wins_over_a_soft_one_of_the_operator(operator: Wishes, own: Wishes) -> None:
    soft = evolve(operator, numa=None, devices=("far",), core_kind="efficiency", cores="any", l3="ignore")
    joined = resolve(soft, own)
    if own.cores:
        assert joined.cores == own.cores
    if own.l3:
        assert joined.l3 == own.l3
    if own.core_kind in ("performance", "efficiency"):
        assert (joined.kind_soft, joined.kind_hard) == (own.core_kind, None)
    if any(not name.endswith("!") for name in own.devices):
        assert "far" not in joined.devices_soft
    else:
        assert "far" in joined.devices_soft


@given(numas, numas)
def test_numa_of_both_holds(operator: str, own: str) -> None:
    theirs, mine, joined = parse_numa(operator), parse_numa(own), resolve(Wishes(numa=operator), Wishes(numa=own))
    lists = [wish.nodes for wish in (theirs, mine) if wish.nodes is not None]
    for one in lists:
        assert joined.nodes is not None
        assert joined.nodes <= one
    assert bool(joined.unmeetable) == (len(lists) == 2 and lists[0].isdisjoint(lists[1]))
    if mine.limit is None and mine.nodes is None and joined.limit != "one":
        assert joined.spread == mine.spread


def test_nothing_asked_is_the_plain_object_itself() -> None:
    assert resolve(NO_WISHES, NO_WISHES) is PLAIN_WISHES
    assert resolve(Wishes(), Wishes()) is PLAIN_WISHES
    assert resolve(Wishes(numa="prefer", cores="prefer-full"), Wishes(isolated="avoid")) is PLAIN_WISHES


@pytest.mark.parametrize(
    ("operator", "own", "part"),
    [
        (Wishes(numa="0-1"), Wishes(numa="2"), "NUMA nodes 0-1"),
        (Wishes(core_kind="performance!"), Wishes(core_kind="efficiency!"), "performance! cores"),
        (Wishes(isolated="avoid"), Wishes(isolated="require"), "kernel-isolated"),
        (Wishes(isolated="require"), Wishes(isolated="avoid"), "kernel-isolated"),
    ],
)
def test_contradictions_are_said(operator: Wishes, own: Wishes, part: str) -> None:
    assert part in resolve(operator, own).unmeetable


def test_isolate_and_whole_cores_is_isolate_whoever_says_which() -> None:
    assert resolve(Wishes(cores="isolate"), Wishes(cores="require-full")).cores == "isolate"
    assert resolve(Wishes(cores="require-full"), Wishes(cores="isolate")).cores == "isolate"
    assert resolve(Wishes(cores="require-full"), Wishes(cores="any")).cores == "require-full"


def test_a_spread_of_the_operator_stays_inside_the_list_of_the_container() -> None:
    joined = resolve(Wishes(numa="spread:2"), Wishes(numa="0-3"))
    assert (joined.spread, joined.nodes) == (2, NodeSet.parse("0-3"))
    assert resolve(Wishes(numa="spread:2"), Wishes(numa="require-one")).spread is None
    assert resolve(Wishes(numa="spread:2"), Wishes(numa="prefer")).spread is None


@given(st.text())
def test_any_text_is_a_numa_wish_or_bad_input(text: str) -> None:
    try:
        assert isinstance(parse_numa(text), NumaWish)
    except BadInput as bad:
        assert bad.problem


@given(st.sampled_from([*CHOICES, "numa", "devices"]), st.text())
def test_any_value_is_a_wish_or_bad_input(name: str, text: str) -> None:
    value: Any = (text,) if name == "devices" else text
    try:
        said = Wishes(**{name: value})
    except BadInput as bad:
        assert bad.source.startswith("wish ")
    else:
        assert getattr(said, name) == value


@pytest.mark.parametrize("text", ["", "spread:0", "spread:", "require-two", "3-1", "spread:1000000", "0,,1", "!"])
def test_bad_numa_texts_say_what_is_accepted(text: str) -> None:
    with pytest.raises(BadInput, match="node list like 0,2-3"):
        parse_numa(text)


def test_spread_is_read_with_and_without_a_number() -> None:
    assert parse_numa("spread") == NumaWish(spread=0)
    assert parse_numa("spread:3") == NumaWish(spread=3)
    assert parse_numa("prefer") == NumaWish()


@pytest.mark.parametrize("bad", [("",), ("!",), ("a,b",), ("a!!",), (" a",)])
def test_device_names(bad: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="not a device name"):
        Wishes(devices=bad)
