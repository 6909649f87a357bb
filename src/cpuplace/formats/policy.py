"""A policy as plain values (what YAML, TOML or JSON hold), both ways, with a JSON Schema made from the class.

One field of `Policy` is one key of the same name. CPU lists are kernel list text or a single id, `wishes` is a mapping
of wish names, `reserved_memory` maps a NUMA node to a Kubernetes quantity or bytes. What is not said has its default.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import Attribute, fields

from cpuplace.annotations import nearest
from cpuplace.errors import BadInput
from cpuplace.formats import quantity
from cpuplace.formats.json_fields import Field
from cpuplace.idset import CpuSet
from cpuplace.policy import Policy
from cpuplace.wishes import CHOICES, Wishes

_SOURCE: Final = "policy"
_NODE: Final = re.compile("0|[1-9][0-9]{0,4}", re.ASCII)
_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_Json = dict[str, Any]


def parse(values: object, *, source: str = _SOURCE) -> Policy:
    """The policy that these plain values describe; raises BadInput with the field path (`wishes.numa`) as position.

    >>> parse({"reserved": "0,64", "wishes": {"numa": "require-one"}}).wishes.numa
    'require-one'
    """
    known = _mapping(values, (), source)
    _check_names(known, FIELDS, (), source)
    said = {name: _READERS[name](value, (name,), source) for name, value in known.items()}
    try:
        return Policy(**said)
    except BadInput as bad:
        raise BadInput(bad.problem, source=source, position=bad.position, hint=bad.hint) from None


def read(field: Field) -> Policy:
    """The policy inside another file; raises BadInput that says where in that file it is."""
    try:
        return parse(field.value, source=field.source)
    except BadInput as bad:
        where = f"{bad.position}: " if bad.position is not None else ""
        raise field.bad(where + bad.problem, bad.hint) from None


def render(policy: Policy) -> _Json:
    """The plain values of every field, so that parse(render(p)) == p and JSON can hold them.

    >>> render(Policy(reserved=CpuSet([0, 64])))["reserved"]
    '0,64'
    """
    return {name: _plain(getattr(policy, name)) for name in FIELDS}


def schema() -> _Json:
    """The JSON Schema of a policy file: one property a field, with its doc and default.

    >>> schema()["properties"]["widen"]["enum"]
    ['now', 'lazy']
    """
    defaults = render(Policy())
    return {
        "$schema": _SCHEMA_DIALECT,
        "title": "cpuplace policy",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: _shape(attribute) | {"description": attribute.metadata["doc"], "default": defaults[name]}
            for name, attribute in FIELDS.items()
        },
    }


FIELDS: Final[Mapping[str, "Attribute[Any]"]] = {attribute.name: attribute for attribute in fields(Policy)}
"""The fields of Policy by name, in the order of the class."""

_Path = tuple[str, ...]


def _bad(problem: str, path: _Path, source: str, hint: str = "") -> BadInput:
    return BadInput(problem, source=source, position=".".join(path) or None, hint=hint)


def _mapping(value: object, path: _Path, source: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _bad(f"expected names and values, found {_kind(value)}", path, source)
    return {str(name): one for name, one in value.items()}


def _check_names(values: Mapping[str, object], known: Mapping[str, object], path: _Path, source: str) -> None:
    for name in values:
        if name not in known:
            near = nearest(name, known)
            problem = f"no field {name!r}" + (f", did you mean {near}" if near else "")
            raise _bad(problem, (*path, name), source, "one of " + ", ".join(known))


def _kind(value: object) -> str:
    names = {dict: "names and values", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else "something else")


def _scalar(value: object, what: str, path: _Path, source: str, hint: str) -> str:
    """A text, or the digits of a number written without quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > quantity.MAX_QUANTITY:
        raise _bad(f"expected {what}, found {_kind(value)}", path, source, hint)
    return str(value)


def _cpus(value: object, path: _Path, source: str) -> CpuSet:
    try:
        return CpuSet.parse(_scalar(value, "a CPU list", path, source, "write 0-3,8"))
    except BadInput as bad:
        where = f" at character {bad.position}" if isinstance(bad.position, int) else ""
        raise _bad(bad.problem + where, path, source, bad.hint) from None


def _usable(value: object, path: _Path, source: str) -> CpuSet | None:
    return None if value is None else _cpus(value, path, source)


def _flag(value: object, path: _Path, source: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(f"expected true or false, found {_kind(value)}", path, source)
    return value


def _number(value: object, path: _Path, source: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(f"expected a whole number, found {_kind(value)}", path, source)
    return value


def _word(value: object, path: _Path, source: str) -> str:
    if not isinstance(value, str):
        raise _bad(f"expected a word, found {_kind(value)}", path, source, "one of " + ", ".join(_choices(path)))
    return value


def _choices(path: _Path) -> tuple[str, ...]:
    return CHOICES[path[1]] if path[0] == "wishes" else FIELDS[path[0]].metadata["choices"]


def _texts(value: object, path: _Path, source: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise _bad(f"expected a list of texts, found {_kind(value)}", path, source)
    return tuple(value)


def _namespaces(value: object, path: _Path, source: str) -> frozenset[str]:
    return frozenset(_texts(value, path, source))


def _pin_namespaces(value: object, path: _Path, source: str) -> frozenset[str] | None:
    return None if value is None else _namespaces(value, path, source)


def _memory(value: object, path: _Path, source: str) -> dict[int, int]:
    amounts = {}
    for node, amount in _mapping(value, path, source).items():
        here = (*path, node)
        if not _NODE.fullmatch(node):
            raise _bad(f"{node[:20]!r} is not a NUMA node id", here, source)
        try:
            amounts[int(node)] = quantity.whole_bytes(_scalar(amount, "an amount of memory", here, source, "write 2Gi"))
        except BadInput as bad:
            raise _bad(bad.problem, here, source, bad.hint) from None
    return amounts


def _wishes(value: object, path: _Path, source: str) -> Wishes:
    values = _mapping(value, path, source)
    known = {attribute.name: attribute for attribute in fields(Wishes)}
    _check_names(values, known, path, source)
    said: dict[str, Any] = {}
    for name, one in values.items():
        here = (*path, name)
        if one is not None:
            said[name] = _WISH_READERS.get(name, _word)(one, here, source)
            try:
                Wishes(**{name: said[name]})
            except BadInput as bad:
                raise _bad(bad.problem, here, source, bad.hint) from None
    return Wishes(**said)


def _numa(value: object, path: _Path, source: str) -> str:
    return _scalar(value, "a numa wish", path, source, "write require-one or 0-1")


_Reader = Callable[[object, _Path, str], Any]
_WISH_READERS: Final[Mapping[str, _Reader]] = {"numa": _numa, "devices": _texts}
_TYPED: Final[Mapping[str, _Reader]] = {
    "usable": _usable,
    "reserved": _cpus,
    "pin_namespaces": _pin_namespaces,
    "unmanaged_namespaces": _namespaces,
    "reserved_memory": _memory,
    "wishes": _wishes,
}


def _reader(attribute: "Attribute[Any]") -> _Reader:
    """The reader of a field: its own, or the one for its kind of default."""
    plain = {bool: _flag, int: _number, str: _word}
    return _TYPED.get(attribute.name) or plain[type(attribute.default)]


_READERS: Final[Mapping[str, _Reader]] = {name: _reader(attribute) for name, attribute in FIELDS.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, CpuSet):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Wishes):
        said = {attribute.name: getattr(value, attribute.name) for attribute in fields(Wishes)}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in said.items() if one}
    if isinstance(value, Mapping):
        return {str(node): amount for node, amount in value.items()}
    return value


_CPU_LIST: Final[_Json] = {"type": ["string", "integer"]}
_TEXTS: Final[_Json] = {"type": "array", "items": {"type": "string"}}
_SHAPES: Final[Mapping[str, _Json]] = {
    "usable": {"type": ["string", "integer", "null"]},
    "reserved": _CPU_LIST,
    "pin_namespaces": _TEXTS | {"type": ["array", "null"]},
    "unmanaged_namespaces": _TEXTS,
    "reserved_memory": {
        "type": "object",
        "propertyNames": {"pattern": f"^({_NODE.pattern})$"},
        "additionalProperties": {"type": ["string", "integer"]},
    },
}


def _shape(attribute: "Attribute[Any]") -> _Json:
    if attribute.name == "wishes":
        return {"type": "object", "additionalProperties": False, "properties": _wish_shapes()}
    if attribute.metadata["choices"]:
        return {"type": "string", "enum": list(attribute.metadata["choices"])}
    plain: Mapping[type, _Json] = {bool: {"type": "boolean"}, int: {"type": "integer"}}
    return _SHAPES.get(attribute.name) or plain[type(attribute.default)]


def _wish_shapes() -> _Json:
    words = {name: {"enum": [*choices, None]} for name, choices in CHOICES.items()}
    return {
        "numa": {"type": ["string", "integer", "null"]},
        "devices": _TEXTS | {"type": ["array", "null"]},
        **words,
    }
