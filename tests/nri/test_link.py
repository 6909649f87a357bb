"""A link to a runtime: registration in both orders, every version, and what ends a connection."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cpuplace import BadInput
from cpuplace_nri.identity import Identity
from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.link import Link
from cpuplace_nri.mux import framed
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.proto.ttrpc_pb2 import Request
from cpuplace_nri.service import PluginService
from cpuplace_nri.ttrpc import Code, ProtocolError, TtrpcError
from nri.asking import ALL, CREATE, STOP, Scripted, cpus_update, created_with, refusing
from nri.fake_runtime import VERSIONS, CriError, FakeRuntime, WedgedError, a_container, a_pod

every_version = pytest.mark.parametrize("version", VERSIONS)


def run(tries: Callable[[FakeRuntime], Awaitable[None]], version: str = "0.12.2", **options: Any) -> FakeRuntime:
    """One runtime for one test, which ends in a minute."""

    async def main() -> FakeRuntime:
        async with FakeRuntime(version, **options) as rt:
            await tries(rt)
        return rt

    return asyncio.run(asyncio.wait_for(main(), 60))


# --- registration -------------------------------------------------------------------------------------


@every_version
@pytest.mark.parametrize("configure_first", [True, False])
@pytest.mark.parametrize(("frame_size", "cut"), [(0, 0), (7, 0), (0, 3)])
def test_a_plugin_is_registered_synchronized_and_asked(
    version: str, configure_first: bool, frame_size: int, cut: int
) -> None:
    plugin = Scripted()
    plugin.creating = created_with("2-3")

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin, Identity("cpuplace", "42"))
        made = await rt.run(a_pod("p"), a_container("c", "p", cpu=2))
        assert made.linux.resources.cpu.cpus == "2-3"
        assert str(rt.cpus["c"]) == "2-3"
        assert not link.closed.is_set()
        assert rt.plugins[0].said_version == "0.12.2"

    rt = run(tries, version, configure_first=configure_first, frame_size=frame_size, cut=cut)
    (configured,) = plugin.configured
    assert configured.runtime_name == "containerd"
    assert plugin.link is not None
    assert plugin.link.abilities.nri == rt.release.nri
    assert plugin.timeouts == [30.0]


def test_the_registration_is_on_its_way_before_the_plugin_is_made() -> None:
    order = []

    async def tries(rt: FakeRuntime) -> None:
        def make() -> PluginService:
            order.append(rt.wires[-1].received[:])
            return IdlePlugin(CREATE)

        sock = rt.connect()
        await asyncio.sleep(0)

        link = await Link.over(sock, make, on_error=lambda error: None)
        registering = asyncio.ensure_future(link.register("cpuplace", "99"))
        await registering
        await rt.synchronized()
        assert len(order) == 1

    run(tries)


@pytest.mark.parametrize(("name", "index"), [("", "99"), ("x", "9"), ("x", "ab")])
def test_a_registration_that_is_refused_is_an_error_and_ends_the_link(name: str, index: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await Link.over(rt.connect(), lambda: IdlePlugin(CREATE), on_error=lambda error: None)
        with pytest.raises(TtrpcError, match="invalid plugin"):
            await link.register(name, index)
        await link.closed.wait()

    run(tries)


def test_who_says_nothing_holds_up_the_others_and_we_wait_for_longer_than_the_runtime() -> None:
    async def tries(rt: FakeRuntime) -> None:
        reader, writer = await asyncio.open_unix_connection(rt.path)
        link = Link(lambda: IdlePlugin(CREATE), on_error=lambda error: None)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, str(rt.path))
        await link.register("cpuplace", "99")
        await rt.synchronized()
        assert await reader.read() == b""
        writer.close()

    assert "registration timed out" in run(tries, registration_timeout=0.3).log


def test_no_answer_to_a_registration_ends_the_link() -> None:
    async def tries(rt: FakeRuntime) -> None:
        async with rt._taking_in:  # somebody else is being registered, for ever
            link = await Link.over(rt.connect(), lambda: IdlePlugin(CREATE), on_error=lambda error: None)
            with pytest.raises(TtrpcError) as error:
                await link.register("cpuplace", "99", timeout=0.05)
            assert error.value.code == Code.DEADLINE_EXCEEDED
            await link.closed.wait()
            assert "not registered" in link.reason

    run(tries)


# --- the event mask -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.6.1", "0.8"])
@pytest.mark.parametrize("bit", [0x800, 0x2000])
def test_a_bit_that_a_runtime_does_not_know_ends_the_connection_without_a_word(version: str, bit: int) -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await Link.over(rt.connect(), lambda: IdlePlugin(CREATE | bit), on_error=lambda error: None)
        try:
            await link.register("cpuplace", "99")
        except TtrpcError as error:
            assert error.code == Code.UNAVAILABLE
        await link.closed.wait()
        assert rt.plugins == []

    run(tries, version)


@every_version
def test_a_mask_of_zero_means_everything(version: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(IdlePlugin(0))
        assert rt.plugins[0].events == (0x3FFF if version >= "0.10" and version[2] == "1" else 0x7FF)

    run(tries, version)


def test_who_validates_by_accident_fails_every_creation() -> None:
    plugin = Scripted(0)
    plugin.validate_container_adjustment = refused_validation  # type: ignore[method-assign]

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        with pytest.raises(CriError, match="validator plugin"):
            await rt.create(a_pod("p"), a_container("c", "p"))

    run(tries, "0.10")


async def refused_validation(
    request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
) -> nri.ValidateContainerAdjustmentResponse:
    raise TtrpcError(Code.UNIMPLEMENTED, "not served")


# --- events in both forms -----------------------------------------------------------------------------


@every_version
def test_events_without_an_answer_come_in_the_form_of_the_version(version: str) -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        await rt.run(a_pod("p"), a_container("c", "p"))
        await rt.remove_pod("p")

    run(tries, version)
    own_calls = version.startswith("0.12")
    assert ("run_pod_sandbox" in plugin.told) == own_calls
    assert ("RUN_POD_SANDBOX" in plugin.told) != own_calls
    assert ("remove_container" in plugin.told) == own_calls
    assert ("REMOVE_CONTAINER" in plugin.told) != own_calls
    assert plugin.told.count("create_container") == plugin.told.count("stop_container") == 1


def test_a_runtime_with_own_calls_falls_back_to_state_change() -> None:
    plugin = Scripted()
    plugin.before = refusing("run_pod_sandbox", Code.UNIMPLEMENTED, "not served")

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        await rt.run_pod(a_pod("p"))

    run(tries, "0.12.2")
    assert plugin.told[-2:] == ["run_pod_sandbox", "RUN_POD_SANDBOX"]


@pytest.mark.parametrize("version", ["0.6.1", "0.8", "0.10"])
def test_before_that_an_error_for_a_state_change_fails_the_pod(version: str) -> None:
    plugin = Scripted()
    plugin.before = refusing("RUN_POD_SANDBOX", Code.UNIMPLEMENTED, "not served")

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        with pytest.raises(CriError, match="not served"):
            await rt.run_pod(a_pod("p"))

    run(tries, version)


# --- refusals, time-outs, bugs ---------------------------------------------------------------------------


@every_version
def test_a_refusal_reaches_cri_with_its_code_and_the_plugin_stays(version: str) -> None:
    plugin = Scripted()
    plugin.before = refusing("create_container", Code.FAILED_PRECONDITION, "no room on node 0")

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)
        with pytest.raises(CriError, match="no room on node 0") as error:
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert error.value.code == Code.FAILED_PRECONDITION
        assert not link.closed.is_set()
        assert len(rt.plugins) == 1

    run(tries, version)


def test_a_bug_in_a_handler_fails_that_call_only_and_is_reported() -> None:
    plugin = Scripted()
    errors: list[Exception] = []

    async def fail(name: str) -> None:
        if name == "create_container":
            raise ZeroDivisionError("a bug")

    plugin.before = fail

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin, on_error=errors.append)
        with pytest.raises(CriError, match="ZeroDivisionError") as error:
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert error.value.code == Code.INTERNAL
        plugin.before = None
        await rt.create(a_pod("p"), a_container("c", "p"))
        assert not link.closed.is_set()

    run(tries)
    assert [type(error) for error in errors] == [ZeroDivisionError]


@every_version
def test_who_is_late_is_thrown_out_and_the_container_is_made_without_it(version: str) -> None:
    plugin = Scripted()
    plugin.creating = created_with("2-3")
    never = asyncio.Event()

    async def hang(name: str) -> None:
        if name == "create_container":
            await never.wait()

    plugin.before = hang

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)
        made = await rt.create(a_pod("p"), a_container("c", "p"))
        assert made.linux.resources.cpu.cpus == ""
        await link.closed.wait()
        assert link.reason == "the runtime closed the connection"
        assert rt.plugins == []

    rt = run(tries, version, request_timeout=0.5)
    assert any("context deadline exceeded" in line for line in rt.log)


def test_a_plugin_that_hangs_up_during_a_request_is_not_waited_for() -> None:
    plugin = Scripted()

    async def hang_up(name: str) -> None:
        if name == "create_container":
            assert isinstance(plugin.link, Link)
            plugin.link.close()

    plugin.before = hang_up

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)
        await rt.create(a_pod("p"), a_container("c", "p"))
        assert link.closed.is_set()
        assert link.reason == "closed by us"

    run(tries)


def test_a_validator_that_is_late_fails_the_creation() -> None:
    plugin, never = Scripted(CREATE | 1 << 13), asyncio.Event()

    async def hang(
        request: nri.ValidateContainerAdjustmentRequest, timeout: float | None
    ) -> nri.ValidateContainerAdjustmentResponse:
        await never.wait()
        return nri.ValidateContainerAdjustmentResponse()

    plugin.validate_container_adjustment = hang  # type: ignore[method-assign]

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        with pytest.raises(CriError, match="validator plugin"):
            await rt.create(a_pod("p"), a_container("c", "p"))
        await rt.create(a_pod("p"), a_container("c", "p"))

    run(tries, request_timeout=0.5)


def test_the_end_of_the_runtime_is_seen_at_once_and_shutdown_never_called() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)
        await rt.run(a_pod("p"), a_container("c", "p", cpus="1"))
        await rt.restart()
        await link.closed.wait()
        with pytest.raises(TtrpcError) as error:
            await link.update_containers([])
        assert error.value.code == Code.UNAVAILABLE
        assert str(rt.cpus["c"]) == "1"
        again = await rt.attach(plugin)
        assert plugin.link is again
        assert [one.linux.resources.cpu.cpus for one in plugin.parts[-1].containers] == ["1"]

    run(tries)


# --- long messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3000, 4075, 4076, 4077, 4096, 5000, 100_000, 1_000_000, 4_000_000])
def test_answers_of_any_length_are_framed_so_that_go_can_read_them(size: int) -> None:
    plugin = Scripted()
    plugin.creating.adjust.env.add(key="LONG", value="x" * size)

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        made = await rt.create(a_pod("p"), a_container("c", "p"))
        assert made.env == ["LONG=" + "x" * size]

    run(tries)


def test_an_answer_longer_than_the_runtime_takes_is_refused_here() -> None:
    plugin = Scripted()
    plugin.creating.adjust.env.add(key="LONG", value="x" * 5 * 2**20)

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin)
        with pytest.raises(CriError) as error:
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert error.value.code == Code.RESOURCE_EXHAUSTED
        assert len(rt.plugins) == 1

    run(tries)


async def fill(rt: FakeRuntime, pods: int, containers: int, size: int) -> None:
    """Containers that were there before the plugin, each with an environment of so many bytes."""
    for pod in range(pods):
        for number in range(containers):
            one = a_container(f"c{pod}-{number}", f"p{pod}")
            one.env.append("LONG=" + "x" * size)
            await rt.run(a_pod(f"p{pod}"), one)


def test_an_old_runtime_sends_a_long_list_in_one_message() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await fill(rt, 10, 10, 61_000)
        await rt.attach(plugin)

    run(tries, "0.6.1")
    assert [len(part.containers) for part in plugin.parts] == [100]
    assert plugin.parts[0].ByteSize() > 6_000_000


@pytest.mark.parametrize("version", ["0.8", "0.12.2"])
def test_a_newer_one_sends_it_in_parts_and_takes_updates_with_the_last(version: str) -> None:
    plugin = Scripted()
    plugin.synchronizing = [cpus_update("c0-0", "1")]

    async def tries(rt: FakeRuntime) -> None:
        await fill(rt, 10, 10, 61_000)
        await rt.attach(plugin)
        assert str(rt.cpus["c0-0"]) == "1"

    run(tries, version)
    assert len(plugin.parts) > 1
    assert sum(len(part.containers) for part in plugin.parts) == 100
    assert [part.more for part in plugin.parts] == [True] * (len(plugin.parts) - 1) + [False]


def test_a_pod_that_never_comes_and_empty_parts_without_end_end_with_the_connection() -> None:
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        await fill(rt, 1, 60, 500)
        link = await Link.over(rt.connect(), lambda: plugin, on_error=lambda error: None)
        await link.register("cpuplace", "99")
        await link.closed.wait()
        assert rt.plugins == []

    run(tries, "0.8", request_timeout=1.0, limit=20_000)
    assert [len(part.containers) > 0 for part in plugin.parts[:4]] == [True, True, False, False]
    assert all(part.more and not part.pods for part in plugin.parts)


def test_who_answers_a_part_with_updates_is_thrown_out() -> None:
    plugin = Scripted()

    async def eager(request: nri.SynchronizeRequest, timeout: float | None) -> nri.SynchronizeResponse:
        return nri.SynchronizeResponse(more=request.more, update=[cpus_update("c0-0", "1")])

    plugin.synchronize = eager  # type: ignore[method-assign]

    async def tries(rt: FakeRuntime) -> None:
        await fill(rt, 10, 10, 500)
        link = await Link.over(rt.connect(), lambda: plugin, on_error=lambda error: None)
        await link.register("cpuplace", "99")
        await link.closed.wait()
        assert rt.plugins == []

    assert any("does not handle split sync requests" in line for line in run(tries, "0.8", limit=20_000).log)


# --- asking the runtime -------------------------------------------------------------------------------


def test_updates_without_being_asked_are_for_runtimes_that_bear_them() -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE))
        await rt.run(a_pod("p"), a_container("c", "p"))
        assert await link.update_containers([cpus_update("c", "3")]) == ()
        assert str(rt.cpus["c"]) == "3"
        assert await link.update_containers([cpus_update("nobody", "3")]) == ()
        with pytest.raises(TtrpcError, match="some containers failed"):
            await link.update_containers([cpus_update("c", "77"), cpus_update("c", "2")])
        assert str(rt.cpus["c"]) == "2"

    run(tries, "0.12.2")


@pytest.mark.parametrize("version", ["0.6.1", "0.8", "0.10", "0.12.0"])
def test_on_others_they_are_refused_here(version: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE))
        with pytest.raises(TtrpcError, match=r"before 0\.12\.1") as error:
            await link.update_containers([cpus_update("c", "3")])
        assert error.value.code == Code.FAILED_PRECONDITION

    run(tries, version)


def test_what_they_would_do_there() -> None:
    """The fake shows the trap: without the refusal above the runtime hangs for good."""
    plugin = Scripted()

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)

        async def ask(name: str) -> None:
            if name == "create_container":
                link._transport.write(framed(2, message(3, "UpdateContainers")))  # type: ignore[union-attr]
                while not rt.wedged:
                    await asyncio.sleep(0)

        plugin.before = ask
        await rt.run_pod(a_pod("p"))
        with pytest.raises(WedgedError):
            await rt.create(a_pod("p"), a_container("c", "p"))
        with pytest.raises(WedgedError):
            await rt.run_pod(a_pod("q"))
        await rt.restart()
        await rt.run_pod(a_pod("q"))

    run(tries, "0.12.0")


def message(stream: int, method: str) -> bytes:
    data = Request(service="nri.pkg.api.v1alpha1.Runtime", method=method).SerializeToString()
    return struct.pack(">IIBB", len(data), stream, 1, 0) + data


def test_a_handler_cannot_ask_for_updates_but_what_it_started_can() -> None:
    plugin, later, said = Scripted(), [], []

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(plugin)

        async def ask(name: str) -> None:
            if name == "create_container":
                with pytest.raises(TtrpcError, match="a handler cannot call") as error:
                    await link.update_containers([cpus_update("c", "3")])
                said.append(error.value.code)
                later.append(asyncio.ensure_future(link.update_containers([cpus_update("c", "3")])))

        plugin.before = ask
        await rt.run(a_pod("p"), a_container("c", "p"))
        assert await later[0] == ()

    run(tries)
    assert said == [Code.FAILED_PRECONDITION]


# --- what a runtime would never send ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        bytes(64),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 64,
        framed(1, bytes(20)),
        framed(1, struct.pack(">IIBB", 2**31, 1, 1, 0)),
        framed(1, struct.pack(">IIBB", 0, 1, 9, 0)),
        framed(2, struct.pack(">IIBB", 0, 99, 2, 0)),
        framed(2, struct.pack(">IIBB", 0, 1, 1, 0)),
    ],
)
def test_garbage_ends_the_connection_with_a_protocol_error(garbage: bytes) -> None:
    errors: list[Exception] = []

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE), on_error=errors.append)
        await rt.wires[0].write(garbage)
        await link.closed.wait()
        assert link.reason == str(errors[0])

    run(tries)
    assert [type(error) for error in errors] == [ProtocolError]


def test_a_connection_that_nobody_knows_is_skipped() -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE))
        await rt.wires[0].write(framed(7, b"whatever") * 100)
        await rt.create(a_pod("p"), a_container("c", "p"))
        assert not link.closed.is_set()

    run(tries)


@pytest.mark.parametrize("payload", [b"\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"])
def test_a_request_that_cannot_be_decoded_is_refused_and_the_link_goes_on(payload: bytes) -> None:
    class Raw:
        def SerializeToString(self) -> bytes:  # noqa: N802 - what a message has
            return payload

    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE))
        with pytest.raises(TtrpcError, match="cannot be decoded") as error:
            await rt.wires[0].call("CreateContainer", Raw(), 1)  # type: ignore[arg-type]
        assert error.value.code == Code.INVALID_ARGUMENT
        await rt.create(a_pod("p"), a_container("c", "p"))
        assert not link.closed.is_set()

    run(tries)


def test_a_message_that_cannot_be_is_refused_as_such() -> None:
    plugin, errors = Scripted(), list[Exception]()

    async def find_it_bad(name: str) -> None:
        if name == "create_container":
            raise BadInput("a container needs an id", source="request")

    plugin.before = find_it_bad

    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(plugin, on_error=errors.append)
        with pytest.raises(CriError, match="needs an id") as error:
            await rt.create(a_pod("p"), a_container("c", "p"))
        assert error.value.code == Code.INVALID_ARGUMENT

    run(tries)
    assert errors == []


def test_an_answer_of_the_runtime_that_cannot_be_decoded_is_an_error() -> None:
    class Raw:
        def SerializeToString(self) -> bytes:  # noqa: N802 - what a message has
            return b"\x0a\x7f"

    async def tries(rt: FakeRuntime) -> None:
        async def odd(request: object) -> Any:
            return Raw()

        link = await rt.attach(IdlePlugin(CREATE))
        rt._unsolicited = odd  # type: ignore[method-assign]
        with pytest.raises(TtrpcError, match="cannot be decoded") as error:
            await link.update_containers([])
        assert error.value.code == Code.INTERNAL

    run(tries)


@pytest.mark.parametrize(("service", "method"), [("nri.pkg.api.v1alpha1.Plugin", "Dance"), ("other", "Configure")])
def test_a_call_that_is_none_of_ours_is_unimplemented(service: str, method: str) -> None:
    async def tries(rt: FakeRuntime) -> None:
        await rt.attach(IdlePlugin(CREATE))
        with pytest.raises(TtrpcError) as error:
            await rt.wires[0].call(method, nri.Empty(), 1, service=service)
        assert error.value.code == Code.UNIMPLEMENTED

    run(tries)


def test_a_plugin_that_cannot_be_made_ends_the_link() -> None:
    def broken() -> PluginService:
        raise RuntimeError("no such library")

    async def tries(rt: FakeRuntime) -> None:
        link = await Link.over(rt.connect(), broken, on_error=lambda error: None)
        with pytest.raises(RuntimeError, match="no such library"):
            await link.register("cpuplace", "99")
        await link.closed.wait()

    run(tries)


def test_closing_twice_is_closing_once() -> None:
    async def tries(rt: FakeRuntime) -> None:
        link = await rt.attach(IdlePlugin(CREATE | STOP))
        link.close("first")
        link.close("second")
        await link.closed.wait()
        assert link.reason == "first"

    run(tries)


def test_closing_reaches_the_runtime_although_somebody_else_holds_the_socket() -> None:
    async def tries(rt: FakeRuntime) -> None:
        sock = rt.connect()
        with sock.dup():
            link = await Link.over(sock, lambda: IdlePlugin(ALL), on_error=lambda error: None)
            await link.register("cpuplace", "99")
            peer = await rt.synchronized()
            link.close()
            await peer.wire.gone.wait()

    run(tries)
