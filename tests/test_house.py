"""The house is in order: what README promises is what CI runs, and what an import brings stays small."""

import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpuplace
from length import FILES

ROOT = Path(__file__).resolve().parent.parent
MAIN = (
    "python3 -m venv .venv && .venv/bin/pip install -q '.[cli]'"
    " && .venv/bin/cpuplace plan examples/mixed-workload.yaml --host amd-epyc-7742-2s-nps4"
)
GATES = "python3 -m venv .venv && .venv/bin/pip install -q nox && .venv/bin/nox"
# Written in pieces, so that this file does not find itself.
ELSEWHERE = (
    "py" + "pi.org",
    "files.python" + "hosted.org",
    "npmjs" + ".com",
    "--index" + "-url",
    "--find" + "-links",
    "/work" + "/",
    "/opt" + "/pypi",
    "/opt" + "/wheels",
    "/home" + "/",
    "/root" + "/",
    "SPEC" + ".md",
    "SPEC" + " section",
    "DESIGN" + ".md",
    "ALGORITHM" + ".md",
)
# What `import cpuplace` must not pull in: I/O, clocks, and whatever makes a command slow to start.
HEAVY = {
    "argparse", "asyncio", "cattrs", "concurrent", "ctypes", "cyclopts", "email", "http", "jsonschema", "logging",
    "multiprocessing", "random", "rich", "secrets", "select", "selectors", "shutil", "socket", "ssl", "subprocess",
    "tarfile", "tempfile", "threading", "tomllib", "typing_extensions", "unittest", "urllib", "uuid", "xml", "yaml",
}  # fmt: skip


def ours() -> Iterator[Path]:
    """Every text file of the project."""
    yield from (
        p for p in ROOT.iterdir() if p.is_file() and (p.suffix or p.name == "LICENSE") and p.name != ".coverage"
    )
    for folder in ("src", "tests", "docs", "examples", "benchmarks", "deploy", ".ci"):
        yield from (p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def readable(path: Path) -> str:
    """The text of a file, "" for one that is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_readme_has_exactly_the_two_setup_commands() -> None:
    fenced = re.findall(r"^```sh\n(.*?)^```", readable(ROOT / "README.md"), re.MULTILINE | re.DOTALL)
    assert [block.strip() for block in fenced] == [MAIN, GATES]


def test_ci_ends_with_readmes_second_command() -> None:
    run = ROOT / ".ci" / "run"
    assert readable(run).splitlines()[-1] == GATES
    assert run.stat().st_mode & 0o111, ".ci/run must be executable"


def test_ci_leaves_no_vm_out() -> None:
    before = readable(ROOT / ".ci" / "run").splitlines()[:-1]
    assert 'export CI="${CI:-true}"' in before


@pytest.mark.parametrize("trace", ELSEWHERE)
def test_no_file_names_a_place_that_only_one_machine_has(trace: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in ours() if trace in readable(path)] == []


def test_changelog_tells_of_this_version() -> None:
    version = tomllib.loads(readable(ROOT / "pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## {re.escape(version)}\b", readable(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_what_a_long_run_draws_is_about_files_with_laws() -> None:
    assert [name for name in FILES if "from hypothesis" not in (ROOT / name).read_text(encoding="utf-8")] == []


def documentable() -> Iterator[tuple[str, object]]:
    """Public classes and functions of `cpuplace` and their public methods and properties."""
    for name in dir(cpuplace):
        value = getattr(cpuplace, name)
        if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield name, value
        for inner, member in vars(value).items() if inspect.isclass(value) else ():
            if not inner.startswith("_") and (callable(member) or isinstance(member, property)):
                yield f"{name}.{inner}", member


def test_every_public_name_says_what_it_is() -> None:
    found = dict(documentable())
    assert len(found) > 0
    assert [name for name, value in found.items() if not (inspect.getdoc(value) or "").strip()] == []


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_brings_nothing_heavy() -> None:
    brought = modules_after("import cpuplace") - modules_after("import attrs, sortedcontainers")
    assert "cpuplace" in brought
    assert brought & HEAVY == set()


def test_import_needs_only_the_standard_library_attrs_and_sortedcontainers() -> None:
    brought = modules_after("import cpuplace") - modules_after("pass")
    foreign = brought - set(sys.stdlib_module_names)
    assert foreign <= {"cpuplace", "attr", "attrs", "sortedcontainers"}
