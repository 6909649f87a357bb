"""Texts of /proc: interrupts and their names, where a process may run, its groups; records of moved interrupts."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace.formats import irq_names, irq_record, proc_cgroup, proc_interrupts, proc_status
from cpuplace.formats.irq_names import IrqName
from cpuplace.formats.proc_cgroup import Group, Mount
from cpuplace.formats.proc_interrupts import InterruptRow
from cpuplace.formats.proc_status import Allowed
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.irq_plan import FileWrite

# --- /proc/interrupts ----------------------------------------------------------------------------

_WORD = st.text("abcdefgxyzXYZ0123456789_@:.-[]", min_size=1, max_size=12)
_NAME = st.lists(_WORD, min_size=1, max_size=3).map(" ".join)
_CHIP = st.sampled_from(["IO-APIC", "PCI-MSI", "PCI-MSIX-0000:01:00.0", "IR-PCI-MSIX-0000:c1:00.0", "GICv3", "ITS-MSI"])


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, tuple[InterruptRow, ...], str]:
    """Interrupts, and the text that the kernel's show_interrupts prints of them."""
    cpus = draw(st.integers(1, 9))
    numbers = sorted(draw(st.sets(st.integers(0, 99_999), max_size=6)))
    text = "    " + "".join(f"CPU{cpu:<8}" for cpu in range(cpus)) + "\n"
    found = []
    for number in numbers:
        counts = draw(st.lists(st.integers(0, 10**10), min_size=cpus, max_size=cpus))
        chip, names = draw(_CHIP), draw(st.lists(_NAME, max_size=3))
        hardware = draw(st.integers(0, 2**40))
        kind = draw(st.sampled_from(["-edge    ", "-fasteoi ", " Edge     ", " Level    ", "-edge"]))
        text += f"{number:>4}: " + "".join(f"{count:>10} " for count in counts)
        text += f" {chip:>8}  {hardware:>5}{kind}" + (f"  {', '.join(names)}" if names else "") + "\n"
        found.append(InterruptRow(number, sum(counts), chip, tuple(names)))
    text += " NMI: " + "".join(f"{0:>10} " for _ in range(cpus)) + "  Non-maskable interrupts\n ERR:          0\n"
    return cpus, tuple(found), text


@given(rows())
def test_interrupts_are_read_as_the_kernel_writes_them(drawn: tuple[int, tuple[InterruptRow, ...], str]) -> None:
    _, found, text = drawn
    assert proc_interrupts.parse(text) == found


@pytest.mark.parametrize(
    ("tail", "chip", "names"),
    [
        ("IO-APIC   2-edge      timer", "IO-APIC", ("timer",)),
        ("PCI-MSI 524288-edge      xhci_hcd", "PCI-MSI", ("xhci_hcd",)),
        (
            "ITS-PCI-MSIX-0000:01:00.0   0 Edge      PCIe PME, aerdrv",
            "ITS-PCI-MSIX-0000:01:00.0",
            ("PCIe PME", "aerdrv"),
        ),
        ("xen-dyn    -event     eth0-q0-tx", "xen-dyn", ("eth0-q0-tx",)),
        ("XT-PIC      cascade", "XT-PIC", ("cascade",)),
        ("XIVE-IRQ 4096 Edge      IPI-0", "XIVE-IRQ", ("IPI-0",)),
        ("IO-APIC   5-edge", "IO-APIC", ()),
        ("", "", ()),
    ],
)
def test_chips_of_many_kinds(tail: str, chip: str, names: tuple[str, ...]) -> None:
    [row] = proc_interrupts.parse(f"   CPU0 CPU3\n 7:  1  2  {tail}\n")
    assert row == InterruptRow(7, 3, chip, names)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected CPU0"),
        ("hello\n", "expected CPU0"),
        ("CPU0 x\n", "expected CPU0"),
        ("CPU0 CPU1\n 1: 5\n", "at line 2: expected 2 counts"),
        ("CPU0\n\n 1: x y\n", "at line 3: expected 1 counts"),
        ("CPU0\n 99999999: 1\n", "interrupt 99999999 is above"),
    ],
)
def test_interrupts_that_cannot_be_read(text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        proc_interrupts.parse(text)


# --- their names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nvme0q0", IrqName("nvme0")),
        ("nvme12q64", IrqName("nvme12", 63, managed=True)),
        ("virtio2-config", IrqName("virtio2")),
        ("virtio2-virtqueues", IrqName("virtio2")),
        ("virtio2-input.3", IrqName("virtio2", 3)),
        ("virtio2-output.3", IrqName("virtio2", 3)),
        ("virtio1-req.7", IrqName("virtio1", 7, managed=True)),
        ("virtio3-request", IrqName("virtio3", None, managed=True)),
        ("virtio0-requests.0", IrqName("virtio0", 0, managed=True)),
        ("eth0-TxRx-3", IrqName("eth0", 3)),
        ("ens5-Tx-Rx-0", IrqName("ens5", 0)),
        ("eth0-rx-1", IrqName("eth0", 1)),
        ("eth0-tx-1", IrqName("eth0", 1)),
        ("eth0-fp-2", IrqName("eth0", 2)),
        ("eth0-q0-tx", IrqName("eth0", 0)),
        ("eth0-rxtx-4", IrqName("eth0", 4)),
        ("enp1s0f0-5", IrqName("enp1s0f0", 5)),
        ("i40e-enp1s0f0-TxRx-11", IrqName("enp1s0f0", 11)),
        ("ice-ens1f0-TxRx-0", IrqName("ens1f0", 0)),
        ("mlx5_comp12@pci:0000:c1:00.0", IrqName("0000:c1:00.0", 12)),
        ("mana_q3@pci:7870:00:00.0", IrqName("7870:00:00.0", 3)),
        ("megasas0-msix5", IrqName("megasas0", 5, managed=True)),
        ("rtc0", IrqName("rtc0")),
        ("", IrqName("")),
        ("nvme0q123456", IrqName("nvme0q123456")),
    ],
)
def test_what_drivers_call_their_interrupts(name: str, said: IrqName) -> None:
    assert irq_names.parse(name) == said


@given(
    st.text(max_size=30) | st.from_regex(r"[a-z]{1,6}[0-9]?[-q.](TxRx|rx|tx|input|req)?[-.]?[0-9]{0,6}", fullmatch=True)
)
def test_any_name_says_something(name: str) -> None:
    said = irq_names.parse(name)
    assert said.queue is None or 0 <= said.queue < 100_000
    assert said.owner in name


# --- /proc/PID/status ----------------------------------------------------------------------------


@given(st.sets(st.integers(0, 999), min_size=1), st.none() | st.sets(st.integers(0, 99), min_size=1))
def test_where_a_process_may_run(cpus: set[int], mems: set[int] | None) -> None:
    text = f"Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t{CpuSet(cpus)}\n"
    text += "" if mems is None else f"Mems_allowed_list:\t{NodeSet(mems)}\n"
    assert proc_status.parse(text) == Allowed(CpuSet(cpus), None if mems is None else NodeSet(mems))


def test_a_status_that_cannot_be_read() -> None:
    with pytest.raises(BadInput, match="no line Cpus_allowed_list"):
        proc_status.parse("Name:\tx\n")
    with pytest.raises(BadInput, match="/proc/7/status: Cpus_allowed_list, at 1"):
        proc_status.parse("Cpus_allowed_list:\t0-x\n", source="/proc/7/status")


# --- control groups ------------------------------------------------------------------------------


def test_groups_of_both_versions() -> None:
    assert proc_cgroup.parse("9:name=systemd:/\n3:cpuset:/a b:c\n0::/x (deleted)\n") == (
        Group(("name=systemd",), "/"),
        Group(("cpuset",), "/a b:c"),
        Group((), "/x (deleted)"),
    )
    with pytest.raises(BadInput, match="at line 2: cannot read 'junk'"):
        proc_cgroup.parse("0::/\njunk\n")


def test_mounts_of_both_versions() -> None:
    text = (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "34 31 0:31 /docker/1 /sys/fs/cgroup/cpu\\040set rw shared:9 master:1 - cgroup cgroup rw,cpuset\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
        "short - cgroup x\nno dash\n\n"
    )
    assert proc_cgroup.parse_mounts(text) == (
        Mount("/sys/fs/cgroup/cpu set", "/docker/1", ("rw", "cpuset")),
        Mount("/sys/fs/cgroup/unified", "/"),
    )


@pytest.mark.parametrize(
    ("path", "root", "folder"),
    [
        ("/", "/", "/m"),
        ("/a/b", "/", "/m/a/b"),
        ("/a/b", "/a", "/m/b"),
        ("/a", "/a", "/m"),
        ("/ab", "/a", None),
        ("/", "/a", None),
        ("/../x", "/", "/m/../x"),
    ],
)
def test_where_a_group_is(path: str, root: str, folder: str | None) -> None:
    assert proc_cgroup.place_of(Group((), path), Mount("/m", root)) == folder


# --- records -------------------------------------------------------------------------------------

_VALUE = st.text("0123456789abcdef,-", max_size=8)
WRITES = st.lists(
    st.builds(
        FileWrite,
        path=st.sampled_from(
            [
                "proc/irq/24/smp_affinity_list",
                "proc/irq/default_smp_affinity",
                "sys/class/net/eth0/queues/rx-3/rps_cpus",
                "sys/class/net/br-1.5/queues/tx-0/xps_cpus",
            ]
        ),
        before=_VALUE,
        after=_VALUE,
        names=st.lists(st.text(max_size=6), max_size=2).map(tuple),
    ),
    max_size=4,
)


@given(WRITES)
def test_a_record_is_read_back_exactly(writes: list[FileWrite]) -> None:
    text = irq_record.render(writes)
    jsonschema.validate(json.loads(text), irq_record.SCHEMA)
    assert irq_record.parse(text) == tuple(writes)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("etc/passwd", "1", "not a file of interrupts"),
        ("proc/irq/../../etc/x", "1", "not a file of interrupts"),
        ("proc/irq/24/smp_affinity_list\n", "1", "not a file of interrupts"),
        ("sys/class/net/../queues/rx-0/rps_cpus", "1", "not a file of interrupts"),
        ("/proc/irq/24/smp_affinity_list", "1", "not a file of interrupts"),
        ("proc/irq/24/smp_affinity_list", "0-3\n", "neither a CPU list nor a mask"),
        ("proc/irq/24/smp_affinity_list", "root", "neither a CPU list nor a mask"),
    ],
)
def test_a_record_can_only_name_files_of_interrupts(path: str, value: str, problem: str) -> None:
    text = json.dumps({"schema": 1, "irq_undo": [{"path": path, "before": value, "after": "1"}]})
    with pytest.raises(BadInput, match=problem):
        irq_record.parse(text)


def test_a_record_of_another_version_or_kind() -> None:
    with pytest.raises(BadInput, match="version 2 cannot be read"):
        irq_record.parse('{"schema": 2, "irq_undo": []}')
    with pytest.raises(BadInput, match="unknown field 'steps'"):
        irq_record.parse('{"schema": 1, "steps": []}')
    assert irq_record.parse(
        '{"schema": 1, "irq_undo": [{"path": "proc/irq/9/smp_affinity_list", "before": "0", "after": "1"}]}'
    ) == (FileWrite(path="proc/irq/9/smp_affinity_list", before="0", after="1"),)
