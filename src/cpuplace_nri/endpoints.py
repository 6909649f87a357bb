"""Endpoints: where others ask a plugin: health checks and metrics over HTTP, and the admin socket."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from cpuplace import BadInput
from cpuplace_nri.admin import Admin
from cpuplace_nri.answering import Answering
from cpuplace_nri.config import address
from cpuplace_nri.health import Health
from cpuplace_nri.inforce import InForce
from cpuplace_nri.metrics import Metrics
from cpuplace_nri.standing import Standing
from cpuplace_nri.watching import Watch


class Endpoints:
    """What the configuration wants to be served; an address that cannot be had is said, and ends nothing."""

    def __init__(self, inforce: InForce, standing: Standing, watch: Watch) -> None:
        self._inforce, self._standing, self._watch = inforce, standing, watch

    async def open(self, stack: AsyncExitStack) -> None:
        """Serve until the stack is closed."""
        await self._serve_health(stack)
        await self._serve_admin(stack)

    async def _serve_health(self, stack: AsyncExitStack) -> None:
        listen = self._inforce.config.listen
        where = address(listen)
        if where is None:
            return
        standing = self._standing
        metrics = Metrics(self._watch.tally, standing.state, lambda: not standing.missing(), self._info())
        await asyncio.to_thread(metrics.text)  # imports the library, off the loop
        try:
            await stack.enter_async_context(await Health(standing.missing, metrics).serve(*where))
        except OSError as error:
            said = error.strerror or str(error)
            self._watch.say("error", "health checks and metrics cannot be served", listen=listen, error=said)

    async def _serve_admin(self, stack: AsyncExitStack) -> None:
        path = self._inforce.config.admin_socket
        if not path:
            return
        try:
            server = await Admin(self._answering()).serve(path)
        except BadInput as bad:
            self._watch.say("error", "the admin socket cannot be served", error=str(bad))
            return
        await stack.enter_async_context(server)
        stack.callback(self._watch.close)  # first: from Python 3.12 on the server waits for those who read along
        stack.callback(lambda: Path(path).unlink(missing_ok=True))

    def _answering(self) -> Answering:
        return Answering(
            node=lambda: self._standing.node,
            watch=self._watch,
            config=lambda: self._inforce.config,
            runtime=self._standing.runtime,
        )

    def _info(self) -> dict[str, str]:
        runtime = str(self._standing.runtime().get("name", ""))
        return {"version": _version(), "runtime": runtime, "name": self._inforce.config.name}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cpuplace")
    except PackageNotFoundError:  # a bundle has no metadata
        return "unknown"
