"""The text of a kept state: a line with root and checksum, a line with the host, then what `--save-state` writes.

The host goes with it, since CPUs that went offline take what is known of them along: `change_topology` wants both.
"""

import hashlib
import json
from typing import Any, Final

from attrs import frozen

from cpuplace import BadInput, HostState
from cpuplace.formats import cpuplace_json
from cpuplace.formats import state as state_format

VERSION: Final = 1
_MEND: Final = "cpuplace ps --repair makes it anew from what runs"


@frozen(slots=True)
class Kept:
    """A state, and the folder of the cgroup file system that it is about."""

    root: str
    state: HostState


def render(kept: Kept) -> str:
    """The text; `parse` gives the same back.

    >>> from cpuplace import Topology
    >>> print(render(Kept("/g", HostState.empty(Topology.uniform())))[:29])
    {"cpuplace": 1, "root": "/g",
    """
    host = json.dumps(cpuplace_json.to_dict(kept.state.topology))
    body = f"{host}\n{state_format.render(kept.state)}\n"
    return json.dumps({"cpuplace": VERSION, "root": kept.root, "sha256": _sum(kept.root, body)}) + "\n" + body


def parse(text: bytes, *, source: str) -> Kept:
    """What was kept, on the host as it was then; raises BadInput for a text that is torn or was edited."""
    root, host, body = _checked(text, source)
    return Kept(root, state_format.parse(body, cpuplace_json.parse(host, source=source), source=source))


def body_of(text: bytes, *, source: str) -> bytes:
    """The state in it, as `--state` reads it; BadInput when it is torn."""
    return _checked(text, source)[2]


def _checked(text: bytes, source: str) -> tuple[str, bytes, bytes]:
    first, _, rest = text.partition(b"\n")
    try:
        head: Any = json.loads(first)
        version, root, told = head["cpuplace"], head["root"], head["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadInput("its first line cannot be read: torn, or edited by hand", source=source, hint=_MEND) from None
    if version != VERSION:
        problem = f"version {version!r} cannot be read, only {VERSION}"
        raise BadInput(problem, source=source, hint=f"written by another cpuplace? {_MEND}")
    try:
        found = _sum(root, rest.decode())
    except (UnicodeDecodeError, TypeError):
        found = ""
    if found != told:
        raise BadInput("its checksum is wrong: torn, or edited by hand", source=source, hint=_MEND)
    host, _, body = rest.partition(b"\n")
    return root, host, body


def _sum(root: str, body: str) -> str:
    return hashlib.sha256((root + "\n" + body).encode("utf-8", "surrogatepass")).hexdigest()
