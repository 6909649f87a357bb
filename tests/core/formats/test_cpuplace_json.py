"""cpuplace's own JSON: exact both ways, in the schema, and one clear error for everything else."""

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.full_hosts import full_hosts
from cpuplace.errors import BadInput
from cpuplace.formats.cpuplace_json import SCHEMA, parse, render, to_dict
from cpuplace.topology import Topology

CHECKER = jsonschema.Draft202012Validator(SCHEMA)
PLAIN = to_dict(Topology.uniform(packages=2, memory_per_node=2**30, distances=(10, 20, 30)))


@given(full_hosts())
def test_reads_back_exactly(host: Topology) -> None:
    text = render(host)
    assert parse(text) == host
    assert render(parse(text)) == text


@given(full_hosts())
def test_what_is_written_is_in_the_schema(host: Topology) -> None:
    CHECKER.validate(json.loads(render(host)))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A right document with one value replaced or taken away."""
    document = copy.deepcopy(to_dict(draw(full_hosts())))
    place: Any = document
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            break
        place = place[key]
    if draw(st.booleans()):
        del place[key]
    else:
        scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
        place[key] = draw(
            scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
        )
    return document


@given(spoiled())
def test_what_is_read_is_in_the_schema(document: Any) -> None:
    """The schema is not stricter than the reader; the reader also sees contradictions."""
    try:
        parse(json.dumps(document))
    except BadInput:
        return
    CHECKER.validate(document)


@given(full_hosts(), st.data())
def test_a_cut_file_is_bad_input(host: Topology, data: st.DataObject) -> None:
    text = render(host)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(BadInput, match="line"):
        parse(cut)


def changed(**fields: Any) -> str:
    return json.dumps({**copy.deepcopy(PLAIN), **fields})


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        (changed(schema=2), "schema", "version 2"),
        (changed(schema=0), "schema", "version 0"),
        (changed(schema="1"), "schema", "whole number"),
        (changed(schema=True), "schema", "whole number"),
        ("[]", "the top", "an object"),
        ("{}", "the top", "'schema' is missing"),
        (changed(cpu=[]), "the top", "unknown field 'cpu'"),
        (changed(cpus={}), "cpus", "a list"),
        (changed(cpus=[{"id": 0, "core": 0}]), "cpus[0]", "'nodes' is missing"),
        (changed(cpus=[{"id": 0, "core": -1, "nodes": [0]}]), "cpus[0].core", "at least 0"),
        (changed(cpus=[{"id": 0, "core": 1.0, "nodes": [0]}]), "cpus[0].core", "whole number"),
        (changed(cpus=[{"id": 0, "core": 0, "nodes": [0], "kind": "fast"}]), "cpus[0].kind", "unknown kind"),
        (changed(cpus=[{"id": 0, "core": 0, "nodes": [0], "online": 1}]), "cpus[0].online", "true or false"),
        (changed(cpus=[PLAIN["cpus"][0]] * 2), None, "described twice"),
        (changed(cpus=[{"id": 0, "core": 0, "nodes": []}]), None, "none, or ones"),
        (changed(nodes=[{"id": 0}, {"id": 1}, {"id": 0}]), "nodes[2]", "twice"),
        (changed(nodes=[{"id": 0, "huge_pages": {"2M": 1}}, {"id": 1}]), "nodes[0].huge_pages.2M", "page size"),
        (changed(distances=[[0, 1]]), "distances[0]", "3|from, to"),
        (changed(distances=[[0, 1, 20], [0, 1, 21]]), None, "twice"),
        (changed(isolated="0-"), "isolated", "cannot read"),
        (changed(isolated="9"), None, "do not exist"),
        (changed(name=3), "name", "text"),
        (changed(devices=[{"name": "a"}]), "devices[0]", "'kind' is missing"),
        ("\x00", "line 1 column 1", "Expecting value"),
        ("1" * 5000, None, "not readable"),
        ("[" * 100_000, None, "not readable"),
    ],
)
def test_bad_documents(text: str, position: str | None, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as caught:
        parse(text, source="host.json")
    assert (caught.value.source, caught.value.position) == ("host.json", position)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(BadInput, match="not readable"):
        parse(b"\xff\xfe\xff")
