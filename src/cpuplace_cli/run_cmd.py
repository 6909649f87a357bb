"""`cpuplace run -- COMMAND`: a command in a group of its own, on CPUs of its own, which it gives back when it ends."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cpuplace.errors import BadInput, CpuplaceError
from cpuplace.formats.emit_openmp import places
from cpuplace.formats.emit_placed import Placed
from cpuplace.idset import CpuSet
from cpuplace.refusal import Refused
from cpuplace.request import ContainerRequest
from cpuplace.wishes import CoresWish, IsolatedWish, KindWish, L3Wish, MoveWish, PackageWish, Wishes
from cpuplace_cgroup.managing import ManagedHost, Running, Session
from cpuplace_cgroup.process import NotStarted, run_to_end
from cpuplace_cli.command import new_command
from cpuplace_cli.main import REFUSED, fail
from cpuplace_cli.managed import ROOT, HostOption, RootOption, StateDirOption, managed_host
from cpuplace_cli.printable import printable
from cpuplace_cli.run_asked import Asked
from cpuplace_cli.situation import PolicyOption

app = new_command(
    "run",
    """
cpuplace run --cpus 4 -- ./train --epochs 3
cpuplace run --cpus 8 --numa require-one --cores require-full -- ./database
cpuplace run --pin 2-5,18-21 --name feed -- ./feed
cpuplace run --shared -- make -j
""",
    notes="The exit code is the command's, 128 + n when signal n ended it, 126 or 127 when it cannot be started; 1 "
    "when it was refused its CPUs, 2 for bad input. Signals that cpuplace is sent are sent on.\n"
    "The command finds CPUPLACE_CPUS in its environment, and with CPUs of its own OMP_PLACES and, unless it is set, "
    "OMP_NUM_THREADS.\n"
    "Needs cgroup v2 and root, or a folder delegated to you (--root).",
)


@app.default
def run(
    *command: Annotated[str, Parameter(help="The command and its arguments, after --.")],
    cpus: Annotated[int | None, Parameter(help="How many CPUs of its own it gets.")] = None,
    pin: Annotated[str | None, Parameter(help="Exactly these CPUs, like 0-3,8; its own without --shared.")] = None,
    shared: Annotated[bool, Parameter(negative="", help="Runs on what others leave, or shares its --pin.")] = False,
    name: Annotated[str | None, Parameter(help="What to call it (default: the command's name).")] = None,
    numa: Annotated[
        str | None, Parameter(help="prefer, require-one, require-fewest, spread[:K], or a list of NUMA nodes.")
    ] = None,
    cores: Annotated[CoresWish | None, Parameter(help="Whole cores; isolate: one CPU each, siblings idle.")] = None,
    l3: Annotated[L3Wish | None, Parameter(help="CPUs that share one L3.")] = None,
    package: Annotated[PackageWish | None, Parameter(help="CPUs of one package.")] = None,
    device: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="Near this device (name or PCI address; NAME! insists)."),
    ] = (),
    core_kind: Annotated[KindWish | None, Parameter(help="Which kind of cores.")] = None,
    isolated: Annotated[IsolatedWish | None, Parameter(help="CPUs that the kernel isolates (isolcpus).")] = None,
    move: Annotated[MoveWish | None, Parameter(help="Whether it may be moved out of the way of a pin.")] = None,
    forbid: Annotated[str, Parameter(help="CPUs that it must not run on.")] = "",
    root: RootOption = ROOT,
    state_dir: StateDirOption = None,
    policy: PolicyOption = None,
    host: HostOption | None = None,
) -> int:
    """Run a command in a group of its own on exclusive CPUs, and give them back when it ends.

    Two commands never get the same CPU. What a killed cpuplace left behind is given back by the next one.
    """
    if not command:
        raise BadInput("no command given", source="run", hint="cpuplace run --cpus 2 -- COMMAND ARGS")
    wishes = Wishes(
        numa=numa,
        cores=cores,
        l3=l3,
        package=package,
        devices=device,
        core_kind=core_kind,
        isolated=isolated,
        move=move,
    )
    asked = Asked(
        cpus=cpus,
        pin=None if pin is None else CpuSet.parse(pin, source="--pin"),
        shared=shared,
        wishes=wishes,
        forbid=CpuSet.parse(forbid, source="--forbid"),
    )
    managed = managed_host(root, state_dir, host=host, policy=policy)
    stem = Path(command[0]).name or "run"
    return _run(managed, command, lambda session: asked.request(name or session.free_name(stem)))


def _run(managed: ManagedHost, command: Sequence[str], ask: Callable[[Session], ContainerRequest]) -> int:
    """The exit code; whatever goes wrong after the end of the command is told, and does not change it."""
    code: int | None = None
    said: list[str] = []
    try:
        with managed.running(ask) as running:
            said = running.notes
            _tell(said)
            code = _to_end(managed, command, running)
    except Refused as refused:
        return fail(str(refused), REFUSED)
    except (CpuplaceError, OSError) as error:
        if code is None:
            raise
        said = [f"its CPUs are given back by the next command: {error}"]
    _tell(said)
    return code


def _to_end(managed: ManagedHost, command: Sequence[str], running: Running) -> int:
    key = running.held.container_id
    environment = os.environ | environment_of(Placed(managed.host, running.held), os.environ)
    sys.stdout.flush()
    try:
        return run_to_end(command, environment, lambda: managed.backend.enter(key))
    except NotStarted as error:
        return fail(str(error), error.status)


def environment_of(one: Placed, given: Mapping[str, str]) -> dict[str, str]:
    """What is added to a command's environment; a shared one's CPUs change while it runs, so no thread is bound.

    >>> from cpuplace import Assignment, Topology
    >>> held = Assignment(ContainerRequest.integer("db", 2), CpuSet([0, 1]))
    >>> environment_of(Placed(Topology.uniform(cores_per_l3=2), held), {"OMP_NUM_THREADS": "1"})
    {'CPUPLACE_CPUS': '0-1', 'OMP_PLACES': '{0}:2'}
    """
    more = {"CPUPLACE_CPUS": str(one.cpus)}
    if one.alone:
        more["OMP_PLACES"] = places(one.by_thread)
        if "OMP_NUM_THREADS" not in given:
            more["OMP_NUM_THREADS"] = str(len(one.cpus))
    return more


def _tell(notes: Iterable[str]) -> None:
    for note in notes:
        sys.stderr.write(f"cpuplace: note: {printable(note)}\n")
