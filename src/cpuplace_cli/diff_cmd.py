"""`cpuplace diff A B`: what differs between two saved states or plans, in words and as maps."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from attrs import frozen
from cyclopts import Parameter

from cpuplace.diffing import Change, Difference, Holding, Snapshot, difference, snapshot
from cpuplace.errors import BadInput
from cpuplace.formats import plan as plan_format
from cpuplace.formats import state as state_format
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.request import Kind
from cpuplace.topology import Topology
from cpuplace_cli.command import new_command
from cpuplace_cli.hosts import load_host
from cpuplace_cli.looks import Marks
from cpuplace_cli.options import OR_STDIN, HostOption, NoColorOption, TableOption, WidthOption
from cpuplace_cli.output import emit_json, emit_lines, terminal_width
from cpuplace_cli.picture import Picture, picture_of
from cpuplace_cli.situation import host_of_state, read_state
from cpuplace_cli.textmap import MIN_WIDTH, Line, Span, render
from cpuplace_cli.titled import sum_line, titled

app = new_command(
    "diff",
    """
cpuplace diff monday.json tuesday.json
cpuplace diff plan-a.json plan-b.json --host server7.tar.gz
""",
    notes="A and B are saved states (plan --save-state) or plans (plan -o json), of one host. Exit code 0 when nothing "
    "differs, 1 when something does, 2 for bad input.",
)


@frozen(slots=True, kw_only=True)
class Side:
    """One of the two files, and what its map shows beside owners."""

    found: Snapshot
    marks: Marks


@app.default
def diff(
    before: Annotated[Path, Parameter(name="A", help="A saved state or plan, or - for stdin."), OR_STDIN],
    after: Annotated[Path, Parameter(name="B", help="A later one, of the same host."), OR_STDIN],
    /,
    *,
    host: HostOption | None = None,
    output: TableOption = "text",
    width: WidthOption = None,
    no_color: NoColorOption = False,
) -> int:
    """Say who came, went and moved between two saved states or plans, and draw both.

    Without --host it is the host that A names, when the catalogue has it, else this machine.
    """
    texts = read_state(before), read_state(after)
    topology = load_host(_host_of(*texts[0]) if host is None else host)
    sides = _side(*texts[0], topology), _side(*texts[1], topology)
    found = difference(sides[0].found, sides[1].found)
    if output == "json":
        emit_json({"host": topology.name, **_data(found)})
    else:
        emit_lines(_lines(found, topology, sides, max(width or terminal_width(), MIN_WIDTH)), no_color=no_color)
    return 0 if found.is_empty else 1


def _host_of(text: bytes, source: str) -> str:
    from cpuplace import catalogue

    if not plan_format.is_plan(text):
        return host_of_state(text, source)
    name, _ = plan_format.parse(text, source=source)
    return name if name in catalogue.NAMES else "live"


def _side(text: bytes, source: str, topology: Topology) -> Side:
    if not plan_format.is_plan(text):
        state = state_format.parse_unchecked(text, topology, source=source)
        return Side(found=snapshot(state), marks=picture_of(state).marks)
    _, found = plan_format.parse(text, source=source)
    held, withheld = found.pool, NO_CPUS
    for one in found.holdings.values():
        held |= one.cpus
        withheld |= one.withheld
    absent = (held | withheld) - CpuSet(cpu.id for cpu in topology.cpus)
    if absent:
        raise BadInput(f"names CPUs that {topology.name or 'the host'} does not have: {absent}", source=source)
    return Side(found=found, marks=Marks(withheld=withheld))


def _data(found: Difference) -> dict[str, Any]:
    return {
        "equal": found.is_empty,
        "changes": [
            {
                "pod": one.pod,
                "container": one.container,
                "before": _holding(one.before),
                "after": _holding(one.after),
            }
            for one in found.changes
        ],
        "pool": {"before": str(found.pool_before), "after": str(found.pool_after)},
    }


def _holding(one: Holding | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"kind": one.kind.value, "cpus": str(one.cpus), "mems": None if one.mems is None else str(one.mems)}


def _lines(found: Difference, host: Topology, sides: tuple[Side, Side], width: int) -> Iterator[Line]:
    yield from titled("changes", [_words(one, host) for one in found.changes], width)
    if found.pool_before != found.pool_after:
        yield from titled("pool", [f"from {found.pool_before or 'empty'} to {found.pool_after or 'empty'}"], width)
    if not found.is_empty:
        for title, picture in zip(("before", "after"), _pictures(host, sides), strict=True):
            yield (Span(title, "bold"),)
            yield from render(picture.drawing(), width)
            yield ()
    kinds = [_kind(one) for one in found.changes]
    counts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
    said = ", ".join(counts) or "only the pool differs"
    yield from sum_line("nothing differs" if found.is_empty else said, "", width)


def _kind(one: Change) -> str:
    """What happened to a container, in a word."""
    if one.before is None:
        return "came"
    if one.after is None:
        return "went"
    if one.before.kind is not one.after.kind:
        return "changed"
    if one.before.cpus != one.after.cpus:
        return "moved"
    return "rebound" if one.before.mems != one.after.mems else "changed"


def _words(one: Change, host: Topology) -> str:
    who = f"{_name(one.pod, one.container)} {_kind(one)}"
    was, now = one.before, one.after
    if was is None or now is None:
        held = was or now
        return who if held is None else f"{who}: {_where(held, host)}"
    if was.kind is now.kind and was.cpus == now.cpus:
        return f"{who}: {', '.join(_besides(was, now))}"
    return f"{who} from {_where(was, host)} to {_where(now, host)}"


def _besides(was: Holding, now: Holding) -> Iterator[str]:
    """What differs besides the CPUs."""
    if was.mems != now.mems:
        yield f"memory of {_mems(was)} before, of {_mems(now)} now"
    if was.withheld != now.withheld:
        yield f"withheld {was.withheld or 'none'} before, {now.withheld or 'none'} now"


def _mems(one: Holding) -> str:
    return "any node" if one.mems is None else f"node {one.mems}"


def _where(one: Holding, host: Topology) -> str:
    """The CPUs of a container, and the nodes they are on."""
    if one.kind is Kind.SHARED:
        return "the pool"
    nodes = sorted({cpu.node for cpu in host.cpus if cpu.id in one.cpus})
    on = f" (node{'' if len(nodes) == 1 else 's'} {', '.join(map(str, nodes))})" if nodes else ""
    return f"{one.cpus or 'no CPU'}{on}"


def _name(pod: str, container: str) -> str:
    return pod if pod == container else f"{pod}/{container}".removeprefix("default/")


def _pictures(host: Topology, sides: tuple[Side, Side]) -> tuple[Picture, Picture]:
    """Both maps with the same letter for the same owner."""
    owners = [_owners(side.found) for side in sides]
    labels = list(dict.fromkeys([*owners[0], *owners[1]]))
    one, other = (
        Picture(host=host, owners={label: held.get(label, NO_CPUS) for label in labels}, marks=side.marks)
        for held, side in zip(owners, sides, strict=True)
    )
    return one, other


def _owners(found: Snapshot) -> Mapping[str, CpuSet]:
    """Label -> CPUs of all that hold their own; the pins of one pod have one owner, the pod."""
    owners: dict[str, CpuSet] = {}
    for (pod, container), one in found.holdings.items():
        if one.kind is not Kind.SHARED:
            label = f"{pod} (pinned)" if one.kind is Kind.PINNED else _name(pod, container)
            owners[label] = owners.get(label, NO_CPUS) | one.cpus
    return owners
