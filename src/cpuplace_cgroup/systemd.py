"""Systemd: its units are written through systemctl, since it sets what it does not know of back (daemon-reload)."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cpuplace import HostState
from cpuplace_cgroup.failure import CgroupFailed, Failure, Unanswered, Vanished
from cpuplace_cgroup.files import Files
from cpuplace_cgroup.names import unit_of
from cpuplace_cgroup.observing import text_of

PROPERTIES: Final = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}
_KEPT_OFF: Final = ("system.slice", "user.slice", "init.scope")
_TRIES: Final = 100
_PAUSE: Final = 0.01
_TIME_LIMIT: Final = 20
"""Seconds, less than the 25 after which systemctl itself gives up, which would look like a refusal."""
UNANSWERED: Final = 124
"""The status of a command that did not end in time, as timeout(1) has it."""


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    said: str


Runner = Callable[[Sequence[str]], Ran]


def run_command(argv: Sequence[str]) -> Ran:
    """Run a command to its end; status 127 when it cannot be run, UNANSWERED when it does not end in time."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return Ran(UNANSWERED, f"no answer within {_TIME_LIMIT} seconds")
    except OSError as error:
        return Ran(127, str(error))
    return Ran(done.returncode, (done.stderr or done.stdout).strip())


def systemd_runs() -> bool:
    """True when systemd is this host's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


class Systemd:
    """Writes cpusets of units; without systemd (`active` False) it takes nothing."""

    def __init__(self, files: Files, mount: str, run: Runner, *, active: bool) -> None:
        self._files, self._mount, self._run, self._active = files, mount, run, active

    def takes(self, place: str, name: str) -> str:
        """The unit through which this file is written, "" when it is written directly."""
        ours = self._active and name in PROPERTIES
        return unit_of(place[len(self._mount) :].strip("/")) if ours else ""

    def write(self, unit: str, file: str, text: str, *, container_id: str) -> None:
        """Set the property, and wait until the kernel shows it: systemd answers before it has written.

        Raises CgroupFailed, Unanswered when systemd may still set it, Vanished when the unit has ended.
        """
        place, _, name = file.rpartition("/")
        argv = ("systemctl", "set-property", "--runtime", unit, f"{PROPERTIES[name]}={text}")
        ran = self._run(argv)
        if ran.status:
            if not self._files.is_folder(place):
                raise Vanished(container_id)
            failure = Failure(
                container_id=container_id,
                file=file,
                wrote=text,
                said=f"systemctl ended with {ran.status}: {ran.said}",
                meaning=f"{unit} is systemd's, and systemd did not set {PROPERTIES[name]}",
                advice="try: " + " ".join(argv),
            )
            raise Unanswered(failure) if ran.status == UNANSWERED else CgroupFailed(failure)
        for _ in range(_TRIES):
            if text_of(self._files, file) == text:
                return
            self._files.wait(_PAUSE)


def allowed_cpus_lines(state: HostState) -> tuple[str, ...]:
    """The commands that keep what systemd starts off the exclusive CPUs of `state`; none when nobody owns any.

    Exclusive means against what we manage: other groups may run everywhere unless they are told. Without `--runtime`
    they hold over a boot.

    >>> from cpuplace import ContainerRequest, Topology, apply, place
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> state = apply(state, place(state, ContainerRequest.integer("db", 2)).unwrap())
    >>> allowed_cpus_lines(state)[0]
    'systemctl set-property --runtime system.slice AllowedCPUs=2-3'
    """
    taken = state.exclusive | state.withheld
    rest = state.topology.online - taken
    if not taken or not rest:
        return ()
    return tuple(f"systemctl set-property --runtime {unit} AllowedCPUs={rest}" for unit in _KEPT_OFF)
