"""The table of budgets from a pytest-benchmark JSON file, as Markdown: `python -m benchmarks.table FILE.json`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

HEAD = ("| what | host | median | p99 | budget (median) | |", "|---|---|---|---|---|---|")
QUIET = 0.5
"""A one-minute load average above this, beside the benchmark's own 1, means that the cores were not quiet."""


def main(arguments: Sequence[str]) -> int:
    """Print the table; always 0, since a budget missed is for people to judge."""
    report = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    print("\n".join([*HEAD, *map(row, report["benchmarks"]), "", conditions(report)]))
    return 0


def row(benchmark: dict[str, Any]) -> str:
    """One row; what is in `extra_info` says which kind of figure it is."""
    extra, data = benchmark["extra_info"], benchmark["stats"]["data"]
    name = (extra.get("what", benchmark["name"]), extra.get("host", ""))
    if "bytes" in extra:
        held, most = extra["bytes"], extra["budget_bytes"]
        return line(*name, mebibytes(held), "", mebibytes(most), met=held <= most)
    if "least_per_second" in extra:
        rates = [count / seconds for count, seconds in zip(extra["operations"], data, strict=True)]
        least = extra["least_per_second"]
        return line(
            *name,
            f"{median(rates):,.0f}/s",
            f"{percentile(rates, 1):,.0f}/s",
            f">= {least:,}/s",
            met=median(rates) >= least,
        )
    budget = extra.get("budget_us")
    times = [(one - less) * 1e6 for one, less in zip(data, extra.get("minus") or [0] * len(data), strict=True)]
    return line(
        *name,
        duration(median(times)),
        duration(percentile(times, 99)),
        duration(budget),
        met=median(times) <= (budget or 0),
    )


def line(*cells: str, met: bool) -> str:
    """The cells and the verdict as one row; a row without budget has no verdict."""
    verdict = ("ok" if met else "**missed**") if cells[-1] else ""
    return f"| {' | '.join([*cells, verdict])} |"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def duration(microseconds: float | None) -> str:
    """A time as people read it; "" for None."""
    if microseconds is None:
        return ""
    if abs(microseconds) < 1000:
        return f"{microseconds:.1f} us"
    return f"{microseconds / 1000:.1f} ms"


def mebibytes(count: int) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.2f} MiB"


def conditions(report: dict[str, Any]) -> str:
    """Where and under which load the figures were taken."""
    machine = report["machine_info"]
    load = report.get("load", [0.0])[0]
    busy = "" if load <= 1 + QUIET else " The cores were **not quiet**: repeat before believing a miss."
    cpu = machine.get("cpu", {})
    brand = cpu.get("brand_raw", machine["machine"])
    return f"Python {machine['python_version']}, {cpu.get('count', '?')} CPUs ({brand}), load average {load:.1f}.{busy}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
