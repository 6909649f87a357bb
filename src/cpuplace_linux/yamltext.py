"""YAML text as a tree of values that know their line, read the way Kubernetes' tools read it, and never exploding.

PyYAML does the parsing, event by event; the tree, its limits and the meaning of plain words are ours: a plain `yes` is
a truth value and `0-3` a text, as for kubectl. Aliases share the tree they name, so an "alias bomb" costs nothing until
it is walked; its walked size is bounded here. Merge keys (`<<`) are merged, keys given twice are refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import yaml
from attrs import field, frozen, mutable

from cpuplace.errors import BadInput

MAX_DEPTH: Final = 100
"""Deeper nesting is refused."""

MAX_NODES: Final = 2_000_000
"""More values in one document, aliases written out, are refused."""

ScalarKind = Literal["text", "int", "float", "bool", "null"]


@frozen(slots=True)
class Place:
    """Where in which text: `source` names the file, `line` counts from 1."""

    source: str
    line: int

    def bad(self, problem: str, hint: str = "") -> BadInput:
        """The error to raise about what stands here."""
        return BadInput(problem, source=self.source, position=f"line {self.line}", hint=hint)


@frozen(slots=True)
class Scalar:
    """One word or text; `kind` is what a YAML reader takes it for."""

    text: str
    kind: ScalarKind
    place: Place


class Extent(NamedTuple):
    """How much there is to walk, aliases written out: values in all, and levels."""

    size: int
    depth: int


@frozen(slots=True)
class Row:
    """A list."""

    items: tuple["Tree", ...]
    place: Place
    extent: Extent = field(repr=False)


@frozen(slots=True)
class Table:
    """Keys (as text) and values; `keys` says where each key stands."""

    entries: Mapping[str, "Tree"]
    keys: Mapping[str, Place]
    place: Place
    extent: Extent = field(repr=False)


Tree: TypeAlias = Scalar | Row | Table

_NULL: Final = re.compile(r"|~|null|Null|NULL")
_BOOL: Final = re.compile(
    r"(?:[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON)|(?:[nN]|no|No|NO|false|False|FALSE|off|Off|OFF)"
)
_INT: Final = re.compile(r"[-+]?(?:0|0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+|[1-9][0-9_]*)")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN)"
)
_PLAIN: Final[tuple[tuple[ScalarKind, re.Pattern[str]], ...]] = (
    ("null", _NULL),
    ("bool", _BOOL),
    ("int", _INT),
    ("float", _FLOAT),
)
_TAGS: Final[Mapping[str, ScalarKind]] = {
    "tag:yaml.org,2002:int": "int",
    "tag:yaml.org,2002:float": "float",
    "tag:yaml.org,2002:bool": "bool",
    "tag:yaml.org,2002:null": "null",
}
_TRUE: Final = re.compile("[yYtT].*|[oO][nN]")
_DECIMAL: Final = re.compile("0|-?[1-9][0-9]{0,17}")


def read_documents(text: str, *, source: str) -> tuple[Tree, ...]:
    """The trees of all documents in the text; raises BadInput with the line of what is wrong. O(text).

    >>> [document] = read_documents("a: [1, 'b']", source="x.yaml")
    >>> document.entries["a"].items[0].kind
    'int'
    """
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except BadInput:
        raise
    except yaml.YAMLError as error:
        raise _syntax_error(error, source) from None
    except (ValueError, OverflowError, RecursionError) as error:  # lone surrogates, \U beyond Unicode
        raise BadInput(f"not a text that YAML can hold: {error}", source=source) from None
    return tuple(builder.documents)


def plain_value(tree: Tree) -> Any:
    """The tree as dicts, lists and plain values; raises BadInput for a number that is not written in decimal."""
    if isinstance(tree, Table):
        return {key: plain_value(value) for key, value in tree.entries.items()}
    if isinstance(tree, Row):
        return [plain_value(item) for item in tree.items]
    return _plain_scalar(tree)


def _plain_scalar(scalar: Scalar) -> str | int | float | bool | None:
    if scalar.kind == "text":
        return scalar.text
    if scalar.kind == "null":
        return None
    if scalar.kind == "bool":
        return _TRUE.fullmatch(scalar.text) is not None
    if scalar.kind == "float":
        return float("nan")  # nothing of ours takes one; what it is does not matter
    return whole_number(scalar)


def whole_number(scalar: Scalar) -> int:
    """The integer that is written here in plain decimal; raises BadInput for anything else.

    >>> whole_number(Scalar("12", "int", Place("x", 1)))
    12
    """
    if scalar.kind != "int" or not _DECIMAL.fullmatch(scalar.text):
        raise scalar.place.bad(f"{scalar.text[:40]!r} is not a whole number", "write it in decimal, without quotes")
    return int(scalar.text)


def line_at(tree: Tree, path: str) -> int:
    """The line of the value at a dotted path of keys, or of the deepest part of it that exists."""
    line = tree.place.line
    for key in path.split(".") if path else ():
        if not isinstance(tree, Table) or key not in tree.entries:
            break
        line, tree = tree.keys[key].line, tree.entries[key]
    return line


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _syntax_error(error: yaml.YAMLError, source: str) -> BadInput:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    return BadInput(
        f"not YAML: {problem}",
        source=source,
        position=f"line {mark.line + 1}" if mark is not None else None,
    )


@mutable(slots=True)
class _Open:
    """A list or table that is being read; a table waits for a value while `key` is set."""

    is_table: bool
    place: Place
    anchor: str | None
    items: list[Tree] = field(factory=list)
    entries: dict[str, Tree] = field(factory=dict)
    keys: dict[str, Place] = field(factory=dict)
    merged: list[Table] = field(factory=list)
    key: tuple[str, Place] | None = None


class _Builder:
    """Builds the trees from PyYAML's events.

    States: between documents the stack is empty; inside one it holds the open lists and tables, outermost first; a
    value goes to the top of the stack, or becomes the document when there is none.
    """

    def __init__(self, source: str) -> None:
        self.documents: list[Tree] = []
        self._source = source
        self._stack: list[_Open] = []
        self._anchors: dict[str, Tree] = {}
        self._merged = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        place = Place(self._source, event.start_mark.line + 1 if event.start_mark else 1)
        if isinstance(event, yaml.ScalarEvent):
            self._value(_scalar(event, place), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), place)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(_Open(isinstance(event, yaml.MappingStartEvent), place, event.anchor))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            top = self._stack.pop()
            self._merged += sum(len(one.entries) for one in top.merged)
            if self._merged > MAX_NODES:
                raise place.bad(f"more than {MAX_NODES:,} values are merged by <<")
            self._value(_closed(top), top.anchor)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}

    def _open(self, new: _Open) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise new.place.bad(f"nested deeper than {MAX_DEPTH}")
        self._stack.append(new)

    def _alias(self, anchor: str, place: Place) -> None:
        if anchor not in self._anchors:
            inside = any(one.anchor == anchor for one in self._stack)
            raise place.bad(f"alias *{anchor} names {'what contains it' if inside else 'nothing'}")
        self._value(self._anchors[anchor], None, place)

    def _value(self, tree: Tree, anchor: str | None, place: Place | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = tree
        if not self._stack:
            self.documents.append(tree)
        elif not self._stack[-1].is_table:
            self._stack[-1].items.append(tree)
        elif self._stack[-1].key is None:
            self._stack[-1].key = _key(tree, place or tree.place)
        else:
            _add(self._stack[-1], tree)


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    kind: ScalarKind = "text"
    if event.tag is not None:
        kind = _TAGS.get(event.tag, "text")
    elif event.implicit[0]:
        kind = next((name for name, pattern in _PLAIN if pattern.fullmatch(event.value)), "text")
    return Scalar(event.value, kind, place)


def _key(tree: Tree, place: Place) -> tuple[str, Place]:
    if not isinstance(tree, Scalar):
        raise place.bad("a key must be a word")
    return tree.text, place


def _add(table: _Open, tree: Tree) -> None:
    """Put the value under the key that waits for it, or keep it to be merged."""
    assert table.key is not None
    key, place = table.key
    table.key = None
    if key == "<<":
        table.merged += _mergeable(tree, place)
        return
    if key in table.entries:
        raise place.bad(f"key {key[:60]!r} is given twice")
    table.entries[key], table.keys[key] = tree, place


def _mergeable(tree: Tree, place: Place) -> Iterator[Table]:
    for one in tree.items if isinstance(tree, Row) else (tree,):
        if not isinstance(one, Table):
            raise place.bad("<< takes names and values, or a list of them")
        yield one


def _closed(top: _Open) -> Row | Table:
    """The finished list or table; what it says itself wins over what it merges, earlier merges over later ones."""
    for one in top.merged:
        for key, value in one.entries.items():
            top.entries.setdefault(key, value)
            top.keys.setdefault(key, one.keys[key])
    extent = _extent(top)
    if top.is_table:
        return Table(top.entries, top.keys, top.place, extent)
    return Row(tuple(top.items), top.place, extent)


def _extent(top: _Open) -> Extent:
    """Adds up what is inside; raises BadInput when walking it would take too long or too deep."""
    inside = [one.extent for one in (*top.items, *top.entries.values()) if not isinstance(one, Scalar)]
    size = 1 + len(top.items) + len(top.entries) + sum(one.size for one in inside)
    depth = 1 + max((one.depth for one in inside), default=0)
    if size > MAX_NODES:
        raise top.place.bad(f"more than {MAX_NODES:,} values when its aliases are written out")
    if depth > MAX_DEPTH:
        raise top.place.bad(f"nested deeper than {MAX_DEPTH} when its aliases are written out")
    return Extent(size, depth)
