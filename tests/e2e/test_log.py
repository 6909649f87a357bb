"""What of a runtime's log a test takes for a complaint."""

import json

from e2e.containerd.log import complaints

UNHEARD = "failed sending message on channel"


def line(msg: str, error: str = "", level: str = "error") -> str:
    """A line of containerd's log."""
    return json.dumps({"error": error, "level": level, "msg": msg, "time": "2026-11-26T12:09:33Z"})


def test_what_an_idle_runtime_says_is_no_complaint() -> None:
    shim = line(UNHEARD, "write unix /dev/shm/c-ajcrpnev/c.sock.ttrpc->@: write: broken pipe")
    network = line("failed to load cni during init", "cni config load failed: no network config found")
    assert complaints("\n".join([shim, network, line("shim disconnected", level="info"), "no JSON"])) == []


def test_errors_are_complaints_and_so_is_a_plugin_that_hung_up() -> None:
    plugin = line(UNHEARD, "write unix /dev/shm/c-ajcrpnev/nri.sock->@: write: broken pipe")
    said = [plugin, line("connection to plugin lost"), line("out of memory", level="fatal")]
    assert complaints("\n".join(said)) == said
