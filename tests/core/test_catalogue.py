"""The catalogue: every host is a valid one, and says what the published machines say."""

import json
from pathlib import Path

import pytest

from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet

CAPTURES = Path(__file__).parents[3] / "shared" / "topologies"
CAPTURED = {
    "amd-epyc-7742-2s-nps4": "amd-epyc7742-2s-256t-nps4-32l3",
    "kunpeng-920-2s": "arm64-kunpeng920-2s-128c-4n-clusters",
    "intel-knl-7250-snc4-flat": "intel-knl-272t-snc4-flat-mcdram",
    "intel-i7-1370p": "intel-rpl-1s-20t-hybrid",
}
PROMISED = {
    "amd-epyc-7742-2s-nps1": (256, 2, 2, 32),
    "amd-epyc-7742-2s-nps4": (256, 8, 2, 32),
    "amd-epyc-9654-2s-nps4": (384, 8, 2, 24),
    "amd-epyc-9965-2s": (768, 2, 2, 24),
    "ampere-altra-2s-80": (160, 2, 2, 0),
    "aws-graviton3": (64, 1, 1, 1),
    "ibm-power9-2s-smt4": (128, 2, 2, 16),
    "intel-i7-1370p": (20, 1, 1, 1),
    "intel-knl-7250-snc4-flat": (272, 8, 1, 0),
    "intel-xeon-8160-4s": (192, 4, 4, 4),
    "intel-xeon-8280-2s": (112, 2, 2, 2),
    "intel-xeon-8480-2s-snc4": (224, 8, 2, 2),
    "kunpeng-920-2s": (128, 4, 2, 4),
    "nvidia-gb200": (144, 34, 2, 2),
    "nvidia-gh200": (72, 9, 1, 1),
    "nvidia-grace-hopper": (144, 34, 2, 2),
    "raspberry-pi-4": (4, 1, 1, 0),
    "vm-2cpu": (2, 1, 1, 1),
}


def test_the_names_are_the_promised_ones() -> None:
    assert list(catalogue.NAMES) == sorted(PROMISED)


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_each_host_has_its_counts_and_its_story(name: str) -> None:
    host, entry = catalogue.host(name), catalogue.entry(name)
    assert (len(host.cpus), len(host.nodes), len(host.packages), len(host.l3_groups)) == PROMISED[name]
    assert host.name == entry.name == name
    assert entry.title
    assert entry.summary
    assert all(source.strip() == source != "" for source in entry.sources)
    assert any(source.startswith("assumed") or "published" in source for source in entry.sources)


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_each_host_is_complete(name: str) -> None:
    """Distances for every pair, CPU ids without holes, every device at a node of the host and with its CPUs."""
    host = catalogue.host(name)
    ids = [node.id for node in host.nodes]
    assert [(a, b) for a, b, _ in host.distance_rows] == [(a, b) for a in ids for b in ids]
    assert all(
        host.distance(a, b) == host.distance(b, a) > host.distance(a, a) == 10 for a in ids for b in ids if a != b
    )
    assert host.online == CpuSet(range(len(host.cpus)))
    for device in host.devices:
        assert device.node in ids
        assert device.local_cpus == host.node(device.node).cpus
    assert len({device.name for device in host.devices}) == len(host.devices)
    assert all(node.memory_bytes is not None for node in host.nodes)


def test_a_host_is_built_once() -> None:
    assert catalogue.host("vm-2cpu") is catalogue.host("vm-2cpu")


@pytest.mark.parametrize(
    ("typo", "hint"),
    [
        ("amd-epyc-7742-2s-nps3", "amd-epyc-7742-2s-nps4"),
        ("AMD-EPYC-9965-2S", "amd-epyc-9965-2s"),
        ("zzz", "cpuplace hosts"),
    ],
)
def test_a_typo_gets_the_nearest_names(typo: str, hint: str) -> None:
    with pytest.raises(BadInput, match=typo) as caught:
        catalogue.host(typo)
    assert hint in caught.value.hint


@pytest.mark.parametrize(("name", "capture"), sorted(CAPTURED.items()))
def test_the_facts_are_those_of_the_published_machine(name: str, capture: str) -> None:
    path = CAPTURES / f"{capture}.json"
    if not path.exists():
        pytest.skip("no captured machines at ../shared/topologies")
    truth = json.loads(path.read_text())["truth"]
    host = catalogue.host(name)
    assert sorted(str(core.cpus) for core in host.cores) == sorted(truth["cores"])
    assert sorted(str(group.cpus) for group in host.l3_groups) == sorted(truth["l3_groups"])
    assert sorted(str(group.cpus) for group in host.l2_groups) == sorted(truth["l2_groups"])
    assert sorted(str(package.cpus) for package in host.packages) == sorted(truth["packages"])
    assert {str(node.id): str(node.cpus) for node in host.nodes} == {
        node: facts["cpus_online"] for node, facts in truth["nodes"].items()
    }
    for node, facts in truth["nodes"].items():
        if facts["distance"]:
            assert [host.distance(int(node), int(to)) for to in truth["nodes"]] == facts["distance"]


def test_grace_distances_follow_the_published_rows() -> None:
    host = catalogue.host("nvidia-gb200")
    assert [host.distance(0, b) for b in range(34)] == [10, 40] + [80] * 16 + [120] * 16
    assert [host.distance(1, b) for b in range(34)] == [40, 10] + [120] * 16 + [80] * 16
    assert [host.distance(2, b) for b in range(34)] == [80, 120, 10] + [11] * 7 + [40] * 24
    assert [node.id for node in host.nodes if node.memory_bytes and not node.cpus] == [2, 10, 18, 26]


def test_knights_landing_memory_lies_at_its_quadrant() -> None:
    host = catalogue.host("intel-knl-7250-snc4-flat")
    assert [host.distance(1, b) for b in range(8)] == [21, 10, 21, 21, 41, 31, 41, 41]
