"""Laws of the SVG: well formed, complete, self-contained, the same bytes every time."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from cli.drawn import Picture, cells, drawn, pictures
from cpuplace import catalogue
from cpuplace.idset import CpuSet
from cpuplace_cli.drawing import draw
from cpuplace_cli.looks import OWNER_COLOURS, ink
from cpuplace_cli.svgmap import render

NAMESPACE = "{http://www.w3.org/2000/svg}"


def tooltips(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return [title.text or "" for group in root.iter(f"{NAMESPACE}g") for title in group.findall(f"{NAMESPACE}title")]


@given(pictures())
def test_every_cpu_has_one_tooltip_that_names_its_owner(picture: Picture) -> None:
    drawing = drawn(picture)
    found = sorted(tip.partition(",")[0] for tip in tooltips(render(drawing)) if tip.startswith("CPU ") and ", " in tip)
    assert found == sorted(f"CPU {cell.cpu}" for cell in cells(drawing))


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_host_stays_inside_its_frame(name: str) -> None:
    root = ET.fromstring(render(draw(catalogue.host(name))))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    assert 0 < width <= 1240
    for rect, x, y in rects(root, 0, 0):
        assert x + float(rect.attrib["width"]) <= width + 0.5
        assert y + float(rect.attrib["height"]) <= height + 0.5


def rects(element: ET.Element, x: float, y: float) -> list[tuple[ET.Element, float, float]]:
    """Every rectangle with its absolute place."""
    if element.attrib.get("transform", "").startswith("translate("):
        left, top = element.attrib["transform"][len("translate(") : -1].split()
        x, y = x + float(left), y + float(top)
    found = [(element, x + float(element.get("x", 0)), y + float(element.get("y", 0)))] if "rect" in element.tag else []
    return found + [one for child in element for one in rects(child, x, y)]


def test_it_is_accessible_and_needs_nothing_else() -> None:
    svg = render(draw(catalogue.host("vm-2cpu"), {"db <&>": CpuSet([0])}))
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{NAMESPACE}title") == "vm-2cpu: 2 CPUs, 2 cores, 1 L3 group, 1 node, 1 package, 4 GiB"
    assert "A db <&>: 1 CPU 0" in (root.findtext(f"{NAMESPACE}desc") or "")
    assert "prefers-color-scheme:dark" in svg
    assert not [word for word in ("<script", "<image", "href", "url(", "@import") if word in svg]


def test_the_same_drawing_gives_the_same_bytes() -> None:
    host = catalogue.host("amd-epyc-9654-2s-nps4")
    owners = {"a": CpuSet.parse("0-3"), "b": CpuSet.parse("8-9")}
    assert render(draw(host, owners)) == render(draw(host, dict(owners)))


def test_letters_can_be_read_on_every_colour() -> None:
    """WCAG 2: contrast of at least 4.5 between a letter and its background."""
    for colour in OWNER_COLOURS:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        letter = 1.0 if ink(colour) == "#ffffff" else 0.0
        high, low = max(luminance, letter), min(luminance, letter)
        assert (high + 0.05) / (low + 0.05) >= 4.5
