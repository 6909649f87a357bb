"""Works: the part of a plugin that decides, put together. Importing it takes a while: a plugin registers meanwhile."""

import asyncio
from collections.abc import Callable

from cpuplace import BadInput, Plan, Topology
from cpuplace_nri.cgroups import KernelCgroups
from cpuplace_nri.deciding import Deciding
from cpuplace_nri.following import Courier, Following
from cpuplace_nri.inforce import InForce
from cpuplace_nri.node import Node
from cpuplace_nri.plugin import Plugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.watching import Watch

_HOST = "this node"


def this_host() -> Topology:
    """The host that we run on; raises BadInput when it cannot be read."""
    from cpuplace_linux.read_host import read_host

    return read_host("/", name=_HOST)


class Works:
    """One node, its decisions and what follows them, behind the `plugin` that links serve; `read` reads the host."""

    def __init__(
        self,
        read: Callable[[], Topology],
        inforce: InForce,
        watch: Watch,
        *,
        courier: Courier | None,
        configured: Callable[[nri.ConfigureRequest], None],
    ) -> None:
        self._read, self._watch = read, watch
        manners = inforce.manners
        self.node = Node(read(), inforce.config.policy, watch.decided)
        self.deciding = Deciding()
        self.cgroups = KernelCgroups()
        self._following = Following(self.node, self.deciding, self.cgroups, watch, manners, courier)
        self.plugin = Plugin(self.node, self.deciding, self._following, watch, manners, configured=configured)

    def carry_out(self, plan: Plan) -> None:
        """Have the plan of another policy become true. Hold the turn of `deciding`."""
        answer = self.node.reloaded(plan)
        self.node.commit(answer)
        self._following.carry_out(answer)

    async def host_changed(self) -> bool:
        """CPUs or memory came or went: read the host again, and make the best of it; False when it cannot be read."""
        try:
            host = await asyncio.to_thread(self._read)
        except BadInput as bad:
            self._watch.say("error", "the host cannot be read", error=str(bad))
            return False
        async with self.deciding.turn:
            answer = await self.deciding.finished(lambda: self.node.change_topology(host))
            self.node.commit(answer)
            for note in answer.notes:
                self._watch.say("warning", note)
            self._following.answered(answer)
            self._following.carry_out(answer)
        return True

    async def close(self) -> None:
        """No more decisions, and nothing that follows them."""
        await self._following.close()
        self.deciding.close()
