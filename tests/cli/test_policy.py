"""`cpuplace policy` and the files it reads: three languages, errors with file and line."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats.policy import FIELDS, schema
from cpuplace.idset import CpuSet
from cpuplace.policy import Policy
from cpuplace_cli.main import main
from cpuplace_linux.policyfile import parse_policy, read_policy
from cpuplace_linux.valuefile import Language

EXAMPLES = Path(__file__).parents[2] / "examples"

Captured = pytest.CaptureFixture[str]


def said(capsys: Captured, *arguments: str, code: int = 0) -> str:
    assert main(["policy", *arguments]) == code
    streams = capsys.readouterr()
    return streams.err if code else streams.out


# Files


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "reserved: 0,64\nwishes: {numa: require-one, devices: [eth0!]}\nreserved_memory: {0: 1Gi}\n"),
        ("toml", 'reserved = "0,64"\nwishes = {numa = "require-one", devices = ["eth0!"]}\nreserved_memory.0 = "1Gi"'),
        (
            "json",
            '{"reserved": "0,64", "wishes": {"numa": "require-one", "devices": ["eth0!"]},'
            ' "reserved_memory": {"0": "1Gi"}}',
        ),
    ],
)  # fmt: skip
def test_the_same_policy_in_three_languages(language: Language, text: str, tmp_path: Path) -> None:
    policy = parse_policy(text, language)
    assert policy.reserved == CpuSet([0, 64])
    assert (policy.wishes.numa, policy.wishes.devices) == ("require-one", ("eth0!",))
    assert policy.reserved_memory == {0: 2**30}
    file = tmp_path / f"policy.{language.upper()}"
    file.write_text(text)
    assert read_policy(file) == policy


@pytest.mark.parametrize("language", ["yaml", "toml", "json"])
def test_an_empty_file_is_the_defaults(language: Language) -> None:
    assert parse_policy("", language) == Policy()
    assert parse_policy("\n\n", language) == Policy()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("yaml", "a: 1\n b: 2", "f, at line 2: not YAML"),
        ("yaml", "reserved: 0\n---\nreserved: 1", "f, at line 3: only one document is taken"),
        ("yaml", "reserved: 0\nreserved: 1", "f, at line 2: key 'reserved' is given twice"),
        ("yaml", "widen: now\nreservd: 0", "f, at line 2: reservd: no field 'reservd', did you mean reserved"),
        ("yaml", "wishes:\n  l3: ignore\n  numa: x", "f, at line 3: wishes.numa: "),
        ("yaml", "widen: now\nreserved:\n  0-\n", "f, at line 2: reserved: cannot read"),
        ("yaml", "- a", "f, at line 1: expected names and values, found a list"),
        ("yaml", "min_shared_cpus: 010", "f, at line 1: '010' is not a whole number"),
        ("toml", "widen = now", "f, at line 1: not TOML: Invalid value"),
        ("toml", "widen = ", "f, at line 1: not TOML"),
        ("toml", "\n\na", "f, at line 3: not TOML"),
        ("toml", "# widen = 1\nwiden = 1", "f, at line 2: widen: expected a word, found a number"),
        ("toml", '[wishes]\nl3 = "ignore"\nnuma = "x"', "f, at line 3: wishes.numa: "),
        ("toml", 'wishes.numa = "x"', "f, at line 1: wishes.numa: "),
        ("toml", "\n[wishs]\n", "f, at line 2: wishs: no field 'wishs', did you mean wishes"),
        ("toml", "reserved = 1979-05-27", "f, at line 1: reserved: expected a CPU list, found something else"),
        ("json", '{"widen": }', "f, at line 1: not JSON: Expecting value"),
        ("json", '{\n"widen": "now",\n"widen": "now"}', "key 'widen' is given twice"),
        ("json", '{\n"wishes": {\n"l3": "x"}}', "f, at line 3: wishes.l3: "),
        ("json", "[]", "f: expected names and values, found a list"),
        ("json", "[" * 100_000, "f: not JSON"),
    ],
)
def test_errors_name_file_and_line(language: Language, text: str, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_policy(text, language, source="f")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("f")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    (tmp_path / "policy").write_text("")
    for name, problem in (
        ("absent.yaml", "cannot be read: No such file"),
        ("latin.yaml", "cannot be read"),
        ("nul\0.yaml", "cannot be read"),
        ("policy", "cannot tell its language"),
        ("absent", "cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
    ):
        with pytest.raises(BadInput, match=problem):
            read_policy(tmp_path / name)
    (tmp_path / "large.yaml").write_text("widen: now")
    monkeypatch.setattr("cpuplace_linux.valuefile.MAX_BYTES", 4)
    with pytest.raises(BadInput, match="more than 4 bytes"):
        read_policy(tmp_path / "large.yaml")


@given(st.sampled_from(["yaml", "toml", "json"]), st.text() | st.text(alphabet='abc=:[]{}"\n 01.-'))
def test_any_text_is_a_policy_or_bad_input(language: Language, text: str) -> None:
    try:
        assert isinstance(parse_policy(text, language, source="f"), Policy)
    except BadInput as bad:
        assert bad.source == "f"


# The command


def test_show_prints_every_field_and_marks_what_is_changed(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    plain, weka = said(capsys, "show"), said(capsys, "show", "--weka")
    for name, attribute in FIELDS.items():
        assert f"\n  {name} " in "\n" + plain
        assert attribute.metadata["doc"].split()[-1] in plain
    assert "* " not in plain
    assert weka.count("\n* ") == 4
    assert "* pin_overlap            share" in weka
    assert max(map(len, plain.splitlines())) <= 80
    shown = said(capsys, "show", str(EXAMPLES / "policy.yaml"))
    assert "* unmanaged_namespaces   kube-system" in shown
    assert "* strict_reservation     true" in shown
    assert "numa: require-fewest" in shown


def test_show_as_json(capsys: Captured) -> None:
    value = json.loads(said(capsys, "show", "--weka", "-o", "json"))
    assert value["schema"] == 1
    jsonschema.validate(value["policy"], schema())
    assert value["policy"]["pin_overlap"] == "share"


def test_schema_is_printed_as_it_is(capsys: Captured) -> None:
    assert json.loads(said(capsys, "schema")) == schema()


def test_check(capsys: Captured, tmp_path: Path) -> None:
    good = said(capsys, "check", str(EXAMPLES / "policy.yaml"))
    assert f"good, 7 of {len(FIELDS)} fields are not the default" in good
    assert "  reserved: 16-17,144-145\n" in good
    value = json.loads(said(capsys, "check", str(EXAMPLES / "weka-policy.toml"), "-o", "json"))
    assert set(value["changed"]) == {"pin_overlap", "integer_scope", "allow_reserved_pins", "bad_forbid"}
    bad = tmp_path / "bad.yaml"
    bad.write_text("widen: now\nreserve: 0\n")
    error = said(capsys, "check", str(bad), code=2)
    assert error.startswith(f"cpuplace: error: {bad}, at line 2: reserve: no field 'reserve', did you mean reserved")
    assert error.count("\n") == 1
    assert "exclude each other" in said(capsys, "show", str(bad), "--weka", code=2)


def test_said_to_be_empty_is_not_shown_as_not_said(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "nobody.yaml"
    file.write_text('pin_namespaces: []\nusable: ""\n')
    shown = said(capsys, "show", str(file))
    assert "* pin_namespaces         none " in shown
    assert "* usable                 none " in shown
    assert "  unmanaged_namespaces   none " in shown
    assert "  pin_namespaces         - " in said(capsys, "show")
    assert said(capsys, "check", str(file)).endswith("  usable: none\n  pin_namespaces: none\n")


def test_examples_fit_the_schema() -> None:
    import yaml

    jsonschema.validate(yaml.safe_load((EXAMPLES / "policy.yaml").read_text()) | {"reserved_memory": {}}, schema())
