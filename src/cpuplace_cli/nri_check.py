"""`cpuplace nri check-config`: reads what is to be checked, and says what was found."""

from collections.abc import Iterator
from pathlib import Path

from cpuplace.errors import BadInput
from cpuplace_cli.hosts import load_host
from cpuplace_cli.table import fold_text
from cpuplace_cli.textmap import Line, Span
from cpuplace_cli.titled import CROSS, DOT, titled
from cpuplace_nri import configfile
from cpuplace_nri.checkconfig import Checked, check
from cpuplace_nri.config import Config
from cpuplace_nri.kubeletconfig import DEFAULT_PATH as KUBELET
from cpuplace_nri.kubeletconfig import KubeletConfig, read_kubelet


def checked(file: Path | None, kubelet: Path | None, host: str) -> tuple[Config, Checked]:
    """The configuration and what was found; raises BadInput with file and line."""
    config = configfile.read_config(file)
    topology = load_host(host)
    try:
        return config, check(config, topology, _kubelet(kubelet, live=host == "live"))
    except BadInput as bad:
        raise (configfile.located(file, bad) if bad.source == "policy" else bad) from None


def _kubelet(path: Path | None, *, live: bool) -> KubeletConfig | None:
    """The kubelet's own file counts for this machine only."""
    if path is None and not (live and Path(KUBELET).exists()):
        return None
    return read_kubelet(path or KUBELET)


def check_lines(done: Checked, file: Path | None, width: int) -> Iterator[Line]:
    """The whole text."""
    for level, title, mark in (("wrong", "wrong", CROSS), ("warning", "warnings", DOT), ("note", "notes", DOT)):
        yield from titled(title, [one.text for one in done.findings if one.level == level], width, mark=mark)
    yield (Span("the kubelet's lines to use", "bold"),)
    yield from ((Span(f"  {line}"),) for line in done.lines)
    yield ()
    said = configfile.file_of(file) or f"no {configfile.DEFAULT_PATH}, so the defaults"
    head = f"{said}: {'good' if done.good else 'not good'}"
    text = f"; of {done.online} CPUs at most {done.exclusive} are exclusive, {done.kept} must not be schedulable"
    if done.withheld is not None:
        text += f", {done.withheld / 1000:g} are not"
    first, *more = fold_text(head + text, width)
    yield Span(first[: len(head)], "bold" if done.good else "bold red"), Span(first[len(head) :])
    yield from ((Span(line),) for line in more)
