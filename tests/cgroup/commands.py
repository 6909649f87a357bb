"""Commands in processes of their own, forked from this one: nothing is imported anew, which takes long in a slow VM."""

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO

from cpuplace_cli.main import main

for _module in ("run_cmd", "apply_cmd", "ps_cmd", "ps_text", "drift_cmd", "hosts"):
    import_module(f"cpuplace_cli.{_module}")  # here, so that no process does it again
import_module("cpuplace_linux.read_host")


@contextmanager
def forking() -> Iterator[None]:
    """Python 3.12 warns of forks beside threads (pytest-xdist has some); the new process here uses none of theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class Command:
    """`cpuplace ARGUMENTS` as it runs; what it and its children print is read line by line."""

    def __init__(self, *arguments: str, before: Callable[[], object] = lambda: None) -> None:
        read, write = os.pipe()
        with forking():
            self.pid = os.fork()
        if not self.pid:
            _become(arguments, before, read, write)
        os.close(write)
        self._out: IO[str] = os.fdopen(read, "r")
        self._code: int | None = None

    def line(self) -> str:
        """The next line it prints; "" when it has ended."""
        return self._out.readline().strip()

    def until(self, words: str) -> None:
        """Read on to a line with these words."""
        line = self._out.readline()
        while words not in line:
            assert line, f"it ended without {words!r}"
            line = self._out.readline()

    def rest(self) -> str:
        """Whatever else it and its children print until the last of them ends."""
        return self._out.read()

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code, minus the signal that ended it."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            self.send(signal.SIGTERM)
            self.wait()
        self.close()

    def close(self) -> None:
        """Read no more of it."""
        self._out.close()


def _become(arguments: tuple[str, ...], before: Callable[[], object], read: int, write: int) -> None:
    try:
        os.close(read)
        os.dup2(write, 1)
        os.dup2(write, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import sys

        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - pytest has put its own there
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        before()
        code = main(arguments)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        code = 99
    os._exit(code)


def ran(*arguments: str, before: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Exit code and all output of a command run to its end."""
    with Command(*arguments, before=before) as command:
        said = command.rest()
        return command.wait(), said
