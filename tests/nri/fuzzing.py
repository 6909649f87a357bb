"""Malformed bytes, messages and annotations at each layer: what may come of them, and nothing else.

Each input comes from its seed alone, so a find is two numbers. `nox -s fuzz` runs a million of them, a test some
hundreds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import cpuplace as cp
from cpuplace.annotations import KEYS
from cpuplace_nri.answer import Answer
from cpuplace_nri.config import Config, nri_policy
from cpuplace_nri.deciding import Deciding
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.link import Link
from cpuplace_nri.manners import Manners
from cpuplace_nri.mux import PLUGIN, RUNTIME, Mux, framed
from cpuplace_nri.node import Node
from cpuplace_nri.plugin import Plugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.proto.ttrpc_pb2 import Request, Response
from cpuplace_nri.service import PluginService, RuntimeLink
from cpuplace_nri.ttrpc import ClientConnection, Framing, Message, ProtocolError, ServerConnection, TtrpcError, Type
from cpuplace_nri.ttrpc.framing import encoded
from e2e.containerd.recorder import load
from nri.placing import HOST, Heard
from nri.pods import a_container, a_pod

SERVICE: Final = "nri.pkg.api.v1alpha1.Plugin"
METHODS: Final = tuple(method.name for method in nri.DESCRIPTOR.services_by_name["Plugin"].methods)
PATIENCE: Final = 30.0  # seconds after which an answer counts as never coming

_CORPUS: Final = sorted((Path(__file__).resolve().parent / "corpus").glob("*.jsonl.gz"))
_VALUES: Final = (
    "0", "0-3", "7", "3-1", "0-", "-1", "1,1,1", "99999999999", "0-4294967295", "²", "exclusive", "true", "FALSE", "",
    " ", "\0", "2-5,\n7", "node0", "0x1", "1e3", "preferred", "require-one", "{}", "[0]", "𝟙", "a" * 5000, "0," * 3000,
)  # fmt: skip
_KEYS: Final = (
    *(f"cpuplace.dev/{what}" for what in KEYS),
    *(f"{what}.cpuplace.dev/c1" for what in KEYS),
    *("cpuplace.dev/placed", "weka.io/cores-ids", "weka.io/forbid-core-ids", "cpuplace.dev/", "/", ""),
)
# What a runtime asks mostly; the others are all alike.
_OFTEN: Final = (*("CreateContainer",) * 6, *("UpdateContainer",) * 3, *("StopContainer", "RemoveContainer") * 2)


class FoundError(AssertionError):
    """Something else came of it."""


# --- making malformed things of good ones ----------------------------------------------------------------


def mutated(rng: Random, data: bytes) -> bytes:
    """Some bytes changed, put in, left out, said twice, or cut off."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(6):
            case 0 if made:
                made[at % len(made)] ^= 1 << rng.randrange(8)
            case 1 if made:
                made[at % len(made)] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
            case 2:
                made[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                del made[at : at + rng.randrange(1, 20)]
            case 4:
                made[at:at] = made[at : at + rng.randrange(1, 40)]
            case _:
                del made[at:]
    return bytes(made)


def pieces(rng: Random, data: bytes) -> Iterable[bytes]:
    """The bytes in some pieces."""
    at = 0
    while at < len(data):
        size = rng.choice((1, 3, 9, 40, 4096, len(data)))
        yield data[at : at + size]
        at += size


def recorded() -> list[bytes]:
    """What real runtimes said, message by message."""
    said = []
    for path in _CORPUS:
        mux, framing = Mux(), Framing()
        for piece in load(path):
            if piece.by == "runtime":
                for connection, data in mux.receive(piece.data):
                    said += [message.data for message in framing.receive(data) if connection == PLUGIN]
    return said


def request(rng: Random, seeds: list[bytes]) -> Request:
    """A call that a runtime made, or could make, or could not."""
    if seeds and rng.random() < 0.25:
        call = Request.FromString(rng.choice(seeds))
    else:
        method = rng.choice(_OFTEN if rng.random() < 0.8 else METHODS)
        call = Request(service=SERVICE, method=method, payload=odd_payload(rng, method), timeout_nano=10**10)
    if rng.random() < 0.5:
        call.payload = mutated(rng, call.payload)
    return call


def odd_payload(rng: Random, method: str) -> bytes:
    """A request about a pod and a container whose annotations and numbers are anything."""
    key, pod = f"c{rng.randrange(12)}", odd_pod(rng)
    one = a_container(key, pod.id, cpu=rng.choice((None, 0.1, 1, 2, 3, 1000)), limited=rng.random() < 0.7)
    cpu = one.linux.resources.cpu
    if rng.random() < 0.2:
        cpu.quota.value, cpu.period.value = rng.choice((-1, 0, 1, 2**63 - 1)), rng.choice((0, 1, 2**64 - 1))
    if rng.random() < 0.2:
        cpu.cpus, cpu.mems = rng.choice(_VALUES)[:50], rng.choice(_VALUES)[:50]
    one.annotations.update(odd_annotations(rng))
    one.state = rng.choice(nri.ContainerState.values())
    match method:
        case "Synchronize":
            return nri.SynchronizeRequest(pods=[pod], containers=[one], more=rng.random() < 0.5).SerializeToString()
        case "Configure" | "Shutdown":
            return nri.ConfigureRequest(NRI_version=rng.choice(("", "0.12.2", "x"))).SerializeToString()
        case "StateChange":
            event = nri.StateChangeEvent(pod=pod, container=one)
            event.event = rng.randrange(20)  # type: ignore[assignment]
            return event.SerializeToString()
        case "UpdateContainer":
            asked = one.linux.resources
            return nri.UpdateContainerRequest(pod=pod, container=one, linux_resources=asked).SerializeToString()
        case _:
            return nri.CreateContainerRequest(pod=pod, container=one).SerializeToString()


def odd_pod(rng: Random) -> nri.PodSandbox:
    qos = rng.choice(("guaranteed", "burstable", "besteffort"))
    pod = a_pod(f"p{rng.randrange(6)}", qos=qos, annotations=odd_annotations(rng))  # type: ignore[arg-type]
    if rng.random() < 0.1:
        pod.linux.cgroup_parent = rng.choice(_VALUES)
    return pod


def odd_annotations(rng: Random) -> dict[str, str]:
    return {rng.choice(_KEYS): rng.choice(_VALUES) for _ in range(rng.choice((0, 0, 1, 2)))}


# --- what must hold ------------------------------------------------------------------------------------------


def at_the_parsers(rng: Random, seeds: list[bytes]) -> None:
    """Bytes at mux, framing and both ends of ttrpc: events or a ProtocolError."""
    calls = b"".join(framed(rng.choice((1, 1, 2, 9)), message_of(rng, seeds)) for _ in range(rng.randrange(1, 4)))
    wire = rng.randbytes(rng.randrange(60)) if rng.random() < 0.2 else mutated(rng, calls)
    mux, server, client = Mux(), ServerConnection(), ClientConnection()
    client.call("s", "m", b"")
    with suppress(ProtocolError):
        for piece in pieces(rng, wire):
            for connection, data in mux.receive(piece):
                if connection == PLUGIN:
                    server.receive(data)
                else:
                    client.receive(data)


def message_of(rng: Random, seeds: list[bytes]) -> bytes:
    kind = rng.choice((Type.REQUEST, Type.REQUEST, Type.RESPONSE, Type.DATA))
    if kind is Type.REQUEST:
        data = (
            rng.choice(seeds)[:2000]
            if seeds and rng.random() < 0.3
            else Request(method="Configure").SerializeToString()
        )
    else:
        data = Response(payload=b"x").SerializeToString()
    return encoded(Message(rng.choice((1, 1, 3, 5, 2, 2**32 - 1)), kind, data, rng.choice((0, 0, 1, 2, 4, 255))))


class Wired:
    """A link without a socket: bytes in by hand, bytes out kept."""

    def __init__(self, plugin: PluginService) -> None:
        self.errors: list[Exception] = []
        self.written = bytearray()
        self.aborted = False
        self._stream = -1
        self.link = Link(lambda: plugin, on_error=self.errors.append)
        self.link.connection_made(self)  # type: ignore[arg-type]

    # what a link asks of a transport
    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, name: str) -> "Wired":
        return self

    def shutdown(self, how: int) -> None:
        """As a socket does."""

    def abort(self) -> None:
        self.aborted = True

    def call(self, call: Request) -> bytes:
        """The bytes of a call on the next stream."""
        self._stream += 2
        return framed(PLUGIN, encoded(Message(self._stream, Type.REQUEST, call.SerializeToString())))

    async def settled(self) -> None:
        """Every call that came is answered; FoundError when one never is, or when a bug was reported."""
        tasks = set(self.link._server()._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=PATIENCE)
            if late:
                raise FoundError(f"no answer within {PATIENCE} s")
        for error in self.errors:
            if not isinstance(error, ProtocolError | TtrpcError):
                raise FoundError(f"a bug was reported: {error!r}") from error
        if self.aborted != any(isinstance(error, ProtocolError) for error in self.errors):
            raise FoundError(f"closed: {self.aborted}, but reported were {self.errors}")

    def answers(self) -> list[int]:
        """The streams that were answered on the plugin's connection, in order."""
        mux, framing = Mux(), Framing()
        said = [data for connection, data in mux.receive(bytes(self.written)) if connection == PLUGIN]
        return [message.stream_id for data in said for message in framing.receive(data)]

    def end(self) -> None:
        self.aborted = True
        self.link.connection_lost(None)


async def at_a_link(rng: Random, seeds: list[bytes]) -> None:
    """A session with bytes changed anywhere: it goes on, or ends with a ProtocolError, and every call was answered."""
    wired = Wired(IdlePlugin(1))
    session = b"".join(wired.call(request(rng, seeds)) for _ in range(rng.randrange(1, 4)))
    if rng.random() < 0.3:
        session += framed(RUNTIME, encoded(Message(rng.choice((1, 2, 7)), Type.RESPONSE, b"")))
    if rng.random() < 0.8:
        session = mutated(rng, session)
    for piece in pieces(rng, session):
        if not wired.aborted:
            wired.link.data_received(piece)
    await wired.settled()
    answers, refused = wired.answers(), sum(isinstance(error, TtrpcError) for error in wired.errors)
    if (
        not wired.aborted and len(answers) - len(set(answers)) > refused
    ):  # a stream used again is refused on that stream
        raise FoundError(f"answered twice: {answers}")
    wired.end()


class Nothing:
    """Nothing is done afterwards."""

    def linked(self, link: RuntimeLink) -> None: ...

    def answered(self, answer: Answer) -> None: ...

    def carry_out(self, answer: Answer) -> None: ...


class Told(Plugin):
    """Told of nothing that runs with every connection."""

    def linked(self, link: RuntimeLink) -> None:
        super().linked(link)
        self._node.synchronized = True


class Placed:
    """The real plugin with two containers that nobody else names: they stay placed whatever others are said to be."""

    def __init__(self) -> None:
        config = Config(policy=nri_policy())
        self.node, self.deciding = Node(HOST, config.policy), Deciding()
        self.plugin = Told(self.node, self.deciding, Nothing(), Heard(), Manners.of(config))
        self.wired = Wired(self.plugin)
        self._checked: cp.HostState | None = None

    async def begin(self) -> None:
        pinned = a_pod("keep-pin", qos="guaranteed", annotations={"cpuplace.dev/cores": "0"})
        whole = a_pod("keep-int", qos="guaranteed")
        for pod, key, count in ((pinned, "keep-0", 1), (whole, "keep-1", 2)):
            one = a_container(key, pod.id, cpu=count, limited=True)
            payload = nri.CreateContainerRequest(pod=pod, container=one).SerializeToString()
            await self.ask(Request(service=SERVICE, method="CreateContainer", payload=payload))
        self.check()

    async def ask(self, call: Request) -> None:
        before = len(self.wired.answers())
        self.wired.link.data_received(self.wired.call(call))
        await self.wired.settled()
        answers = self.wired.answers()
        self.wired.written.clear()
        if len(answers) - before != 1:
            raise FoundError(f"{call.method}: {len(answers) - before} answers")

    def check(self) -> None:
        state = self.node.state
        if state is self._checked:
            return
        self._checked = state
        if broken := cp.violations(state):
            raise FoundError(f"the state broke: {broken}")
        if "keep-0" in state and state["keep-0"].cpus != cp.CpuSet([0]):
            raise FoundError(f"the pinned one was moved to {state['keep-0'].cpus}")
        if "keep-1" in state and len(state["keep-1"].cpus) != 2:
            raise FoundError(f"the integer one has {state['keep-1'].cpus}")

    async def at_the_plugin(self, rng: Random, seeds: list[bytes]) -> None:
        """One call of any kind: answered once, and the state stays whole. Only a Synchronize can end what is there."""
        call = request(rng, seeds)
        call.service, call.timeout_nano = SERVICE, 10**10
        await self.ask(call)
        self.check()
        if call.method != "Synchronize" and not {"keep-0", "keep-1"} <= set(self.node.names):
            raise FoundError(f"{call.method} ended a container that it does not name")
        if not {"keep-0", "keep-1"} <= set(self.node.names):
            await self.begin_anew()

    async def begin_anew(self) -> None:
        self.close()
        fresh = Placed()
        await fresh.begin()
        self.__dict__.update(fresh.__dict__)

    def close(self) -> None:
        self.wired.end()
        self.deciding.close()


Kind = Callable[[Random, list[bytes]], Awaitable[None]]


async def fuzz(seed: int, numbers: Iterable[int], *, told: Callable[[int], None] = lambda number: None) -> int:
    """How many inputs were tried; FoundError with the number of the first that did something else."""
    seeds, placed, tried = recorded(), Placed(), 0
    await placed.begin()
    try:
        for number in numbers:
            rng = Random(f"{seed}/{number}")
            chance = rng.random()
            try:
                if chance < 0.8:
                    at_the_parsers(rng, seeds)
                elif chance < 0.94:
                    await at_a_link(rng, seeds)
                else:
                    await placed.at_the_plugin(rng, seeds)
            except Exception as error:
                raise FoundError(f"seed {seed}, input {number}: {type(error).__name__}: {error}") from error
            tried += 1
            told(number)
    finally:
        placed.close()
    return tried
