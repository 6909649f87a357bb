"""Arguments: what a command line tells the plugin; where it is plain, no library is needed to understand it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

OPTIONS: Final = {"--config": "config", "-c": "config", "--socket": "socket", "--name": "name", "--index": "index"}
"""What is written, and the field that it means."""
_DIGITS: Final = 2


@frozen(slots=True, kw_only=True)
class Arguments:
    """What was said, None where nothing was: the configuration's file, and what wins over what the file says."""

    config: Path | None = None
    socket: str | None = None
    name: str | None = None
    index: int | None = None


def plain(words: Sequence[str]) -> Arguments | None:
    """What these words mean: options, each once and followed by its value. None = whoever explains mistakes and gives
    help is to read them.

    >>> plain(["--name", "blue", "--index", "7"])
    Arguments(config=None, socket=None, name='blue', index=7)
    >>> plain(["--help"])
    """
    said: dict[str, str] = {}
    for option, value in zip(words[::2], words[1::2], strict=False):
        field = OPTIONS.get(option)
        if field is None or field in said or not value or value.startswith("-"):
            return None
        said[field] = value
    return None if len(words) % 2 else _typed(said)


def _typed(said: dict[str, str]) -> Arguments | None:
    index = said.get("index")
    if index is not None and not (index.isascii() and index.isdigit() and len(index) <= _DIGITS):
        return None
    config = said.get("config")
    return Arguments(
        config=None if config is None else Path(config),
        socket=said.get("socket"),
        name=said.get("name"),
        index=None if index is None else int(index),
    )


def read(words: Sequence[str]) -> Arguments:
    """What these words mean; ends the process with help, or with 2 and a sentence about a mistake."""
    return plain(words) or _explained(words)


def _explained(words: Sequence[str]) -> Arguments:
    import argparse

    parser = argparse.ArgumentParser(prog="cpuplace-nri", description="The plugin of a node, for containerd or CRI-O.")
    parser.add_argument(
        "--config", "-c", type=Path, help="a .yaml, .toml or .json file; default /etc/cpuplace/nri.yaml"
    )
    parser.add_argument("--socket", help="the runtime's socket")
    parser.add_argument("--name", help="the plugin's name")
    parser.add_argument("--index", type=int, help="its place among the plugins, 0 to 99")
    return Arguments(**vars(parser.parse_args(words)))
