"""Quoted commands run: `python -m docs.commands` carries out every `cpuplace` line of README, docs and examples.

A line counts when it is `$ cpuplace ...` in a `console` block of a Markdown page, or `# $ cpuplace ...` in a file
under examples/, or README's first set-up command; `python examples/...` counts like `cpuplace ...`. Its exit code must
be 0, or the one that a trailing `# exit 1` says. The commands of one file run in order in one scratch folder that holds
a copy of examples/.

Where a `console` block goes on below a command, those lines are its output, word for word; `--write` renews them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from docs.links import ROOT, markdown

_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"^\$ ((?:cpuplace\b|python examples/).*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_EXAMPLE = re.compile(r"^# \$ ((?:cpuplace\b|python examples/).*)$", re.MULTILINE)
_SETUP = re.compile(r"&& \.venv/bin/(cpuplace .*)$", re.MULTILINE)
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")
PATIENCE = 120  # seconds; a command that needs longer hangs


class Quoted(NamedTuple):
    """A command, and what the page says that it prints ("" = nothing said)."""

    command: str
    printed: str = ""


def main(arguments: Sequence[str] = ()) -> int:
    """0 when every quoted command ends as it says, else 1 with what went wrong; `--write` renews quoted output."""
    problems = []
    for path in [*markdown(), *examples()]:
        commands = list(commands_of(path))
        if not commands and path.suffix != ".md":
            problems.append(f"{path.relative_to(ROOT)}: no line `# $ cpuplace ...` (or python) says how to try it")
        problems += run_all(path, commands, write="--write" in arguments)
    print("\n".join(problems) or "every quoted command ends as it says")
    return 1 if problems else 0


def examples() -> list[Path]:
    """Every file under examples/ that is not a page."""
    return sorted(p for p in (ROOT / "examples").rglob("*") if p.is_file() and p.suffix not in (".md", ".pyc"))


def commands_of(path: Path) -> Iterator[Quoted]:
    """The commands that a file quotes, in order."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        yield from map(Quoted, _EXAMPLE.findall(text))
        return
    yield from map(Quoted, _SETUP.findall(text))
    for block in _CONSOLE.findall(text):
        yield from (Quoted(command, printed) for command, printed in _QUOTED.findall(block))


def run_all(path: Path, commands: list[Quoted], *, write: bool) -> Iterator[str]:
    """Carry the commands out; one line for each that ends or prints otherwise than it says."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "examples", Path(scratch, "examples"), ignore=shutil.ignore_patterns("__pycache__"))
        for quoted in commands:
            done = run(quoted.command, scratch)
            problem = ended_otherwise(quoted.command, done)
            if not problem and quoted.printed.strip() and printed(done) != quoted.printed:
                problem = "" if write else "  prints something else now: `nox -s demo -- --write` renews the page"
                if write:
                    renew(path, quoted, printed(done))
            print(f"{'FAILED' if problem else 'ok    '} {path.relative_to(ROOT)}: {quoted.command}", flush=True)
            if problem:
                yield f"{path.relative_to(ROOT)}: {quoted.command}\n{problem}"


def printed(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed, as a page shows it."""
    return done.stdout.rstrip() + "\n"


def renew(path: Path, quoted: Quoted, now: str) -> None:
    """Write what a command prints now below it."""
    text = path.read_text(encoding="utf-8")
    begun = f"$ {quoted.command}\n"
    path.write_text(text.replace(begun + quoted.printed, begun + now), encoding="utf-8")
    print(f"renewed {path.relative_to(ROOT)}: {quoted.command}")


def run(command: str, folder: str) -> subprocess.CompletedProcess[str]:
    """One command carried out; a shell runs it, as it does for the reader."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "120", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def ended_otherwise(command: str, done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong with one command, "" when nothing did."""
    told = _EXIT.search(command)
    expected = int(told[1]) if told else 0
    if done.returncode == expected and "Traceback" not in done.stderr:
        return ""
    return f"  exit code {done.returncode}, expected {expected}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
