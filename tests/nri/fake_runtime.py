"""A container runtime for tests: it speaks mux and ttrpc like containerd, merges like it, and breaks like it.

    async with FakeRuntime("0.8", topology) as rt:
        link = await rt.attach(plugin)                      # registered and synchronized
        made = await rt.create(a_pod("p"), a_container("c", "p", cpu=2))   # what CRI would get; CriError when it fails
        await rt.start("c")                                 # or rt.run(pod, container) for both
        rt.cpus["c"]                                        # what it runs on, in the kernel's eyes
        rt.moments                                          # who ran where after each single change of a cpuset
        rt.log, rt.requests                                 # what it would have logged, what plugins were asked

Requests are one at a time, as there. A plugin may also come by the socket at `rt.path`. More words in `Adaptation`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cpuplace import CpuSet, Topology
from cpuplace_nri.identity import Identity
from cpuplace_nri.link import Link
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.service import PluginService
from cpuplace_nri.ttrpc import Code, TtrpcError
from nri.adaptation import Adaptation
from nri.gowire import GoneError, NoAnswerError
from nri.kernel import CannotSetError, Kernel
from nri.merging import Merging, merge
from nri.peers import VERSIONS as VERSIONS
from nri.peers import CriError as CriError
from nri.peers import Peer
from nri.peers import WedgedError as WedgedError
from nri.pods import a_container as a_container
from nri.pods import a_pod as a_pod


class FakeRuntime(Adaptation):
    """See above; `options` are those of Adaptation."""

    def __init__(self, version: str = "0.12.2", host: Topology | None = None, **options: Any) -> None:
        host = host or Topology.uniform(packages=1, nodes_per_package=2, cores_per_l3=4)
        super().__init__(version, Kernel(host), **options)
        self._links: list[Link] = []
        self.fail_creates = False  # the runtime itself fails after the plugins have answered

    @property
    def cpus(self) -> dict[str, CpuSet]:
        """What each container runs on, or will."""
        return self.kernel.cpus

    @property
    def moments(self) -> Sequence[Mapping[str, CpuSet]]:
        """Who ran where, after each single change of any cpuset."""
        return self.kernel.moments

    async def attach(
        self,
        plugin: PluginService | Callable[[], PluginService],
        identity: Identity | None = None,
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> Link:
        """Connect a plugin and wait until it gets events; an error it reports is raised, unless `on_error` takes it."""
        who = identity or Identity()
        made: Callable[[], PluginService] = plugin if callable(plugin) else lambda: plugin
        link = await Link.over(self.connect(), made, on_error=on_error or _raise)
        await link.register(who.name, who.index)
        self._links.append(link)
        await self.synchronized(who.whole)
        return link

    async def end(self) -> None:
        await super().end()
        for link in self._links:  # the plugins' ends see it too, before a test is over
            await link.closed.wait()
        self._links.clear()

    # --- what CRI asks, and what happens ----------------------------------------------------------------

    async def run_pod(self, pod: nri.PodSandbox) -> None:
        self.pods[pod.id] = pod
        try:
            async with self.request():
                await self.tell(nri.RUN_POD_SANDBOX, pod)
        except CriError:
            del self.pods[pod.id]
            raise

    async def stop_pod(self, pod_id: str) -> None:
        """Its containers are stopped first, as CRI does."""
        for key in self.containers_of(pod_id):
            await self.stop(key)
        async with self.request():
            await self.tell(nri.STOP_POD_SANDBOX, self.pods[pod_id])

    async def remove_pod(self, pod_id: str) -> None:
        """Its containers are removed first."""
        for key in self.containers_of(pod_id):
            await self.remove(key)
        async with self.request():
            await self.tell(nri.REMOVE_POD_SANDBOX, self.pods.pop(pod_id))

    def containers_of(self, pod_id: str) -> list[str]:
        return [key for key, one in self.kernel.specs.items() if one.pod_sandbox_id == pod_id]

    async def run(self, pod: nri.PodSandbox, container: nri.Container) -> nri.Container:
        """Create and start."""
        made = await self.create(pod, container)
        await self.start(container.id)
        return made

    async def create(self, pod: nri.PodSandbox, container: nri.Container) -> nri.Container:
        """The container as it was made. Its pod is run first if it is not there."""
        if pod.id not in self.pods:
            await self.run_pod(pod)
        merging = self._merging(container.id, creating=True)
        async with self.request():
            await self._ask_about_creation(pod, container, merging)
            await self._validate(pod, container, merging)
        self.apply(merging.others.values(), "pre-create update")
        if self.fail_creates:
            await self._undo_create(pod, container)
            raise CriError(Code.UNKNOWN, "failed to create containerd container: no space left on device")
        made = _made(container, merging)
        self.kernel.specs[container.id] = made
        async with self.request():
            await self.tell(nri.POST_CREATE_CONTAINER, pod, made)
        return made

    async def start(self, key: str) -> None:
        """CriError when the kernel does not take its cpuset: only now is it written."""
        one = self.kernel.specs[key]
        pod = self.pods[one.pod_sandbox_id]
        async with self.request():
            await self.tell(nri.START_CONTAINER, pod, one)
        try:
            self.kernel.start(key)
        except CannotSetError as error:
            raise CriError(Code.UNKNOWN, f"failed to start: {error}") from None
        one.state, one.pid = nri.CONTAINER_RUNNING, 1000 + len(self.kernel.moments)
        async with self.request():
            await self.tell(nri.POST_START_CONTAINER, pod, one)

    async def update(self, key: str, resources: nri.LinuxResources | None = None, *, cpus: str = "") -> None:
        """What the kubelet does: all numbers are present, zeros included; `cpus`: what its CPU manager wants."""
        one = self.kernel.specs[key]
        pod = self.pods[one.pod_sandbox_id]
        merging = self._merging(key)
        merging.own.CopyFrom(_as_the_kubelet_says(resources, cpus))
        async with self.request():
            for peer in self.subscribed(nri.UPDATE_CONTAINER):
                request = nri.UpdateContainerRequest(pod=pod, container=one, linux_resources=merging.own)
                answer = await self.ask(peer, "UpdateContainer", request)
                if answer is not None:
                    _join(merging, peer, nri.UpdateContainerResponse.FromString(answer).update)
        self.apply(merging.others.values(), "pre-update update")
        try:
            self.kernel.update(key, _without_zeros(merging.own))
        except CannotSetError as error:
            raise CriError(Code.UNKNOWN, f"failed to update: {error}") from None
        async with self.request():
            await self.tell(nri.POST_UPDATE_CONTAINER, pod, one)

    async def stop(self, key: str) -> None:
        """Stop it, and tell: what plugins answer is made afterwards."""
        self.exit(key)
        await self.tell_exit(key)

    def exit(self, key: str) -> None:
        """Its processes are gone, by themselves or not; nobody was told yet, see `tell_exit`."""
        self.kernel.end(key)
        self.kernel.specs[key].state = nri.CONTAINER_STOPPED

    async def tell_exit(self, key: str) -> None:
        """Another thread tells: it may be late, after the next attempt was created."""
        one = self.kernel.specs[key]
        await self._tell_stopped(self.pods[one.pod_sandbox_id], one)

    async def remove(self, key: str) -> None:
        """Stopped first where it still runs."""
        if key in self.kernel.running:
            await self.stop(key)
        one = self.kernel.specs.pop(key)
        async with self.request():
            await self.tell(nri.REMOVE_CONTAINER, self.pods[one.pod_sandbox_id], one)

    # --- inside ---------------------------------------------------------------------------------------

    def _merging(self, key: str, *, creating: bool = False) -> Merging:
        return Merging(key, self.release.nri >= (0, 10, 0), creating=creating)

    async def _ask_about_creation(self, pod: nri.PodSandbox, container: nri.Container, merging: Merging) -> None:
        for peer in self.subscribed(nri.CREATE_CONTAINER):
            request = nri.CreateContainerRequest(pod=pod, container=_made(container, merging))
            answer = await self.ask(peer, "CreateContainer", request)
            if answer is None:
                continue
            reply = nri.CreateContainerResponse.FromString(answer)
            try:
                merging.adjust(peer.whole, reply.adjust)
            except TtrpcError as error:
                raise CriError(error.code, error.message) from None
            _join(merging, peer, reply.update)

    async def _validate(self, pod: nri.PodSandbox, container: nri.Container, merging: Merging) -> None:
        """Who does not answer fails the creation."""
        request = nri.ValidateContainerAdjustmentRequest(
            pod=pod,
            container=container,
            adjust=nri.ContainerAdjustment(annotations=merging.annotations),
            update=merging.others.values(),
            plugins=[nri.PluginInstance(name=peer.name, index=peer.index) for peer in self.plugins],
        )
        request.adjust.linux.resources.CopyFrom(merging.own)
        for (key, name), who in merging.owners.items():
            if name in _FIELD_NUMBERS:
                request.owners.owners[key].simple[_FIELD_NUMBERS[name]] = who
        for peer in self.subscribed(nri.VALIDATE_CONTAINER_ADJUSTMENT):
            try:
                answer = await self.call(peer, "ValidateContainerAdjustment", request)
            except (GoneError, NoAnswerError, TtrpcError) as error:
                if not isinstance(error, TtrpcError):
                    self.lose(peer, f"validation: {error}")
                raise CriError(Code.UNKNOWN, f"validator plugin {peer.whole}: {error}") from None
            reply = nri.ValidateContainerAdjustmentResponse.FromString(answer)
            if reply.reject:
                raise CriError(Code.UNKNOWN, f"validator plugin {peer.whole} rejected: {reply.reason}")

    async def _undo_create(self, pod: nri.PodSandbox, container: nri.Container) -> None:
        """Plugins hear of the end of a container that never was."""
        await self._tell_stopped(pod, container)
        async with self.request():
            await self.tell(nri.REMOVE_CONTAINER, pod, container)

    async def _tell_stopped(self, pod: nri.PodSandbox, container: nri.Container) -> None:
        merging = self._merging("")
        try:
            async with self.request():
                for peer in self.subscribed(nri.STOP_CONTAINER):
                    answer = await self.ask(
                        peer, "StopContainer", nri.StopContainerRequest(pod=pod, container=container)
                    )
                    if answer is not None:
                        _join(merging, peer, nri.StopContainerResponse.FromString(answer).update)
        except CriError as error:
            self.log.append(f"NRI container stop failed: {error}")
            return
        self.apply(merging.others.values(), "post-stop update")


_FIELD_NUMBERS = {"cpus": nri.Field.CPUSetCPUs, "mems": nri.Field.CPUSetMems}


def _made(container: nri.Container, merging: Merging) -> nri.Container:
    """The container with what plugins want of it so far."""
    made = nri.Container()
    made.CopyFrom(container)
    merge(made.linux.resources, merging.own)
    made.annotations.update(merging.annotations)
    made.env.extend(f"{key}={value}" for key, value in merging.env.items())
    return made


def _join(merging: Merging, peer: Peer, updates: Iterable[nri.ContainerUpdate]) -> None:
    try:
        for update in updates:
            merging.update(peer.whole, update)
    except TtrpcError as error:
        raise CriError(error.code, error.message) from None


def _as_the_kubelet_says(resources: nri.LinuxResources | None, cpus: str) -> nri.LinuxResources:
    asked = nri.LinuxResources()
    for message in (asked.cpu.shares, asked.cpu.quota, asked.cpu.period, asked.memory.limit):
        message.SetInParent()
    if resources is not None:
        asked.MergeFrom(resources)
    asked.cpu.cpus = cpus or asked.cpu.cpus
    return asked


def _without_zeros(resources: nri.LinuxResources) -> nri.LinuxResources:
    """A zero in what the kubelet sends means nothing."""
    said = nri.LinuxResources()
    said.CopyFrom(resources)
    for name in ("shares", "quota", "period"):
        if not getattr(said.cpu, name).value:
            said.cpu.ClearField(name)
    if not said.memory.limit.value:
        said.memory.ClearField("limit")
    return said


def _raise(error: Exception) -> None:
    raise error
