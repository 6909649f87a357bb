"""`cpuplace policy`: the operator's choices as a table, a check of a policy file, and the schema of one."""

import json
from textwrap import wrap
from typing import Annotated, Any

from cyclopts import Parameter

from cpuplace.policy import Policy
from cpuplace_cli.command import new_command
from cpuplace_cli.options import NAMED, NoColorOption, TableOption
from cpuplace_cli.output import emit, emit_json, emit_lines, terminal_width
from cpuplace_cli.textmap import Line, Span

app = new_command(
    "policy",
    """
cpuplace policy show
cpuplace policy show --weka -o json
cpuplace policy check examples/policy.yaml
cpuplace policy schema > policy.schema.json
""",
)


@app.command
def show(
    file: Annotated[str | None, Parameter(help="A policy file to show; without one, the defaults."), NAMED] = None,
    /,
    *,
    weka: Annotated[bool, Parameter(negative="", help="The policy that decides as Weka's plugin does.")] = False,
    output: TableOption = "text",
    no_color: NoColorOption = False,
) -> int:
    """Show every field of a policy with its value and meaning; * marks what is not the default."""
    policy = _policy(file, weka)
    if output == "json":
        from cpuplace.formats import policy as policy_format

        emit_json({"policy": policy_format.render(policy)})
    else:
        emit_lines(_table(policy, terminal_width()), no_color=no_color)
    return 0


@app.command
def check(
    file: Annotated[str, Parameter(help="The policy file: .yaml, .toml or .json."), NAMED],
    /,
    *,
    output: TableOption = "text",
) -> int:
    """Check a policy file: exit code 0 and what it changes, or 2 and the line that is wrong."""
    changed = _changed(_policy(file, weka=False))
    if output == "json":
        emit_json({"file": file, "changed": changed})
        return 0
    emit(f"{file}: good, {len(changed)} of {len(_values(Policy()))} fields are not the default\n")
    for name, value in changed.items():
        emit(f"  {name}: {_shown(value)}\n")
    return 0


@app.command
def schema() -> int:
    """Print the JSON Schema of a policy file."""
    from cpuplace.formats import policy as policy_format

    emit(json.dumps(policy_format.schema(), indent=2) + "\n")
    return 0


def _policy(file: str | None, weka: bool) -> Policy:
    from cpuplace.errors import BadInput

    if file is None:
        return Policy.weka() if weka else Policy()
    if weka:
        raise BadInput("a file and --weka exclude each other", source="policy show")
    from cpuplace_linux.policyfile import read_policy

    return read_policy(file)


def _values(policy: Policy) -> dict[str, Any]:
    from cpuplace.formats import policy as policy_format

    return policy_format.render(policy)


def _changed(policy: Policy) -> dict[str, Any]:
    default = _values(Policy())
    return {name: value for name, value in _values(policy).items() if value != default[name]}


def _table(policy: Policy, width: int) -> list[Line]:
    """Field, value, meaning; the meaning wraps under itself, and goes below where the terminal is narrow."""
    from cpuplace.formats.policy import FIELDS

    changed = _changed(policy)
    rows = [
        ("* " if name in changed else "  ", name, _shown(value), FIELDS[name].metadata["doc"])
        for name, value in _values(policy).items()
    ]
    names = max(len(row[1]) for row in rows)
    values = min(max(len(row[2]) for row in rows), 24)
    left = 2 + names + 2 + values + 2
    return [line for row in rows for line in _row(row, names, values, max(width - left, 30))]


def _row(row: tuple[str, str, str, str], names: int, values: int, room: int) -> list[Line]:
    mark, name, value, doc = row
    style = "bold" if mark.strip() else ""
    head = [Span(mark), Span(name.ljust(names + 2), style), Span(value.ljust(values + 2), style)]
    first, *more = wrap(doc, room)
    indent = " " * (2 + names + 2 + values + 2)
    if len(value) > values:
        return [tuple(head), *((Span(indent), Span(text, "dim")) for text in (first, *more))]
    return [(*head, Span(first, "dim")), *((Span(indent), Span(text, "dim")) for text in more)]


def _shown(value: Any) -> str:
    """A value as a person writes it; - for not said, which is not the same as said to be empty: none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value) or "none"
