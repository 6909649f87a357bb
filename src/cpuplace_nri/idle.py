"""A plugin that does nothing: what a real one is built on, and what its speed is compared with."""

from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.service import RuntimeLink


class IdlePlugin:
    """Answers every RPC with an empty message, and Synchronize with the `more` asked for; wants the mask `events`."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.link: RuntimeLink | None = None

    def linked(self, link: RuntimeLink) -> None:
        """Remember the connection."""
        self.link = link

    async def configure(self, request: nri.ConfigureRequest, timeout: float | None) -> nri.ConfigureResponse:
        """The mask."""
        return nri.ConfigureResponse(events=self.events)

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        """No updates."""
        return nri.SynchronizeResponse(more=request.more)

    async def shutdown(self, request: nri.Empty, timeout: float | None) -> nri.Empty:
        """Nothing to say."""
        return nri.Empty()

    async def run_pod_sandbox(
        self, request: nri.RunPodSandboxRequest, timeout: float | None
    ) -> nri.RunPodSandboxResponse:
        """Nothing to say."""
        return nri.RunPodSandboxResponse()

    async def update_pod_sandbox(
        self, request: nri.UpdatePodSandboxRequest, timeout: float | None
    ) -> nri.UpdatePodSandboxResponse:
        """Nothing to say."""
        return nri.UpdatePodSandboxResponse()

    async def post_update_pod_sandbox(
        self, request: nri.PostUpdatePodSandboxRequest, timeout: float | None
    ) -> nri.PostUpdatePodSandboxResponse:
        """Nothing to say."""
        return nri.PostUpdatePodSandboxResponse()

    async def stop_pod_sandbox(
        self, request: nri.StopPodSandboxRequest, timeout: float | None
    ) -> nri.StopPodSandboxResponse:
        """Nothing to say."""
        return nri.StopPodSandboxResponse()

    async def remove_pod_sandbox(
        self, request: nri.RemovePodSandboxRequest, timeout: float | None
    ) -> nri.RemovePodSandboxResponse:
        """Nothing to say."""
        return nri.RemovePodSandboxResponse()

    async def create_container(
        self, request: nri.CreateContainerRequest, timeout: float | None
    ) -> nri.CreateContainerResponse:
        """Nothing to say."""
        return nri.CreateContainerResponse()

    async def post_create_container(
        self, request: nri.PostCreateContainerRequest, timeout: float | None
    ) -> nri.PostCreateContainerResponse:
        """Nothing to say."""
        return nri.PostCreateContainerResponse()

    async def start_container(
        self, request: nri.StartContainerRequest, timeout: float | None
    ) -> nri.StartContainerResponse:
        """Nothing to say."""
        return nri.StartContainerResponse()

    async def post_start_container(
        self, request: nri.PostStartContainerRequest, timeout: float | None
    ) -> nri.PostStartContainerResponse:
        """Nothing to say."""
        return nri.PostStartContainerResponse()

    async def update_container(
        self, request: nri.UpdateContainerRequest, timeout: float | None
    ) -> nri.UpdateContainerResponse:
        """Nothing to say."""
        return nri.UpdateContainerResponse()

    async def post_update_container(
        self, request: nri.PostUpdateContainerRequest, timeout: float | None
    ) -> nri.PostUpdateContainerResponse:
        """Nothing to say."""
        return nri.PostUpdateContainerResponse()

    async def stop_container(
        self, request: nri.StopContainerRequest, timeout: float | None
    ) -> nri.StopContainerResponse:
        """Nothing to say."""
        return nri.StopContainerResponse()

    async def remove_container(
        self, request: nri.RemoveContainerRequest, timeout: float | None
    ) -> nri.RemoveContainerResponse:
        """Nothing to say."""
        return nri.RemoveContainerResponse()

    async def state_change(self, request: nri.StateChangeEvent, timeout: float | None) -> nri.Empty:
        """Nothing to say."""
        return nri.Empty()

    async def validate_container_adjustment(
        self, request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
    ) -> nri.ValidateContainerAdjustmentResponse:
        """Nothing to say."""
        return nri.ValidateContainerAdjustmentResponse()
