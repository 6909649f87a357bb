"""Some hundred malformed inputs of each kind; a bug that is planted is found by them. More: `nox -s fuzz`."""

import asyncio

import pytest

from cpuplace_nri import plugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.seen import Seen
from cpuplace_nri.translate import seen_of as understood
from cpuplace_nri.ttrpc import connection, framing
from nri.fuzzing import FoundError, fuzz, recorded

FEW = range(600)


def test_malformed_inputs_are_answered_or_end_the_connection() -> None:
    assert asyncio.run(fuzz(1, FEW)) == len(FEW)


def test_it_begins_with_what_real_runtimes_said() -> None:
    assert len(recorded()) > 100


def test_a_parser_that_fails_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_TYPES", frozenset(range(256)))
    with pytest.raises(FoundError, match="is not a valid Type"):
        asyncio.run(fuzz(1, FEW))


def test_an_end_that_fails_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DecodeError", ZeroDivisionError)
    with pytest.raises(FoundError, match="DecodeError"):
        asyncio.run(fuzz(1, FEW))


def test_a_plugin_that_fails_over_an_annotation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen_of(pod: nri.PodSandbox, container: nri.Container, *, created: bool = False) -> Seen:
        if "forbid.cpuplace.dev/c1" in pod.annotations:
            raise KeyError("a forbidden one")
        return understood(pod, container, created=created)

    monkeypatch.setattr(plugin, "seen_of", seen_of)
    with pytest.raises(FoundError, match="a forbidden one"):
        asyncio.run(fuzz(1, range(3000)))
