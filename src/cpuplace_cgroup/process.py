"""One command run to its end: in its group from its first instruction, signals passed on, its status passed back."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from cpuplace import CpuplaceError

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
SIGNALLED: Final = 128
"""Exit codes as shells use them; a command that signal n ended has 128 + n."""

_PASSED_ON: Final = frozenset(
    {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
)


class NotStarted(CpuplaceError):  # noqa: N818
    """The command could not be started; `.status` is the exit code that says why."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.status = status


def run_to_end(argv: Sequence[str], environment: Mapping[str, str], enter: Callable[[], object]) -> int:
    """Run a command and return its exit code, 128 + n when signal n ended it; `enter` is called in the new process.

    Signals that are sent to this process meanwhile are sent on; those that the terminal sends reach the command by
    themselves, since it is in the same process group. Raises NotStarted.
    """
    set_back = _signals_held()
    try:
        report, told = os.pipe()
        child = os.fork()
        if not child:
            _become(argv, environment, enter, set_back, told)
        os.close(told)
        _check_start(child, report, argv[0])
        return _waited(child)
    finally:
        set_back()


def _signals_held() -> Callable[[], None]:
    """Let the signals that are waited for wait; what is returned sets back how it was."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where a caller left it ignored, it would never come

    def set_back() -> None:
        signal.signal(signal.SIGCHLD, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return set_back


def _become(
    argv: Sequence[str],
    environment: Mapping[str, str],
    enter: Callable[[], object],
    set_back: Callable[[], None],
    told: int,
) -> NoReturn:
    """The new process: into the group, then another program; what goes wrong is told through the pipe."""
    try:
        enter()
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and the next program would inherit that
            signal.signal(ignored, signal.SIG_DFL)
        set_back()
        os.execvpe(argv[0], list(argv), dict(environment))
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        os.write(told, f"{status}:{error.strerror}".encode())
    except BaseException as error:
        os.write(told, f"{NOT_EXECUTABLE}:{error}".encode())
    finally:
        os._exit(NOT_EXECUTABLE)


def _check_start(child: int, report: int, name: str) -> None:
    with os.fdopen(report, "rb") as file:
        said = file.read().decode(errors="replace")
    if said:
        os.waitpid(child, 0)
        status, _, problem = said.partition(":")
        raise NotStarted(f"{name}: {problem}", int(status))


def _waited(child: int) -> int:
    while True:
        came = signal.sigwaitinfo({*_PASSED_ON, signal.SIGCHLD})
        if came.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else SIGNALLED - code
        elif came.si_code <= 0:  # sent by a process; the terminal's own (> 0) reach the whole process group
            os.kill(child, came.si_signo)
