"""Client and server over a real socket: calls at once, errors, time-outs, ends, and bugs in handlers."""

import asyncio
import pickle
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cpuplace_nri.ttrpc import Client, Code, Message, Server, Services, TtrpcError, Type, connected, encoded, serving


class Served:
    """A service for tests, and the errors it reported."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.timeouts: list[float | None] = []
        self.go = asyncio.Event()
        self.cancelled = 0

    async def echo(self, payload: bytes, timeout: float | None) -> bytes:
        self.timeouts.append(timeout)
        return payload

    async def wait(self, payload: bytes, timeout: float | None) -> bytes:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return payload

    async def refuse(self, payload: bytes, timeout: float | None) -> bytes:
        raise TtrpcError(Code.FAILED_PRECONDITION, "no room on node 0")

    async def fail(self, payload: bytes, timeout: float | None) -> bytes:
        raise ZeroDivisionError("a bug")

    async def swell(self, payload: bytes, timeout: float | None) -> bytes:
        return bytes(5 * 2**20)

    @property
    def services(self) -> Services:
        names = ("echo", "wait", "refuse", "fail", "swell")
        return {"test.Service": {name: getattr(self, name) for name in names}}


def run(folder: Path, tries: Callable[[Served, Client], Awaitable[None]]) -> Served:
    """A server and a client of it, for the length of one test."""

    async def main() -> Served:
        served = Served()
        async with (
            serving(folder / "s", served.services, on_error=served.errors.append),
            connected(folder / "s") as client,
        ):
            await tries(served, client)
        return served

    return asyncio.run(asyncio.wait_for(main(), 30))


async def code_of(call: Awaitable[bytes]) -> int:
    with pytest.raises(TtrpcError) as refused:
        await call
    return refused.value.code


def test_a_call_comes_back_with_its_answer(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        assert await client.call("test.Service", "echo", b"hello", timeout=2) == b"hello"
        assert await client.call("test.Service", "echo", b"") == b""

    assert run(tmp_path, tries).timeouts == [2.0, None]


def test_long_payloads_travel(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        for size in (4096, 10_000, 4 * 2**20 - 100):
            assert await client.call("test.Service", "echo", bytes(size)) == bytes(size)

    run(tmp_path, tries)


def test_a_slow_call_holds_up_no_other(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        slow = asyncio.create_task(client.call("test.Service", "wait", b"slow"))
        answers = await asyncio.gather(*(client.call("test.Service", "echo", b"%d" % n) for n in range(100)))
        assert answers == [b"%d" % n for n in range(100)]
        assert not slow.done()
        served.go.set()
        assert await slow == b"slow"

    run(tmp_path, tries)


def test_a_refusal_comes_with_its_code_and_sentence(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        with pytest.raises(TtrpcError, match="no room on node 0") as refused:
            await client.call("test.Service", "refuse", b"")
        assert refused.value.code == Code.FAILED_PRECONDITION

    assert run(tmp_path, tries).errors == []


def test_a_bug_in_a_handler_is_told_to_both_and_ends_nothing(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        assert await code_of(client.call("test.Service", "fail", b"")) == Code.INTERNAL
        assert await client.call("test.Service", "echo", b"still here") == b"still here"

    assert [type(error) for error in run(tmp_path, tries).errors] == [ZeroDivisionError]


@pytest.mark.parametrize(("service", "method"), [("test.Service", "Nothing"), ("Nobody", "echo"), ("", "")])
def test_what_is_not_served_is_unimplemented(tmp_path: Path, service: str, method: str) -> None:
    async def tries(served: Served, client: Client) -> None:
        assert await code_of(client.call(service, method, b"")) == Code.UNIMPLEMENTED

    run(tmp_path, tries)


def test_an_answer_too_long_is_refused_by_its_sender(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        assert await code_of(client.call("test.Service", "swell", b"")) == Code.RESOURCE_EXHAUSTED
        assert await code_of(client.call("test.Service", "echo", bytes(5 * 2**20))) == Code.RESOURCE_EXHAUSTED
        assert await client.call("test.Service", "echo", b"still here") == b"still here"

    run(tmp_path, tries)


def test_no_answer_in_time_is_an_error_and_the_late_answer_is_dropped(tmp_path: Path) -> None:
    async def tries(served: Served, client: Client) -> None:
        assert await code_of(client.call("test.Service", "wait", b"", timeout=0.01)) == Code.DEADLINE_EXCEEDED
        served.go.set()
        assert await client.call("test.Service", "echo", b"next") == b"next"

    run(tmp_path, tries)


def test_who_waits_learns_that_the_connection_ended(tmp_path: Path) -> None:
    async def main() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(10)
            writer.close()

        server = await asyncio.start_unix_server(hang_up, tmp_path / "s")
        async with server, connected(tmp_path / "s") as client:
            assert await code_of(client.call("s", "m", b"")) == Code.UNAVAILABLE
            assert await code_of(client.call("s", "m", b"")) == Code.UNAVAILABLE

    asyncio.run(asyncio.wait_for(main(), 30))


def test_the_work_of_a_client_that_left_is_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        served = Served()
        async with serving(tmp_path / "s", served.services, on_error=served.errors.append):
            async with connected(tmp_path / "s") as client:
                call = asyncio.create_task(client.call("test.Service", "wait", b""))
                await client.call("test.Service", "echo", b"")
            assert await code_of(call) == Code.UNAVAILABLE
            while not served.cancelled:
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_server_survives_a_client_that_speaks_something_else(tmp_path: Path) -> None:
    async def main() -> None:
        served = Served()
        async with serving(tmp_path / "s", served.services, on_error=served.errors.append):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            async with connected(tmp_path / "s") as client:
                assert await client.call("test.Service", "echo", b"x") == b"x"
        assert ["ttrpc" in str(error) for error in served.errors] == [True]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_client_survives_a_server_that_speaks_something_else(tmp_path: Path) -> None:
    async def main() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(struct.pack(">IIBB", 0, 2, 2, 0))
            await reader.read()
            writer.close()

        errors: list[Exception] = []
        server = await asyncio.start_unix_server(babble, tmp_path / "s")
        async with server, connected(tmp_path / "s", on_error=errors.append) as client:
            assert await code_of(client.call("s", "m", b"")) == Code.UNAVAILABLE
        assert len(errors) == 1

    asyncio.run(asyncio.wait_for(main(), 30))


def test_an_error_survives_a_pickle() -> None:
    again = pickle.loads(pickle.dumps(TtrpcError(Code.NOT_FOUND, "no such pod")))
    assert (again.code, str(again)) == (Code.NOT_FOUND, "no such pod (code 5)")


def test_a_client_that_gives_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        written: list[bytes] = []
        client = Client(written.append)
        call = asyncio.ensure_future(client.call("s", "m", b""))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        client.receive(encoded(Message(1, Type.RESPONSE, b"")))  # too late, and nobody minds
        client.end("over")
        assert len(written) == 1
        assert await code_of(client.call("s", "m", b"")) == Code.UNAVAILABLE

    asyncio.run(main())


def test_a_call_that_cannot_be_served_is_reported_and_refused() -> None:
    written, errors = list[bytes](), list[Exception]()
    Server({}, written.append, errors.append).receive(encoded(Message(2, Type.REQUEST, b"")))
    assert [getattr(error, "code", None) for error in errors] == [Code.INVALID_ARGUMENT]
    assert len(written) == 1
