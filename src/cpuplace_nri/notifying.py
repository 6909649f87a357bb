"""Notifying: tells systemd that the plugin is ready, where systemd asked for it (sd_notify(3))."""

import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"


def tell_ready(environment: Mapping[str, str]) -> bool:
    """True when somebody was told; nothing that goes wrong with it ends a plugin.

    >>> tell_ready({})
    False
    """
    path = environment.get(VARIABLE, "")
    if not path:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.connect("\0" + path[1:] if path.startswith("@") else path)
            one.send(b"READY=1")
    except OSError:
        return False
    return True
