"""Health checks over a real socket: right answers, and no client that holds up others."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace_nri import health
from cpuplace_nri.health import Health
from cpuplace_nri.metrics import Metrics
from cpuplace_nri.tally import Tally

Talk = Callable[[int], Awaitable[None]]


def made(missing: str = "") -> Health:
    return Health(lambda: missing, Metrics(Tally(), lambda: None, lambda: not missing))


def talk(served: Health, client: Talk) -> None:
    async def both() -> None:
        server = await served.serve("127.0.0.1", 0)
        async with server:
            await client(server.sockets[0].getsockname()[1])

    asyncio.run(both())


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:  # hung up on, unheard
        return b""
    finally:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


def test_the_three_pages() -> None:
    async def client(port: int) -> None:
        alive = await asked(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert alive.startswith(b"HTTP/1.1 200 OK\r\n") and alive.endswith(b"\r\n\r\nok\n")
        assert (await asked(port, b"GET /readyz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        page = await asked(port, b"GET /metrics?x=1 HTTP/1.0\r\n\r\n")
        assert b"Content-Type: text/plain; version=0.0.4" in page and b"cpuplace_up 1.0" in page
        head, _, body = (await asked(port, b"HEAD /healthz HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"Content-Length: 3" in head and body == b""

    talk(made(), client)


def test_not_ready_says_why() -> None:
    async def client(port: int) -> None:
        answer = await asked(port, b"GET /readyz HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert answer.endswith(b"\r\n\r\nno runtime is connected\n")
        assert b"200 OK" in await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")

    talk(made("no runtime is connected"), client)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /healthz\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", b""),
    ],
)
def test_other_requests(request_: bytes, status: bytes) -> None:
    async def client(port: int) -> None:
        answer = await asked(port, request_)
        assert answer.startswith(b"HTTP/1.1 " + status if status else b"") and (status or not answer)

    talk(made(), client)


@given(st.binary(max_size=60))
def test_any_line_has_an_answer(line: bytes) -> None:
    assert made().answer(line).status


def test_who_says_nothing_is_hung_up_on_and_too_many_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MOST", 1)
    monkeypatch.setattr(health, "PATIENCE", 0.3)

    async def client(port: int) -> None:
        slow, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0)
        while (await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")) != b"":
            pass  # until the slow one has been taken
        assert await slow.read() == b""
        writer.close()
        await writer.wait_closed()
        assert b"200 OK" in await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")

    talk(made(), client)
