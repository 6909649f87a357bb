"""The frame of the command: exit codes, one-line errors, help, completion; never a traceback."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from cli.commands import Run
from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace_cli import main as frame
from cpuplace_cli import topology_cmd
from cpuplace_cli.options import KnownHost

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = [sys.executable, "-m", "cpuplace_cli"]


def started(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")} | environment
    return subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, text=True, env=env, check=False)


@pytest.mark.parametrize("name", [name for name, _, _ in frame.COMMANDS])
def test_every_command_has_a_line_in_the_help_and_examples_in_its_own(run: Run, name: str) -> None:
    assert f" {name} " in run("--help").out
    result = run(name, "--help")
    assert result.code == 0
    assert "Examples:" in result.out
    assert f"cpuplace {name}" in result.out


def test_no_arguments_show_the_help(run: Run) -> None:
    assert run().out == run("--help").out


def test_the_version_is_that_of_the_package(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").out.strip() == version("cpuplace")


@pytest.mark.parametrize(
    "arguments",
    [
        ["hosst"],
        ["topology", "--nonsense"],
        ["topology", "--host"],
        ["topology", "--host", "vm-2cpu", "-o", "yaml"],
        ["topology", "--host", "vm-2cpu", "--width", "wide"],
        ["topology", "--host", "vm-3cpu"],
        ["topology", "--host", ""],
        ["topology", "--host", "/no/such/place"],
        ["topology", "--host", "a\nb\x1b[2J"],
        ["topology", "--host", "\0"],
        ["topology", "--host", "vm-2cpu", "extra"],
        ["hosts", "vm-3cpu"],
        ["completion", "tcsh"],
        ["completion"],
        ["capture"],
    ],
)
def test_bad_usage_and_bad_input_are_one_line_and_exit_2(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("cpuplace: error: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()


@pytest.mark.parametrize("words", ["topology --host vm-2cpu", "irq undo", "nri status", "diff a b", "plan a.yaml"])
def test_a_width_that_no_text_fits_is_refused(run: Run, words: str) -> None:
    assert "at least 40" in run(*words.split(), "--help").out
    for width in ("-5", "0", "39"):
        code, out, err = run(*words.split(), "--width", width)
        assert (code, out) == (2, "")
        assert err.endswith(f'Invalid value "{width}" for --width. Must be at least 40.\n')


@pytest.mark.parametrize("error", [BadInput("no", source="x"), FileNotFoundError(2, "No such file", "x"), OSError("x")])
def test_bad_input_from_inside_a_command_exits_2(run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(spec: str) -> None:
        raise error

    monkeypatch.setattr(topology_cmd, "load_host", broken)
    code, out, err = run("topology")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("cpuplace: error: x")


def test_a_bug_of_ours_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(spec: str) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(topology_cmd, "load_host", broken)
    code, _, err = run("topology")
    assert code == frame.BUG
    assert err == "cpuplace: error: a bug in cpuplace: ZeroDivisionError: oops (CPUPLACE_TRACEBACK=1 shows where)\n"
    monkeypatch.setenv("CPUPLACE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("topology")


def test_ctrl_c_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(spec: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(topology_cmd, "load_host", interrupted)
    assert run("topology") == (128 + signal.SIGINT, "", "")


@pytest.mark.parametrize("words", ["topology --host amd-epyc-9965-2s -o svg", "--help", "plan --help"])
def test_a_reader_that_goes_away_is_no_error(words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *words.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize(
    "words", ["hosts", "--help", "--version", "topology --host vm-2cpu -o json", "plan a.yaml", "completion bash"]
)
def test_a_closed_standard_output_is_one_line_and_exit_2(words: str, tmp_path: Path) -> None:
    pod = tmp_path / "a.yaml"
    pod.write_text("")
    done = shell(f"{words.replace('a.yaml', str(pod))} >&-")
    assert (done.returncode, done.stderr) == (2, "cpuplace: error: standard output: it is closed\n")


@pytest.mark.parametrize("words", ["plan - --host vm-2cpu", "topology --host -", "replay -", "partitions -"])
def test_a_closed_standard_input_is_one_line_and_exit_2(words: str) -> None:
    done = shell(f"{words} <&-")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "it is closed" in done.stderr


def test_a_closed_standard_error_leaves_the_exit_code() -> None:
    assert shell("hosts vm-3cpu 2>&-").returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        "state check FILE",
        "diff FILE OTHER",
        "diff OTHER FILE",
        "rebalance FILE --max-moves 1",
        "topology --state FILE",
        "fit POD --state FILE",
        "partitions ASK --host amd-epyc-7742-2s-nps4 --compare PLAN",
    ],
)
def test_a_state_or_a_plan_may_come_from_standard_input(
    run: Run, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod, ask, plan = str(EXAMPLES / "mixed-workload.yaml"), str(EXAMPLES / "partitions.yaml"), tmp_path / "plan.json"
    file, other = tmp_path / "state.json", tmp_path / "other.json"
    host = ("--host", "amd-epyc-7742-2s-nps4")
    run("plan", pod, *host, "--save-state", str(file))
    run("plan", str(EXAMPLES / "isolate.yaml"), *host, "--save-state", str(other))
    plan.write_text(run("partitions", ask, *host, "-o", "json").out)
    named = {"FILE": str(file), "OTHER": str(other), "POD": pod, "ASK": ask, "PLAN": str(plan)}
    expected = run(*(named.get(word, word) for word in words.split()))
    text = plan.read_bytes() if "PLAN" in words else file.read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    piped = run(*({**named, "FILE": "-", "PLAN": "-"}.get(word, word) for word in words.split()))
    assert (piped, piped.err) == (expected, "")


@pytest.mark.parametrize(
    "words", ["diff - -", "plan - --state -", "plan - --host=-", "rebalance - --host - --max-moves 1"]
)
def test_standard_input_is_read_for_one_argument_only(run: Run, words: str) -> None:
    assert run(*words.split()) == (
        2,
        "",
        "cpuplace: error: -: standard input can be read only once (name a file for one of the two)\n",
    )


@pytest.mark.parametrize("words", ["policy check -", "policy show -", "plan a.yaml --policy -", "nri check-config -"])
def test_a_file_whose_name_says_its_language_cannot_be_standard_input(run: Run, words: str) -> None:
    code, _, err = run(*words.split())
    assert code == 2
    assert err.endswith("Standard input is not taken here: the name of a file says its language.\n")


@pytest.mark.parametrize("words", ["diff --nonsense x y", "state check --nonsense", "topology --state --nonsense"])
def test_a_misspelt_option_is_not_taken_for_a_file(run: Run, words: str) -> None:
    code, _, err = run(*words.split())
    assert (code, "option" in err or "Unused" in err) == (2, True)


def shell(words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$0" -m cpuplace_cli {words}', sys.executable], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_terminal_that_lacks_what_we_draw_with_gets_look_alikes(encoding: str) -> None:
    drawn = started("topology", "--host", "vm-2cpu", PYTHONIOENCODING="utf-8").stdout
    plain = started("topology", "--host", "vm-2cpu", PYTHONIOENCODING=encoding)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout == drawn.replace("│", "|") != drawn


def test_a_terminal_of_ascii_shows_refusals_and_colours_too() -> None:
    words = ("plan", str(EXAMPLES / "refused.yaml"), "--host", "vm-2cpu")
    for more in ({}, {"FORCE_COLOR": "1", "TERM": "xterm"}):
        plain = started(*words, LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", **more)
        assert (plain.returncode, plain.stderr) == (1, "")
        assert "x " in plain.stdout and plain.stdout.isascii()


def test_json_and_svg_lose_nothing_on_a_terminal_of_another_encoding(tmp_path: Path) -> None:
    ask = tmp_path / "engine.yaml"
    ask.write_text("{partitions: [blåbær, 数据], roles: [{name: r}]}", encoding="utf-8")
    words = ("partitions", str(ask), "--host", "vm-2cpu", "-o")
    for encoding in ("latin-1", "ascii"):
        told = started(*words, "json", PYTHONIOENCODING=encoding).stdout
        assert [one["id"] for one in json.loads(told)["partitions"]] == ["blåbær", "数据"]
        drawn = started(*words, "svg", PYTHONIOENCODING=encoding).stdout
        assert drawn.isascii() and "".join(ElementTree.fromstring(drawn).itertext()).count("数据") > 0


def test_started_as_a_program_the_exit_codes_are_the_same() -> None:
    assert started("hosts").returncode == 0
    wrong = started("topology", "--host", "vm-3cpu")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("cpuplace: error: catalogue: no host is called 'vm-3cpu' (did you mean vm-2cpu")


def test_help_does_not_load_what_only_commands_need() -> None:
    code = (
        "import sys; from cpuplace_cli.main import main; main(['--help']); "
        "sys.exit(any(name in sys.modules for name in ('yaml', 'cpuplace', 'cpuplace_cli.topology_cmd')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_colour_only_where_it_is_wanted() -> None:
    arguments = ("topology", "--host", "vm-2cpu")
    assert "\x1b[" not in started(*arguments).stdout
    assert "\x1b[" in started(*arguments, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[" not in started(*arguments, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" not in started(*arguments, "--no-color", FORCE_COLOR="1").stdout
    assert "\x1b[" not in started(*arguments, FORCE_COLOR="1", TERM="dumb").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_every_command(run: Run, shell: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    assert all(name in out for name, _, _ in frame.COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_offers_the_hosts_of_the_catalogue(run: Run, shell: str) -> None:
    assert get_args(KnownHost) == catalogue.NAMES
    out = run("completion", shell).out
    assert all(out.count(name) >= 2 for name in catalogue.NAMES)


@pytest.mark.parametrize(
    "words", ["cpuplace topology --host intel-i7", "cpuplace hosts intel-i7", "cpuplace plan -H intel-i7"]
)
def test_bash_completes_the_name_of_a_host(run: Run, tmp_path: Path, words: str) -> None:
    script = tmp_path / "cpuplace.bash"
    script.write_text(run("completion", "bash").out)
    done = subprocess.run(
        [
            "bash",
            "-c",
            'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cpuplace; echo "${COMPREPLY[@]}"',
            str(script),
            *words.split(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("intel-i7-1370p\n", "")


def test_the_bash_completion_is_a_script_that_bash_reads(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "cpuplace.bash"
    script.write_text(run("completion", "bash").out)
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False).returncode == 0
