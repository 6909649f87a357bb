"""What a link serves, and what it gives to whom it serves: the seam between the wire and the plugin."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from cpuplace_nri.abilities import Abilities
from cpuplace_nri.proto import nri_pb2 as nri


class RuntimeLink(Protocol):
    """The runtime as a plugin may ask it, for as long as one connection lasts."""

    closed: asyncio.Event
    abilities: Abilities  # what the runtime can do; known when `configure` is called

    async def update_containers(self, updates: Iterable[nri.ContainerUpdate]) -> tuple[nri.ContainerUpdate, ...]:
        """Those that failed, as far as the runtime tells; TtrpcError when it refuses or the link ends meanwhile.

        Never await it inside a handler: the runtime holds its lock until that answers, and throws the plugin out.
        Up to NRI 0.12.0 the call itself can block the runtime for good: ask `Abilities.unsolicited` first.
        """
        ...


class PluginService(Protocol):
    """Every RPC of the NRI service Plugin, by name; each request runs as a task of its own.

    `timeout`: seconds until the runtime gives up, None where it does not say. Raise TtrpcError(code, message) to
    refuse; any other exception becomes code 13 INTERNAL, is reported, and leaves the connection as it is. Runtimes
    before 0.12 tell the events without an answer by `state_change`, the others by calls of their own: implement both.
    """

    def linked(self, link: RuntimeLink) -> None:
        """A new connection serves this plugin from now on: nothing of what the one before said is worth anything."""
        ...

    async def configure(self, request: nri.ConfigureRequest, timeout: float | None) -> nri.ConfigureResponse:
        """Who the runtime is; the answer says which events the plugin wants."""
        ...

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        """One part of what exists; `more` of the answer is that of the request, updates only with the last part."""
        ...

    async def shutdown(self, request: nri.Empty, timeout: float | None) -> nri.Empty:
        """The runtime says goodbye; no known runtime does."""
        ...

    async def run_pod_sandbox(
        self, request: nri.RunPodSandboxRequest, timeout: float | None
    ) -> nri.RunPodSandboxResponse:
        """A pod begins. An error fails it."""
        ...

    async def update_pod_sandbox(
        self, request: nri.UpdatePodSandboxRequest, timeout: float | None
    ) -> nri.UpdatePodSandboxResponse:
        """The resources of a pod are about to change (0.10)."""
        ...

    async def post_update_pod_sandbox(
        self, request: nri.PostUpdatePodSandboxRequest, timeout: float | None
    ) -> nri.PostUpdatePodSandboxResponse:
        """They have changed."""
        ...

    async def stop_pod_sandbox(
        self, request: nri.StopPodSandboxRequest, timeout: float | None
    ) -> nri.StopPodSandboxResponse:
        """A pod ends: none of its containers runs any more."""
        ...

    async def remove_pod_sandbox(
        self, request: nri.RemovePodSandboxRequest, timeout: float | None
    ) -> nri.RemovePodSandboxResponse:
        """A pod is forgotten."""
        ...

    async def create_container(
        self, request: nri.CreateContainerRequest, timeout: float | None
    ) -> nri.CreateContainerResponse:
        """What the container gets, and changes to others that are made before. An error fails its creation."""
        ...

    async def post_create_container(
        self, request: nri.PostCreateContainerRequest, timeout: float | None
    ) -> nri.PostCreateContainerResponse:
        """A container was made."""
        ...

    async def start_container(
        self, request: nri.StartContainerRequest, timeout: float | None
    ) -> nri.StartContainerResponse:
        """A container is about to run."""
        ...

    async def post_start_container(
        self, request: nri.PostStartContainerRequest, timeout: float | None
    ) -> nri.PostStartContainerResponse:
        """A container runs."""
        ...

    async def update_container(
        self, request: nri.UpdateContainerRequest, timeout: float | None
    ) -> nri.UpdateContainerResponse:
        """Changes beside, or instead of, what somebody asks for the container; its own is made last."""
        ...

    async def post_update_container(
        self, request: nri.PostUpdateContainerRequest, timeout: float | None
    ) -> nri.PostUpdateContainerResponse:
        """A container was changed."""
        ...

    async def stop_container(
        self, request: nri.StopContainerRequest, timeout: float | None
    ) -> nri.StopContainerResponse:
        """A container has stopped, or crashed, or was never made: changes to others may ride along."""
        ...

    async def remove_container(
        self, request: nri.RemoveContainerRequest, timeout: float | None
    ) -> nri.RemoveContainerResponse:
        """A container is forgotten."""
        ...

    async def state_change(self, request: nri.StateChangeEvent, timeout: float | None) -> nri.Empty:
        """An event without an answer, before 0.12. An error here fails the pod, whatever its code."""
        ...

    async def validate_container_adjustment(
        self, request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
    ) -> nri.ValidateContainerAdjustmentResponse:
        """Whether what all plugins together want is good (0.10); no answer in time fails the creation."""
        ...
