"""What real runtimes and the plugin said to each other, byte by byte: `tests/nri/corpus`, renewed as its maker says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message as Protobuf
from google.protobuf.message_factory import GetMessageClass

from cpuplace_nri.abilities import Abilities
from cpuplace_nri.mux import PLUGIN, RUNTIME, Mux, framed
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.proto.ttrpc_pb2 import Request, Response
from cpuplace_nri.ttrpc.framing import Framing, Message, Type, encoded
from e2e.containerd.recorder import Piece, Side, load

FILES = sorted((Path(__file__).resolve().parent / "corpus").glob("*.jsonl.gz"))
SIDES: tuple[Side, Side] = ("runtime", "plugin")
Said = list[tuple[int, Message]]


def read(pieces: Iterable[bytes]) -> Said:
    """The messages in pieces of one side, each with its connection; nothing is left over."""
    mux, framings, said = Mux(), defaultdict[int, Framing](Framing), list[tuple[int, Message]]()
    for piece in pieces:
        for connection, data in mux.receive(piece):
            said += [(connection, message) for message in framings[connection].receive(data)]
    assert mux.is_between
    assert all(framing.is_between for framing in framings.values())
    return said


def of(pieces: Iterable[Piece], by: Side) -> list[bytes]:
    return [piece.data for piece in pieces if piece.by == by]


@pytest.fixture(params=FILES, ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def pieces(request: pytest.FixtureRequest) -> list[Piece]:
    return list(load(request.param))


def test_there_is_a_recording_of_each_tested_generation() -> None:
    assert {path.name.split("-")[1].split(".")[0] for path in FILES} >= {"1", "2"}


@pytest.mark.parametrize("by", SIDES)
def test_the_messages_are_the_same_however_the_bytes_were_cut(pieces: list[Piece], by: Side) -> None:
    recorded = of(pieces, by)
    whole = b"".join(recorded)
    said = read(recorded)
    assert len(said) > 50
    for size in (5, 4096, len(whole)):
        assert read(whole[at : at + size] for at in range(0, len(whole), size)) == said


@pytest.mark.parametrize("by", SIDES)
def test_what_we_would_send_for_these_messages_is_what_was_sent(pieces: list[Piece], by: Side) -> None:
    """So our frames are cut as Go's are, those of messages beyond 4096 bytes too."""
    recorded = of(pieces, by)
    said = read(recorded)
    assert max(len(message.data) for _, message in said) > 4096
    assert b"".join(framed(connection, encoded(message)) for connection, message in said) == b"".join(recorded)


def calls(pieces: list[Piece]) -> Iterator[tuple[int, Request, Response]]:
    """Each request with its answer, and the connection; every one has exactly one."""
    runtime, plugin = (read(of(pieces, by)) for by in SIDES)
    for connection, asking, answering in ((PLUGIN, runtime, plugin), (RUNTIME, plugin, runtime)):
        requests = {one.stream_id: one for on, one in asking if on == connection and one.type is Type.REQUEST}
        answers = {one.stream_id: one for on, one in answering if on == connection and one.type is Type.RESPONSE}
        assert requests.keys() == answers.keys()
        assert list(requests) == list(range(1, 2 * len(requests), 2))
        for stream, request in requests.items():
            yield connection, Request.FromString(request.data), Response.FromString(answers[stream].data)


def parsed(connection: int, request: Request, response: Response) -> tuple[str, Protobuf, Protobuf]:
    """The method and both messages; fields that we do not know would be lost in print, so none may be there."""
    service = nri.DESCRIPTOR.services_by_name["Plugin" if connection == PLUGIN else "Runtime"]
    assert request.service == service.full_name
    method = service.methods_by_name[request.method]
    asked = GetMessageClass(method.input_type).FromString(request.payload)
    answered = GetMessageClass(method.output_type).FromString(response.payload)
    return request.method, asked, answered


def test_every_call_is_one_of_ours_and_what_was_lived_through_is_in_it(pieces: list[Piece]) -> None:
    found = [(parsed(*call), call[2]) for call in calls(pieces)]
    methods = Counter(method for (method, _, _), _ in found)
    assert methods["RegisterPlugin"] == methods["Configure"] == 1
    assert methods["Synchronize"] >= 1
    assert methods["CreateContainer"] > 60
    assert {"UpdateContainer", "StopContainer"} < methods.keys()
    refused = [response.status for (method, _, _), response in found if response.HasField("status")]
    assert [bool(status.code and status.message) for status in refused if status.code] == [True]
    adjusted = [one for (_, _, one), _ in found if isinstance(one, nri.CreateContainerResponse)]
    assert "1" in {one.adjust.linux.resources.cpu.cpus for one in adjusted}
    assert max(len(one.update) for one in adjusted) > 60


def test_the_runtime_is_known_by_what_it_says(pieces: list[Piece]) -> None:
    (asked,) = (one for call in calls(pieces) if isinstance(one := parsed(*call)[1], nri.ConfigureRequest))
    found = Abilities.of_request(asked)
    assert not found.unsolicited
