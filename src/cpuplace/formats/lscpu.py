"""What `lscpu` prints, read into a `Topology`: `lscpu -p[=...]`, `lscpu -J -e[=...]`, and the summary `lscpu -J`.

Format: lscpu(1) of util-linux. The table forms say where each CPU lies. The summary only counts: it is read
when its counts and NUMA lists leave one answer, else refused, never guessed. Not said by any: distances, memory,
isolated CPUs, devices.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from cpuplace.cpulist import ids_of, parse_list
from cpuplace.errors import BadInput
from cpuplace.formats.core_kinds import kinds_of
from cpuplace.formats.json_fields import Field, load
from cpuplace.hardware import CpuRow
from cpuplace.topology import Topology

_SOURCE: Final = "lscpu"
_BETTER: Final = "the output of lscpu -p=CPU,CORE,SOCKET,NODE,CACHE,ONLINE says it"
_NUMBER: Final = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,4}))?", re.ASCII)
_NOT_SAID: Final = ("", "-", "None", "?")
_BARE_DASH: Final = re.compile(r": -(?=\s*[,}])", re.ASCII)
"""lscpu writes a number it does not know as a bare `-`, which is no JSON."""
_OFF: Final = ("N", "no", "False")


def parse(text: str, *, name: str = "") -> Topology:
    """The host in any of the three outputs; BadInput with the line or field that cannot be read.

    >>> [str(core.cpus) for core in parse("# CPU,Core,Socket,Node\\n0,0,0,0\\n1,0,0,0\\n").cores]
    ['0-1']
    """
    if not text.lstrip().startswith("{"):
        return _from_table(_printed(text), name)
    top = load(_BARE_DASH.sub(": null", text), source=_SOURCE)
    if "cpus" in top.value:
        return _from_table([_row_of(row) for row in top.need("cpus").items()], name)
    return _Summary.of(top).topology(name)


@frozen(slots=True)
class _Row:
    """The cells of one CPU by lower-case column name, and where they are."""

    cells: Mapping[str, str]
    position: str

    def number(self, column: str, scale: int = 1) -> int | None:
        text = self.cells.get(column, "")
        if text in _NOT_SAID:
            return None
        found = _NUMBER.fullmatch(text)
        if found is None:
            raise BadInput(
                f"expected a number as {column}, found {text[:20]!r}", source=_SOURCE, position=self.position
            )
        fraction = (found[2] or "").ljust(4, "0")
        return int(found[1]) * scale + int(fraction) * scale // 10_000

    def cpu(self) -> int:
        number = self.number("cpu")
        if number is None:
            raise BadInput("no CPU column", source=_SOURCE, position=self.position, hint=_BETTER)
        return number


def _cells(names: Iterable[str], values: Iterable[str]) -> dict[str, str]:
    """Columns to cells; `l1d:l1i:l2:l3` is four columns in one."""
    cells: dict[str, str] = {}
    for column, value in zip(names, values, strict=False):
        parts = column.strip().lower().split(":")
        cells.update(zip(parts, value.strip().split(":") if len(parts) > 1 else [value.strip()], strict=False))
    return cells


def _printed(text: str) -> list[_Row]:
    """Rows of `lscpu -p`: the last comment line names the columns."""
    names, rows = ["CPU", "Core", "Socket", "Node"], []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            names = line[1:].split(",")
        elif line.strip():
            rows.append(_Row(_cells(names, line.split(",")), f"line {number}"))
    return rows


def _row_of(field: Field) -> _Row:
    """A row of `lscpu -J -e`: numbers, texts, true, null or "-"."""
    cells = dict(field.entries())
    return _Row(_cells(cells, (str(cell.value) for cell in cells.values())), field.path)


def _from_table(rows: Sequence[_Row], name: str) -> Topology:
    speeds = {row.cpu(): row.number("maxmhz", 1000) for row in rows}
    kinds = kinds_of({}, speeds)
    return Topology.from_rows(
        (
            CpuRow(
                row.cpu(),
                row.number("core"),
                row.number("l3"),
                row.number("node"),
                row.number("socket"),
                l2=row.number("l2"),
                cluster=row.number("cluster"),
                book=row.number("book"),
                drawer=row.number("drawer"),
                online=row.cells.get("online") not in _OFF,
                max_khz=speeds[row.cpu()],
                kind=kinds.get(row.cpu()),
            )
            for row in rows
        ),
        name=name,
    )


@frozen(slots=True, kw_only=True)
class _Summary:
    """The lines of `lscpu -J` that count and list CPUs."""

    online: int
    offline: int
    threads: int
    sockets: int
    caches: int
    nodes: dict[int, int] = field(factory=dict)

    @classmethod
    def of(cls, top: Field) -> "_Summary":
        lines = {name.rstrip(":"): data for name, data in _lines(top)}
        instances = re.search(r"\(([0-9]{1,6}) instances?\)", lines.get("L3 cache", lines.get("L3", "")), re.ASCII)
        found = [
            (re.fullmatch(r"NUMA node([0-9]{1,5}) CPU\(s\)", name, re.ASCII), data) for name, data in lines.items()
        ]
        return cls(
            online=_list(lines, "On-line CPU(s) list"),
            offline=_list(lines, "Off-line CPU(s) list"),
            threads=_count(lines, "Thread(s) per core"),
            sockets=_count(lines, "Socket(s)"),
            caches=int(instances[1]) if instances else 0,
            nodes={int(match[1]): parse_list(data, source=_SOURCE) for match, data in found if match},
        )

    def topology(self, name: str) -> Topology:
        """The host, when the counts leave one answer."""
        nodes = self.nodes or {0: self.online}
        if not self.online:
            raise BadInput("the summary names no online CPU", source=_SOURCE, hint=_BETTER)
        package = dict(zip(nodes, range(len(nodes)), strict=True)) if self.sockets == len(nodes) else {}
        core = self._cores(nodes.values())
        rows: list[CpuRow] = []
        for cpu in ids_of(self.online | self.offline):
            home = [node for node, mask in nodes.items() if mask >> cpu & 1]
            l3 = home[0] if home and self.caches == len(nodes) else None
            rows.append(
                CpuRow(
                    cpu,
                    core.get(cpu),
                    l3,
                    tuple(home) or None,
                    package.get(home[0]) if home else None,
                    online=bool(self.online >> cpu & 1),
                )
            )
        return Topology.from_rows(rows, memory_bytes=dict.fromkeys(nodes), name=name)

    def _cores(self, nodes: Iterable[int]) -> dict[int, int]:
        """CPU -> core, when each node's list is one run of CPUs a thread: thread t of each core is in run t."""
        cores: dict[int, int] = {}
        for mask in nodes if self.threads > 1 else ():
            starts, ends = ids_of(mask & ~(mask << 1)), ids_of(mask & ~(mask >> 1))
            runs = [range(a, b + 1) for a, b in zip(starts, ends, strict=True)]
            if runs and (len(runs) != self.threads or len({len(run) for run in runs}) > 1):
                raise BadInput("the summary does not say which CPUs share a core", source=_SOURCE, hint=_BETTER)
            cores.update({cpu: cpu - run.start + runs[0].start for run in runs for cpu in run})
        return cores


def _lines(top: Field) -> Iterable[tuple[str, str]]:
    """Field names and data of the summary, nested ones included."""
    waiting = [top.need("lscpu")]
    while waiting:
        for item in waiting.pop().items():
            data = item.maybe("data", _any_text, "")
            yield item.need("field").text(), data
            waiting += item.maybe("children", lambda children: [children], [])


def _any_text(field: Field) -> str:
    return str(field.value)


def _list(lines: Mapping[str, str], name: str) -> int:
    return parse_list(lines.get(name, ""), source=_SOURCE)


def _count(lines: Mapping[str, str], name: str) -> int:
    text = lines.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,6}", text, re.ASCII) else 1
