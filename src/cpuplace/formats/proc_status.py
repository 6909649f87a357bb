"""What /proc/PID/status says about where a process or thread may run. Source: proc_pid_status(5)."""

import re
from typing import Final

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet, NodeSet

_LINE: Final = re.compile(r"^(Cpus|Mems)_allowed_list:[ \t]*(.*)$", re.MULTILINE)


@frozen(slots=True)
class Allowed:
    """The CPUs a thread may run on, and the NUMA nodes it may take memory from; `mems` None = not said."""

    cpus: CpuSet
    mems: NodeSet | None = None


def parse(text: str, *, source: str = "status") -> Allowed:
    """What the text allows; raises BadInput when it has no line `Cpus_allowed_list`, or one that cannot be read.

    The kernel lists CPUs that are offline too.

    >>> parse("Name:\\tcat\\nCpus_allowed_list:\\t0-3\\nMems_allowed_list:\\t0\\n")
    Allowed(cpus=CpuSet('0-3'), mems=NodeSet('0'))
    """
    found = {what: value.strip() for what, value in _LINE.findall(text)}
    if "Cpus" not in found:
        raise BadInput("no line Cpus_allowed_list", source=source, hint="the text of /proc/PID/status")
    mems = found.get("Mems")
    cpus = CpuSet.parse(found["Cpus"], source=f"{source}: Cpus_allowed_list")
    return Allowed(cpus, None if mems is None else NodeSet.parse(mems, source=f"{source}: Mems_allowed_list"))
