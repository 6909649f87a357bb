"""What was in the files before interrupts were moved, as JSON: `irq undo` restores it, days later if need be.

`SCHEMA` is its JSON Schema (draft 2020-12). It is written before the first change, so that a crash loses nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cpuplace.formats.json_fields import Field, load
from cpuplace.irq_plan import FileWrite

VERSION: Final = 1

_PATH: Final = (
    r"proc/irq/(?:[0-9]{1,8}/smp_affinity_list|default_smp_affinity)"
    r"|sys/class/net/(?!\.\.?/)[^/\x00-\x1f]{1,64}/queues/(?:rx-[0-9]{1,5}/rps_cpus|tx-[0-9]{1,5}/xps_cpus)"
)
_VALUE: Final = "[0-9a-fA-F,-]*"
_TEXT: Final = {"type": "string", "pattern": f"^{_VALUE}$"}

SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What cpuplace irq undo restores",
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "irq_undo"],
    "properties": {
        "schema": {"const": VERSION},
        "irq_undo": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "before", "after"],
                "properties": {
                    "path": {"type": "string"},
                    "names": {"type": "array", "items": {"type": "string"}},
                    "before": _TEXT,
                    "after": _TEXT,
                },
            },
        },
    },
}


def render(writes: Iterable[FileWrite]) -> str:
    """The record of these writes as JSON text; `parse` gives the same writes back.

    >>> render([]).splitlines()[2]
    '  "irq_undo": []'
    """
    rows = [{"path": one.path, "names": list(one.names), "before": one.before, "after": one.after} for one in writes]
    return json.dumps({"schema": VERSION, "irq_undo": rows}, indent=2, ensure_ascii=False)


def parse(text: str | bytes, *, source: str = "irq record") -> tuple[FileWrite, ...]:
    """The writes that were recorded; raises BadInput with the field for anything else.

    Only files of interrupts and packet steering are taken: a record may lie where others can write.
    """
    top = load(text, source=source)
    version = top.known("schema", "irq_undo").need("schema").number()
    if version != VERSION:
        raise top.need("schema").bad(f"version {version} cannot be read, only {VERSION}")
    return tuple(map(_write, top.need("irq_undo").items()))


def _write(field: Field) -> FileWrite:
    field.known("path", "names", "before", "after")
    path = field.need("path")
    if not re.fullmatch(_PATH, path.text()):
        raise path.bad(f"not a file of interrupts: {path.text()[:60]!r}")
    nobody: tuple[str, ...] = ()
    names = field.maybe("names", _names, nobody)
    return FileWrite(
        path=path.text(), before=_value(field.need("before")), after=_value(field.need("after")), names=names
    )


def _names(field: Field) -> tuple[str, ...]:
    return tuple(one.text() for one in field.items())


def _value(field: Field) -> str:
    if not re.fullmatch(_VALUE, field.text(), re.ASCII):
        raise field.bad(f"neither a CPU list nor a mask: {field.text()[:40]!r}")
    return field.text()
