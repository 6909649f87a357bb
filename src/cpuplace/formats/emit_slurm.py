"""A container as a job step of Slurm, bound by masks; its ids are the node's only when the step has the whole node."""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed
from cpuplace.idset import NodeSet


def lines(one: Placed) -> Iterator[str]:
    """`srun --cpu-bind=mask_cpu:0x...`: one task on all CPUs, and as a comment one task (rank) a CPU."""
    memory = _memory(one)
    yield f"srun --ntasks=1 --cpu-bind=mask_cpu:{one.cpus.mask:#x}{memory} COMMAND"
    if one.alone and len(one.cpus) > 1:
        ranks = ",".join(map(str, one.by_thread))
        yield f"# or a rank a CPU: srun --ntasks={len(one.cpus)} --cpu-bind=map_cpu:{ranks}{memory} COMMAND"


def _memory(one: Placed) -> str:
    """Masks are read back from the start of the list when there are more tasks, so that one serves all."""
    nodes = one.preferred or one.mems or NodeSet()
    prefer = "prefer," if one.preferred else ""
    return f" --mem-bind={prefer}mask_mem:{nodes.mask:#x}" if nodes else ""
