"""What laws about byte streams share: ways to cut one, and messages to send."""

from collections.abc import Iterable

from hypothesis import strategies as st

from cpuplace_nri.ttrpc import Message, Type

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([4085, 4086, 4087, 4096, 4097, 8192, 10_000]))


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The bytes in pieces, some of them empty; small streams also byte by byte."""
    places = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    pieces = places.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])
    every_byte = st.just([data[at : at + 1] for at in range(len(data))])
    return pieces | every_byte if len(data) < 200 else pieces


def payloads() -> st.SearchStrategy[bytes]:
    """Short bytes of any kind, or long ones around the lengths where frames change."""
    long = st.builds(lambda size, fill: bytes([fill]) * size, SIZES, st.integers(0, 255))
    return st.binary(max_size=30) | long


def messages() -> st.SearchStrategy[Message]:
    """Messages of ttrpc, not all of which make sense."""
    return st.builds(Message, st.integers(0, 2**32 - 1), st.sampled_from(list(Type)), payloads(), st.integers(0, 255))


def joined(pieces: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """What each connection carried."""
    streams: dict[int, bytes] = {}
    for connection, piece in pieces:
        streams[connection] = streams.get(connection, b"") + piece
    return streams
