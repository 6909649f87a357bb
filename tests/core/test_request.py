"""Requests refuse numbers that no container can have, with one clear sentence."""

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
