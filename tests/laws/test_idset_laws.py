"""Laws of CpuSet and NodeSet: the algebra of plain sets, text both ways, and two kinds that never mix."""

import pickle
from collections.abc import Callable
from itertools import pairwise
from operator import and_, ge, gt, le, lt, or_, sub, xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import cpulist
from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet, NodeSet

ids = st.sets(st.integers(0, 70) | st.integers(0, MAX_ID), max_size=20)
small = st.sets(st.integers(0, 40), max_size=20)


@pytest.mark.parametrize("kind", [CpuSet, NodeSet])
@pytest.mark.parametrize("operator", [and_, or_, sub, xor])
@given(ids, ids)
def test_the_algebra_is_that_of_plain_sets(
    kind: type[CpuSet] | type[NodeSet], operator: Callable[[object, object], object], a: set[int], b: set[int]
) -> None:
    found = operator(kind(a), kind(b))
    assert type(found) is kind
    assert found == kind(operator(a, b))  # type: ignore[arg-type]


@pytest.mark.parametrize("comparison", [le, lt, ge, gt])
@given(small, small)
def test_comparisons_are_those_of_plain_sets(
    comparison: Callable[[object, object], bool], a: set[int], b: set[int]
) -> None:
    for one, two in ((a, b), (a, a), (a, a | b), (a | b, a)):
        assert comparison(CpuSet(one), CpuSet(two)) == comparison(one, two)


@given(ids, ids)
def test_asking_a_set(a: set[int], b: set[int]) -> None:
    found = CpuSet(a)
    assert list(found) == sorted(a)
    assert len(found) == len(a)
    assert bool(found) == bool(a)
    assert found.isdisjoint(CpuSet(b)) == a.isdisjoint(b)
    assert all((one in found) == (one in a) for one in (*b, -1, 5))
    assert "0" not in found
    assert found.mask == sum(1 << one for one in a)
    assert CpuSet.from_mask(found.mask) == found
    if a:
        assert (found.min, found.max) == (min(a), max(a))


@given(ids)
def test_equal_sets_are_one_value(a: set[int]) -> None:
    one, two = CpuSet(sorted(a)), CpuSet(sorted(a, reverse=True))
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert pickle.loads(pickle.dumps(NodeSet(a))) == NodeSet(a)
    assert one != NodeSet(a)
    assert one != a


@given(ids)
def test_list_text_reads_back(a: set[int]) -> None:
    found = CpuSet(a)
    assert CpuSet.parse(str(found)) == found
    assert CpuSet.parse(f" {found}\n") == found
    assert repr(found) == f"CpuSet({str(found)!r})"


@given(small)
def test_list_text_is_the_shortest(a: set[int]) -> None:
    """No two parts of it could be one."""
    parts = [part.split("-") for part in str(CpuSet(a)).split(",") if part]
    ends = [(int(part[0]), int(part[-1])) for part in parts]
    assert all(two[0] - one[1] > 1 for one, two in pairwise(ends))
    assert all(len(part) == 1 or part[0] != part[1] for part in parts)


@given(ids, st.integers(0, 100))
def test_mask_text_reads_back(a: set[int], more: int) -> None:
    found = CpuSet(a)
    text = found.format_mask()
    assert CpuSet.parse_mask(text) == found
    assert CpuSet.parse_mask(f"0x{text.lstrip('0,') or '0'}") == found
    width = max(a, default=0) + 1 + more
    wide = found.format_mask(width=width)
    assert CpuSet.parse_mask(wide) == found
    lead = width % 32 or 32
    assert [len(group) for group in wide.split(",")] == [-(-lead // 4)] + [8] * ((width - 1) // 32)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9), st.integers(1, 9))
def test_strides_take_the_first_of_every_group(low: int, more: int, used: int, extra: int) -> None:
    high, group = low + more, used + extra - 1
    wanted = {one for one in range(low, high + 1) if (one - low) % group < used}
    assert set(CpuSet.parse(f"{low}-{high}:{used}/{group}")) == wanted


@given(st.integers(0, 99))
def test_the_last_id_by_name(last: int) -> None:
    assert CpuSet.parse("all", last=last) == CpuSet.parse("0-N", last=last) == CpuSet(range(last + 1))
    assert CpuSet.parse("N", last=last) == CpuSet([last])


@given(small, small)
def test_nova_takes_away_what_has_a_caret(a: set[int], b: set[int]) -> None:
    parts = [str(one) for one in a] + [f" ^{one}" for one in b]
    assert CpuSet.parse(",".join(parts), dialect="nova") == CpuSet(a - b)


@given(small.filter(bool), st.data())
def test_numactl_counts_within_what_is_allowed(a: set[int], data: st.DataObject) -> None:
    allowed = NodeSet(a)
    picks = data.draw(st.sets(st.integers(0, len(a) - 1), min_size=1))
    text = str(NodeSet(picks))
    assert NodeSet.parse(f"+{text}", dialect="numactl", allowed=allowed) == NodeSet(sorted(a)[one] for one in picks)
    assert NodeSet.parse(f"!{text}", dialect="numactl", allowed=allowed) == NodeSet(a - picks)
    assert NodeSet.parse(text, dialect="numactl") == NodeSet(picks)
    assert NodeSet.parse("all", dialect="numactl", allowed=allowed) == allowed
    assert NodeSet.parse("same", dialect="numactl", same=allowed) == allowed


@given(st.text(alphabet="0123456789,-:/ N\nal", max_size=14))
def test_the_fast_way_agrees_with_the_strict_way(text: str) -> None:
    """Whatever the fast reader takes, the strict one reads alike."""
    fast = cpulist._parse_plain(text)
    if fast is not None:
        assert cpulist._KernelList(text, "cpu list", None).parse() == fast


@given(st.text(alphabet="0123456789,-:/N", max_size=12), st.text(max_size=3), st.integers(0, 12))
def test_errors_point_into_the_text(text: str, junk: str, place: int) -> None:
    spoiled = text[:place] + junk + text[place:]
    try:
        CpuSet.parse(spoiled)
    except BadInput as bad:
        assert isinstance(bad.position, int)
        assert 0 <= bad.position <= len(spoiled)
        assert bad.hint
