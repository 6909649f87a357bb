"""Asking: the client's side of the admin socket, for the command; plain blocking sockets."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from cpuplace import BadInput, CpuplaceError

PATIENCE: Final = 10.0
"""Seconds to wait for the first answer."""

Answer = dict[str, Any]


class NotAnswered(CpuplaceError):  # noqa: N818
    """The plugin said no, or nothing that can be read."""


def ask(path: str, cmd: str, **fields: Any) -> Answer:
    """The answer to one request; raises BadInput when no plugin listens there, NotAnswered when it says no."""
    for answer in ask_many(path, cmd, **fields):
        return answer
    raise NotAnswered(f"{path}: the plugin ended before it answered")


def ask_many(path: str, cmd: str, **fields: Any) -> Iterator[Answer]:
    """The answers to one request as they come, until the plugin ends; raises as `ask` does."""
    with _connected(path) as client, client.makefile("rb") as lines:
        with suppress(ConnectionError):  # hung up already, perhaps with a word of why
            client.sendall(json.dumps({"cmd": cmd, **fields}).encode() + b"\n")
        try:
            for line in lines:
                client.settimeout(None)
                yield _read(line, path)
        except TimeoutError:
            raise NotAnswered(f"{path}: no answer within {PATIENCE:.0f} seconds") from None
        except ConnectionError:
            return


def _connected(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    try:
        client.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        problem, hint = "no plugin is running here", "`cpuplace nri run` starts one; --admin-socket names another place"
    except PermissionError:
        problem, hint = "no permission to ask the plugin", "run as root"
    except (OSError, ValueError) as error:  # a ValueError: NUL in the path
        problem, hint = f"the plugin cannot be asked: {getattr(error, 'strerror', None) or error}", ""
    else:
        return client
    client.close()
    raise BadInput(problem, source=path, hint=hint)


def _read(line: bytes, path: str) -> Answer:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise NotAnswered(f"{path}: the answer cannot be read: is another program listening there?")
    if "error" in answer:
        raise NotAnswered(str(answer["error"]))
    return answer
