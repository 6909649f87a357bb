"""What of a runtime's log a test takes for a complaint."""

import json

from e2e.containerd.daemon import is_of_every_day

UNHEARD = "failed sending message on channel"


def line(msg: str, error: str) -> str:
    """A line of containerd's log."""
    return json.dumps({"error": error, "level": "error", "msg": msg, "time": "2026-11-26T12:09:33Z"})


def test_a_shim_that_ended_before_it_was_answered_is_of_every_day() -> None:
    assert is_of_every_day(line(UNHEARD, "write unix /dev/shm/c-ajcrpnev/c.sock.ttrpc->@: write: broken pipe"))
    assert is_of_every_day(line("failed to load cni during init", "cni config load failed: no network config found"))


def test_a_plugin_that_hung_up_is_a_complaint() -> None:
    assert not is_of_every_day(line(UNHEARD, "write unix /dev/shm/c-ajcrpnev/nri.sock->@: write: broken pipe"))
    assert not is_of_every_day(json.dumps({"level": "error", "msg": "connection to plugin lost"}))
