"""A file of names and values (YAML, TOML or JSON) as plain values that know on which line they stand."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from attrs import frozen

from cpuplace.errors import BadInput

Language = Literal["yaml", "toml", "json"]
MAX_BYTES: Final = 1 << 20
"""A larger file is refused unread."""

_SUFFIXES: Final[dict[str, Language]] = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}


@frozen(slots=True)
class Values:
    """What a text says: `plain` as dicts, lists and words (None = nothing), `source` names the text."""

    plain: Any
    source: str
    _line_of: "_Lines"

    def bad(self, problem: str, field: str = "", hint: str = "") -> BadInput:
        """The error to raise about a field, a dotted path of names, with its line where that can be known."""
        line = self._line_of(field)
        return BadInput(
            f"{field}: {problem}" if field else problem,
            source=self.source,
            position=f"line {line}" if line else None,
            hint=hint,
        )

    def located(self, bad: BadInput, *, below: str = "") -> BadInput:
        """The same error, its position (a field below `below`) made a line."""
        return self.bad(bad.problem, ".".join(part for part in (below, str(bad.position or "")) if part), bad.hint)


def read_values(path: str | Path) -> Values:
    """The values in this file, its language told by the suffix; raises BadInput with file and line."""
    file = Path(path)
    text = _text(file)  # that there is none is said before anything about its name
    language = _SUFFIXES.get(file.suffix.lower())
    if language is None:
        raise BadInput("cannot tell its language", source=str(path), hint="name it .yaml, .toml or .json")
    return parse_values(text, language, source=str(path))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        large = len(content) > MAX_BYTES
        text = "" if large else content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a ValueError: no UTF-8, or NUL in the name
        raise BadInput(f"cannot be read: {getattr(error, 'strerror', None) or error}", source=str(file)) from None
    if large:
        raise BadInput(f"more than {MAX_BYTES} bytes", source=str(file))
    return text


def parse_values(text: str, language: Language, *, source: str) -> Values:
    """The values in this text; raises BadInput with the line of what is no text of this language.

    >>> parse_values("a: 1", "yaml", source="x").plain
    {'a': 1}
    """
    plain, line_of = _READERS[language](text, source)
    return Values(plain, source, line_of)


_Lines = Callable[[str], int | None]
"""The line of a dotted field path, where it is known."""


def _read_yaml(text: str, source: str) -> tuple[Any, _Lines]:
    # Each of the three costs a start some hundredths of a second, and who reads one has no use for the others.
    from cpuplace_linux.yamltext import line_at, plain_value, read_documents

    documents = read_documents(text, source=source)
    if len(documents) > 1:
        raise documents[1].place.bad("only one document is taken")
    if not documents:
        return None, lambda _field: None
    return plain_value(documents[0]), lambda field: line_at(documents[0], field)


_TOML_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def _read_toml(text: str, source: str) -> tuple[Any, _Lines]:
    import tomllib

    try:
        return tomllib.loads(text), lambda field: _line_of_key(text, field, "=")
    except (ValueError, RecursionError) as error:
        place = _TOML_PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else None
        problem = _TOML_PLACE.sub("", str(error))
        raise BadInput(f"not TOML: {problem}", source=source, position=f"line {line}" if line else None) from None


def _read_json(text: str, source: str) -> tuple[Any, _Lines]:
    import json

    from cpuplace.formats.json_fields import Twice, once

    try:
        return json.loads(text, object_pairs_hook=once) if text.strip() else None, lambda field: _line_of_key(
            text, field, ":"
        )
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error.msg}", source=source, position=f"line {error.lineno}") from None
    except Twice as twice:
        line = _line_of_key(text, twice.key, ":")
        raise BadInput(str(twice), source=source, position=f"line {line}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}", source=source) from None


def _line_of_key(text: str, field: str, sign: str) -> int | None:
    """The line on which the last key of a dotted path stands: each key is looked for after the one before it.

    TOML and JSON readers keep no lines; a key is a word (quoted or not) before `=`, `:` or inside `[...]`.
    """
    at, found = 0, None
    for key in field.split(".") if field else ():
        word = re.escape(key)
        pattern = re.compile(rf"""^[^#\n]*?(?<![\w-])["']?{word}["']?\s*(?:[{sign}.]|\])""", re.MULTILINE)
        found = pattern.search(text, at)
        if found is None:
            break
        at = found.end()
    return text.count("\n", 0, at) + 1 if at else None


_READERS: Final[dict[str, Callable[[str, str], tuple[Any, _Lines]]]] = {
    "yaml": _read_yaml,
    "toml": _read_toml,
    "json": _read_json,
}
