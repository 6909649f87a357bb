"""A plugin on a made-up host, over an inherited socket: `python -m benchmarks.nri_child cpuplace|idle HOST`.

It prints, when the runtime hangs up, the seconds that each handler took, as a JSON object.
"""

import asyncio
import json
import os
import socket
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

from cpuplace_nri.answer import Answer
from cpuplace_nri.config import nri_policy
from cpuplace_nri.deciding import Deciding
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.link import Link
from cpuplace_nri.logs import Level
from cpuplace_nri.manners import Manners
from cpuplace_nri.node import Node
from cpuplace_nri.plugin import Plugin
from cpuplace_nri.service import RuntimeLink

from .hosts import HOSTS

ALL = 0x7FF


class Ear:
    """Keeps the times, and says nothing."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def say(self, level: Level, event: str, **fields: object) -> None: ...

    def count(self, name: str, *labels: str, by: int = 1) -> None: ...

    def time(self, name: str, label: str, seconds: float) -> None:
        if name == "handler_seconds":
            self.seconds[label].append(seconds)


class Nothing:
    """Nothing is compared afterwards: there are no cgroups."""

    def linked(self, link: RuntimeLink) -> None: ...

    def answered(self, answer: Answer) -> None: ...

    def carry_out(self, answer: Answer) -> None: ...


async def serve(kind: str, host: str, ear: Ear) -> None:
    """Register and serve until the end."""
    deciding = Deciding()

    def plugin() -> IdlePlugin:
        if kind == "idle":
            return IdlePlugin(ALL)
        return Plugin(Node(HOSTS[host], nri_policy()), deciding, Nothing(), ear, Manners())

    sock = socket.socket(fileno=int(os.environ["NRI_PLUGIN_SOCKET"]))
    sock.setblocking(False)
    link = await Link.over(sock, plugin, on_error=lambda error: sys.exit(f"{error!r}"))
    await link.register("bench", "99")
    await link.closed.wait()
    deciding.close()


def main(words: Iterable[str]) -> None:
    kind, host = words
    ear = Ear()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(kind, host, ear))
    print(json.dumps(ear.seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
