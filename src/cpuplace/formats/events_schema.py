"""The JSON Schema (draft 2020-12) of one line of a recording of events."""

from collections.abc import Mapping
from typing import Any, Final

from cpuplace.formats import policy as policy_format
from cpuplace.formats.state_container import REQUEST

VERSION: Final = 1

_LIST: Final = {"type": "string", "pattern": "^[0-9,:/-]*$", "description": "a CPU list like 0-3,8"}
_ID: Final = {"type": "string", "minLength": 1, "description": "the container"}
_EXPECT: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "cpus": {**_LIST, "description": "what the container of this event holds then"},
        "refused": {"type": "string", "description": "the kind of the refusal, like NotEnoughCpus"},
        "holds": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "pool": _LIST,
    },
}


def _line_schema(word: str, required: list[str], **fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["event", *required],
        "properties": {"event": {"const": word}, "at": {"type": "string"}, "expect": _EXPECT, **fields},
    }


_ASKED: Final = {**REQUEST, "limit": {"type": ["integer", "null"], "minimum": 0}}
_SEEN: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {**_ASKED, "cpus": _LIST, "mems": _LIST},
}

_POLICY: Final = {key: value for key, value in policy_format.schema().items() if key not in ("$schema", "title")}

SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "One line of a recording of events",
    "oneOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["schema"],
            "properties": {
                "schema": {"const": VERSION},
                "host": {"type": ["string", "object"], "description": "a word for --host, or the host itself"},
                "policy": _POLICY,
                "one_step_per_container": {"type": "boolean"},
                "source": {"type": "string"},
                "why": {"type": "string"},
            },
        },
        _line_schema("place", ["id"], **_ASKED),
        _line_schema("pin", ["id", "pin"], **_ASKED),
        _line_schema("release", ["id"], id=_ID),
        _line_schema("forget", ["pod"], pod={"type": "string"}),
        _line_schema("resize", ["id", "count"], id=_ID, count={"type": "integer", "minimum": 0}),
        _line_schema("offline", ["cpus"], cpus=_LIST),
        _line_schema("online", ["cpus"], cpus=_LIST),
        _line_schema("rebalance", ["max_moves"], max_moves={"type": "integer", "minimum": 0}),
        _line_schema(
            "restart", [], observed={"type": "array", "items": _SEEN}, kept={"type": "boolean"}, policy=_POLICY
        ),
    ],
}
