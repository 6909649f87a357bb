"""How long to wait before the next try: longer each time, never the same for two who started together."""

from collections.abc import Callable
from typing import Final

_SPREAD: Final = 0.5  # the part of a wait that chance decides


class Backoff:
    """Waits that double from `first` to `most` seconds; `chance` gives numbers from 0 to below 1.

    >>> waits = Backoff(first=0.1, most=0.3, chance=lambda: 0.0)
    >>> [waits.next() for _ in range(4)]
    [0.1, 0.2, 0.3, 0.3]
    """

    def __init__(self, *, first: float, most: float, chance: Callable[[], float]) -> None:
        self._first, self._most, self._chance = first, most, chance
        self._whole = first

    def next(self) -> float:
        """The next wait in seconds: a half of it at least, all of it at most."""
        whole = min(self._whole, self._most)
        self._whole = min(whole * 2, self._most)
        return whole * (1 - _SPREAD * self._chance())

    def reset(self) -> None:
        """It went well: begin anew."""
        self._whole = self._first
