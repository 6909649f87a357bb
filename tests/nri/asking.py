"""Plugins for tests of the wire: one that says what it is told to say."""

from collections.abc import Awaitable, Callable

from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code, TtrpcError

ALL = 0x7FF
CREATE, UPDATE, STOP = (1 << (event - 1) for event in (nri.CREATE_CONTAINER, nri.UPDATE_CONTAINER, nri.STOP_CONTAINER))


class Scripted(IdlePlugin):
    """Answers with what the test puts here, and remembers what it was told."""

    def __init__(self, events: int = ALL) -> None:
        super().__init__(events)
        self.synchronizing: list[nri.ContainerUpdate] = []
        self.creating = nri.CreateContainerResponse()
        self.updating = nri.UpdateContainerResponse()
        self.stopping = nri.StopContainerResponse()
        self.before: Callable[[str], Awaitable[None]] | None = None  # awaited in every handler below, with its name
        self.told: list[str] = []
        self.configured: list[nri.ConfigureRequest] = []
        self.parts: list[nri.SynchronizeRequest] = []
        self.timeouts: list[float | None] = []

    async def _begin(self, name: str) -> None:
        self.told.append(name)
        if self.before is not None:
            await self.before(name)

    async def configure(self, request: nri.ConfigureRequest, timeout: float | None) -> nri.ConfigureResponse:
        self.configured.append(request)
        await self._begin("configure")
        return nri.ConfigureResponse(events=self.events)

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        self.parts.append(request)
        await self._begin("synchronize")
        return nri.SynchronizeResponse(more=request.more, update=[] if request.more else self.synchronizing)

    async def run_pod_sandbox(
        self, request: nri.RunPodSandboxRequest, timeout: float | None
    ) -> nri.RunPodSandboxResponse:
        await self._begin("run_pod_sandbox")
        return nri.RunPodSandboxResponse()

    async def create_container(
        self, request: nri.CreateContainerRequest, timeout: float | None
    ) -> nri.CreateContainerResponse:
        self.timeouts.append(timeout)
        await self._begin("create_container")
        return self.creating

    async def update_container(
        self, request: nri.UpdateContainerRequest, timeout: float | None
    ) -> nri.UpdateContainerResponse:
        await self._begin("update_container")
        return self.updating

    async def stop_container(
        self, request: nri.StopContainerRequest, timeout: float | None
    ) -> nri.StopContainerResponse:
        await self._begin("stop_container")
        return self.stopping

    async def remove_container(
        self, request: nri.RemoveContainerRequest, timeout: float | None
    ) -> nri.RemoveContainerResponse:
        await self._begin("remove_container")
        return nri.RemoveContainerResponse()

    async def state_change(self, request: nri.StateChangeEvent, timeout: float | None) -> nri.Empty:
        await self._begin(nri.Event.Name(request.event))
        return nri.Empty()


def cpus_update(container_id: str, cpus: str, *, ignore: bool = False) -> nri.ContainerUpdate:
    resources = nri.LinuxResources(cpu=nri.LinuxCPU(cpus=cpus))
    linux = nri.LinuxContainerUpdate(resources=resources)
    return nri.ContainerUpdate(container_id=container_id, linux=linux, ignore_failure=ignore)


def created_with(cpus: str, *updates: nri.ContainerUpdate) -> nri.CreateContainerResponse:
    answer = nri.CreateContainerResponse(update=updates)
    answer.adjust.linux.resources.cpu.cpus = cpus
    return answer


def refusing(name: str, code: Code, sentence: str) -> Callable[[str], Awaitable[None]]:
    """For `before`: that handler refuses."""

    async def before(called: str) -> None:
        if called == name:
            raise TtrpcError(code, sentence)

    return before
