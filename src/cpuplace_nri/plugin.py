"""Plugin: the calls of a runtime, answered by what the node decides, in time, whatever happens."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from attrs import define, evolve, field

from cpuplace import Refusal
from cpuplace_nri.abilities import Abilities
from cpuplace_nri.advice import sentence
from cpuplace_nri.answer import Answer, Own
from cpuplace_nri.deciding import Deciding, TooLate, deadline
from cpuplace_nri.decision import Decision
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.manners import Manners
from cpuplace_nri.node import Node, has_own
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.seen import Seen
from cpuplace_nri.service import RuntimeLink
from cpuplace_nri.translate import adjustment, asked_cpus, seen_of, updates, with_numbers
from cpuplace_nri.ttrpc import Code
from cpuplace_nri.voice import Voice

WANTED: Final = (
    nri.Event.CREATE_CONTAINER,
    nri.Event.UPDATE_CONTAINER,
    nri.Event.STOP_CONTAINER,
    nri.Event.REMOVE_CONTAINER,
    nri.Event.REMOVE_POD_SANDBOX,
)
"""Every event costs the runtime a round trip, and is a chance to be late."""

EMPTY_PARTS: Final = 64
"""Parts of a Synchronize without anything in them: some runtimes send them without end."""

_CODES: Final = {"BadPin": Code.INVALID_ARGUMENT, "BadAnnotation": Code.INVALID_ARGUMENT}
_LIVE: Final = (
    nri.ContainerState.CONTAINER_CREATED,
    nri.ContainerState.CONTAINER_RUNNING,
    nri.ContainerState.CONTAINER_PAUSED,
)


class Afterwards(Protocol):
    """What is done once an answer is on its way: comparing, widening."""

    def linked(self, link: RuntimeLink) -> None:
        """Another connection."""
        ...

    def answered(self, answer: Answer) -> None:
        """An answer was given, and is true."""
        ...

    def carry_out(self, answer: Answer) -> None:
        """An answer is true that nobody carries out for us."""
        ...


@define(slots=True)
class Parts:
    """A Synchronize that comes in parts."""

    pods: dict[str, nri.PodSandbox] = field(factory=dict)
    containers: list[nri.Container] = field(factory=list)
    empty: int = 0


class Plugin(IdlePlugin):
    """What a link serves. `configured` hears the configuration that a runtime hands to plugins it starts itself."""

    def __init__(
        self,
        node: Node,
        deciding: Deciding,
        afterwards: Afterwards,
        voice: Voice,
        manners: Manners,
        configured: Callable[[nri.ConfigureRequest], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(0)
        self.abilities = Abilities.of("", "", "")
        self._node, self._deciding, self._afterwards, self._voice = node, deciding, afterwards, voice
        self._manners, self._configured, self._clock = manners, configured, clock
        self._parts = Parts()
        self._held: set[str] = set()
        self._said_policy = False
        self._catching_up: set[asyncio.Task[None]] = set()

    def linked(self, link: RuntimeLink) -> None:
        """A new connection: what was half told before is worth nothing."""
        super().linked(link)
        self._parts = Parts()
        self._node.synchronized = False
        self._afterwards.linked(link)

    async def configure(self, request: nri.ConfigureRequest, timeout: float | None) -> nri.ConfigureResponse:
        """Who the runtime is, and the events that we want of those it has."""
        self.abilities = Abilities.of_request(request)
        self._configured(request)
        wanted: tuple[int, ...] = WANTED
        if self._manners.fail_closed:
            wanted = (*WANTED, nri.Event.VALIDATE_CONTAINER_ADJUSTMENT)
            if not self.abilities.validation:
                self._voice.say("warning", "fail_closed needs NRI 0.10", nri=_dotted(self.abilities))
        self._voice.say(
            "info",
            "configured",
            runtime=request.runtime_name,
            version=request.runtime_version,
            nri=_dotted(self.abilities),
        )
        return nri.ConfigureResponse(events=self.abilities.mask(*wanted))

    async def synchronize(self, request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        """Everything that runs, in parts; the last one is answered with what must be mended."""
        parts = self._parts
        parts.pods |= {pod.id: pod for pod in request.pods}
        parts.containers += request.containers
        if request.more:
            parts.empty += not request.pods and not request.containers
            if parts.empty > EMPTY_PARTS:
                raise TtrpcError(Code.ABORTED, "the runtime sends empty parts of a Synchronize without end")
            return nri.SynchronizeResponse(more=True)
        self._parts = Parts()
        answer = await self._noted("Synchronize", lambda: self._synchronized(parts), timeout)
        return nri.SynchronizeResponse(update=[] if answer is None else updates(answer.changes))

    def _synchronized(self, parts: Parts) -> Answer:
        live = [one for one in parts.containers if one.id and one.state in _LIVE and one.pod_sandbox_id in parts.pods]
        seen = (seen_of(parts.pods[one.pod_sandbox_id], one) for one in live)
        return self._node.synchronize(seen, {pod.uid or pod.id for pod in parts.pods.values()})

    async def create_container(
        self, request: nri.CreateContainerRequest, timeout: float | None
    ) -> nri.CreateContainerResponse:
        """What the container gets, and who makes way; an error is the sentence that ends in the pod's events."""
        if not self._node.synchronized:
            what = "cpuplace: the runtime has not told yet what runs here; it is asked for again"
            raise TtrpcError(Code.UNAVAILABLE, what)
        seen = seen_of(request.pod, request.container, created=True)
        short = self._node.is_short(seen)
        answer = await self._answered("CreateContainer", lambda: self._node.create(seen), timeout, seen, short=short)
        return nri.CreateContainerResponse(adjust=self._adjustment(answer.own), update=updates(answer.changes))

    def _adjustment(self, own: Own | None) -> nri.ContainerAdjustment | None:
        knows, off = self.abilities.memory_policy, self._manners.quota_off
        if own is not None and own.held.preferred and not knows and not self._said_policy:
            self._said_policy = True
            self._voice.say(
                "warning", "memory_policy preferred needs NRI 0.12: left alone", nri=_dotted(self.abilities)
            )
        return None if own is None else adjustment(own, memory_policy=knows, quota_off=off)

    async def update_container(
        self, request: nri.UpdateContainerRequest, timeout: float | None
    ) -> nri.UpdateContainerResponse:
        """Another size; and nobody takes away what the container has."""
        known = self._node.known.seen.get(request.container.id) or seen_of(request.pod, request.container)
        seen, asked = with_numbers(known, request.linux_resources), asked_cpus(request.linux_resources)
        answer = await self._answered("UpdateContainer", lambda: self._node.update(seen, asked), timeout, seen)
        held = answer.known.state.assignments.get(known.container_id)
        off = known.container_id if self._manners.quota_off and held is not None and has_own(held) else ""
        return nri.UpdateContainerResponse(update=updates(answer.changes, quota_off=off))

    async def stop_container(
        self, request: nri.StopContainerRequest, timeout: float | None
    ) -> nri.StopContainerResponse:
        """It has stopped, or never came to be."""
        answer = await self._gone("StopContainer", request.container.id, timeout)
        return nri.StopContainerResponse(update=updates(answer.changes) if answer else [])

    async def remove_container(
        self, request: nri.RemoveContainerRequest, timeout: float | None
    ) -> nri.RemoveContainerResponse:
        """The same, for those whose stop nobody told."""
        await self._gone("RemoveContainer", request.container.id, timeout)
        return nri.RemoveContainerResponse()

    async def remove_pod_sandbox(
        self, request: nri.RemovePodSandboxRequest, timeout: float | None
    ) -> nri.RemovePodSandboxResponse:
        """A sandbox is gone."""
        await self._pod_gone(request.pod, timeout)
        return nri.RemovePodSandboxResponse()

    async def state_change(self, request: nri.StateChangeEvent, timeout: float | None) -> nri.Empty:
        """The same two before NRI 0.12. An error here would fail a pod, so there is none."""
        if request.event == nri.Event.REMOVE_CONTAINER:
            await self._gone("RemoveContainer", request.container.id, timeout)
        elif request.event == nri.Event.REMOVE_POD_SANDBOX:
            await self._pod_gone(request.pod, timeout)
        return nri.Empty()

    async def validate_container_adjustment(
        self, request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
    ) -> nri.ValidateContainerAdjustmentResponse:
        """No when the CPUs are not those that we gave: another plugin's, or none because we were away."""
        seen = seen_of(request.pod, request.container, created=True)
        reason = self._node.accepts(seen, asked_cpus(request.adjust.linux.resources))
        return nri.ValidateContainerAdjustmentResponse(reject=bool(reason), reason=reason)

    async def _gone(self, method: str, container_id: str, timeout: float | None) -> Answer | None:
        self._held.discard(container_id)
        return await self._noted(method, lambda: self._node.stop(container_id), timeout)

    async def _pod_gone(self, pod: nri.PodSandbox, timeout: float | None) -> None:
        uid = pod.uid or pod.id
        await self._noted("RemovePodSandbox", lambda: self._node.remove_sandbox(pod.id, uid), timeout)

    # --- one decision ----------------------------------------------------------------------------

    async def _answered(
        self, method: str, ask: Callable[[], Answer | Refusal], timeout: float | None, about: Seen, short: bool = False
    ) -> Answer:
        """An answer that is true from now on; TtrpcError for a refusal, and when there is none in time.

        `short`: it needs no watching; a thread of its own would take longer than the decision.
        """
        began, by = self._clock(), deadline(timeout)
        try:
            async with self._deciding.turn_by(by):
                answer = ask() if short else await self._deciding.by(by, ask)
                if isinstance(answer, Answer):
                    return self._commit(answer, method, began)
        except TooLate:
            self._late(method, about.name)
            what = f"cpuplace: {about.name}: no decision in the time that the runtime gives; it is asked for again"
            raise TtrpcError(Code.DEADLINE_EXCEEDED, what) from None
        finally:
            self._voice.time("handler_seconds", method, self._clock() - began)
        decision = self._node.refused(about, answer, "place" if method == "CreateContainer" else "resize")
        self._node.decided(evolve(decision, seconds=self._clock() - began))
        code = _CODES.get(answer.kind, Code.FAILED_PRECONDITION)
        raise TtrpcError(code, sentence(self._node.known, about.name, answer))

    async def _noted(self, method: str, ask: Callable[[], Answer], timeout: float | None) -> Answer | None:
        """An answer that is true from now on; None when it is late, and becomes true as soon as it is there."""
        began, by = self._clock(), deadline(timeout)
        try:
            async with self._deciding.turn_by(by):
                return self._commit(await self._deciding.by(by, ask), method, began)
        except TooLate:
            self._late(method, "")
            task = asyncio.get_running_loop().create_task(self._catch_up(method, ask))
            self._catching_up.add(task)  # the loop itself would forget it
            task.add_done_callback(self._catching_up.discard)
            return None
        finally:
            self._voice.time("handler_seconds", method, self._clock() - began)

    async def _catch_up(self, method: str, ask: Callable[[], Answer]) -> None:
        """Once more, however long it takes: what was decided too late was decided about what is past."""
        began = self._clock()
        async with self._deciding.turn:
            self._afterwards.carry_out(self._commit(await self._deciding.finished(ask), method, began))

    def _commit(self, answer: Answer, method: str, began: float) -> Answer:
        seconds = self._clock() - began
        told = [evolve(one, seconds=seconds) for one in answer.decisions if self._is_news(one)]
        answer = evolve(answer, decisions=tuple(told))
        self._node.commit(answer)
        if method == "Synchronize":
            self._node.synchronized = True
            self._held &= self._node.known.seen.keys()
        for note in answer.notes:
            self._voice.say("warning", note)
        self._afterwards.answered(answer)
        return answer

    def _is_news(self, decision: Decision) -> bool:
        """A kubelet that wants other CPUs says so every 10 s."""
        if decision.kind != "hold":
            return True
        first = decision.container_id not in self._held
        self._held.add(decision.container_id)
        return first

    def _late(self, method: str, name: str) -> None:
        self._voice.count("late_answers", method)
        self._voice.say("error", "no decision in time: answered with the safe default", method=method, container=name)


def _dotted(abilities: Abilities) -> str:
    return ".".join(map(str, abilities.nri))
