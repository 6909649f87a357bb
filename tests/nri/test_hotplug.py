"""A host that changes is noticed once for each change, by the kernel's word or by a slow look."""

import asyncio
import socket
from pathlib import Path

import pytest

from cpuplace_nri import hotplug
from cpuplace_nri.hotplug import Hotplug, fingerprint


def test_the_fingerprint_is_of_what_is_there(tmp_path: Path) -> None:
    for name, text in (("cpu/online", "0-3\n"), ("node/online", "0\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert fingerprint(tmp_path) == "0-3\n0\n"
    assert fingerprint()


def seen_changes(looks: list[str], *, slow: float, hear: socket.socket | None = None) -> list[str]:
    """What `changed` is called for while the host goes through these looks."""
    seen: list[str] = []
    now = [looks[0]]

    async def changed() -> None:
        seen.append(now[0])

    async def main() -> None:
        task = asyncio.create_task(Hotplug(changed, lambda: now[0], slow=slow, settle=0.01).run())
        for look in looks:
            now[0] = look
            if hear is not None:
                hear.send(b"online@/devices/system/cpu/cpu1\0SUBSYSTEM=cpu\0")
            await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return seen


def test_a_slow_look_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotplug, "_listen", lambda: None)
    assert seen_changes(["a", "a", "b", "b", "a"], slow=0.02) == ["b", "a"]


def test_the_kernels_word_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(hotplug, "_listen", lambda: ours)
    with kernels:
        assert seen_changes(["a", "b", "b"], slow=60, hear=kernels) == ["b"]
