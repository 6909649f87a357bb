"""Strategies that laws ask for at every draw, made once: to make and check one costs more than to draw from it."""

from collections.abc import Hashable, Sequence
from functools import cache, lru_cache
from typing import TypeVar

from hypothesis.strategies import SearchStrategy
from hypothesis.strategies import booleans as _booleans
from hypothesis.strategies import integers as _integers
from hypothesis.strategies import sampled_from as _sampled_from

T = TypeVar("T", bound=Hashable)


@cache
def booleans() -> SearchStrategy[bool]:
    """True or False."""
    return _booleans()


@lru_cache(4096)
def integers(least: int, most: int) -> SearchStrategy[int]:
    """A number between these, both included."""
    return _integers(least, most)


def sampled_from(values: Sequence[T]) -> SearchStrategy[T]:
    """One of these values, which can be hashed."""
    return _one_of(*values)


@lru_cache(4096, typed=True)  # so that 0 and False are two
def _one_of(*values: T) -> SearchStrategy[T]:
    return _sampled_from(values)
