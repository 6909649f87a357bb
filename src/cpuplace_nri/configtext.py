"""The plugin's configuration as text (YAML, TOML or JSON): of a file, or what a runtime hands a pre-installed plugin.

Errors name the file, the line and what to do. Two keys of Weka's plugin are read as ours: `debug` (true = log level
debug) and `numa-memory-policy` (a memory policy; true = strict, false = none).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from cpuplace.annotations import nearest
from cpuplace.errors import BadInput
from cpuplace.formats import policy as policy_format
from cpuplace.policy import Policy
from cpuplace_linux.valuefile import Language, Values, parse_values
from cpuplace_nri.config import FIELDS, Config, nri_policy

HANDED: Final = "the runtime's configuration of this plugin"
_OFF: Final = "off"  # which YAML reads as false when it stands without quotes
WEKA_KEYS: Final = ("debug", "numa-memory-policy")

_TOML: Final = re.compile(r"^\s*(?:\[[\w.\"' -]+\]\s*(?:#.*)?$|[\w.\"'-]+\s*=)")


def parse_config(text: str, language: Language | None = None, *, source: str = HANDED) -> Config:
    """The configuration that the text describes, an empty one the defaults; raises BadInput with the line.

    Without a language it is told from the text, since a runtime hands over text without a name.

    >>> parse_config("profile: weka").policy.pin_overlap
    'share'
    >>> parse_config("index = 90").index_text
    '90'
    """
    return config_of(parse_values(text, language or _language(text), source=source))


def _language(text: str) -> Language:
    """JSON begins with a brace; a line `key = ...` or `[table]` before any other is TOML's; else YAML."""
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    first = next(lines, "")
    if first.lstrip().startswith("{"):
        return "json"
    return "toml" if _TOML.match(first) else "yaml"


def config_of(values: Values) -> Config:
    """The configuration that these values describe; raises BadInput with the line."""
    plain = {} if values.plain is None else values.plain
    if not isinstance(plain, Mapping):
        raise values.bad("expected names and values", hint="such as `profile: weka`")
    known = {str(name): value for name, value in plain.items()}
    for name in known:
        _check_name(name, values)
    said = {name: _read(name, known[name], values) for name in known if name in FIELDS and name != "policy"}
    said |= _weka_debug(known, values)
    said["policy"] = _policy(known, str(said.get("profile", "default")), values)
    try:
        return Config(**said)
    except BadInput as bad:
        raise values.located(bad) from None


def _check_name(name: str, values: Values) -> None:
    if name in FIELDS or name in WEKA_KEYS:
        return
    if name in policy_format.FIELDS:
        raise values.bad(f"{name!r} is a field of the policy", name, "write it below `policy:`")
    near = nearest(name, FIELDS)
    problem = f"no field {name!r}" + (f", did you mean {near}" if near else "")
    raise values.bad(problem, name, "one of " + ", ".join(FIELDS))


def _read(name: str, value: object, values: Values) -> Any:
    choices = FIELDS[name].metadata["choices"]
    if value is False and _OFF in choices:
        return _OFF
    kind = {bool: bool, int: int}.get(type(FIELDS[name].default), str)
    if type(value) is not kind:
        expected = {bool: "true or false", int: "a whole number", str: "a word or a text"}[kind]
        raise values.bad(
            f"expected {expected}, found {_kind(value)}", name, "one of " + ", ".join(choices) if choices else ""
        )
    return value


def _kind(value: object) -> str:
    names = {bool: "a truth value", int: "a whole number", str: "text", list: "a list", dict: "names and values"}
    return names.get(type(value), "nothing" if value is None else "something else")


def _weka_debug(known: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """What `debug` means: a log level, where none is said."""
    debug = known.get("debug", False)
    if type(debug) is not bool:
        raise values.bad(f"expected true or false, found {_kind(debug)}", "debug")
    return {"log_level": "debug"} if debug and "log_level" not in known else {}


def _policy(known: Mapping[str, Any], profile: str, values: Values) -> Policy:
    """The profile's policy with what the file says on top, read by the reader of every policy file."""
    said = {} if known.get("policy") is None else known["policy"]
    base = _changes(nri_policy(profile)) | _weka_memory(known, said, values)
    try:
        return policy_format.parse(base | dict(said) if isinstance(said, Mapping) else said, source=values.source)
    except BadInput as bad:
        raise values.located(bad, below="policy") from None


def _changes(policy: Policy) -> dict[str, Any]:
    """The fields that are not the default, as plain values."""
    default = policy_format.render(Policy())
    return {name: value for name, value in policy_format.render(policy).items() if value != default[name]}


_MEMORY: Final[Mapping[object, str]] = {True: "strict", False: "none"}


def _weka_memory(known: Mapping[str, Any], said: object, values: Values) -> dict[str, str]:
    """What `numa-memory-policy` means; refused when `policy.memory_policy` says it as well."""
    key = "numa-memory-policy"
    if key not in known:
        return {}
    if isinstance(said, Mapping) and "memory_policy" in said:
        raise values.bad("the same is said by policy.memory_policy", key, "leave one of them out")
    choices = policy_format.FIELDS["memory_policy"].metadata["choices"]
    word = _MEMORY.get(known[key], known[key]) if isinstance(known[key], (bool, str)) else None
    if word not in choices:
        raise values.bad(f"{known[key]!r} is not a memory policy", key, "one of " + ", ".join(choices))
    return {"memory_policy": str(word)}


def render(config: Config) -> dict[str, Any]:
    """The plain values of every field, so that JSON can hold them and a file with them means the same.

    >>> render(Config())["policy"]["widen"]
    'lazy'
    """
    said = {name: getattr(config, name) for name in FIELDS}
    return said | {"policy": policy_format.render(config.policy)}


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file: one property a field, with its doc and default.

    >>> schema()["properties"]["check"]["enum"]
    ['off', 'report', 'repair', False]
    """
    defaults = render(Config())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cpuplace nri configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: _shape(name)
            | {"description": attribute.metadata["doc"]}
            | ({} if name == "policy" else {"default": defaults[name]})
            for name, attribute in FIELDS.items()
        }
        | {
            "debug": {"type": "boolean", "description": "Weka's word for `log_level: debug`"},
            "numa-memory-policy": {
                "enum": [*policy_format.FIELDS["memory_policy"].metadata["choices"], True, False],
                "description": "Weka's word for `policy.memory_policy`",
            },
        },
    }


def _shape(name: str) -> dict[str, Any]:
    if name == "policy":
        base = _changes(nri_policy())
        shape = {key: value for key, value in policy_format.schema().items() if not key.startswith("$")}
        properties = {
            key: value | {"default": base.get(key, value["default"])} for key, value in shape["properties"].items()
        }
        return shape | {"type": ["object", "null"], "properties": properties}
    choices = FIELDS[name].metadata["choices"]
    if choices:
        return {"enum": [*choices, *([False] if _OFF in choices else [])]}
    kinds = {bool: "boolean", int: "integer", str: "string"}
    return {"type": kinds[type(FIELDS[name].default)]}
