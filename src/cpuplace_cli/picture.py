"""What a map shows: a host, who owns its CPUs, and what else is special about them."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.state import HostState
from cpuplace.topology import Topology
from cpuplace_cli.drawing import Drawing, draw
from cpuplace_cli.looks import Marks, looks
from cpuplace_cli.owners import owner_labels


@frozen(slots=True, kw_only=True)
class Picture:
    """A host, its owners (label -> CPUs) and its marks."""

    host: Topology
    owners: Mapping[str, CpuSet] = field(factory=dict)
    marks: Marks = field(factory=Marks)

    def drawing(self) -> Drawing:
        """The drawing to render as text or SVG."""
        return draw(self.host, self.owners, self.marks)

    def to_dict(self) -> dict[str, Any]:
        """The same as data: the looks in the order of the legend."""
        return {
            "host": self.host.name,
            "looks": [
                {"state": look.state, "label": look.label, "cpus": str(look.cpus)}
                for look in looks(self.host, self.owners, self.marks)
            ],
        }


def picture_of(state: HostState) -> Picture:
    """The picture of a state: every container but the shared ones is an owner, in the order they were placed.

    Containers of one pod that hold the same CPUs (a pin of the pod) are one owner, so are many replicas.

    >>> from cpuplace import ContainerRequest, Plan, Topology, apply, place
    >>> state = HostState.empty(Topology.uniform(cores_per_l3=4))
    >>> state = apply(state, place(state, ContainerRequest.integer("db", 2)).unwrap())
    >>> picture_of(state).owners
    {'db': CpuSet('0-1')}
    """
    owners: dict[str, CpuSet] = {}
    for key, label in owner_labels(state).items():
        owners[label] = owners.get(label, NO_CPUS) | state[key].cpus
    host = state.topology
    return Picture(
        host=host,
        owners=owners,
        marks=Marks(
            reserved=state.reserved,
            isolated=state.set_aside,
            withheld=state.withheld,
            unusable=host.online - state.usable,
        ),
    )
