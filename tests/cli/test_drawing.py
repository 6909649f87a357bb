"""Laws of the drawing model: nothing is lost, nothing is drawn twice, everything is where the host says."""

from hypothesis import given

from cli.drawn import Picture, cells, drawn, pictures
from cpuplace import catalogue
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.topology import CpuRow, Topology
from cpuplace_cli.drawing import distances, draw, kinds, l3_note, memory_lines, summary
from cpuplace_cli.looks import LETTERS, OWNER_COLOURS, Marks, looks
from laws.strategies import hosts


@given(pictures())
def test_every_cpu_is_drawn_exactly_once(picture: Picture) -> None:
    drawing = drawn(picture)
    ids = [cell.cpu for cell in cells(drawing)]
    assert len(ids) == len(set(ids))
    assert CpuSet(ids).isdisjoint(drawing.elsewhere)
    assert CpuSet(ids) | drawing.elsewhere == CpuSet(cpu.id for cpu in drawing.host.cpus)
    assert drawing.elsewhere <= drawing.host.offline


@given(pictures())
def test_every_node_is_a_tile_or_a_line(picture: Picture) -> None:
    drawing = drawn(picture)
    tiles = [tile.node.id for section in drawing.sections for tile in section.tiles]
    rest = [node.id for node in (*drawing.memory_nodes, *drawing.shared_nodes)]
    assert sorted(tiles + rest) == [node.id for node in drawing.host.nodes]
    assert all(not node.cpus for node in drawing.memory_nodes)
    shown = [device for section in drawing.sections for tile in section.tiles for device in tile.devices]
    assert sorted(d.name for d in (*shown, *drawing.devices)) == sorted(d.name for d in drawing.host.devices)


@given(pictures())
def test_every_cpu_lies_where_the_host_says(picture: Picture) -> None:
    drawing = drawn(picture)
    for section in drawing.sections:
        for tile in section.tiles:
            for group in tile.groups:
                for column in group.columns:
                    for cpu in (drawing.host.cpu(cell.cpu) for cell in column.cells):
                        assert (cpu.core, cpu.node) == (column.core, tile.node.id)
                        if cpu.online:
                            assert (cpu.l3, cpu.package, cpu.kind) == (group.l3, group.package, column.kind)
                            assert section.package in (None, cpu.package)


@given(pictures())
def test_looks_divide_the_cpus(picture: Picture) -> None:
    host, owners, marks = picture
    shown = looks(host, owners, marks)
    union = NO_CPUS
    for look in shown:
        assert union.isdisjoint(look.cpus)
        union |= look.cpus
    assert union == CpuSet(cpu.id for cpu in host.cpus)
    assert len({look.glyph for look in shown}) == len(shown)
    assert [look.label for look in shown if look.state == "owner"] == list(owners)
    for look in shown:
        if look.state == "owner":
            assert look.cpus <= owners[look.label]


@given(hosts())
def test_a_host_of_nobody_is_plain(host: Topology) -> None:
    drawing = draw(host)
    assert drawing.plain
    assert {cell.look.state for cell in cells(drawing)} <= {"pool", "offline"}


def test_cpus_of_two_owners_say_so() -> None:
    shown = looks(catalogue.host("vm-2cpu"), {"a": CpuSet([0, 1]), "b": CpuSet([1])}, Marks())
    assert [(look.state, look.label, str(look.cpus)) for look in shown] == [
        ("owner", "a", "0"),
        ("owner", "b", ""),
        ("several", "several owners", "1"),
    ]


def test_marks_yield_to_owners_and_to_each_other_in_order() -> None:
    host = catalogue.host("raspberry-pi-4")
    everything = CpuSet.parse("0-3")
    marks = Marks(withheld=CpuSet([1]), reserved=CpuSet([1, 2]), isolated=everything)
    shown = looks(host, {"a": CpuSet([0])}, marks)
    assert [(look.state, str(look.cpus)) for look in shown] == [
        ("owner", "0"),
        ("withheld", "1"),
        ("reserved", "2"),
        ("isolated", "3"),
    ]


def test_more_owners_than_letters_share_one_look() -> None:
    host = catalogue.host("aws-graviton3")
    owners = {f"c{at}": CpuSet([at]) for at in range(64)}
    shown = looks(host, owners, Marks())
    assert [look.glyph for look in shown] == [*LETTERS, "+"]
    assert shown[-1].cpus == CpuSet([62, 63])
    assert shown[0].colour == shown[len(OWNER_COLOURS)].colour != shown[1].colour


def test_offline_cpus_keep_their_place_when_the_host_still_knows_it() -> None:
    rows = [CpuRow(0, 0, 0, 0, 0), CpuRow(1, 0, 0, 0, 0, online=False), CpuRow(2, online=False)]
    drawing = draw(Topology.from_rows(rows))
    assert [(cell.cpu, cell.look.glyph) for cell in cells(drawing)] == [(0, "."), (1, "/")]
    assert drawing.elsewhere == CpuSet([2])


def test_packages_head_sections_only_where_nodes_nest_in_them() -> None:
    assert [section.package for section in draw(catalogue.host("amd-epyc-7742-2s-nps4")).sections] == [0, 1]
    assert [section.package for section in draw(catalogue.host("amd-epyc-9965-2s")).sections] == [None]
    crossing = Topology.from_rows([CpuRow(0, 0, 0, 0, 0), CpuRow(1, 1, 1, 0, 1)])
    assert [section.package for section in draw(crossing).sections] == [None]


def test_the_lines_above_and_below_the_map() -> None:
    knl, pi = catalogue.host("intel-knl-7250-snc4-flat"), catalogue.host("raspberry-pi-4")
    assert summary(knl) == "intel-knl-7250-snc4-flat: 272 CPUs, 68 cores x 4 threads, 8 nodes, 1 package, 112 GiB"
    assert distances(knl) == "distances: 10 own node, 21 same package, 31-41 nodes without CPUs"
    assert (distances(pi), kinds(pi), memory_lines(draw(pi))) == ("", "", [])
    overlapping = Topology.from_rows([CpuRow(0, node=(0, 1))], distances={(0, 1): 20})
    assert memory_lines(draw(overlapping)) == ["nodes that list CPUs of others: 1"]
    assert distances(overlapping) == "distances: 10 own node, 20 other node"
    assert summary(overlapping) == "host: 1 CPU, 1 core, 2 nodes"


def test_a_note_says_where_l3_groups_lie_when_the_map_cannot() -> None:
    notes = {name: l3_note(draw(catalogue.host(name))) for name in catalogue.NAMES}
    assert notes["intel-xeon-8480-2s-snc4"] == "an L3 group spans several nodes"
    assert notes["intel-xeon-8280-2s"] == "one L3 group a node"
    assert {notes[name] for name in ("vm-2cpu", "ampere-altra-2s-80", "amd-epyc-9965-2s")} == {""}
