"""What somebody who gave an unknown name may have meant."""

from collections.abc import Sequence
from typing import Final

from cpuplace.annotations import nearest

_SHOWN: Final = 5
"""Names in one line."""


def suggestion(name: str, known: Sequence[str]) -> str:
    """A hint: the name that is near, else the first of the known ones.

    >>> suggestion("wbe-0", ["db", "web-0"]), suggestion("x", ["db", "web-0"]), suggestion("x", [])
    ('did you mean web-0', 'known are db, web-0', 'there is none')
    """
    near = nearest(name, known)
    return f"did you mean {near}" if near else f"known are {some(known)}" if known else "there is none"


def some(names: Sequence[str]) -> str:
    """The first of the names.

    >>> some([f"n{number}" for number in range(9)])
    'n0, n1, n2, n3, n4, ...'
    """
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
