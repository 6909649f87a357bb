"""The plugin as a program: its arguments, the signals that end it, its exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from cpuplace import CpuplaceError
from cpuplace_nri.arguments import Arguments, read
from cpuplace_nri.config import Config
from cpuplace_nri.configfile import read_config
from cpuplace_nri.identity import Preinstalled
from cpuplace_nri.process import Process


def run_plugin(asked: Arguments) -> int:
    """Run the plugin until SIGTERM or Ctrl-C (0); raises BadInput for a configuration that is not good.

    What is asked here wins over the file. Where a runtime started us, and no file is there, its configuration counts.
    """

    def reread() -> Config:
        return read_config(asked.config).with_changes(socket=asked.socket, name=asked.name, index=asked.index)

    preinstalled = Preinstalled.of(os.environ)
    config = reread()
    handed = preinstalled is not None and asked.config is None and config == Config()
    return asyncio.run(_until_told(Process(config, reread=reread, preinstalled=preinstalled, handed=handed)))


async def _until_told(process: Process) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, task.cancel)
    with suppress(asyncio.CancelledError):
        await process.run()
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """The plugin without the command's libraries, for `python -m cpuplace_nri`; 2 and one line when it cannot run."""
    asked = read(sys.argv[1:] if words is None else words)
    try:
        return run_plugin(asked)
    except (CpuplaceError, OSError) as error:
        fail(" ".join(str(error).split()))
        return 2


def fail(sentence: str) -> None:
    """One line where somebody may read it: standard error, or the system's log."""
    from cpuplace_nri.logs import find_sink

    find_sink()(f"cpuplace-nri: error: {sentence}", "error")


if __name__ == "__main__":
    sys.exit(main())
