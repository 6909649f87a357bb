"""The policy as plain values, both ways, and its schema."""

from typing import Any

import jsonschema
import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats import policy as policy_format
from cpuplace.idset import CpuSet
from cpuplace.policy import Policy
from cpuplace.wishes import CHOICES, Wishes

cpu_sets = st.sets(st.integers(0, 300), max_size=8).map(CpuSet)
names = st.frozensets(st.sampled_from(["a", "b", "kube-system"]))


@st.composite
def wishes(draw: st.DrawFn) -> Wishes:
    said: dict[str, Any] = {name: draw(st.none() | st.sampled_from(choices)) for name, choices in CHOICES.items()}
    numa = draw(st.none() | st.sampled_from(["prefer", "spread:2", "0,2-3"]))
    return Wishes(numa=numa, devices=tuple(draw(st.lists(st.sampled_from(["nvme0!", "eth0"])))), **said)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    said: dict[str, Any] = {
        attribute.name: draw(st.sampled_from(attribute.metadata["choices"]))
        for attribute in fields(Policy)
        if attribute.metadata["choices"]
    }
    return Policy(
        usable=draw(st.none() | cpu_sets),
        reserved=draw(cpu_sets),
        strict_reservation=draw(st.booleans()),
        min_shared_cpus=draw(st.integers(0, 9)),
        allow_reserved_pins=draw(st.booleans()),
        pin_namespaces=draw(st.none() | names),
        unmanaged_namespaces=draw(names),
        reserved_memory=draw(st.dictionaries(st.integers(0, 99), st.integers(0, 2**40), max_size=3)),
        wishes=draw(wishes()),
        search_budget=draw(st.integers(1, 10**6)),
        **said,
    )


@given(policies())
def test_what_is_rendered_reads_back_and_fits_the_schema(policy: Policy) -> None:
    values = policy_format.render(policy)
    assert policy_format.parse(values) == policy
    jsonschema.validate(values, policy_format.schema())


def test_the_schema_is_one_and_has_every_field_with_its_doc() -> None:
    schema = policy_format.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [attribute.name for attribute in fields(Policy)]
    for shape in schema["properties"].values():
        assert shape["description"]
        jsonschema.validate(shape["default"], shape)


@pytest.mark.parametrize(
    ("values", "position", "part"),
    [
        ([], None, "expected names and values, found a list"),
        ({"reservd": "0"}, "reservd", "did you mean reserved"),
        ({"zzz": "0"}, "zzz", "no field 'zzz'"),
        ({"reserved": "0-"}, "reserved", "at character 1"),
        ({"reserved": -1}, "reserved", "cannot read"),
        ({"reserved": None}, "reserved", "found nothing"),
        ({"reserved": True}, "reserved", "found a truth value"),
        ({"reserved": 2**64}, "reserved", "found a number"),
        ({"usable": 1.5}, "usable", "found a number"),
        ({"usable": object()}, "usable", "found something else"),
        ({"strict_reservation": "yes"}, "strict_reservation", "expected true or false"),
        ({"min_shared_cpus": True}, "min_shared_cpus", "whole number"),
        ({"min_shared_cpus": -1}, "min_shared_cpus", "at least 0"),
        ({"search_budget": "many"}, "search_budget", "whole number, found text"),
        ({"widen": "soon"}, "widen", "now, lazy"),
        ({"widen": 1}, "widen", "now, lazy"),
        ({"pin_namespaces": "a"}, "pin_namespaces", "list of texts"),
        ({"unmanaged_namespaces": [1]}, "unmanaged_namespaces", "list of texts"),
        ({"reserved_memory": {"x": 1}}, "reserved_memory.x", "not a NUMA node id"),
        ({"reserved_memory": {"00": 1}}, "reserved_memory.00", "not a NUMA node id"),
        ({"reserved_memory": {"0": "1Q"}}, "reserved_memory.0", "not a quantity"),
        ({"reserved_memory": {"0": -1}}, "reserved_memory.0", "negative"),
        ({"reserved_memory": {"0": None}}, "reserved_memory.0", "amount of memory"),
        ({"wishes": {"numa": True}}, "wishes.numa", "numa wish"),
        ({"wishes": {"numa": "x"}}, "wishes.numa", "require-one"),
        ({"wishes": {"l3": "x"}}, "wishes.l3", "ignore"),
        ({"wishes": {"l3": 1}}, "wishes.l3", "prefer, ignore, require-one"),
        ({"wishes": {"devices": "eth0"}}, "wishes.devices", "list of texts"),
        ({"wishes": {"nodes": "0"}}, "wishes.nodes", "no field 'nodes'"),
    ],
)
def test_bad_values_name_their_field(values: object, position: str | None, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        policy_format.parse(values, source="f")
    assert (caught.value.source, caught.value.position) == ("f", position)
    assert part in str(caught.value)


def test_a_policy_that_is_built_directly_is_checked_too() -> None:
    with pytest.raises(BadInput, match="node -1: 5 bytes"):
        Policy(reserved_memory={-1: 5})
    with pytest.raises(BadInput, match="at least 1"):
        Policy(search_budget=0)


def test_forms_that_are_taken() -> None:
    policy = policy_format.parse(
        {"reserved": 0, "usable": None, "reserved_memory": {0: "1Gi", "1": 5}, "wishes": {"numa": 1, "l3": None}}
    )
    assert policy.reserved == CpuSet([0])
    assert policy.reserved_memory == {0: 2**30, 1: 5}
    assert policy.wishes == Wishes(numa="1")
    assert policy_format.parse({}) == Policy()
    assert policy_format.parse(policy_format.render(Policy.weka())) == Policy.weka()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["0", "numa", "x"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([attribute.name for attribute in fields(Policy)]), plain, max_size=3))
def test_any_values_are_a_policy_or_bad_input_and_the_schema_agrees(values: dict[str, Any]) -> None:
    fits = jsonschema.Draft202012Validator(policy_format.schema()).is_valid(values)
    try:
        policy_format.parse(values)
    except BadInput as bad:
        assert bad.position
    else:
        assert fits
