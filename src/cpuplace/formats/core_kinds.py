"""Performance and efficiency CPUs, told from what the kernel says of their capacity and speed."""

from collections.abc import Mapping

from cpuplace.hardware import CoreKind


def kinds_of(capacity: Mapping[int, int | None], max_khz: Mapping[int, int | None]) -> dict[int, CoreKind]:
    """CPU -> its kind; empty when all are alike.

    The lowest of several capacities marks efficiency cores, else a top frequency more than a tenth
    below the highest: favoured cores of one model differ by less.

    >>> kinds_of({0: None, 1: None}, {0: 5_000_000, 1: 3_900_000})
    {0: 'performance', 1: 'efficiency'}
    """
    sizes = {cpu: one for cpu, one in capacity.items() if one is not None}
    if len(set(sizes.values())) > 1:
        least = min(sizes.values())
        return {cpu: "performance" if one > least else "efficiency" for cpu, one in sizes.items()}
    speeds = {cpu: one for cpu, one in max_khz.items() if one is not None}
    top = max(speeds.values(), default=0)
    kinds: dict[int, CoreKind] = {
        cpu: "performance" if one * 10 >= top * 9 else "efficiency" for cpu, one in speeds.items()
    }
    return kinds if "efficiency" in kinds.values() else {}
