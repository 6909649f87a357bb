"""Tables and folded text: nothing is lost, nothing is too wide; replicas together and apart."""

from hypothesis import given
from hypothesis import strategies as st

from cpuplace_cli.replicas import member, runs, together
from cpuplace_cli.table import Cell, cell, fold, fold_text, table
from cpuplace_cli.textmap import Span, plain_text

texts = st.text("ab0,/- ", max_size=40)


@given(texts, st.integers(1, 30))
def test_folded_text_loses_only_blanks_at_line_ends(text: str, width: int) -> None:
    lines = fold_text(text, width)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(texts, texts, st.integers(45, 90))
def test_a_cell_folds_under_its_last_span(head: str, text: str, width: int) -> None:
    one = Cell((Span(head, "dim"), Span(text)))
    lines = fold(one, width)
    assert all(line.width <= width for line in lines)
    assert lines[0][0] == Span(head, "dim")
    assert all(line[0].text == " " * len(head) for line in lines[1:])


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), st.integers(60, 150))
def test_a_table_shows_every_cell_within_the_width(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = plain_text(table(["A", "B", "WHY"], [[cell(text) for text in row] for row in rows], width))
    assert all(len(line) <= width for line in lines.splitlines())
    shown = "".join(sorted(lines.replace(" ", "").replace("\n", "")))
    said = "".join(sorted("".join("".join(row) for row in rows).replace(" ", "") + "AB"))
    assert shown in (said, "".join(sorted(f"{said}WHY")))


def test_the_last_column_goes_below_when_that_is_shorter() -> None:
    row = [cell("x" * 20), cell("one two three four five six")]
    beside, below = (plain_text(table(["A", "WHY"], [row], width)) for width in (60, 33))
    assert beside == f"A                     WHY\n{'x' * 20}  one two three four five six\n"
    assert below == f"A\n{'x' * 20}\n      one two three four five six\n"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4)), max_size=9))
def test_runs_keep_everything_in_order_and_name_what_they_hold(pods: list[tuple[str, int]]) -> None:
    names = [f"{stem}-{number}" for stem, number in pods]
    found = runs(names, str, lambda _name: None)
    assert [name for run in found for name in run] == names
    for run in found:
        first, last = member(run[0]), member(run[-1])
        assert len(run) == last.number - first.number + 1
        assert together(run) == (run[0] if len(run) == 1 else f"{run[0]}..{last.number}")
