"""`cpuplace partitions SPEC.yaml`: where the partitions of a storage or stream engine run on a host."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cpuplace.partitions import NumaPlanner
from cpuplace.partitions_plan import PartitionChange, PartitionPlan
from cpuplace.partitions_refusal import PartitionRefusal
from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import load_host
from cpuplace_cli.looks import printable
from cpuplace_cli.options import OR_STDIN, HostOption, NoColorOption, WidthOption
from cpuplace_cli.output import emit, emit_json, emit_lines, emit_svg, terminal_width
from cpuplace_cli.partitions_file import read_ask
from cpuplace_cli.partitions_text import picture, plan_lines, refusal_lines
from cpuplace_cli.streams import read_input

app = new_command(
    "partitions",
    """
cpuplace partitions examples/partitions.yaml --host amd-epyc-7742-2s-nps4
cpuplace partitions examples/partitions.yaml --host amd-epyc-7742-2s-nps4 -o configmap | kubectl apply -f -
cpuplace partitions engine.yaml -o json > plan.json
cpuplace partitions engine.yaml --compare plan.json
""",
    notes="Exit code 1 when they do not fit, 2 for bad input. Without --host it is this machine.",
)


@app.default
def partitions(
    spec: Annotated[str, Parameter(allow_leading_hyphen=True, help="What is asked for (YAML), or - for stdin.")],
    /,
    *,
    host: HostOption | None = None,
    oversubscribe: Annotated[
        bool, Parameter(negative="", help="Share CPUs and queues where there are too few, and list them.")
    ] = False,
    compare: Annotated[
        Path | None, Parameter(help="Also say what changes against this plan (-o json), or - for stdin."), OR_STDIN
    ] = None,
    output: Annotated[
        Literal["text", "json", "configmap", "svg"], Parameter(name=["--output", "-o"], help="What to print.")
    ] = "text",
    name: Annotated[str, Parameter(help="The name of the ConfigMap.")] = "partition-plan",
    namespace: Annotated[str | None, Parameter(help="Its namespace.")] = None,
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Plan partitions: a NUMA node, a CPU a role, device queues and a slice of memory for each.

    SPEC says how many partitions, and where they differ from the usual ones: roles, memory, CPUs, devices.
    """
    ask = read_ask(spec)
    topology = load_host("live" if host is None else host)
    planner = NumaPlanner(ask.nodes(topology), topology=topology)
    answer = planner.plan_partitions(
        ask.ids, ask.roles, page_bytes=ask.page_bytes, oversubscribe=oversubscribe or ask.oversubscribe
    )
    columns = width or terminal_width()
    if isinstance(answer, PartitionRefusal):
        return _refuse(answer, topology.name, output, columns, no_color)
    changes = None if compare is None else _changes(compare, answer)
    if output == "json":
        emit_json(_data(answer, changes))
    elif output == "configmap":
        from cpuplace_k8s.partitions import render as render_config_map

        emit(render_config_map(answer, name=name, namespace=namespace))
    elif output == "svg":
        from cpuplace_cli.svgmap import render as render_svg

        emit_svg(render_svg(picture(topology, answer, ask.usable).drawing()))
    else:
        shown = picture(topology, answer, ask.usable)
        emit_lines(plan_lines(answer, shown, changes, columns), no_color=no_color)
    return 0


def _changes(path: Path, plan: PartitionPlan) -> tuple[PartitionChange, ...]:
    from cpuplace.formats import partitions as plan_format

    text, source = read_input(path)
    return plan_format.parse(text, source=source).changes(plan)


def _data(plan: PartitionPlan, changes: tuple[PartitionChange, ...] | None) -> dict[str, Any]:
    from cpuplace.formats import partitions as plan_format

    told = [
        {"partition": one.partition_id, "what": one.what, "role": one.role, "before": one.before, "after": one.after}
        for one in changes or ()
    ]
    return plan_format.to_dict(plan) | ({} if changes is None else {"changes": told})


def _refuse(refusal: PartitionRefusal, host: str, output: str, width: int, no_color: bool) -> int:
    """Say why; where a manifest or picture was wanted, on standard error."""
    if output == "json":
        fields = refusal.to_dict()
        emit_json({"host": host, "refusal": {"partition": fields.pop("container_id"), **fields}})
    elif output == "text":
        emit_lines(refusal_lines(refusal, width), no_color=no_color)
    else:
        sys.stderr.write(f"cpuplace: refused: {printable(str(refusal))}\n")
    return 1
