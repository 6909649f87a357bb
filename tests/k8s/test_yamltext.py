"""YAML text: plain words as kubectl reads them, lines, limits, and nothing but BadInput for junk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace_linux import yamltext
from cpuplace_linux.yamltext import Row, Scalar, Table, line_at, plain_value, read_documents


def read(text: str) -> object:
    [document] = read_documents(text, source="x.yaml")
    return plain_value(document)


def bad(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        for document in read_documents(text, source="x.yaml"):
            plain_value(document)
    assert str(caught.value).startswith("x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("0-3", "0-3"),
        ("500m", "500m"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("yes", True),
        ("on", True),
        ("off", False),
        ("No", False),
        ("True", True),
        ("~", None),
        ("null", None),
        ("'0'", "0"),
        ('"yes"', "yes"),
        ("!!str 3", "3"),
        ("!!int 3", 3),
        ("!custom 3", "3"),
        ("| \n  a\n", "a\n"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("{1: x, ? [] : y}", None),
    ],
)
def test_what_words_mean(text: str, value: object) -> None:
    if value is None and text.startswith("{"):
        assert "a key must be a word" in bad(text)
    else:
        assert read(text) == value


@pytest.mark.parametrize("text", ["010", "0x1f", "1_000", "0o17", "99999999999999999999"])
def test_numbers_that_are_not_plain_decimal_are_refused(text: str) -> None:
    assert "line 2: " in bad(f"a: b\nc: {text}")


@pytest.mark.parametrize("text", ["1e3", "0.5", ".5", "08", ".inf", "-.Inf", ".nan"])
def test_floats_are_numbers(text: str) -> None:
    [scalar] = read_documents(text, source="x")
    assert isinstance(scalar, Scalar)
    assert scalar.kind == "float"
    assert isinstance(plain_value(scalar), float)


def test_documents_and_lines() -> None:
    first, second = read_documents("a: 1\n---\nb:\n  c: [x,\n    y]\n  d: 2\n", source="x.yaml")
    assert isinstance(second, Table)
    assert (first.place.line, second.place.line, second.place.source) == (1, 3, "x.yaml")
    assert [line_at(second, path) for path in ("", "b", "b.c", "b.d", "b.z", "z", "b.c.x")] == [3, 3, 4, 6, 3, 3, 4]
    inner = second.entries["b"]
    assert isinstance(inner, Table)
    row = inner.entries["c"]
    assert isinstance(row, Row)
    assert [item.place.line for item in row.items] == [4, 5]


def test_aliases_and_merge_keys() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 9}, *a], z: *a}\n"
    value = read(text)
    assert isinstance(value, dict)
    assert value["b"] == {"x": 1, "y": 3}
    assert value["c"] == {"x": 9, "y": 2, "z": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' is given twice"),
        ("a: *nobody", "alias *nobody names nothing"),
        ("a: &a [*a]", "alias *a names what contains it"),
        ("<<: 1", "<< takes names and values"),
        ("<<: [{}, 1]", "<< takes names and values"),
        ("a: b\n\t- c", "not YAML"),
        ("{a: b", "line"),
        ("\x00", "not YAML"),
        ("\ud800", "not a text that YAML can hold"),
        ("[" * 200, "nested deeper than 100"),
        ("[" * 50 + "]" * 50 + "\n]", "not YAML"),
    ],
)
def test_what_is_refused(text: str, part: str) -> None:
    assert part in bad(text)


def test_an_alias_bomb_is_refused_quickly() -> None:
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "aliases are written out" in bad("\n".join(rows))


def test_a_chain_of_aliases_cannot_get_deep() -> None:
    rows = ["a0: &a0 {}"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 150)]
    assert "nested deeper than 100 when its aliases are written out" in bad("\n".join(rows))


def test_merging_again_and_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltext, "MAX_NODES", 100)
    many = "{" + ", ".join(f"k{n}: 0" for n in range(30)) + "}"
    assert "line 3: more than 100 values are merged by <<" in bad(
        f"a: &a {many}\nb: {{<<: [*a, *a]}}\nc: {{<<: [*a, *a]}}\n"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(alphabet=st.characters(codec="ascii")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
)


@given(json_values)
def test_json_is_read_as_json(value: object) -> None:
    if json.loads(json.dumps(value).replace("\\u007f", "")) == value:
        assert read(json.dumps(value)) == value


@given(st.text() | st.text(alphabet="ab:- \n[]{},&*!|>'\"#<?0.~"))
def test_any_text_is_trees_or_bad_input(text: str) -> None:
    try:
        for document in read_documents(text, source="x"):
            plain_value(document)
    except BadInput as bad:
        assert bad.source == "x"
