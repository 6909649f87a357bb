"""`cpuplace apply MANIFEST|PLAN`: the containers get their groups on this host, step by step, all or nothing."""

import sys
from typing import Annotated

from attrs import evolve
from cyclopts import Parameter

from cpuplace_cgroup.managing import ManagedHost
from cpuplace_cli.apply_outcome import Applied, applied_data
from cpuplace_cli.apply_text import after_lines, before_lines
from cpuplace_cli.apply_wanted import Wanted, read_wanted
from cpuplace_cli.command import new_command
from cpuplace_cli.managed import ROOT, HostOption, RootOption, StateDirOption, managed_host
from cpuplace_cli.options import NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.situation import PolicyOption

app = new_command(
    "apply",
    """
cpuplace apply pods.yaml --dry-run
cpuplace apply pods.yaml
cpuplace plan pods.yaml -o json > plan.json && cpuplace apply plan.json
cpuplace apply pods.yaml --remove
""",
    notes="Makes one group a container, with its CPUs and memory nodes; what runs in it is up to you: write process "
    "ids to its cgroup.procs. Every step is read back from the kernel; when one fails, all are taken back.\n"
    "Exit code 1 when something was refused or not carried out, 2 for bad input. Needs cgroup v2 and root, or a folder "
    "delegated to you (--root).",
)


@app.default
def apply(
    *files: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="Kubernetes manifests (YAML or JSON), folders of them, - for standard input; or one plan: what "
            "plan -o json printed or --save-state wrote; it is carried out as it is, or not.",
        ),
    ],
    remove: Annotated[bool, Parameter(negative="", help="Take the pods in these files away again.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only show the steps, and what they would write.")] = False,
    root: RootOption = ROOT,
    state_dir: StateDirOption = None,
    policy: PolicyOption = None,
    host: HostOption | None = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Place the pods of manifests, or a plan, in groups of this host: the ordered steps, then how they went.

    A pod of which one container is refused is not placed at all; the others are.
    """
    managed = managed_host(root, state_dir, host=host, policy=policy, write=not dry_run)
    wanted = read_wanted(files, managed.host, remove=remove)
    show = _Show(as_json=output == "json", width=width or terminal_width(), no_color=no_color)
    done = _dry(managed, wanted, show) if dry_run else _carried_out(managed, wanted, show)
    show.after(done)
    return 0 if done.complete else 1


def _dry(managed: ManagedHost, wanted: Wanted, show: "_Show") -> Applied:
    view = managed.look()
    decided = wanted.decide(view.state)
    writes = managed.backend.writes(decided.plan)
    one = Applied(backend=managed.backend, decided=decided, writes=writes, notes=view.news, dry=True)
    show.before(one)
    return one


def _carried_out(managed: ManagedHost, wanted: Wanted, show: "_Show") -> Applied:
    with managed.alone() as session:
        session.adopt(wanted.requests(session.state.policy))
        decided = wanted.decide(session.state)
        writes = managed.backend.writes(decided.plan)
        one = Applied(backend=managed.backend, decided=decided, writes=writes, notes=tuple(session.notes))
        show.before(one)
        return evolve(one, outcome=session.carry_out(decided.plan))


class _Show:
    """Where it is told: text comes in two parts, before and after; JSON at the end."""

    def __init__(self, *, as_json: bool, width: int, no_color: bool) -> None:
        self._json, self._width, self._no_color = as_json, width, no_color

    def before(self, one: Applied) -> None:
        """What is about to be done, at once."""
        if not self._json:
            emit_lines(before_lines(one, self._width), no_color=self._no_color)
            sys.stdout.flush()

    def after(self, one: Applied) -> None:
        """How it went."""
        if self._json:
            emit_json(applied_data(one))
        else:
            emit_lines(after_lines(one, self._width), no_color=self._no_color)
