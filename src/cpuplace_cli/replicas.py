"""Replicas under one name: `web-0`, `web-1`, `web-2` as `web-0..2`, wherever lines would differ in nothing else."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

MANY: Final = 8
"""More replicas than this that each have CPUs of their own are shown together."""

_NUMBERED: Final = re.compile(r"(.+)-(0|[1-9][0-9]{0,8})", re.ASCII)

_RANGE: Final = re.compile(r"(.+)-(0|[1-9][0-9]{0,8})\.\.(0|[1-9][0-9]{0,8})", re.ASCII)

T = TypeVar("T")


class Member(NamedTuple):
    """A name and its number; -1 for a name that has none."""

    stem: str
    number: int


def member(name: str) -> Member:
    """The stem and number of a pod's name.

    >>> member("shop/web-12"), member("db")
    (Member(stem='shop/web', number=12), Member(stem='db', number=-1))
    """
    found = _NUMBERED.fullmatch(name)
    return Member(found[1], int(found[2])) if found else Member(name, -1)


def together(names: Sequence[str]) -> str:
    """One name for names that follow each other.

    >>> together(["web-0", "web-1", "web-2"]), together(["db"])
    ('web-0..2', 'db')
    """
    first, last = names[0], names[-1]
    return first if first == last else f"{first}..{member(last).number}"


def apart(name: str) -> Iterator[str]:
    """The names that `together` shows as this one.

    >>> list(apart("web-0..2")), list(apart("db"))
    (['web-0', 'web-1', 'web-2'], ['db'])
    """
    found = _RANGE.fullmatch(name)
    if found is None:
        yield name
    else:
        yield from (f"{found[1]}-{number}" for number in range(int(found[2]), int(found[3]) + 1))


def runs(items: Iterable[T], name: Callable[[T], str], alike: Callable[[T], object]) -> list[list[T]]:
    """The items in runs of replicas that follow each other in number and are alike; others are alone.

    >>> runs(["a-0", "a-1", "b-0", "a-2"], str, lambda one: 1)
    [['a-0', 'a-1'], ['b-0'], ['a-2']]
    """
    found: list[list[T]] = []
    for item in items:
        if found and _follows(name(found[-1][-1]), name(item)) and alike(found[-1][-1]) == alike(item):
            found[-1].append(item)
        else:
            found.append([item])
    return found


def _follows(before: str, name: str) -> bool:
    one, two = member(before), member(name)
    return one.stem == two.stem and 0 <= one.number == two.number - 1
