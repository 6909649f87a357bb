"""Values out of parsed JSON, checked one by one: every error names the field, like `cpus[3].core`."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet

T = TypeVar("T")

_NAMES: Final = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}


class Twice(ValueError):  # noqa: N818
    """An object has a key twice: JSON's readers would silently take the last one."""

    def __init__(self, key: str) -> None:
        """Keep the key, by which a reader can look for its line."""
        super().__init__(f"key {key[:40]!r} is given twice")
        self.key = key


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values, for json's `object_pairs_hook`; raises Twice.

    >>> json.loads('{"a": 1}', object_pairs_hook=once)
    {'a': 1}
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise Twice(next(key for at, key in enumerate(keys) if key in keys[:at]))
    return found


def load(text: str | bytes, *, source: str) -> "Field":
    """The whole document; BadInput with line and column when it is no JSON, with the key if an object has one twice."""
    try:
        return Field(json.loads(text, object_pairs_hook=once), "", source)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadInput(error.msg, source=source, position=where, hint="is the file cut short?") from None
    except Twice as twice:
        raise BadInput(str(twice), source=source) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of 5000 digits, nested without end
        raise BadInput(f"not readable as JSON: {str(error)[:80]}", source=source) from None


@frozen(slots=True)
class Field:
    """One value and where it is."""

    value: Any
    path: str
    source: str

    def bad(self, problem: str, hint: str = "") -> BadInput:
        """The error to raise about this field."""
        return BadInput(problem, source=self.source, position=self.path or "the top", hint=hint)

    def _as(self, kind: type[T]) -> T:
        if type(self.value) is not kind:
            raise self.bad(f"expected {_NAMES[kind]}, found {json.dumps(self.value)[:40]}")
        return self.value

    def number(self, *, least: int = 0) -> int:
        """A whole number, at least `least`."""
        number = self._as(int)
        if number < least:
            raise self.bad(f"expected at least {least}, found {number}")
        return number

    def text(self) -> str:
        """A text."""
        return self._as(str)

    def flag(self) -> bool:
        """True or false."""
        return self._as(bool)

    def cpus(self) -> CpuSet:
        """A CPU list like "0-3,8"."""
        try:
            return CpuSet.parse(self.text())
        except BadInput as error:
            raise self.bad(error.problem, error.hint) from None

    def items(self) -> Iterator["Field"]:
        """The fields of a list."""
        for place, value in enumerate(self._as(list)):
            yield Field(value, f"{self.path}[{place}]", self.source)

    def known(self, *names: str) -> "Field":
        """This object itself; BadInput when it has a key that is not in `names`."""
        for key in self._as(dict):
            if key not in names:
                raise self.bad(f"unknown field {key[:40]!r}", f"known are {', '.join(names)}")
        return self

    def entries(self) -> Iterator[tuple[str, "Field"]]:
        """Key and field of each entry of an object."""
        for key, value in self._as(dict).items():
            yield key, Field(value, f"{self.path}.{key}".lstrip("."), self.source)

    def need(self, name: str) -> "Field":
        """The entry of this name; BadInput when the object has none."""
        if name not in self._as(dict):
            raise self.bad(f"the field {name!r} is missing")
        return Field(self.value[name], f"{self.path}.{name}".lstrip("."), self.source)

    def maybe(self, name: str, read: Callable[["Field"], T], default: T) -> T:
        """What `read` makes of the entry, or the default when it is absent or null."""
        if self._as(dict).get(name) is None:
            return default
        return read(self.need(name))
