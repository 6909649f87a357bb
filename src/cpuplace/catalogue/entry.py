"""One entry of the catalogue: a host, what is worth knowing about it, and where its facts come from."""

from collections.abc import Callable

from attrs import field, frozen

from cpuplace.topology import Topology


@frozen(slots=True, kw_only=True, order=True)
class Entry:
    """A named host; `build` makes its Topology, which carries the same name.

    `sources` are one fact each: what it says, and who published it; "assumed" marks what is only typical.
    """

    name: str
    title: str = field(order=False)
    summary: str = field(order=False)
    sources: tuple[str, ...] = field(order=False)
    build: Callable[[], Topology] = field(order=False, eq=False, repr=False)
