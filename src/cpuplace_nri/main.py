"""One plugin process put together: lock, connection, node, and what watches over them, in the order that saves time.

The plugin registers first. Everything that no answer needs (logs, metrics, health checks, the admin socket) is loaded
afterwards, or after two seconds without a runtime.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpuplace import BadInput, CpuplaceError, HostState, Refused, Topology
from cpuplace_nri.config import Config, address
from cpuplace_nri.configfile import parse_config, read_config
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.identity import Identity, Preinstalled, only_one
from cpuplace_nri.link import Link
from cpuplace_nri.logs import Log
from cpuplace_nri.manners import Manners
from cpuplace_nri.notifying import tell_ready
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import Runner, Surroundings, connected_socket, inherited_socket
from cpuplace_nri.tally import Tally
from cpuplace_nri.ttrpc import Code
from cpuplace_nri.watching import Watch

if TYPE_CHECKING:
    from cpuplace_nri.deciding import Deciding
    from cpuplace_nri.following import Following
    from cpuplace_nri.node import Node
    from cpuplace_nri.plugin import Plugin

ALONE: Final = 2.0
"""Seconds without a runtime after which the rest is loaded all the same."""
TOLD: Final = 1.0
"""Seconds that a runtime has to tell a plugin it started what runs, before that asks by another connection."""
ASKED: Final = 250
"""Tries to ask, a fiftieth of a second each: its socket is there only after it has started its plugins."""
_SOON: Final = 0.02
TRIES: Final = 50
"""Looks at the lock, a fifth of a second each: the plugin before us may be on its way out."""

_HOST: Final = "this node"


class NotNow(CpuplaceError):  # noqa: N818
    """It cannot be done as things are."""


class Service:
    """One plugin from its start to its end; `reread` reads the configuration again."""

    def __init__(
        self,
        config: Config,
        *,
        reread: Callable[[], Config],
        preinstalled: Preinstalled | None = None,
        handed: bool = False,
        host: Callable[[], Topology] | None = None,
    ) -> None:
        self.config = config
        self.tally = Tally()
        self.log = Log(level=config.log_level, dropped=lambda: self.tally.count("log_lines_dropped"))
        self.log.configure(config.log_level, config.log_format)
        self.watch = Watch(self.log, self.tally)
        self.node: Node | None = None
        self._reread, self._preinstalled, self._handed = reread, preinstalled, handed
        self._host = host or _this_host
        said = Identity(config.name, config.index_text)
        self._identity = said if preinstalled is None else preinstalled.identity
        self._manners = Manners.of(config)
        self._deciding: Deciding | None = None
        self._following: Following | None = None
        self._runtime: dict[str, Any] = {}
        self._from_runtime = False
        self._link: Link | None = None
        self._made: Plugin | None = None
        self._registered = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()

    # --- the whole ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; a plugin that a runtime started ends with its connection. Raises BadInput."""
        try:
            async with only_one(_made(self.config.lock), self._identity, tries=TRIES, sleep=asyncio.sleep):
                await self._connected()
        finally:
            await self._end()

    async def _connected(self) -> None:
        around = Surroundings(
            clock=time.monotonic,
            sleep=asyncio.sleep,
            chance=random.random,
            on_error=self._on_error,
            on_link=self._on_link,
        )
        runner = Runner(self._plugin, self._identity, around)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: self._do(self.reload()))
        async with AsyncExitStack() as stack:
            beside = [asyncio.ensure_future(self._load_later(stack)), asyncio.ensure_future(self._watch_host())]
            if self._preinstalled is not None:
                beside.append(asyncio.ensure_future(self._ask_what_runs()))
            try:
                if self._preinstalled is None:
                    await runner.run(Path(self.config.socket))
                else:
                    await runner.run_once(inherited_socket(self._preinstalled.fd))
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _end(self) -> None:
        self.watch.close()
        if self._following is not None:
            await self._following.close()
        if self._deciding is not None:
            self._deciding.close()
        if not self.log.opened:
            self.log.open()
        self.log.close()

    # --- what the runtime makes us load -----------------------------------------------------------

    def _plugin(self) -> "Plugin":
        """What a link serves; made when the registration is on its way, since that takes a while."""
        from cpuplace_nri.cgroups import KernelCgroups
        from cpuplace_nri.deciding import Deciding
        from cpuplace_nri.following import Following
        from cpuplace_nri.node import Node
        from cpuplace_nri.plugin import Plugin

        node = Node(self._host(), self.config.policy, self.watch.decided)
        deciding = Deciding()
        courier = self._deliver if self.config.second_connection else None
        following = Following(node, deciding, KernelCgroups(), self.watch, self._manners, courier)
        self.node, self._deciding, self._following = node, deciding, following
        self._made = Plugin(node, deciding, following, self.watch, self._manners, configured=self._configured)
        return self._made

    async def _ask_what_runs(self) -> None:
        """Some runtimes tell the plugins that they start themselves nothing of what runs: ask as another plugin.

        Until that is known every container is refused, and asked for again. Where no other connection is taken it is
        taken for nothing.
        """
        from cpuplace_nri.delivering import fetch

        while not self._runtime or self._link is None or self._made is None:
            await asyncio.sleep(_SOON)
        if self._link.abilities.chunks:  # newer ones tell
            await asyncio.sleep(TOLD)
        for _ in range(ASKED):
            if not self.missing():
                return
            try:
                sock = await connected_socket(Path(self.config.socket))
                await fetch(sock, self._made, self._identity, on_error=self._on_error)
            except (OSError, TtrpcError):
                await asyncio.sleep(_SOON)
        if self.missing() and self.node is not None:
            self.node.synchronized = True
            what = "the runtime does not tell what runs and takes no other connection: taken for nothing"
            self.log.say("error", what, socket=self.config.socket)

    async def _deliver(self, updates: list[nri.ContainerUpdate]) -> bool:
        """Updates by a second connection."""
        from cpuplace_nri.delivering import deliver

        try:
            sock = await connected_socket(Path(self.config.socket))
        except OSError:
            return False
        return await deliver(sock, updates, self._identity, on_error=self._on_error)

    def _configured(self, request: nri.ConfigureRequest) -> None:
        """Remember who the runtime is; take the configuration that it hands to a plugin without a file of its own."""
        self._runtime = {
            "name": request.runtime_name,
            "version": request.runtime_version,
            "nri": request.NRI_version,
        }
        if not (self._handed and request.config.strip() and self.node is not None):
            return
        try:
            config = parse_config(request.config)
            plan = self.node.change_policy(config.policy).unwrap()
            self.node.commit(self.node.carried(plan))
        except (BadInput, Refused) as bad:
            self.log.say("error", "the runtime's configuration is not good: this plugin does nothing", error=str(bad))
            raise TtrpcError(Code.INVALID_ARGUMENT, str(bad)) from None
        self._take(config)
        self._from_runtime = True

    def _on_link(self, link: Link) -> None:
        self.tally.count("connections")
        self._link = link
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

    # --- what is loaded afterwards ----------------------------------------------------------------

    async def _load_later(self, stack: AsyncExitStack) -> None:
        """Logs, health checks and the admin socket: once registered, and once the containers are known."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ALONE):
                await self._registered.wait()
                while self.missing():
                    await asyncio.sleep(0.02)
        tell_ready(os.environ)
        self.log.open()
        await self._serve_health(stack)
        await self._serve_admin(stack)

    async def _serve_health(self, stack: AsyncExitStack) -> None:
        where = address(self.config.listen)
        if where is None:
            return
        from cpuplace_nri.health import Health
        from cpuplace_nri.metrics import Metrics

        metrics = Metrics(self.tally, self._state, lambda: not self.missing(), self._info())
        await asyncio.to_thread(metrics.text)  # imports the library, off the loop
        try:
            await stack.enter_async_context(await Health(self.missing, metrics).serve(*where))
        except OSError as error:
            said = error.strerror or str(error)
            self.log.say("error", "health checks and metrics cannot be served", listen=self.config.listen, error=said)

    async def _serve_admin(self, stack: AsyncExitStack) -> None:
        if not self.config.admin_socket:
            return
        from cpuplace_nri.admin import Admin
        from cpuplace_nri.answering import Answering

        answering = Answering(
            node=lambda: self.node, watch=self.watch, config=lambda: self.config, runtime=self.runtime
        )
        try:
            server = await Admin(answering).serve(self.config.admin_socket)
        except BadInput as bad:
            self.log.say("error", "the admin socket cannot be served", error=str(bad))
            return
        await stack.enter_async_context(server)
        stack.callback(lambda: Path(self.config.admin_socket).unlink(missing_ok=True))

    # --- the host --------------------------------------------------------------------------------

    async def _watch_host(self) -> None:
        """CPUs and memory that come and go, from the moment on at which the host was read."""
        from cpuplace_nri.hotplug import Hotplug

        await self._registered.wait()
        await Hotplug(self._host_changed).run()

    async def _host_changed(self) -> None:
        if self.node is None or self._deciding is None or self._following is None:
            return
        node = self.node
        try:
            host = await asyncio.to_thread(self._host)
        except BadInput as bad:
            self.log.say("error", "the host cannot be read", error=str(bad))
            return
        async with self._deciding.turn:
            answer = await self._deciding.finished(lambda: node.change_topology(host))
            node.commit(answer)
            for note in answer.notes:
                self.log.say("warning", note)
            self._following.answered(answer)
            self._following.carry_out(answer)

    # --- what others ask --------------------------------------------------------------------------

    def missing(self) -> str:
        """Why the plugin is not ready, "" when it is."""
        if self._link is None or self._link.closed.is_set():
            return "no runtime is connected"
        if self.node is None or not self.node.synchronized:
            return "the runtime has not told its containers yet"
        return ""

    def runtime(self) -> dict[str, Any]:
        """What is known of the runtime and the connection."""
        return {**self._runtime, "missing": self.missing(), "connections": self.tally.counted("connections")}

    def _state(self) -> HostState | None:
        return self.node.state if self.node is not None and self.node.synchronized else None

    def _info(self) -> dict[str, str]:
        return {"version": _version(), "runtime": str(self._runtime.get("name", "")), "name": self.config.name}

    # --- another configuration --------------------------------------------------------------------

    async def reload(self) -> str:
        """Read the configuration again and take it as a whole, or keep the one in force; what became of it."""
        try:
            if self._from_runtime:
                raise NotNow("the configuration came from the runtime, which hands it over when it starts the plugin")
            said = await self._reloaded(self._reread())
        except CpuplaceError as error:
            said = f"nothing was changed: {error}"
        refused = said.startswith("nothing was changed")
        self.tally.count("reloads", "refused" if refused else "done")
        self.log.say("error" if refused else "info", "reload", result=said)
        return said

    async def _reloaded(self, config: Config) -> str:
        if self.node is None or self._deciding is None or self._following is None:
            raise NotNow("no runtime has been connected yet")
        from cpuplace_nri.reloading import reload

        async with self._deciding.turn:
            done = reload(self.config, config, self.node.change_policy)
            if done.plan is not None:
                answer = self.node.carried(done.plan)
                self.node.commit(answer)
                self._following.carry_out(answer)
            self._take(done.config)
        return str(done)

    def _take(self, config: Config) -> None:
        self.config = config
        self._manners.take(config)
        self.log.configure(config.log_level, config.log_format)

    def _do(self, what: Any) -> None:
        task = asyncio.ensure_future(what)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _this_host() -> Topology:
    from cpuplace_linux.read_host import read_host

    return read_host("/", name=_HOST)


def _made(folder: str) -> Path:
    """The folder, made where it is missing; raises BadInput when it cannot be."""
    path = Path(folder)
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be made: {error.strerror}", source=folder, hint="run as root, or say `lock`") from None
    return path


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cpuplace")
    except PackageNotFoundError:  # a bundle has no metadata
        return "unknown"


def run_plugin(
    path: Path | None, *, socket: str | None = None, name: str | None = None, index: int | None = None
) -> int:
    """Run the plugin until SIGTERM or Ctrl-C (0); raises BadInput for a configuration that is not good.

    What is said here wins over the file. Where a runtime started us, and no file is there, its configuration counts.
    """

    def read() -> Config:
        return read_config(path).with_changes(socket=socket, name=name, index=index)

    preinstalled = Preinstalled.of(os.environ)
    config = read()
    handed = preinstalled is not None and path is None and config == Config()
    service = Service(config, reread=read, preinstalled=preinstalled, handed=handed)
    return asyncio.run(_until_told(service))


async def _until_told(service: Service) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, task.cancel)
    with suppress(asyncio.CancelledError):
        await service.run()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The plugin without the command's libraries, for `python -m cpuplace_nri`; 2 and one line when it cannot run."""
    import argparse

    parser = argparse.ArgumentParser(prog="cpuplace-nri", description="The plugin of a node, for containerd or CRI-O.")
    parser.add_argument("--config", type=Path, help="a .yaml, .toml or .json file; default /etc/cpuplace/nri.yaml")
    parser.add_argument("--socket", help="the runtime's socket")
    parser.add_argument("--name", help="the plugin's name")
    parser.add_argument("--index", type=int, help="its place among the plugins, 0 to 99")
    said = parser.parse_args(arguments)
    try:
        return run_plugin(said.config, socket=said.socket, name=said.name, index=said.index)
    except (CpuplaceError, OSError) as error:
        fail(" ".join(str(error).split()))
        return 2


def fail(sentence: str) -> None:
    """One line where somebody may read it: standard error, or the system's log."""
    from cpuplace_nri.logs import find_sink

    find_sink()(f"cpuplace-nri: error: {sentence}", "error")


if __name__ == "__main__":
    sys.exit(main())
