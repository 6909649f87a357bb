"""The CPUs of a sysfs tree: which exist, which are online, and which groups they form.

Kernel documentation: Documentation/admin-guide/cputopology.rst, ABI/stable/sysfs-devices-system-cpu.
Groups come from the sibling sets, not from ids: core ids restart in each package, die or CPU model, package
ids can be -1. Offline CPUs often lose their topology folder, and the sets may name offline or absent CPUs.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

from cpuplace.cpulist import ids_of
from cpuplace.errors import BadInput
from cpuplace.formats.core_kinds import kinds_of
from cpuplace.formats.sysfs_fields import CPU, Fields
from cpuplace.hardware import CoreKind, CpuRow

Labels = Mapping[int, int]
"""CPU -> the label of its group; a CPU without one is not in it."""


@frozen(slots=True)
class _Group:
    """Where one kind of group is described: files with the set, best first, and the file with its id."""

    sets: tuple[str, ...]
    id_file: str


_CORE: Final = ("core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings")
_PACKAGE: Final = _Group(
    ("package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings"), "physical_package_id"
)
_DIE: Final = _Group(("die_cpus_list", "die_cpus"), "die_id")
_CLUSTER: Final = _Group(("cluster_cpus_list", "cluster_cpus"), "cluster_id")
_BOOK: Final = _Group(("book_siblings_list", "book_siblings"), "book_id")
_DRAWER: Final = _Group(("drawer_siblings_list", "drawer_siblings"), "drawer_id")


def read_rows(fields: Fields, nodes: Mapping[int, tuple[int, ...]], exist: int, online: int) -> list[CpuRow]:
    """One row for each CPU in `exist`; `nodes` says where each lies."""
    cpus = ids_of(exist)
    cores = _renumbered(_labels({cpu: _set_of(fields, cpu, _CORE) for cpu in cpus}, online))
    package = _group(fields, cpus, online, _PACKAGE, {})
    parts = [_group(fields, cpus, online, group, package) for group in (_DIE, _CLUSTER, _BOOK, _DRAWER)]
    die, cluster, book, drawer = parts
    die = die if _whole(die, cores, online) and _whole(package, die, online) else {}
    caches = [_renumbered(_labels(sets, online)) for sets in _cache_sets(fields, cpus)]
    l2, l3 = (groups if _whole(groups, cores, online) else {} for groups in caches)
    capacity = {cpu: fields.number(f"{CPU}/cpu{cpu}/cpu_capacity") for cpu in cpus}
    max_khz = {cpu: _max_khz(fields, cpu) for cpu in cpus}
    kinds = _kinds(fields, capacity, max_khz)
    return [
        CpuRow(
            cpu,
            cores.get(cpu),
            l3.get(cpu),
            nodes[cpu],
            package.get(cpu),
            l2=l2.get(cpu),
            cluster=cluster.get(cpu),
            die=die.get(cpu),
            book=book.get(cpu),
            drawer=drawer.get(cpu),
            online=bool(online >> cpu & 1),
            kind=kinds.get(cpu),
            capacity=capacity[cpu],
            max_khz=max_khz[cpu],
        )
        for cpu in cpus
    ]


def existing_and_online(fields: Fields) -> tuple[int, int]:
    """Masks of the CPUs that have a folder (or are said to be online) and of those online."""
    folders = fields.numbered(CPU, "cpu")
    exist = sum(1 << cpu for cpu in folders)
    online = fields.list_of(f"{CPU}/online")
    if online is None:  # old kernels; CPU 0 often has no `online` file because it cannot leave
        online = sum(1 << cpu for cpu in folders if fields.number(f"{CPU}/cpu{cpu}/online") != 0)
    if not online:
        raise BadInput("no online CPU found", source=CPU, hint="is this the root of a sysfs tree?")
    return exist | online, online


def _set_of(fields: Fields, cpu: int, names: Iterable[str]) -> int:
    return fields.first_set(f"{CPU}/cpu{cpu}/topology", names) or 0


def _labels(sets: Mapping[int, int], online: int) -> dict[int, int]:
    """CPU -> lowest CPU of its group; CPUs with an empty set stay out.

    Only online members name a group that an online CPU is in; an offline CPU joins the group it mentions.
    """
    known = sum(1 << cpu for cpu in sets)
    labels = {}
    for cpu, members in sets.items():
        if members:
            group = members & online or members & known | 1 << cpu
            labels[cpu] = (group & -group).bit_length() - 1
    return labels


def _renumbered(labels: Labels) -> dict[int, int]:
    """The same groups with labels 0, 1, ... in the order of their lowest CPU."""
    order = {label: place for place, label in enumerate(sorted(set(labels.values())))}
    return {cpu: order[label] for cpu, label in labels.items()}


def _group(fields: Fields, cpus: Iterable[int], online: int, group: _Group, within: Labels) -> Labels:
    """Groups by their sets, or by id (which may restart in each of `within`) where there are none.

    Labels are the kernel's ids where those tell groups apart, else 0, 1, ... by lowest CPU.
    """
    ids = {cpu: fields.number(f"{CPU}/cpu{cpu}/topology/{group.id_file}") for cpu in cpus}
    real = {cpu: one for cpu, one in ids.items() if one is not None and one >= 0}
    asked = real if group in (_DIE, _CLUSTER) else ids  # -1 is no die or cluster, but a package, book or drawer
    labels = _labels({cpu: _set_of(fields, cpu, group.sets) for cpu in asked}, online)
    if not labels:
        first: dict[tuple[int | None, int], int] = {}
        labels = {cpu: first.setdefault((within.get(cpu), one), cpu) for cpu, one in real.items()}
    pairs = {(label, real.get(cpu, -1)) for cpu, label in labels.items()}
    told_apart = len(pairs) == len({label for label, _ in pairs}) == len({one for _, one in pairs})
    return {cpu: real[cpu] for cpu in labels} if told_apart and labels.keys() <= real.keys() else _renumbered(labels)


def _whole(groups: Labels, parts: Labels, online: int) -> bool:
    """Whether each online part lies in one group; guests are shown caches and dies that split their cores."""
    pairs = {(part, groups.get(cpu)) for cpu, part in parts.items() if online >> cpu & 1}
    return len(pairs) == len({part for part, _ in pairs})


def _cache_sets(fields: Fields, cpus: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
    """For level 2 and level 3: CPU -> the CPUs it shares that data cache with."""
    found: dict[str, dict[int, int]] = {"2": {}, "3": {}}
    for cpu in cpus:
        folder = f"{CPU}/cpu{cpu}/cache"
        for name in fields.tree.names(folder):
            sets = found.get(fields.tree.text(f"{folder}/{name}/level") or "")
            if sets is not None and fields.tree.text(f"{folder}/{name}/type") != "Instruction":
                shared = fields.first_set(f"{folder}/{name}", ("shared_cpu_list", "shared_cpu_map"))
                sets[cpu] = 1 << cpu if shared is None else shared
    return found["2"], found["3"]


def _max_khz(fields: Fields, cpu: int) -> int | None:
    folder = f"{CPU}/cpu{cpu}/cpufreq"
    return fields.number(f"{fields.tree.target(folder) or folder}/cpuinfo_max_freq")


def _kinds(
    fields: Fields, capacity: Mapping[int, int | None], max_khz: Mapping[int, int | None]
) -> dict[int, CoreKind]:
    """Performance and efficiency CPUs; empty when all are alike.

    The PMUs of hybrid x86 say it outright; else capacities and frequencies tell.
    """
    fast = fields.list_of("sys/devices/cpu_core/cpus")
    slow = fields.list_of("sys/devices/cpu_atom/cpus")
    if fast is not None and slow is not None:
        return {cpu: "performance" if fast >> cpu & 1 else "efficiency" for cpu in capacity if (fast | slow) >> cpu & 1}
    return kinds_of(capacity, max_khz)
