"""Quoted commands run: `python -m docs.commands` carries out every `cpuplace` line of README, docs and examples.

A line counts when it is `$ cpuplace ...` in a `console` block of a Markdown page, or `# $ cpuplace ...` in a file
under examples/, or README's first set-up command; `python examples/...` counts like `cpuplace ...`. Its exit code must
be 0, or the one that a trailing `# exit 1` says. The commands of one file run in order in one scratch folder that holds
a copy of examples/.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docs.links import ROOT, markdown

_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"^\$ ((?:cpuplace\b|python examples/).*)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^# \$ ((?:cpuplace\b|python examples/).*)$", re.MULTILINE)
_SETUP = re.compile(r"&& \.venv/bin/(cpuplace .*)$", re.MULTILINE)
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")
PATIENCE = 120  # seconds; a command that needs longer hangs


def main() -> int:
    """0 when every quoted command ends as it says, else 1 with what went wrong."""
    problems = []
    for path in [*markdown(), *examples()]:
        commands = list(commands_of(path))
        if not commands and path.suffix != ".md":
            problems.append(f"{path.relative_to(ROOT)}: no line `# $ cpuplace ...` (or python) says how to try it")
        problems += run_all(path, commands)
    print("\n".join(problems) or "every quoted command ends as it says")
    return 1 if problems else 0


def examples() -> list[Path]:
    """Every file under examples/ that is not a page."""
    return sorted(p for p in (ROOT / "examples").rglob("*") if p.is_file() and p.suffix not in (".md", ".pyc"))


def commands_of(path: Path) -> Iterator[str]:
    """The commands that a file quotes, in order."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        yield from _EXAMPLE.findall(text)
        return
    yield from _SETUP.findall(text)
    for block in _CONSOLE.findall(text):
        yield from _QUOTED.findall(block)


def run_all(path: Path, commands: list[str]) -> Iterator[str]:
    """Carry the commands out; one line for each that ends otherwise than it says."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "examples", Path(scratch, "examples"), ignore=shutil.ignore_patterns("__pycache__"))
        for command in commands:
            problem = run(command, scratch)
            print(f"{'FAILED' if problem else 'ok    '} {path.relative_to(ROOT)}: {command}", flush=True)
            if problem:
                yield f"{path.relative_to(ROOT)}: {command}\n{problem}"


def run(command: str, folder: str) -> str:
    """What went wrong with one command, "" when nothing did; a shell runs it, as it does for the reader."""
    told = _EXIT.search(command)
    expected = int(told[1]) if told else 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "120", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode == expected and "Traceback" not in done.stderr:
        return ""
    return f"  exit code {done.returncode}, expected {expected}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


if __name__ == "__main__":
    sys.exit(main())
