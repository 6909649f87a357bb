"""The plugin's configuration: every field both ways, every error with file and line, Weka's keys."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import BadInput, CpuSet, Policy, Wishes
from cpuplace.formats import policy as policy_format
from cpuplace_linux.valuefile import Language
from cpuplace_nri.config import FIELDS, Config, address, nri_policy
from cpuplace_nri.configfile import read_config
from cpuplace_nri.configtext import parse_config, render, schema

PATHS = st.sampled_from(["/run/a.sock", "/x/y z", "/var/run/nri/nri.sock"])


@st.composite
def configs(draw: st.DrawFn) -> Config:
    said: dict[str, Any] = {
        name: draw(st.sampled_from(attribute.metadata["choices"]))
        for name, attribute in FIELDS.items()
        if attribute.metadata["choices"]
    }
    changes: dict[str, Any] = {
        "reserved": CpuSet(draw(st.sets(st.integers(0, 99), max_size=4))),
        "min_shared_cpus": draw(st.integers(0, 9)),
        "widen": draw(st.sampled_from(["now", "lazy"])),
        "wishes": Wishes(numa=draw(st.sampled_from([None, "require-one"]))),
    }
    return Config(
        **said,
        name=draw(st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\Z")),
        index=draw(st.integers(0, 99)),
        socket=draw(PATHS),
        fail_closed=draw(st.booleans()),
        widen_delay=draw(st.integers(0, 600_000)),
        second_connection=draw(st.booleans()),
        listen=draw(st.sampled_from(["", "127.0.0.1:1", "[::1]:65535", "0.0.0.0:9464"])),
        admin_socket=draw(PATHS | st.just("")),
        lock=draw(PATHS),
        policy=nri_policy(said["profile"], **changes),
    )


@given(configs())
def test_what_is_rendered_reads_back_and_fits_the_schema(config: Config) -> None:
    values = render(config)
    text = json.dumps(values)
    assert parse_config(text) == config
    assert parse_config(text, "yaml") == config  # JSON is YAML
    jsonschema.validate(values, schema())


def test_the_schema_is_one_and_has_every_field_with_its_doc() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert [name for name in made["properties"] if name in FIELDS] == list(FIELDS)
    assert all(made["properties"][name]["description"] for name in FIELDS)
    assert made["properties"]["policy"]["properties"]["widen"]["default"] == "lazy"
    assert list(made["properties"]["policy"]["properties"]) == list(policy_format.FIELDS)


def test_nothing_said_is_the_default() -> None:
    assert parse_config("") == parse_config("# nothing\n") == parse_config("{}") == Config()
    assert Config().policy == Policy(widen="lazy")


@pytest.mark.parametrize(
    "text",
    [
        "profile: weka\npolicy:\n  min_shared_cpus: 4\n  pin_overlap: refuse\n",
        'profile = "weka"\n[policy]\nmin_shared_cpus = 4\npin_overlap = "refuse"\n',
        '# a comment\n{"profile": "weka", "policy": {"min_shared_cpus": 4, "pin_overlap": "refuse"}}',
        '\n[policy]\npin_overlap = "refuse"\nmin_shared_cpus = 4\nbad_forbid = "ignore"\n'
        'integer_scope = "all-containers"\nallow_reserved_pins = true',
    ],
)
def test_a_runtime_hands_over_any_language_and_what_is_said_wins_over_the_profile(text: str) -> None:
    lines = text if not text.startswith("# a comment") else text.split("\n", 1)[1]
    expected = Policy.weka(widen="lazy", min_shared_cpus=4, pin_overlap="refuse")
    assert parse_config(lines).policy == expected


@pytest.mark.parametrize(
    ("text", "level", "memory"),
    [
        ("debug: true", "debug", "strict"),
        ("debug: false", "info", "strict"),
        ("debug: true\nlog_level: error", "error", "strict"),
        ("numa-memory-policy: preferred", "info", "preferred"),
        ("numa-memory-policy: false", "info", "none"),
        ("debug = true\nnuma-memory-policy = true\n", "debug", "strict"),
    ],
)
def test_wekas_keys_are_read(text: str, level: str, memory: str) -> None:
    config = parse_config(text)
    assert (config.log_level, config.policy.memory_policy) == (level, memory)


@pytest.mark.parametrize("word", ["off", '"off"', "false"])
def test_off_is_a_word_though_yaml_reads_false(word: str) -> None:
    config = parse_config(f"check: {word}\nexclusive_quota: {word}")
    assert (config.check, config.exclusive_quota) == ("off", "off")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("yaml", "name: x\nindx: 9", "f, at line 2: indx: no field 'indx', did you mean index (one of name, "),
        (
            "yaml",
            "reserved: 0-1",
            "f, at line 1: reserved: 'reserved' is a field of the policy (write it below `policy",
        ),
        ("yaml", "policy:\n  reservd: 0", "f, at line 2: policy.reservd: no field 'reservd', did you mean reserved"),
        ("yaml", "policy:\n  wishes:\n    numa: x", "f, at line 3: policy.wishes.numa: "),
        ("yaml", "policy: [1]", "f, at line 1: policy: expected names and values, found a list"),
        ("yaml", "\nname: 5", "f, at line 2: name: expected a word or a text, found a whole number"),
        ("yaml", "check: on", "f, at line 1: check: expected a word or a text, found a truth value (one of off, "),
        ("yaml", "check: maybe", "f, at line 1: check: 'maybe' is not a value of check (one of off, report, repair)"),
        ("yaml", "index: '99'", "f, at line 1: index: expected a whole number, found text"),
        ("yaml", "index: 100", "f, at line 1: index: 100 is not from 0 to 99"),
        ("yaml", "fail_closed: 1", "f, at line 1: fail_closed: expected true or false"),
        ("yaml", "socket: nri.sock", "f, at line 1: socket: 'nri.sock' is not an absolute path (such as /var/run"),
        ("yaml", 'socket: ""', "f, at line 1: socket: '' is not an absolute path"),
        ("yaml", "listen: localhost:80", "f, at line 1: listen: 'localhost' is not the address of an interface"),
        ("yaml", "listen: 127.0.0.1:0", "f, at line 1: listen: '0' is not a port"),
        ("yaml", "listen: 127.0.0.1", "f, at line 1: listen: '' is not the address"),
        ("yaml", "name: UP", "f, at line 1: name: 'UP' cannot name a plugin"),
        ("yaml", "widen_delay: -1", "f, at line 1: widen_delay: -1 is not from 0"),
        ("yaml", "debug: 3", "f, at line 1: debug: expected true or false, found a whole number"),
        ("yaml", "numa-memory-policy: 3", "f, at line 1: numa-memory-policy: 3 is not a memory policy"),
        ("yaml", "numa-memory-policy: none\npolicy: {memory_policy: none}", "the same is said by policy.memory_policy"),
        ("yaml", "- a", "f, at line 1: expected names and values"),
        ("yaml", "a: 1\n b: 2", "f, at line 2: not YAML"),
        ("toml", 'name = "x"\nindex = "9"', "f, at line 2: index: expected a whole number, found text"),
        ("toml", "[policy]\n\nreserved = 1.5", "f, at line 3: policy.reserved: "),
        ("json", '{\n"index": 1000}', "f, at line 2: index: 1000 is not from"),
    ],
)
def test_errors_name_file_line_and_what_to_do(language: Language, text: str, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_config(text, language, source="f")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("f")


@given(st.sampled_from([None, "yaml", "toml", "json"]), st.text() | st.text(alphabet='abc=:[]{}"\n 01.-'))
def test_any_text_is_a_configuration_or_bad_input(language: Language | None, text: str) -> None:
    try:
        assert isinstance(parse_config(text, language), Config)
    except BadInput as bad:
        assert bad.source


def test_a_file_that_is_named_must_be_there_the_default_one_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpuplace_nri.configfile.DEFAULT_PATH", str(tmp_path / "nri.yaml"))
    assert read_config() == Config()
    (tmp_path / "nri.yaml").write_text("index: 7")
    assert read_config().index == 7
    with pytest.raises(BadInput, match="No such file"):
        read_config(tmp_path / "other.yaml")


def test_addresses() -> None:
    assert address("") is None
    assert address("0.0.0.0:9") == ("0.0.0.0", 9)
    with pytest.raises(BadInput):
        address("127.0.0.1:65536")


def test_what_the_command_line_says_wins() -> None:
    assert Config(index=3).with_changes(name="b", index=None) == Config(index=3, name="b")
    with pytest.raises(BadInput, match="index"):
        Config().with_changes(index=1000)
