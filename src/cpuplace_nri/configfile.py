"""The plugin's configuration file: where it is, and what it says; without one nothing that reads text is loaded."""

from pathlib import Path
from typing import Final

from cpuplace.errors import BadInput
from cpuplace_nri.config import Config

DEFAULT_PATH: Final = "/etc/cpuplace/nri.yaml"
"""Read when no other file is named, if it is there."""


def file_of(path: str | Path | None) -> str | Path | None:
    """The file that counts: this one, else the one at DEFAULT_PATH; None when none is named and none is there."""
    if path is None and Path(DEFAULT_PATH).exists():
        return DEFAULT_PATH
    return path


def read_config(path: str | Path | None = None) -> Config:
    """The configuration in this file; without a path the one at DEFAULT_PATH, or the defaults when none is there.

    Raises BadInput with file and line.
    """
    file = file_of(path)
    if file is None:
        return Config()
    from cpuplace_linux.valuefile import read_values
    from cpuplace_nri.configtext import config_of

    return config_of(read_values(file))


def located(path: str | Path | None, bad: BadInput) -> BadInput:
    """An error about a field of the policy, with the line of the file that says it."""
    file = file_of(path)
    if file is None:
        return bad
    from cpuplace_linux.valuefile import read_values

    return read_values(file).located(bad, below="policy")
