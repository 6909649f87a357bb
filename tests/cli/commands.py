"""Runs the command in this process, as a user would: arguments in, exit code, output and errors out."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from cpuplace_cli.main import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Result:
        code = main(arguments)
        return Result(code, *capsys.readouterr())

    return run
