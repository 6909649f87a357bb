"""A container as the environment of an OpenMP program: one place a CPU where the CPUs are its own."""

from collections.abc import Iterator, Sequence

from cpuplace.formats.emit_placed import Placed, runs


def lines(one: Placed) -> Iterator[str]:
    """`OMP_PLACES=... OMP_PROC_BIND=... COMMAND`.

    Threads of a container with CPUs of its own have one each; those of another run on all of its CPUs, bound to one
    place that holds them.
    """
    if one.alone:
        threads = f"OMP_NUM_THREADS={len(one.cpus)} "
        yield f"{threads}OMP_PLACES='{places(one.by_thread)}' OMP_PROC_BIND=close COMMAND"
    else:
        yield f"OMP_PLACES='{place(tuple(one.cpus))}' OMP_PROC_BIND=true COMMAND"


def places(cpus: Sequence[int]) -> str:
    """One place a CPU in the given order, as OMP_PLACES takes it (OpenMP 4.0: `{first}:count`).

    >>> places([4, 5, 6, 132])
    '{4}:3,{132}'
    """
    return ",".join(f"{{{first}}}{_times(count)}" for first, count in runs(cpus))


def place(cpus: Sequence[int]) -> str:
    """One place of all these CPUs.

    >>> place([4, 5, 6, 132])
    '{4:3,132}'
    """
    return f"{{{','.join(f'{first}{_times(count)}' for first, count in runs(cpus))}}}"


def _times(count: int) -> str:
    return f":{count}" if count > 1 else ""
