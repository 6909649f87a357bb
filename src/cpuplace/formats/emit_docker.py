"""A container as options of `docker run`; `docker update` takes the same two for one that runs."""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed


def lines(one: Placed) -> Iterator[str]:
    """`docker run --cpuset-cpus=LIST --cpuset-mems=LIST IMAGE`."""
    if one.preferred:
        yield f"# prefers the memory of node {one.preferred}: docker can only enforce (--cpuset-mems)"
    memory = f" --cpuset-mems={one.mems}" if one.mems else ""
    yield f"docker run --cpuset-cpus={one.cpus}{memory} IMAGE"
