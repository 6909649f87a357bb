"""What of a fake runtime deals with plugins: takes them in, asks and tells them, loses them."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from google.protobuf.message import Message

from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc import Code, TtrpcError
from nri.gowire import LIMIT, GoneError, GoWire, NoAnswerError, unimplemented
from nri.kernel import CannotSetError, Kernel
from nri.peers import EVENTS, FATAL, RELEASES, CriError, Peer, WedgedError


class Adaptation:
    """Named after the part of NRI that does this in a runtime."""

    def __init__(
        self,
        version: str,
        kernel: Kernel,
        *,
        configure_first: bool = True,
        request_timeout: float = 30.0,
        registration_timeout: float = 30.0,
        frame_size: int = 0,
        cut: int = 0,
        config: str = "",
        name: str = "containerd",
        limit: int = LIMIT,
    ) -> None:
        """`configure_first`: Configure comes before the answer to RegisterPlugin; `limit`: of one message, from 0.7.

        Real time-outs are 2 and 5 s; here they are long, since a busy machine is no fault of the plugin.
        """
        self.release = RELEASES[version]
        self.kernel = kernel
        self.pods: dict[str, nri.PodSandbox] = {}
        self.plugins: list[Peer] = []  # those that get events
        self.log: list[str] = []
        self.requests: list[tuple[str, Message]] = []  # what plugins were asked
        self.wires: list[GoWire] = []  # every connection since the last start
        self.wedged = False
        self._configure_first, self._config, self._name, self._limit = configure_first, config, name, limit
        self._request_timeout, self._registration_timeout = request_timeout, registration_timeout
        self._frame_size, self._cut = frame_size, cut
        self._lock = asyncio.Lock()
        self._taking_in = asyncio.Lock()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the runtime's own life ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="nri-")
        self.path = Path(self._folder.name) / "nri.sock"
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()
        self._folder.cleanup()

    async def end(self) -> None:
        """The process ends: plugins see the end of their connections, never a Shutdown; the socket stays, deaf."""
        for wire in self.wires:
            wire.close("the runtime stopped")
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        self.plugins.clear()
        self.wires.clear()
        self._changed.set()

    async def restart(self) -> None:
        """Containers go on running with what they have; plugins have to come back."""
        await self.end()
        self.come_back()

    def come_back(self) -> None:
        """Listen again after `end`."""
        self.wedged = False
        self._lock, self._taking_in = asyncio.Lock(), asyncio.Lock()
        self._listen()

    def _listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(self.path))
        self._listener.listen(128)
        self._begin(self._accept(self._listener))

    async def _accept(self, listener: socket.socket) -> None:
        """One registration after the other, as there: who says nothing holds up the rest."""
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            sock.setblocking(False)
            await self._take_in(self._wire(sock))

    # --- plugins come and go --------------------------------------------------------------------------

    def connect(self, *, told: bool = True) -> socket.socket:
        """The plugin's end of a new connection, as a pre-installed plugin gets it; `told` False = not what runs, as
        containerd 1.7.24 does."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._begin(self._take_in(self._wire(ours), told=told))
        return theirs

    async def synchronized(self, whole: str = Identity().whole) -> Peer:
        """Wait until a plugin of this name gets events."""
        while True:
            for peer in self.plugins:
                if peer.whole == whole:
                    return peer
            await self.changed()

    async def changed(self) -> None:
        """Wait until a plugin came or went."""
        self._changed.clear()
        await self._changed.wait()

    def lose(self, peer: Peer, why: str) -> None:
        """Throw a plugin out, without a word to it."""
        self.log.append(f"closing plugin {peer.whole}, {why}")
        peer.wire.close(why)
        if peer in self.plugins:
            self.plugins.remove(peer)
        self._changed.set()

    def _wire(self, sock: socket.socket) -> GoWire:
        self.wires.append(GoWire(sock, frame_size=self._frame_size, cut=self._cut))
        return self.wires[-1]

    async def _take_in(self, wire: GoWire, *, told: bool = True) -> None:
        """Until the plugin gets events, or was thrown out."""
        peer = Peer(wire)
        async with self._taking_in:
            await wire.start(lambda service, method, data: self._serve(peer, service, method, data))
            try:
                async with asyncio.timeout(self._registration_timeout):
                    await _either(peer.registered, wire.gone)
                if not wire.gone.is_set():
                    await self._bring_in(peer, told)
            except TimeoutError:
                self.log.append("registration timed out")
                wire.close("registration timed out")
            except (GoneError, NoAnswerError, TtrpcError) as error:
                self.log.append(f"failed to start plugin {peer.whole}: {error}")
                wire.close(str(error))
        self._changed.set()

    async def _serve(self, peer: Peer, service: str, method: str, data: bytes) -> Message:
        if service != "nri.pkg.api.v1alpha1.Runtime":
            raise unimplemented(service)
        if method == "UpdateContainers":
            return await self._unsolicited(nri.UpdateContainersRequest.FromString(data))
        if method != "RegisterPlugin":
            raise unimplemented(method)
        request = nri.RegisterPluginRequest.FromString(data)
        if not request.plugin_name or len(request.plugin_idx) != 2 or not request.plugin_idx.isdecimal():
            raise TtrpcError(Code.UNKNOWN, f"invalid plugin {request.plugin_idx!r} {request.plugin_name!r}")
        peer.name, peer.index, peer.said_version = request.plugin_name, request.plugin_idx, request.NRI_version
        peer.registered.set()
        if self._configure_first:
            await _either(peer.configured, peer.wire.gone)
        return nri.Empty()

    async def _unsolicited(self, request: nri.UpdateContainersRequest) -> Message:
        if self.release.nri < (0, 12, 1) and self._lock.locked():
            self.wedged = True  # containerd#13733: both wait for each other, for ever
            await asyncio.Event().wait()
        async with self._lock:
            if self.apply(request.update, "NRI update"):
                raise TtrpcError(Code.UNKNOWN, "NRI update of some containers failed")
        return nri.UpdateContainersResponse()

    async def _bring_in(self, peer: Peer, told: bool) -> None:
        if not self._configure_first:
            await asyncio.sleep(0.002)
        answer = nri.ConfigureResponse.FromString(await self.call(peer, "Configure", self._configuration()))
        if answer.events & ~self.release.every_event:
            raise GoneError(f"invalid plugin events: {answer.events:#x}")
        peer.events = answer.events or self.release.every_event
        peer.configured.set()
        async with self.request():
            if told:
                self.apply(await self._synchronize(peer), "synchronization update")
            self.plugins.append(peer)
        self.log.append(f"plugin {peer.whole} connected and synchronized")
        self._begin(self._watch(peer))

    def _configuration(self) -> nri.ConfigureRequest:
        said = nri.ConfigureRequest(config=self._config, runtime_name=self._name, runtime_version=self.release.runtime)
        if self.release.nri >= (0, 7, 0):
            said.registration_timeout = int(self._registration_timeout * 1000)
            said.request_timeout = int(self._request_timeout * 1000)
        if self.release.nri >= (0, 12, 0):
            said.NRI_version = ".".join(map(str, self.release.nri))
        return said

    async def _watch(self, peer: Peer) -> None:
        await peer.wire.gone.wait()
        if peer in self.plugins:
            self.lose(peer, f"the connection is over: {peer.wire.why}")

    async def _synchronize(self, peer: Peer) -> Iterable[nri.ContainerUpdate]:
        """All that did not exit; from 0.7 on in parts when it is long.

        Pods and containers are divided by the same factor, each list for itself: so few pods that none is left for a
        part are never sent, and empty parts follow without end.
        """
        containers = [one for one in self.kernel.specs.values() if one.state != nri.CONTAINER_STOPPED]
        pods = list(self.pods.values())
        pods_each, containers_each = len(pods), len(containers)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._request_timeout
        while True:
            part = nri.SynchronizeRequest(pods=pods[:pods_each], containers=containers[:containers_each])
            part.more = len(pods) > pods_each or len(containers) > containers_each
            size = part.ByteSize()
            if size > self._limit and self.release.nri >= (0, 7, 0):
                if pods_each + containers_each <= 8:
                    raise GoneError("failed to synchronize plugin with split messages")
                factor = min(0.9, self._limit / size)
                pods_each, containers_each = int(pods_each * factor), int(containers_each * factor)
                continue
            answer = await self.call(peer, "Synchronize", part, timeout=max(0.0, deadline - clock()))
            reply = nri.SynchronizeResponse.FromString(answer)
            if not part.more:
                return reply.update
            if reply.update or not reply.more:
                raise GoneError("plugin does not handle split sync requests")
            pods, containers = pods[pods_each:], containers[containers_each:]
            pods_each, containers_each = min(pods_each, len(pods)), min(containers_each, len(containers))

    # --- asking and telling -----------------------------------------------------------------------------

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """One request at a time."""
        if self.wedged:
            raise WedgedError
        async with self._lock:
            yield

    def subscribed(self, event: int) -> list[Peer]:
        """In the order of their indexes."""
        return [peer for peer in sorted(self.plugins, key=lambda peer: peer.index) if peer.wants(event)]

    async def call(self, peer: Peer, method: str, request: Message, timeout: float | None = None) -> bytes:
        self.requests.append((method, request))
        return await peer.wire.call(method, request, self._request_timeout if timeout is None else timeout)

    async def ask(self, peer: Peer, method: str, request: Message) -> bytes | None:
        """None when the plugin is lost meanwhile, which nothing waits for (fail-open); CriError when it refuses."""
        try:
            return await self.call(peer, method, request)
        except (GoneError, NoAnswerError) as error:
            self.lose(peer, f"failed to handle {method} request: {error}")
            return None
        except TtrpcError as error:
            raise CriError(error.code, error.message) from None

    async def tell(
        self, event: "nri.Event.ValueType", pod: nri.PodSandbox, container: nri.Container | None = None
    ) -> None:
        """An event without an answer, in the form that this version has for it."""
        for peer in self.subscribed(event):
            try:
                await self._tell_one(peer, event, pod, container)
            except (GoneError, NoAnswerError) as error:
                self.lose(peer, f"failed to handle {EVENTS[event]}: {error}")
            except TtrpcError as error:
                if event in FATAL:
                    raise CriError(error.code, error.message) from None
                self.log.append(f"{EVENTS[event]} of {peer.whole} failed: {error}")

    async def _tell_one(
        self, peer: Peer, event: "nri.Event.ValueType", pod: nri.PodSandbox, container: nri.Container | None
    ) -> None:
        if self.release.nri >= (0, 12, 0):
            about = {"pod": pod} | ({"container": container} if container is not None else {})
            try:
                await self.call(peer, EVENTS[event], getattr(nri, f"{EVENTS[event]}Request")(**about))
                return
            except TtrpcError as error:
                if error.code != Code.UNIMPLEMENTED:
                    raise
                self.log.append(f"{peer.whole}: deprecated StateChange for {EVENTS[event]}")
        await self.call(peer, "StateChange", nri.StateChangeEvent(event=event, pod=pod, container=container))

    def apply(self, updates: Iterable[nri.ContainerUpdate], what: str) -> list[str]:
        """Each by itself, in order; failures are logged, and nobody is told. The ids of those that failed."""
        failed = []
        for update in updates:
            try:
                self.kernel.update(update.container_id, update.linux.resources)
            except CannotSetError as error:
                if not update.ignore_failure:
                    self.log.append(f"{what} failed: {error}")
                    failed.append(update.container_id)
        return failed

    def _begin(self, part: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(part)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
