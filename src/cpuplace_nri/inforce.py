"""InForce: the configuration that a plugin goes by, and how another takes its place: as a whole or not at all."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cpuplace import BadInput, CpuplaceError
from cpuplace_nri.config import Config
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.manners import Manners
from cpuplace_nri.ttrpc import Code
from cpuplace_nri.watching import Watch

if TYPE_CHECKING:
    from cpuplace_nri.node import Node
    from cpuplace_nri.works import Works

_REFUSED = "nothing was changed"


class NotNow(CpuplaceError):  # noqa: N818
    """It cannot be done as things are."""


class InForce:
    """One configuration, with the manners and the log that follow it; `reread` reads the file again.

    `handed`: there is no file, so that what the runtime hands over counts.
    """

    def __init__(self, config: Config, watch: Watch, *, reread: Callable[[], Config], handed: bool) -> None:
        self.config = config
        self.manners = Manners.of(config)
        self._watch, self._reread, self._handed = watch, reread, handed
        self._from_runtime = False

    def take(self, config: Config) -> None:
        """Go by this one from now on."""
        self.config = config
        self.manners.take(config)
        self._watch.log.configure(config.log_level, config.log_format)

    def handed_over(self, text: str, node: "Node") -> None:
        """Take the configuration that a runtime hands a plugin without a file; TtrpcError when it is not good."""
        if not self._handed or not text.strip():
            return
        from cpuplace import Refused
        from cpuplace_nri.configtext import parse_config

        try:
            config = parse_config(text)
            plan = node.change_policy(config.policy).unwrap()
        except (BadInput, Refused) as bad:
            what = "the runtime's configuration is not good: this plugin does nothing"
            self._watch.say("error", what, error=str(bad))
            raise TtrpcError(Code.INVALID_ARGUMENT, str(bad)) from None
        node.commit(node.carried(plan))
        self.take(config)
        self._from_runtime = True

    async def reload(self, works: "Works | None") -> str:
        """Read the configuration again and take it, or keep the one in force; what became of it."""
        try:
            said = await self._reloaded(works)
        except CpuplaceError as error:
            said = f"{_REFUSED}: {error}"
        refused = said.startswith(_REFUSED)
        self._watch.count("reloads", "refused" if refused else "done")
        self._watch.say("error" if refused else "info", "reload", result=said)
        return said

    async def _reloaded(self, works: "Works | None") -> str:
        if self._from_runtime:
            raise NotNow("the configuration came from the runtime, which hands it over when it starts the plugin")
        config = self._reread()
        if works is None:
            raise NotNow("no runtime has been connected yet")
        from cpuplace_nri.reloading import reload

        async with works.deciding.turn:
            done = reload(self.config, config, works.node.change_policy)
            if done.plan is not None:
                works.carry_out(done.plan)
            self.take(done.config)
        return str(done)
