"""Requests, wishes and policies refuse numbers and types that they cannot have, with one clear sentence."""

from typing import Any

import pytest

import cpuplace as cp


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cp.ContainerRequest.integer("", 1), "needs an id"),
        (lambda: cp.ContainerRequest.integer("c", 0), "at least 1"),
        (lambda: cp.ContainerRequest.integer("c", -1), "at least 1"),
        (lambda: cp.ContainerRequest.integer("c", 1, memory_bytes=-1), "negative memory"),
        (
            lambda: cp.ContainerRequest(container_id="c", kind=cp.Kind.SHARED, pod="p", name="n", count=2),
            "others for 0",
        ),
    ],
)
def test_impossible_requests_are_bad_input(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(cp.BadInput, match=words):
        make()


def other(value: object) -> Any:
    """A value of whatever type: who has no type checker may give it."""
    return value


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: cp.ContainerRequest.integer("c", other(4.0)),
            "request c, at count: must be of type int, not the float '4.0'",
        ),
        (
            lambda: cp.ContainerRequest.integer("c", other("4")),
            "request c, at count: must be of type int, not the str '4'",
        ),
        (
            lambda: cp.ContainerRequest.pinned("c", other("0-3"), exclusive=True),
            "request c, at pin: must be of type CpuSet",
        ),
        (
            lambda: cp.ContainerRequest.shared("c", forbid=other("0-3")),
            "at forbid: must be of type CpuSet, not the str '0-3'",
        ),
        (lambda: cp.Wishes(devices=other(["eth0"])), "wish, at devices: must be of type tuple, not the list"),
        (lambda: cp.Wishes(devices=other("eth0")), "wish, at devices: must be of type tuple, not the str 'eth0'"),
        (
            lambda: cp.Policy(pin_namespaces=other("data")),
            "policy, at pin_namespaces: must be of type frozenset, not the str",
        ),
        (lambda: cp.Policy(unmanaged_namespaces=other("data")), "at unmanaged_namespaces: must be of type frozenset"),
        (
            lambda: cp.Policy(reserved=other("0,128")),
            "at reserved: must be of type CpuSet, not the str .0,128. .CpuSet.parse",
        ),
        (lambda: cp.Policy(reserved=other(None)), "at reserved: must be of type CpuSet"),
        (lambda: cp.Policy(usable=other([0])), "at usable: must be of type CpuSet"),
        (lambda: cp.Policy(allow_reserved_pins=other("no")), "at allow_reserved_pins: must be of type bool"),
        (lambda: cp.Policy(search_budget=other(1.5)), "at search_budget: must be of type int"),
        (lambda: cp.Policy(reserved_memory=other(7)), "at reserved_memory: must be of type Mapping"),
    ],
)
def test_other_types_are_bad_input_where_they_are_given(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(cp.BadInput, match=words):
        make()


def test_a_kind_of_number_is_a_number() -> None:
    assert cp.ContainerRequest.integer("c", True).count == 1
