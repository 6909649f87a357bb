"""The captured machines, odd as they are, can all be drawn: nothing lost, nothing too wide."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cli.drawn import cells
from cpuplace.idset import CpuSet
from cpuplace_cli.drawing import draw
from cpuplace_cli.hosts import load_host
from cpuplace_cli.svgmap import render as render_svg
from cpuplace_cli.textmap import render

CAPTURES = sorted((Path(__file__).parents[3] / "shared" / "topologies").glob("*.tar.gz"))


@pytest.mark.skipif(not CAPTURES, reason="no captured machines at ../shared/topologies")
@pytest.mark.parametrize("path", CAPTURES or [Path()], ids=lambda path: path.name.removesuffix(".tar.gz"))
def test_a_captured_machine_can_be_drawn(path: Path) -> None:
    host = load_host(str(path))
    drawing = draw(host)
    drawn = CpuSet(cell.cpu for cell in cells(drawing))
    assert len(drawn) == len(cells(drawing))
    assert drawn | drawing.elsewhere == CpuSet(cpu.id for cpu in host.cpus)
    for width in (80, 160):
        lines = render(drawing, width)
        assert max(sum(len(span.text) for span in line) for line in lines) <= width
        assert len(lines) <= 110
    assert ET.fromstring(render_svg(drawing)).tag.endswith("svg")
