"""What a containerd writes into its log, and what of it is a complaint."""

import json
from typing import Any


def complaints(log: str) -> list[str]:
    """The lines of level error or worse, but for those of every day."""
    return [line for line in log.splitlines() if line.startswith("{") and is_complaint(json.loads(line))]


def is_complaint(said: dict[str, Any]) -> bool:
    """Whether a line says something that an idle runtime does not say too.

    It does say that no network is set up, and that a shim ended before its last event was answered. The answers to
    plugins go over another socket: one that hung up while it was answered is a complaint.
    """
    why = said.get("error", "")
    unheard = said["msg"] == "failed sending message on channel" and ".sock.ttrpc->" in why
    return said["level"] in ("error", "fatal", "panic") and not unheard and "cni config" not in why
