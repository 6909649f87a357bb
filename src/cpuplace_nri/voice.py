"""Voice: who hears what is worth saying, and who counts it."""

from typing import Protocol

from cpuplace_nri.logs import Level


class Voice(Protocol):
    """What the plugin says and counts; none of it waits or raises."""

    def say(self, level: Level, event: str, **fields: object) -> None:
        """One line."""
        ...

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """More of that (`cpuplace_nri.tally.COUNTS`)."""
        ...

    def time(self, name: str, label: str, seconds: float) -> None:
        """It took so long (`cpuplace_nri.tally.TIMES`)."""
        ...
