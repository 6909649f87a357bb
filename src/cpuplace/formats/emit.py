"""A plan in the words of tools people already have: taskset, numactl, systemd, docker, openmp, slurm, libvirt.

One snippet a container, under a comment that says which one. What a tool cannot say is a comment too, never left out
in silence. Exclusive means against what the plan holds: the tools keep nobody else off these CPUs.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from cpuplace.formats import (
    emit_docker,
    emit_libvirt,
    emit_numactl,
    emit_openmp,
    emit_slurm,
    emit_systemd,
    emit_taskset,
)
from cpuplace.formats.emit_placed import Placed
from cpuplace.request import Kind
from cpuplace.state import Assignment
from cpuplace.topology import Topology


class Tool(NamedTuple):
    """How one tool is told: the lines of a container, what the reader fills in, and how a comment looks."""

    lines: Callable[[Placed], Iterator[str]]
    hint: str
    comment: Callable[[str], str] = "# {}".format


def _xml_comment(text: str) -> str:
    """Two hyphens would end it, whatever they stand for."""
    return f"<!-- {re.sub('-(?=-)', '- ', text)} -->"


TOOLS: Final[Mapping[str, Tool]] = {
    "taskset": Tool(emit_taskset.lines, "COMMAND stands for what the container runs"),
    "numactl": Tool(emit_numactl.lines, "COMMAND stands for what the container runs"),
    "systemd": Tool(emit_systemd.lines, "each as /etc/systemd/system/UNIT.service.d/50-cpuplace.conf (cgroup v2)"),
    "docker": Tool(emit_docker.lines, "IMAGE stands for the rest of the command; docker update takes the same options"),
    "openmp": Tool(emit_openmp.lines, "COMMAND stands for what the container runs; bind it with another tool as well"),
    "slurm": Tool(emit_slurm.lines, "COMMAND stands for what the container runs; the job needs the whole node"),
    "libvirt": Tool(emit_libvirt.lines, "parts of a domain: virsh edit DOMAIN", _xml_comment),
}
"""The tools by the names that `cpuplace plan --emit` takes."""


def render(tool: str, host: Topology, held: Iterable[Assignment]) -> str:
    """These containers in the words of a tool of `TOOLS` (KeyError for another), in the given order.

    >>> from cpuplace.idset import CpuSet
    >>> from cpuplace.request import ContainerRequest
    >>> one = Assignment(ContainerRequest.integer("db", 2), CpuSet([0, 1]))
    >>> print(render("taskset", Topology.uniform(cores_per_l3=2), [one]), end="")
    # COMMAND stands for what the container runs
    <BLANKLINE>
    # db: integer, 2 CPUs of its own
    taskset -c 0-1 COMMAND
    """
    words = TOOLS[tool]
    blocks = [[words.comment(words.hint)], *(_block(Placed(host, one), words) for one in held)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _block(one: Placed, words: Tool) -> list[str]:
    if one.held.kind is Kind.UNMANAGED:
        return [words.comment(f"{one.about}: not managed, left alone")]
    return [words.comment(one.about), *words.lines(one)]
