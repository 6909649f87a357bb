"""Process: one plugin from its start to its end: lock, connection, what decides, what watches; in the order that
saves time.

The plugin registers first. What decides is loaded while the registration is on its way, and what no answer needs (logs,
metrics, health checks, the admin socket) afterwards, or after two seconds without a runtime.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpuplace import BadInput
from cpuplace_nri.config import Config
from cpuplace_nri.identity import Identity, Preinstalled, only_one
from cpuplace_nri.inforce import InForce
from cpuplace_nri.link import Link
from cpuplace_nri.logs import Log
from cpuplace_nri.notifying import tell_ready
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import Runner, Surroundings, inherited_socket
from cpuplace_nri.standing import Standing
from cpuplace_nri.tally import Tally
from cpuplace_nri.watching import Watch

if TYPE_CHECKING:
    from cpuplace import Topology
    from cpuplace_nri.errands import Errands
    from cpuplace_nri.plugin import Plugin
    from cpuplace_nri.works import Works

ALONE: Final = 2.0
"""Seconds without a runtime after which the rest is loaded all the same."""
TRIES: Final = 50
"""Looks at the lock, a fifth of a second each: the plugin before us may be on its way out."""
_SOON: Final = 0.02


class Process:
    """One plugin; `reread` reads the configuration again, `handed` says that the runtime hands it over.

    `host` reads the host where that is not the one we run on.
    """

    def __init__(
        self,
        config: Config,
        *,
        reread: Callable[[], Config],
        preinstalled: Preinstalled | None = None,
        handed: bool = False,
        host: "Callable[[], Topology] | None" = None,
    ) -> None:
        self.tally = Tally()
        self.log = Log(level=config.log_level, dropped=lambda: self.tally.count("log_lines_dropped"))
        self.log.configure(config.log_level, config.log_format)
        self.watch = Watch(self.log, self.tally)
        self.inforce = InForce(config, self.watch, reread=reread, handed=handed)
        self.standing = Standing(self.tally)
        self.works: Works | None = None
        self._host, self._preinstalled = host, preinstalled
        said = Identity(config.name, config.index_text)
        self._identity = said if preinstalled is None else preinstalled.identity
        self._seen = self._said = ""
        self._pods_ran = False
        self._registered = asyncio.Event()
        self._leaving: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Serve until cancelled; a plugin that a runtime started ends with its connection. Raises BadInput."""
        config = self.inforce.config
        try:
            async with only_one(_made(config.lock), self._identity, tries=TRIES, sleep=asyncio.sleep):
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGHUP, lambda: self._do(self.reload()))
                async with self._beside():
                    await self._connected(Path(config.socket))
        finally:
            await self._end()

    async def reload(self) -> str:
        """Read the configuration again and take it as a whole, or keep the one in force; what became of it."""
        return await self.inforce.reload(self.works)

    # --- the connection -----------------------------------------------------------------------------

    async def _connected(self, path: Path) -> None:
        around = Surroundings(
            clock=time.monotonic,
            sleep=asyncio.sleep,
            chance=random.random,
            on_error=self._on_error,
            on_link=self._on_link,
        )
        runner = Runner(self._plugin, self._identity, around)
        if self._preinstalled is None:
            await runner.run(path)
        else:
            await runner.run_once(inherited_socket(self._preinstalled.fd))

    def _plugin(self) -> "Plugin":
        """What a link serves; made when the registration is on its way, since that takes a while."""
        from cpuplace_nri.hotplug import fingerprint
        from cpuplace_nri.works import Works, this_host

        self._seen = fingerprint()  # before the host is read: what changes meanwhile is seen later
        host = self._host or this_host
        self.works = Works(host, self.inforce, self.watch, courier=self._deliver, configured=self._configured)
        self._pods_ran = self._preinstalled is not None and self.works.cgroups.pods_run()
        self.standing.node = self.works.node
        return self.works.plugin

    async def _deliver(self, updates: list[nri.ContainerUpdate]) -> bool:
        """By a second connection where that is wanted, which a runtime may say only after this was put together."""
        return self.inforce.config.second_connection and await self._errands().deliver(updates)

    def _configured(self, request: nri.ConfigureRequest) -> None:
        self.standing.told(request)
        if self.works is not None:
            self.inforce.handed_over(request.config, self.works.node)

    def _on_link(self, link: Link) -> None:
        self.tally.count("connections")
        self.standing.link = link
        self._registered.set()
        self.log.say("info", "registered")
        self._do(self._left(link))

    async def _left(self, link: Link) -> None:
        await link.closed.wait()
        self.tally.count("disconnections")
        self.log.say("warning", "the connection ended", reason=link.reason)

    def _on_error(self, error: Exception) -> None:
        self.tally.count("errors", type(error).__name__)
        self.log.say("error", "something went wrong", error=str(error), kind=type(error).__name__)

    # --- beside it, and after it --------------------------------------------------------------------

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[None]:
        """What goes on beside the connection, none of it before the registration."""
        async with AsyncExitStack() as stack:
            coroutines = [self._load_later(stack), self._watch_host()]
            if self._preinstalled is not None:
                coroutines.append(self._ask_what_runs())
            tasks = [asyncio.ensure_future(one) for one in coroutines]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _load_later(self, stack: AsyncExitStack) -> None:
        """Logs, health checks and the admin socket: once registered, and once the containers are known."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ALONE):
                await self._registered.wait()
                while self.standing.missing():
                    await asyncio.sleep(_SOON)
        tell_ready(os.environ)
        self.log.open()
        from cpuplace_nri.endpoints import Endpoints

        await Endpoints(self.inforce, self.standing, self.watch).open(stack)

    async def _watch_host(self) -> None:
        """CPUs and memory that come and go, from the moment on at which the host was read."""
        await self._registered.wait()
        from cpuplace_nri.hotplug import Hotplug, fingerprint

        assert self.works is not None  # made for the registration
        await Hotplug(self.works.host_changed, fingerprint, before=self._seen, on_error=self._on_error).run()

    async def _ask_what_runs(self) -> None:
        """Some runtimes tell the plugins that they start themselves nothing of what runs: ask as another plugin.

        Until that is known every container is refused, and asked for again.
        """
        await self._registered.wait()
        assert self.works is not None
        await self._errands().ask_what_runs(self.standing, self.works.plugin, self._untold)

    def _untold(self) -> None:
        """Take it for nothing where no pod ran when we were started, before the runtime took requests, or none does."""
        assert self.works is not None
        self._pods_ran = self._pods_ran and self.works.cgroups.pods_run()
        self.works.node.synchronized = not self._pods_ran
        self._say_once("no container is created until it does" if self._pods_ran else "no pod ran: taken for nothing")

    def _say_once(self, outcome: str) -> None:
        if outcome != self._said:
            self._said = outcome
            what = f"the runtime does not tell what runs and takes no other connection: {outcome}"
            self.log.say("error", what, socket=self.inforce.config.socket)

    def _errands(self) -> "Errands":
        from cpuplace_nri.errands import Errands

        return Errands(Path(self.inforce.config.socket), self._identity, self._on_error)

    async def _end(self) -> None:
        self.watch.close()
        if self.works is not None:
            await self.works.close()
        if not self.log.opened:
            self.log.open()
        self.log.close()

    def _do(self, what: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(what)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _made(folder: str) -> Path:
    """The folder, made where it is missing; raises BadInput when it cannot be."""
    path = Path(folder)
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be made: {error.strerror}", source=folder, hint="run as root, or say `lock`") from None
    return path
