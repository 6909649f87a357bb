"""The script of a plain install: one line, not a traceback."""

import sys

import pytest

from cpuplace_cli.__main__ import main


def test_a_plain_install_says_what_the_command_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    monkeypatch.delitem(sys.modules, "cpuplace_cli.main", raising=False)
    assert main() == 2
    assert capsys.readouterr().err == "cpuplace: error: the command needs cyclopts: pip install 'cpuplace[cli]'\n"


def test_a_bug_stays_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cpuplace_cli.main", None)
    with pytest.raises(ModuleNotFoundError):
        main()
