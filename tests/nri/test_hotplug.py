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


def test_a_node_whose_memory_changes_has_another_fingerprint_and_one_that_uses_it_has_not(tmp_path: Path) -> None:
    meminfo = tmp_path / "node" / "node0" / "meminfo"
    meminfo.parent.mkdir(parents=True)

    def told(total: int, free: int) -> str:
        meminfo.write_text(f"Node 0 MemTotal:  {total} kB\nNode 0 MemFree:  {free} kB\n")
        return fingerprint(tmp_path)

    assert told(8_000_000, 100) == told(8_000_000, 200) != told(4_000_000, 200)


def never(error: Exception) -> None:
    raise error


def seen_changes(looks: list[str], *, slow: float, hear: socket.socket | None = None) -> list[str]:
    """What `changed` is called for while the host goes through these looks."""
    seen: list[str] = []
    now = [looks[0]]

    async def changed() -> bool:
        seen.append(now[0])
        return True

    async def main() -> None:
        watching = Hotplug(changed, lambda: now[0], before=looks[0], on_error=never, slow=slow, settle=0.01)
        task = asyncio.create_task(watching.run())
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


def calls_until(answers: list[bool | Exception], monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[Exception]]:
    """How often `changed` is called for one change when it comes to this, in turn; and what was said to be wrong."""
    monkeypatch.setattr(hotplug, "_listen", lambda: None)
    calls, wrong = 0, list[Exception]()

    async def changed() -> bool:
        nonlocal calls
        calls += 1
        answer = answers[min(calls, len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main() -> None:
        watching = Hotplug(changed, lambda: "b", before="a", on_error=wrong.append, slow=0.01, settle=0.01)
        task = asyncio.create_task(watching.run())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return calls, wrong


def test_a_change_that_could_not_be_followed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls_until([True], monkeypatch) == (1, [])
    assert calls_until([False, False, True], monkeypatch) == (3, [])


def test_an_error_is_said_and_does_not_end_the_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = KeyError("a bug")
    assert calls_until([bug, True], monkeypatch) == (2, [bug])
