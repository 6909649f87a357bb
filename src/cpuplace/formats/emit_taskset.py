"""A container as a command of taskset (util-linux), which binds CPUs and knows nothing of memory."""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed


def lines(one: Placed) -> Iterator[str]:
    """`taskset -c LIST COMMAND`."""
    if one.mems:
        yield f"# its memory belongs on node {one.mems}: taskset cannot say so, numactl can"
    yield f"taskset -c {one.cpus} COMMAND"
