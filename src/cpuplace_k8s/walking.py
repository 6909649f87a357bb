"""Walking a manifest: the value under a key when it is what it must be, else one error that says which line."""

import re
from typing import Final

from cpuplace.errors import BadInput
from cpuplace_linux.yamltext import Place, Row, Scalar, Table, Tree, whole_number

_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def at(table: Table, key: str) -> Tree | None:
    """What stands under the key; None when nothing does, `null` included, as for the API server."""
    found = table.entries.get(key)
    return None if isinstance(found, Scalar) and found.kind == "null" else found


def table_at(table: Table, *path: str) -> Table | None:
    """The names and values at the end of the path, or None where it ends early."""
    for key in path:
        found = at(table, key)
        if found is None:
            return None
        if not isinstance(found, Table):
            raise found.place.bad(f"{key} must hold names and values")
        table = found
    return table


def needed_table(table: Table, *path: str) -> Table:
    """The names and values at the end of the path; an error when there are none."""
    found = table_at(table, *path)
    if found is None:
        raise table.place.bad(f"{'.'.join(path)} is missing")
    return found


def tables_at(table: Table, key: str) -> tuple[Table, ...]:
    """The list of tables under the key; empty when there is none."""
    found = at(table, key)
    if found is None:
        return ()
    if not isinstance(found, Row):
        raise found.place.bad(f"{key} must be a list")
    return tuple(_as_table(item, f"each of {key}") for item in found.items)


def _as_table(tree: Tree, what: str) -> Table:
    if not isinstance(tree, Table):
        raise tree.place.bad(f"{what} must hold names and values")
    return tree


def text_at(table: Table, key: str) -> str | None:
    """The text under the key, or None; a number or truth value is an error, as the API server has it."""
    found = at(table, key)
    return None if found is None else as_text(found, key)


def as_text(tree: Tree, what: str) -> str:
    """The text that this value is."""
    if not isinstance(tree, Scalar):
        raise tree.place.bad(f"{what} must be a text")
    if tree.kind != "text":
        raise tree.place.bad(f"{what} must be a text, not {_found(tree)}", f'write "{tree.text[:40]}" in quotes')
    return tree.text


def _found(scalar: Scalar) -> str:
    return {"bool": "a truth value", "null": "nothing"}.get(scalar.kind, "a number")


def count_at(table: Table, key: str, default: int) -> int:
    """The whole number >= 0 under the key."""
    found = at(table, key)
    if found is None:
        return default
    if not isinstance(found, Scalar):
        raise found.place.bad(f"{key} must be a whole number")
    count = whole_number(found)
    if count < 0:
        raise found.place.bad(f"{key} {count} is negative")
    return count


def label_at(table: Table, key: str) -> str | None:
    """The name under the key as containers and namespaces may have it (an RFC 1123 label), or None."""
    name = text_at(table, key)
    if name is not None and not _LABEL.fullmatch(name):
        raise _no_name(table, key, name, "lower-case letters, digits and -, at most 63")
    return name


def subdomain_at(table: Table, key: str, *, ending: str = "") -> str | None:
    """The name under the key as pods may have it (an RFC 1123 subdomain), or None; without the `ending` it has."""
    name = text_at(table, key)
    if name is None:
        return None
    if not _SUBDOMAIN.fullmatch(name.rstrip(ending) if ending else name):
        raise _no_name(table, key, name, "lower-case letters, digits, - and ., at most 253")
    return name.rstrip(ending) if ending else name


def _no_name(table: Table, key: str, name: str, hint: str) -> BadInput:
    return place_of(table, key).bad(f"{name[:60]!r} cannot be a {key}", hint)


def place_of(table: Table, key: str) -> Place:
    """Where the key stands, or the table when it has no such key."""
    return table.keys.get(key, table.place)


def placed(place: Place, bad: BadInput) -> BadInput:
    """The same error, said of a place in a manifest."""
    return place.bad(bad.problem, bad.hint)
