"""Decisions of a plugin as lines of text."""

from collections.abc import Mapping
from typing import Any

from cpuplace_cli.printable import printable


def event_text(one: Mapping[str, Any]) -> str:
    """One decision on one line.

    >>> event_text({"at": "12:00", "decision": "place", "container": "default/db/main", "cpus": "0-3", "rule": "R4"})
    '12:00  place  default/db/main  0-3  R4'
    """
    refusal = one.get("refusal")
    words = [one.get("at"), one["decision"] + (" refused" if refusal else ""), one.get("container") or one.get("id")]
    if refusal:
        words += [f"{refusal['rule']} {refusal['sentence']} ({refusal['kind']})"]
    else:
        why = " ".join(part for part in (one.get("rule"), one.get("reason")) if part)
        words += [one.get("cpus"), why, f"moved {', '.join(one['moved'])}" if one.get("moved") else ""]
    return printable("  ".join(str(word) for word in words if word))
