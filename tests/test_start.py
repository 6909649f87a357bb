"""The script of a plain install: one line, not a traceback."""

import subprocess
import sys

import pytest

START = "import sys; sys.modules[sys.argv[1]] = None; from cpuplace_cli.main import main; sys.exit(main(sys.argv[2:]))"


def without(*words: str) -> tuple[int, str]:
    """How a command ends, and what it says, where the first word cannot be imported."""
    done = subprocess.run([sys.executable, "-c", START, *words], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("missing", "words", "package", "extra"),
    [("cyclopts", "--help", "cyclopts", "cli"), ("google", "nri run", "protobuf", "nri")],
)
def test_a_plain_install_says_what_the_command_needs(missing: str, words: str, package: str, extra: str) -> None:
    code, said = without(missing, *words.split())
    assert code == 2
    assert said == f"cpuplace: error: the command needs {package}: pip install 'cpuplace[{extra}]'\n"


def test_a_module_of_ours_that_is_missing_is_a_bug() -> None:
    code, said = without("cpuplace_nri.main", "nri", "run")
    assert code == 70
    assert said.startswith("cpuplace: error: a bug in cpuplace: ModuleNotFoundError: ") and said.count("\n") == 1
