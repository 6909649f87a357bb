"""Standing: how a plugin stands with its runtime: who that is, whether it is there and has told what runs."""

from typing import TYPE_CHECKING, Any

from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.tally import Tally

if TYPE_CHECKING:
    from cpuplace import HostState
    from cpuplace_nri.link import Link
    from cpuplace_nri.node import Node


class Standing:
    """What is known of the runtime; `link` and `node` are None until there is one."""

    def __init__(self, tally: Tally) -> None:
        self.link: Link | None = None
        self.node: Node | None = None
        self._tally = tally
        self._runtime: dict[str, str] = {}

    def told(self, request: nri.ConfigureRequest) -> None:
        """Remember who the runtime is."""
        self._runtime = {
            "name": request.runtime_name,
            "version": request.runtime_version,
            "nri": request.NRI_version,
        }

    @property
    def introduced(self) -> bool:
        """Whether the runtime has said who it is."""
        return bool(self._runtime)

    def missing(self) -> str:
        """Why the plugin is not ready, "" when it is."""
        if self.link is None or self.link.closed.is_set():
            return "no runtime is connected"
        if self.node is None or not self.node.synchronized:
            return "the runtime has not told its containers yet"
        return ""

    def state(self) -> "HostState | None":
        """Who holds what, None before the runtime has told."""
        return self.node.state if self.node is not None and self.node.synchronized else None

    def runtime(self) -> dict[str, Any]:
        """What is known of the runtime and the connection."""
        return {**self._runtime, "missing": self.missing(), "connections": self._tally.counted("connections")}
