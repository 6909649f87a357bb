"""What a fake runtime knows of plugins, of versions, and of ways to fail."""

import asyncio
from typing import Final

from attrs import define, field, frozen

from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code
from nri.gowire import GoWire

EVENTS: Final = {
    nri.RUN_POD_SANDBOX: "RunPodSandbox",
    nri.STOP_POD_SANDBOX: "StopPodSandbox",
    nri.REMOVE_POD_SANDBOX: "RemovePodSandbox",
    nri.POST_CREATE_CONTAINER: "PostCreateContainer",
    nri.START_CONTAINER: "StartContainer",
    nri.POST_START_CONTAINER: "PostStartContainer",
    nri.POST_UPDATE_CONTAINER: "PostUpdateContainer",
    nri.REMOVE_CONTAINER: "RemoveContainer",
}
FATAL: Final = {nri.RUN_POD_SANDBOX, nri.START_CONTAINER}  # an error there fails what was asked; others are only logged


@frozen
class Release:
    """What is special about one version of NRI, and a runtime that has it."""

    nri: tuple[int, int, int]
    runtime: str

    @property
    def every_event(self) -> int:
        return 0x3FFF if self.nri >= (0, 10, 0) else 0x7FF


RELEASES: Final = {
    "0.6.1": Release((0, 6, 1), "1.7.24~ds1"),
    "0.8": Release((0, 8, 0), "2.1.9+unknown"),
    "0.10": Release((0, 10, 0), "v2.2.0"),
    "0.12.0": Release((0, 12, 0), "v2.3.4"),
    "0.12.2": Release((0, 12, 2), "v2.4.0-beta.0"),
}
VERSIONS: Final = tuple(RELEASES)


class CriError(Exception):
    """What whoever asked the runtime gets."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{Code(code).name}: {message}")
        self.code, self.message = Code(code), message


class WedgedError(Exception):
    """The runtime hangs and only a restart helps: UpdateContainers met another request on NRI before 0.12.1."""


@define(eq=False)
class Peer:
    """A plugin that is connected."""

    wire: GoWire
    name: str = ""
    index: str = ""
    events: int = 0
    said_version: str = ""
    registered: asyncio.Event = field(factory=asyncio.Event)
    configured: asyncio.Event = field(factory=asyncio.Event)

    @property
    def whole(self) -> str:
        return f"{self.index}-{self.name}"

    def wants(self, event: int) -> bool:
        return bool(self.events & 1 << event - 1)
