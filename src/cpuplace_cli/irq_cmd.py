"""`cpuplace irq plan|apply|undo`: device interrupts to the CPUs of the roles that use them, and off quiet CPUs."""

from pathlib import Path
from typing import Annotated

from attrs import evolve, frozen
from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.interrupts import HostInterrupts
from cpuplace.irq_plan import IrqPlan
from cpuplace.irq_planning import plan_interrupts
from cpuplace.partitions import NumaPlanner
from cpuplace.partitions_plan import PartitionPlan
from cpuplace.partitions_refusal import PartitionRefusal
from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.irq_text import outcome_data, outcome_lines, plan_data, plan_lines
from cpuplace_cli.options import OR_STDIN, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.partitions_file import Ask, parse_ask, read_text
from cpuplace_cli.partitions_text import refusal_lines
from cpuplace_cli.streams import read_input

app = new_command(
    "irq",
    """
cpuplace irq plan examples/partitions.yaml --quiet-exclusive
cpuplace irq apply engine.yaml --rps --xps
cpuplace irq plan --state now.json
cpuplace irq undo
""",
    notes="`plan` writes nothing. `apply` and `undo` need root; exit code 1 when the kernel refused, and then nothing "
    "is moved. Interrupts that the kernel manages are reported, not counted as failures.",
)

SpecArgument = Annotated[
    str | None,
    Parameter(allow_leading_hyphen=True, help="Partitions (YAML, or a plan: partitions -o json), or - for stdin."),
]
StateOption = Annotated[
    Path | None,
    Parameter(help="A saved state instead: other interrupts leave its exclusive CPUs; - for stdin."),
    OR_STDIN,
]
QuietOption = Annotated[
    bool, Parameter(negative="", help="Also move every other movable interrupt off the CPUs of partitions.")
]
RpsOption = Annotated[bool, Parameter(negative="", help="Also receive packets on the role's CPU in software (RPS).")]
XpsOption = Annotated[bool, Parameter(negative="", help="Also send from the role's CPU on the role's queue (XPS).")]
RootOption = Annotated[Path, Parameter(help="Where the host's proc/ and sys/ are.")]
RecordOption = Annotated[
    Path | None, Parameter(help="Save here what was there (default: run/cpuplace/irq-undo.json below the root).")
]


@frozen(slots=True, kw_only=True)
class _Wanted:
    """What the command line asks for."""

    spec: str | None
    state: Path | None
    quiet: bool
    rps: bool
    xps: bool
    root: Path


@app.command
def plan(
    spec: SpecArgument = None,
    /,
    *,
    state: StateOption = None,
    quiet_exclusive: QuietOption = False,
    rps: RpsOption = False,
    xps: XpsOption = False,
    root: RootOption = Path("/"),
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Show which interrupts would go where, which cannot, and what irqbalance must be told. Nothing is written."""
    asked = _Wanted(spec=spec, state=state, quiet=quiet_exclusive, rps=rps, xps=xps, root=root)
    host, answer = _planned(asked)
    columns = width or terminal_width()
    if isinstance(answer, PartitionRefusal):
        return _refuse(answer, host, output, columns, no_color)
    if output == "json":
        emit_json(plan_data(answer, host.name))
    else:
        emit_lines(plan_lines(answer, columns), no_color=no_color)
    return 0


@app.command
def apply(
    spec: SpecArgument = None,
    /,
    *,
    state: StateOption = None,
    quiet_exclusive: QuietOption = False,
    rps: RpsOption = False,
    xps: XpsOption = False,
    record: RecordOption = None,
    root: RootOption = Path("/"),
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Move the interrupts that `plan` shows, and save what was there for `undo`; all of it or nothing."""
    from cpuplace_linux.irq_steering import DEFAULT_RECORD, apply_irq_plan

    asked = _Wanted(spec=spec, state=state, quiet=quiet_exclusive, rps=rps, xps=xps, root=root)
    host, answer = _planned(asked)
    columns = width or terminal_width()
    if isinstance(answer, PartitionRefusal):
        return _refuse(answer, host, output, columns, no_color)
    path = root / DEFAULT_RECORD if record is None else record
    outcome = apply_irq_plan(answer, root, record=path)
    kept = str(path) if outcome.of("done") or outcome.of("not taken back") else ""
    if output == "json":
        emit_json({"host": host.name, **outcome_data(outcome, kept), "irqbalance": list(answer.irqbalance)})
    else:
        emit_lines(outcome_lines(outcome, kept, columns), no_color=no_color)
    return 0 if outcome.ok else 1


@app.command
def undo(
    record: Annotated[Path | None, Parameter(help="What `apply` saved (default as there).")] = None,
    /,
    *,
    root: RootOption = Path("/"),
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Write back what was there before `apply`, and remove its record when all of it is."""
    from cpuplace_linux.irq_steering import DEFAULT_RECORD, undo_irq_record

    path = root / DEFAULT_RECORD if record is None else record
    outcome = undo_irq_record(path, root)
    kept = "" if outcome.ok else str(path)
    if output == "json":
        emit_json(outcome_data(outcome, kept))
    else:
        emit_lines(outcome_lines(outcome, kept, width or terminal_width(), undo=True), no_color=no_color)
    return 0 if outcome.ok else 1


def _planned(asked: _Wanted) -> tuple[Topology, IrqPlan | PartitionRefusal]:
    from cpuplace_linux.interrupts import read_interrupts
    from cpuplace_linux.read_host import read_host

    if (asked.spec is None) == (asked.state is None):
        raise BadInput("either partitions or --state is needed", source="irq", hint="cpuplace irq plan engine.yaml")
    host = read_host(asked.root, name="this machine" if asked.root == Path("/") else asked.root.resolve().name)
    seen = read_interrupts(asked.root, host=host)
    if asked.state is not None:
        return host, plan_interrupts(seen, quiet=_exclusive(asked.state, host))
    partitions = _partitions(str(asked.spec), host, seen)
    if isinstance(partitions, PartitionRefusal):
        return host, partitions
    pins = [pin for one in partitions for pin in one.pins.queues]
    quiet = partitions.cpus if asked.quiet else NO_CPUS
    return host, plan_interrupts(seen, pins, quiet=quiet, rps=asked.rps, xps=asked.xps)


def _exclusive(path: Path, host: Topology) -> CpuSet:
    """The CPUs that no interrupt should come to: those of owners, and the idle siblings kept for them."""
    from cpuplace.formats import state as state_format

    text, source = read_input(path)
    state = state_format.parse(text, host, source=source)
    return state.exclusive | state.withheld


def _partitions(spec: str, host: Topology, seen: HostInterrupts) -> PartitionPlan | PartitionRefusal:
    """A saved plan as it is, or one made for this host, with its kernel-managed queues where they are."""
    from cpuplace.formats import partitions as plan_format

    source = "standard input" if spec == "-" else spec
    text = read_text(spec)
    if text.lstrip().startswith("{") and '"schema"' in text:
        return plan_format.parse(text, source=source)
    ask = _with_managed(parse_ask(text, source=source), seen)
    planner = NumaPlanner(ask.nodes(host), topology=host)
    return planner.plan_partitions(ask.ids, ask.roles, page_bytes=ask.page_bytes, oversubscribe=ask.oversubscribe)


def _with_managed(ask: Ask, seen: HostInterrupts) -> Ask:
    """What the file says of a device wins over what the host shows."""
    shown = {name: queues for name, queues in seen.managed_queues.items() if name not in ask.queues}
    return evolve(ask, managed={**shown, **ask.managed})


def _refuse(refusal: PartitionRefusal, host: Topology, output: str, width: int, no_color: bool) -> int:
    if output == "json":
        fields = refusal.to_dict()
        emit_json({"host": host.name, "refusal": {"partition": fields.pop("container_id"), **fields}})
    else:
        lines = refusal_lines(refusal, width, share="oversubscribe: true in the file")
        emit_lines(lines, no_color=no_color)
    return 1
