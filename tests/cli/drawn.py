"""What the tests of the maps share: odd hosts with owners and marks."""

from hypothesis import strategies as st

from cpuplace.idset import CpuSet
from cpuplace.topology import Topology
from cpuplace_cli.drawing import Cell, Drawing, draw
from cpuplace_cli.looks import Marks
from laws.made_once import sampled_from
from laws.strategies import hosts

Picture = tuple[Topology, dict[str, CpuSet], Marks]
LABELS = st.text(min_size=1, max_size=30)


@st.composite
def pictures(draw_: st.DrawFn) -> Picture:
    """A host, some owners (overlapping ones too) and marks; sets may name CPUs that the host lacks."""
    host = draw_(hosts())
    ids = [cpu.id for cpu in host.cpus]
    some = st.builds(CpuSet, st.lists(sampled_from([*ids, 5000]), max_size=6))
    owners = draw_(st.dictionaries(LABELS, some, max_size=5))
    return host, owners, Marks(reserved=draw_(some), isolated=draw_(some), withheld=draw_(some), unusable=draw_(some))


def cells(drawing: Drawing) -> list[Cell]:
    """Every cell of a drawing."""
    return [
        cell
        for section in drawing.sections
        for tile in section.tiles
        for group in tile.groups
        for column in group.columns
        for cell in column.cells
    ]


def drawn(picture: Picture) -> Drawing:
    """The drawing of a picture."""
    return draw(*picture)
