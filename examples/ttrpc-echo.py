"""ttrpc from Python: a server with three methods, and a client that calls them, over a unix socket.

Payloads are bytes. A real service puts protobuf messages in them: `SerializeToString()` here, `FromString()` there.

# $ python examples/ttrpc-echo.py hello
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from cpuplace_nri.ttrpc import Client, Code, TtrpcError, connected, serving


async def echo(payload: bytes, timeout: float | None) -> bytes:
    """The same again."""
    return payload


async def sleepy(payload: bytes, timeout: float | None) -> bytes:
    """Takes its time; others are answered meanwhile."""
    await asyncio.sleep(0.1)
    return payload.upper()


async def refuse(payload: bytes, timeout: float | None) -> bytes:
    """Says no, with a code and a sentence."""
    raise TtrpcError(Code.FAILED_PRECONDITION, f"{payload.decode()!r} is not wanted here")


async def main(word: str) -> int:
    """Serve and call."""
    services = {"example.Echo": {"Echo": echo, "Sleepy": sleepy, "Refuse": refuse}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "echo.sock"
        async with serving(path, services, on_error=print), connected(path) as client:
            await call(client, word)
    return 0


async def call(client: Client, word: str) -> None:
    """All three, and one that is none; the slow one does not hold up the others."""
    slow = asyncio.create_task(client.call("example.Echo", "Sleepy", word.encode(), timeout=5))
    print("echo:", (await client.call("example.Echo", "Echo", word.encode())).decode())
    print("sleepy:", (await slow).decode())
    for method in ("Refuse", "Dance"):
        try:
            await client.call("example.Echo", method, word.encode())
        except TtrpcError as error:
            print(f"{method.lower()}: {Code(error.code).name}, {error.message}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
