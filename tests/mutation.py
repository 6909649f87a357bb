"""Mutation testing: which small changes of a decision no test notices. `nox -s mutants` runs it; mutmut does the work.

    python tests/mutation.py FOLDER [MODULE ...] [--sample N] [--seed S] [--again]

Every module gets a folder of its own in FOLDER with a copy of the tree, so that nothing here is touched, a run that was
stopped goes on where it was, and only functions that changed are looked at anew. Which tests a module has to convince
is said in `mutation.toml`, as are survivors that change nothing anybody could see.
"""

import json
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import chdir
from os import environ
from pathlib import Path
from random import Random
from shutil import copytree, ignore_patterns
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "docs", "examples", "benchmarks")
VERDICTS = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested", 36: "timeout", 24: "timeout"}
"""What mutmut's numbers mean; -24, 152 and -9 are ends by a signal, of which only those for time occur."""
CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/cpuplace/{module}.py"]
also_copy = ["benchmarks", "docs", "examples", "README.md"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {tests}
do_not_mutate_patterns = {texts}
timeout_multiplier = 5.0
timeout_constant = 4.0
use_git_change_detection = false
"""


class Table(NamedTuple):
    """`mutation.toml`: the tests of each module, lines that are only text, survivors that are equivalent."""

    tests: dict[str, list[str]]
    texts: list[str]
    equivalent: list[dict[str, str]]

    @staticmethod
    def read() -> "Table":
        given = tomllib.loads((ROOT / "tests/mutation.toml").read_text())
        return Table(given["tests"], given["texts"], given.get("equivalent", []))

    def reason(self, module: str, diff: str) -> str | None:
        """Why a survivor is equivalent, None when nobody says so."""
        lines = {line[1:].strip() for line in diff.splitlines() if line.startswith("+")}
        found = (one["why"] for one in self.equivalent if one["module"] == module and one["becomes"] in lines)
        return next(found, None)


class Module(NamedTuple):
    """One module to mutate, and the folder in which that is done."""

    name: str
    folder: Path

    def prepare(self, table: Table) -> None:
        for folder in COPIED:
            copytree(ROOT / folder, self.folder / folder, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
        files = sorted(path for pattern in table.tests[self.name] for path in self.folder.glob(pattern))
        tests = json.dumps([str(path.relative_to(self.folder)) for path in files])
        config = CONFIG.format(module=self.name, tests=tests, texts=json.dumps(table.texts))
        (self.folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + config)
        (self.folder / "README.md").write_bytes((ROOT / "README.md").read_bytes())

    def mutants(self) -> list[str]:
        """The names of all mutants there are."""
        from mutmut.configuration import reset_config
        from mutmut.mutation.file_mutation import mutate_file_contents

        file = f"src/cpuplace/{self.name}.py"
        with chdir(self.folder):
            reset_config()
            names = mutate_file_contents(file, Path(file).read_text()).mutant_names
        return [f"cpuplace.{self.name}.{name}" for name in names]

    def verdicts(self) -> dict[str, str]:
        """What is known so far."""
        meta = self.folder / f"mutants/src/cpuplace/{self.name}.py.meta"
        if not meta.exists():
            return {}
        codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
        return {key: VERDICTS.get(abs(code), "timeout") for key, code in codes.items() if code is not None}

    def run(self, names: Sequence[str], *, again: bool) -> None:
        """Try those that nothing is known of, one after another, each until the first test that fails.

        `again`: survivors too, since there may be better tests now.
        """
        known = {name for name, verdict in self.verdicts().items() if not again or verdict == "killed"}
        todo = [name for name in names if name not in known]
        if todo:
            (self.folder / "mutants/mutmut-stats.json").unlink(missing_ok=True)
            self._mutmut("run", "--max-children", "1", *todo, out=self.folder / "mutmut.log")

    def diff(self, name: str) -> str:
        return self._mutmut("show", name)

    def _mutmut(self, *arguments: str, out: Path | None = None) -> str:
        ends = subprocess.run(
            [sys.executable, "-m", "mutmut", *arguments],
            cwd=self.folder,
            env=environ | {"HYPOTHESIS_PROFILE": "mutants"},
            capture_output=True,
            text=True,
        )
        if out is not None:
            out.write_text(ends.stdout + ends.stderr)
        if ends.returncode:
            sys.exit(f"mutmut {arguments[0]} of {self.name} failed:\n{ends.stderr[-3000:] or ends.stdout[-3000:]}")
        return ends.stdout


def tried(module: Module, table: Table, sample: int, seed: int, *, again: bool) -> Counter[str]:
    """How many of a sample were killed, survived, ...; prints the survivors."""
    module.prepare(table)
    everything = module.mutants()
    names = Random(f"{module.name}:{seed}").sample(everything, len(everything))[:sample]  # a larger one adds to it
    module.run(names, again=again)
    verdicts = module.verdicts()
    score = Counter(verdicts[name] for name in names)
    for name in sorted(names):
        if verdicts[name] in ("survived", "untested"):
            diff = module.diff(name)
            why = table.reason(module.name, diff)
            if why is not None:
                score[verdicts[name]] -= 1
                score["equivalent"] += 1
            print(f"{name}: {verdicts[name] if why is None else f'equivalent, {why}'}\n{diff}", flush=True)
    score["all"] = len(everything)
    return score


def row(name: str, score: Counter[str]) -> str:
    killed, timeout, equivalent = score["killed"], score["timeout"], score["equivalent"]
    survived = score["survived"] + score["untested"]
    share = 100 * (killed + timeout) / max(1, killed + timeout + survived)
    sample = killed + timeout + survived + equivalent
    return f"{name:22}{score['all']:6}{sample:8}{killed:8}{timeout:9}{survived:10}{equivalent:12}{share:8.0f} %"


def main(arguments: Iterable[str]) -> None:
    parser = ArgumentParser(prog="mutation.py", description="Which mutants of the core no test notices.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("modules", nargs="*", help="names in tests/mutation.toml (default: all of them)")
    parser.add_argument("--sample", type=int, default=40, help="at most so many mutants a module (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--again", action="store_true", help="try survivors once more: the tests are better now")
    given, table = parser.parse_args([*arguments]), Table.read()
    if unknown := set(given.modules) - set(table.tests):
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}; known: {', '.join(table.tests)}")
    rows, total = [], Counter[str]()
    for name in given.modules or table.tests:
        score = tried(Module(name, given.folder / name), table, given.sample, given.seed, again=given.again)
        rows.append(row(name, score))
        total += score
        print(rows[-1], flush=True)
    print(
        f"{'module':22}{'all':>6}{'tried':>8}{'killed':>8}{'timeout':>9}{'survived':>10}{'equivalent':>12}{'score':>10}"
    )
    print("\n".join([*rows, row("together", total)]))


if __name__ == "__main__":
    main(sys.argv[1:])
