"""Arguments: the short way understands what both parsers understand, and nothing otherwise than they do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace_cli import nri_cmd
from cpuplace_nri import arguments
from cpuplace_nri.arguments import OPTIONS, Arguments, plain, read

NAMES = sorted({*OPTIONS, "--conf", "--help", "-h", "--version", "--", "--no-index", "--admin-socket", "-x"})
VALUES = st.one_of(
    st.sampled_from(
        ["7", "07", "99", "100", "-1", "+7", "1_0", " 7", "7.0", "0x7", "٧", "", "-", "--", "a=b", "~/a", "[1]"]
    ),
    st.text(max_size=6),
)
WORDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NAMES), VALUES),
        st.tuples(st.builds(lambda name, value: f"{name}={value}", st.sampled_from(NAMES), VALUES)),
        st.tuples(VALUES),
    ),
    max_size=4,
).map(lambda pairs: [word for pair in pairs for word in pair])
SAID = st.builds(
    Arguments,
    config=st.none() | st.sampled_from(["a.yaml", "/etc/cpuplace/nri.yaml", "a b", "ä=1"]).map(Path),
    socket=st.none() | st.sampled_from(["/run/a.sock", "x"]),
    name=st.none() | st.sampled_from(["blue", "7", "true", "none"]),
    index=st.none() | st.integers(0, 99),
)


def by_the_command(words: list[str]) -> Arguments:
    """As `cpuplace nri run` without the short way."""
    _, bound, _ = nri_cmd.app.parse_args(["run", *words], exit_on_error=False, print_error=False)
    return Arguments(**bound.arguments)


@given(WORDS)
def test_what_is_plain_means_the_same_to_everybody(words: list[str]) -> None:
    said = plain(words)
    if said is not None:
        assert said == by_the_command(words) == arguments._explained(words)


@given(SAID, st.booleans())
def test_all_that_can_be_said_is_plain(said: Arguments, short: bool) -> None:
    words: list[str] = []
    for option, field in OPTIONS.items():
        value = getattr(said, field)
        if value is not None and option != ("--config" if short else "-c"):
            words += [option, str(value)]
    assert plain(words) == read(words) == by_the_command(words) == said


@pytest.mark.parametrize("words", [["--help"], ["--index", "x"], ["--index"], ["--name=a", "--nonsense"], ["a", "b"]])
def test_help_and_mistakes_are_left_to_who_explains_them(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(words) is None
    with pytest.raises(SystemExit) as end:
        read(words)
    assert end.value.code == (0 if words == ["--help"] else 2)
    assert "cpuplace-nri" in "".join(capsys.readouterr())


def test_what_is_not_plain_may_still_be_right() -> None:
    words = ["--name=blue", "--config=a.yaml"]
    assert plain(words) is None
    assert read(words) == by_the_command(words) == Arguments(name="blue", config=Path("a.yaml"))
