"""Plans in the words of other tools: what they say, read back, is what the plan says; golden texts for the eye."""

import re
import shlex
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.formats import emit
from cpuplace.formats.emit_openmp import place, places
from cpuplace.formats.emit_placed import Placed, runs
from cpuplace.state import Assignment
from laws.worlds import states

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


def held_by(request: cp.ContainerRequest, cpus: str, mems: cp.NodeSet | None = None) -> Assignment:
    return Assignment(request, cp.CpuSet.parse(cpus), mems)


INTEGER = held_by(cp.ContainerRequest.integer("ml/train", 4), "1-2,9-10", mems=cp.NodeSet([0]))
SHARED = held_by(cp.ContainerRequest.shared("web"), "0,3-8,11-15")


def words(text: str) -> list[list[str]]:
    """The commands of a text, as a shell takes them apart."""
    return [shlex.split(line) for line in text.splitlines() if line and not line.startswith("#")]


def option(command: list[str], name: str) -> str:
    return next((word.removeprefix(f"{name}=") for word in command if word.startswith(f"{name}=")), "")


# --- laws: read back, it is the plan -------------------------------------------------------------


def openmp_places(text: str) -> list[cp.CpuSet]:
    """OMP_PLACES as a runtime takes it apart: `{a:n,b}` and `{a}:n`, steps of one."""
    found = []
    for inside, times in re.findall(r"\{([^}]*)\}(?::(\d+))?", text):
        ids: list[int] = []
        for part in inside.split(","):
            first, _, count = part.partition(":")
            ids += range(int(first), int(first) + int(count or 1))
        found += [cp.CpuSet(one + step for one in ids) for step in range(int(times or 1))]
    return found


def of_taskset(text: str) -> list[cp.CpuSet]:
    return [cp.CpuSet.parse(command[2]) for command in words(text)]


def of_numactl(text: str) -> list[cp.CpuSet]:
    return [cp.CpuSet.parse(option(command, "--physcpubind"), dialect="numactl") for command in words(text)]


def of_docker(text: str) -> list[cp.CpuSet]:
    return [cp.CpuSet.parse(option(command, "--cpuset-cpus")) for command in words(text)]


def of_systemd(text: str) -> list[cp.CpuSet]:
    return [cp.CpuSet.parse(value) for value in re.findall(r"^AllowedCPUs=\nAllowedCPUs=(.+)$", text, re.MULTILINE)]


def of_slurm(text: str) -> list[cp.CpuSet]:
    masks = [option(command, "--cpu-bind").removeprefix("mask_cpu:") for command in words(text)]
    return [cp.CpuSet.from_mask(int(mask, 16)) for mask in masks]


def of_openmp(text: str) -> list[cp.CpuSet]:
    found = []
    for command in words(text):
        sets = openmp_places(option(command, "OMP_PLACES"))
        threads = option(command, "OMP_NUM_THREADS")
        assert threads in ("", str(len(sets)))
        found.append(cp.CpuSet(cpu for one in sets for cpu in one))
    return found


def of_libvirt(text: str) -> list[cp.CpuSet]:
    top = ElementTree.fromstring(f"<domain>{text}</domain>")
    for tune in top.iter("cputune"):
        pins = [int(pin.attrib["cpuset"]) for pin in tune.iter("vcpupin")]
        assert [int(pin.attrib["vcpu"]) for pin in tune.iter("vcpupin")] == list(range(len(pins)))
        whole = tune.find("emulatorpin")
        assert whole is not None
        assert cp.CpuSet.parse(whole.attrib["cpuset"]) == cp.CpuSet(pins)
    return [cp.CpuSet.parse(vcpu.attrib["cpuset"]) for vcpu in top.iter("vcpu")]


READERS: Mapping[str, Callable[[str], list[cp.CpuSet]]] = {
    "taskset": of_taskset,
    "numactl": of_numactl,
    "systemd": of_systemd,
    "docker": of_docker,
    "openmp": of_openmp,
    "slurm": of_slurm,
    "libvirt": of_libvirt,
}


def test_every_tool_is_read_back() -> None:
    assert list(READERS) == list(emit.TOOLS)


@pytest.mark.parametrize("tool", emit.TOOLS)
@given(state=states())
def test_each_container_gets_the_cpus_of_the_plan(tool: str, state: cp.HostState) -> None:
    held = list(state.assignments.values())
    text = emit.render(tool, state.topology, held)
    assert READERS[tool](text) == [one.cpus for one in held if one.kind is not cp.Kind.UNMANAGED]
    positions = [text.find(f" {one.container_id}: ") for one in held]
    assert positions == sorted(positions)
    assert -1 not in positions


@given(states())
def test_threads_of_a_container_are_each_cpu_once(state: cp.HostState) -> None:
    for held in state.assignments.values():
        one = Placed(state.topology, held)
        assert sorted(one.by_thread) == sorted(one.by_core) == list(held.cpus)
        cores = [core.cpus & held.cpus for core in state.topology.cores if core.cpus & held.cpus]
        first = cp.CpuSet(one.by_thread[: len(cores)])
        assert all(len(core & first) == 1 for core in cores)


@given(st.lists(st.integers(0, 40), unique=True, min_size=1))
def test_places_are_the_cpus_in_their_order(cpus: list[int]) -> None:
    assert openmp_places(places(cpus)) == [cp.CpuSet([one]) for one in cpus]
    assert openmp_places(place(cpus)) == [cp.CpuSet(cpus)]
    assert [first + step for first, count in runs(cpus) for step in range(count)] == cpus


# --- what they look like -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "lines"),
    [
        (
            "taskset",
            ["# its memory belongs on node 0: taskset cannot say so, numactl can", "taskset -c 1-2,9-10 COMMAND"],
        ),
        ("numactl", ["numactl --physcpubind=1-2,9-10 --membind=0 -- COMMAND"]),
        ("docker", ["docker run --cpuset-cpus=1-2,9-10 --cpuset-mems=0 IMAGE"]),
        (
            "systemd",
            ["[Service]", "AllowedCPUs=", "AllowedCPUs=1-2,9-10", "AllowedMemoryNodes=", "AllowedMemoryNodes=0"],
        ),
        ("openmp", ["OMP_NUM_THREADS=4 OMP_PLACES='{1}:2,{9}:2' OMP_PROC_BIND=close COMMAND"]),
        (
            "slurm",
            [
                "srun --ntasks=1 --cpu-bind=mask_cpu:0x606 --mem-bind=mask_mem:0x1 COMMAND",
                "# or a rank a CPU: srun --ntasks=4 --cpu-bind=map_cpu:1,2,9,10 --mem-bind=mask_mem:0x1 COMMAND",
            ],
        ),
        (
            "libvirt",
            [
                '<vcpu placement="static" cpuset="1-2,9-10">4</vcpu>',
                "<cputune>",
                '  <vcpupin vcpu="0" cpuset="1"/>',
                '  <vcpupin vcpu="1" cpuset="9"/>',
                '  <vcpupin vcpu="2" cpuset="2"/>',
                '  <vcpupin vcpu="3" cpuset="10"/>',
                '  <emulatorpin cpuset="1-2,9-10"/>',
                "</cputune>",
                "<numatune>",
                '  <memory mode="strict" nodeset="0"/>',
                "</numatune>",
            ],
        ),
    ],
)
def test_an_integer_container_bound_to_its_memory(tool: str, lines: list[str]) -> None:
    head, about, *rest = emit.render(tool, HOST, [INTEGER]).rstrip("\n").replace("\n\n", "\n").split("\n")
    assert head
    assert about.strip("#<!-> ") == "ml/train: integer, 4 CPUs of its own"
    assert rest == lines


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        ("taskset", "taskset -c 0,3-8,11-15 COMMAND"),
        ("numactl", "numactl --physcpubind=0,3-8,11-15 -- COMMAND"),
        ("docker", "docker run --cpuset-cpus=0,3-8,11-15 IMAGE"),
        ("systemd", "AllowedCPUs=0,3-8,11-15"),
        ("openmp", "OMP_PLACES='{0,3:6,11:5}' OMP_PROC_BIND=true COMMAND"),
        ("slurm", "srun --ntasks=1 --cpu-bind=mask_cpu:0xf9f9 COMMAND"),
        ("libvirt", '<vcpu placement="static" cpuset="0,3-8,11-15">1</vcpu> <!-- as many as you like -->'),
    ],
)
def test_a_shared_container_runs_on_the_pool(tool: str, line: str) -> None:
    text = emit.render(tool, HOST, [SHARED])
    assert "web: shared, runs on the pool" in text
    assert text.rstrip("\n").splitlines()[-1] == line


@pytest.mark.parametrize(
    ("tool", "one", "two"),
    [
        ("numactl", "--preferred=1 ", "--preferred-many=0-1 "),
        ("docker", "# prefers the memory of node 1: docker can", "# prefers the memory of node 0-1: docker can"),
        ("systemd", "NUMAPolicy=preferred\nNUMAMask=\nNUMAMask=1\n", "# prefers the memory of nodes 0-1: NUMAPolicy="),
        ("slurm", "--mem-bind=prefer,mask_mem:0x2 ", "--mem-bind=prefer,mask_mem:0x3 "),
        ("libvirt", 'mode="preferred" nodeset="1"', "libvirt 9.3 or newer"),
    ],
)
def test_memory_that_is_only_preferred(tool: str, one: str, two: str) -> None:
    first = evolve(INTEGER, mems=None, preferred=cp.NodeSet([1]))
    both = evolve(INTEGER, mems=None, preferred=cp.NodeSet([0, 1]))
    assert one in emit.render(tool, HOST, [first])
    assert two in emit.render(tool, HOST, [both])
    if tool == "systemd":
        assert "NUMAMask" not in emit.render(tool, HOST, [both])


@pytest.mark.parametrize("tool", emit.TOOLS)
def test_who_is_not_managed_is_left_alone(tool: str) -> None:
    alone = held_by(cp.ContainerRequest.unmanaged("sys", cpus=cp.CpuSet([0])), "0")
    text = emit.render(tool, HOST, [alone])
    assert "sys: unmanaged, 1 CPU that others may use too: not managed, left alone" in text
    assert READERS[tool](text) == []


@pytest.mark.parametrize("tool", emit.TOOLS)
def test_no_name_leaves_its_comment(tool: str) -> None:
    bad = held_by(cp.ContainerRequest.integer("x\nreboot --now\r--->", 1), "1")
    text = emit.render(tool, HOST, [bad])
    assert READERS[tool](text) == [bad.cpus]
    assert not [line for line in text.splitlines() if line.startswith("reboot")]


def test_idle_siblings_and_init_containers_are_told() -> None:
    request = cp.ContainerRequest.integer("p/setup", 1, init=True)
    alone = evolve(held_by(request, "1"), withheld=cp.CpuSet([9]))
    said = "# p/setup: integer, 1 CPU of its own, siblings 9 stay idle, an init container: only while it runs\n"
    assert said in emit.render("taskset", HOST, [alone])


def test_one_cpu_needs_no_ranks() -> None:
    assert "rank" not in emit.render("slurm", HOST, [held_by(cp.ContainerRequest.integer("a", 1), "1")])
