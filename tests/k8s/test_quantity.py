"""Kubernetes quantities: exact, rounded up, strict."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats import quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500m", Fraction(1, 2)),
        ("2", Fraction(2)),
        ("+2", Fraction(2)),
        ("-0", Fraction(0)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("1.", Fraction(1)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("25e-1", Fraction(5, 2)),
        ("100k", Fraction(100_000)),
        ("8Gi", Fraction(8 * 2**30)),
        ("1.5Ki", Fraction(1536)),
        ("7n", Fraction(7, 10**9)),
        ("7u", Fraction(7, 10**6)),
    ],
)
def test_quantities(text: str, amount: Fraction) -> None:
    assert quantity.parse(text) == amount


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1 Gi", "abc", "m", ".", "1K", "1ki", "1e", "1e3m", "--1", "1..2", "0x10", "1_000", "٣", "1e999"],
)
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a quantity"):
        quantity.parse(text)


def test_negative_and_huge_amounts_are_refused() -> None:
    with pytest.raises(BadInput, match="negative"):
        quantity.parse("-1m")
    with pytest.raises(BadInput, match="more than"):
        quantity.parse("1e40")
    assert quantity.whole_bytes(str(quantity.MAX_QUANTITY)) == quantity.MAX_QUANTITY


@given(st.integers(0, 10**12))
def test_a_number_of_millicores_reads_back(amount: int) -> None:
    assert quantity.millicores(f"{amount}m") == amount
    assert quantity.millicores(f"{amount * 1000 + 1}u") == amount + 1
    assert quantity.whole_bytes(str(amount)) == amount


@given(st.text(alphabet="0123456789.eE+-numkKMGTPi", max_size=12) | st.text())
def test_any_text_is_an_amount_or_bad_input(text: str) -> None:
    try:
        assert 0 <= quantity.parse(text) <= quantity.MAX_QUANTITY
    except BadInput as bad:
        assert bad.problem
