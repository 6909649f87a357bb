"""What a start costs: `import cpuplace` beyond `import attrs`, paired run by run, and `cpuplace --help`."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 31


def python(statement: str) -> None:
    """One fresh interpreter."""
    subprocess.run([sys.executable, "-I", "-c", statement], check=True)


def bench_import(benchmark: BenchmarkFixture) -> None:
    attrs: list[float] = []

    def setup() -> tuple[tuple[str], dict[str, Any]]:
        start = perf_counter()
        python("import attrs")
        attrs.append(perf_counter() - start)
        return ("import cpuplace",), {}

    python("import cpuplace")  # so that byte code is written
    benchmark.extra_info |= {"what": "`import cpuplace` beyond `import attrs`", "budget_us": 35_000, "minus": attrs}
    benchmark.pedantic(python, setup=setup, rounds=ROUNDS)


def bench_help(benchmark: BenchmarkFixture) -> None:
    command = [str(Path(sys.executable).with_name("cpuplace")), "--help"]
    benchmark.extra_info |= {"what": "`cpuplace --help`", "budget_us": 400_000}
    benchmark.pedantic(
        subprocess.run, args=(command,), kwargs={"check": True, "capture_output": True}, rounds=ROUNDS, warmup_rounds=1
    )
