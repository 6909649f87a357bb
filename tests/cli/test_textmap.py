"""Laws of the text map, and a few maps as files to look at."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.drawn import Picture, cells, drawn, pictures
from cpuplace import catalogue
from cpuplace.idset import CpuSet
from cpuplace_cli.drawing import draw
from cpuplace_cli.looks import Look, Marks
from cpuplace_cli.textmap import MIN_WIDTH, plain_text, render

GOLDEN = Path(__file__).parent / "golden"
DB = {"default/db-0 db": CpuSet.parse("0-3"), "ml/train-0 train": CpuSet.parse("16-19,144-147")}
MARKS = Marks(reserved=CpuSet([5]), isolated=CpuSet([6, 7]), withheld=CpuSet([8]))
MAPS = {
    "vm-2cpu": (80, {}, Marks()),
    "intel-i7-1370p": (80, {"db": CpuSet.parse("0-1"), "web": CpuSet.parse("12")}, Marks(reserved=CpuSet([19]))),
    "amd-epyc-7742-2s-nps4": (80, DB, MARKS),
    "nvidia-gh200": (80, {}, Marks()),
    "intel-xeon-8280-2s": (160, {}, Marks()),
}


@pytest.mark.parametrize("name", MAPS)
def test_the_map_looks_like_this(name: str) -> None:
    width, owners, marks = MAPS[name]
    assert plain_text(render(draw(catalogue.host(name), owners, marks), width)) == (GOLDEN / f"{name}.txt").read_text()


@given(pictures(), st.integers(0, 200))
def test_no_line_is_longer_than_the_width(picture: Picture, width: int) -> None:
    for line in render(drawn(picture), width):
        assert sum(len(span.text) for span in line) <= max(width, MIN_WIDTH)


@pytest.mark.parametrize("name", catalogue.NAMES)
@pytest.mark.parametrize("width", [80, 160])
def test_every_host_fits_on_one_screen(name: str, width: int) -> None:
    lines = render(draw(catalogue.host(name)), width)
    assert len(lines) <= 40
    assert all(sum(len(span.text) for span in line) <= width for line in lines)


@given(pictures(), st.sampled_from([80, 200]))
def test_every_cpu_is_one_glyph_in_its_look(picture: Picture, width: int) -> None:
    drawing = drawn(picture)
    shown = [span for line in render(drawing, width) for span in line if isinstance(span.style, Look)]
    expected = [cell.look.glyph for cell in cells(drawing) if not (drawing.plain and cell.look.state == "pool")]
    expected += [] if drawing.plain else [look.glyph for look in drawing.looks]
    assert sorted(span.text for span in shown) == sorted(expected)


@given(pictures())
def test_nothing_unprintable_reaches_the_terminal(picture: Picture) -> None:
    text = plain_text(render(drawn(picture)))
    assert all(line.isprintable() for line in text.split("\n"))


def test_an_ordinary_map_shows_ids_and_an_owned_one_letters() -> None:
    host = catalogue.host("raspberry-pi-4")
    assert "0-3 │0123│" in plain_text(render(draw(host)))
    assert "0-3 │A...│" in plain_text(render(draw(host, {"db": CpuSet([0])})))


def test_many_owners_go_in_columns_whatever_the_pool_looks_like() -> None:
    owners = {f"pod-{at}": CpuSet([2 * at]) for at in range(20)}
    lines = plain_text(render(draw(catalogue.host("aws-graviton3"), owners), 100)).splitlines()
    assert sum("pod-" in line for line in lines) == 5
    assert sum("shared pool" in line for line in lines) == 1


def test_owners_beyond_the_letters_are_counted() -> None:
    owners = {f"pod-{at}": CpuSet([at]) for at in range(64)}
    assert "+ 2 further owners: 2 CPUs 62-63" in plain_text(render(draw(catalogue.host("aws-graviton3"), owners)))
