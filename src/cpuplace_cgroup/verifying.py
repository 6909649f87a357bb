"""Verifying: does the kernel say what was written, and does that hold?

The kernel takes CPUs that cannot be used (offline, outside the parent's) without a word: only `.effective` tells.
"""

from cpuplace import CpuSet, Held, NodeSet
from cpuplace_cgroup.failure import CgroupFailed, Failure, Vanished
from cpuplace_cgroup.files import Files
from cpuplace_cgroup.observing import cpus_of, mems_of, text_of


def verify(files: Files, mount: str, key: str, place: str, held: Held, *, short: bool = False) -> str:
    """A note when CPUs cannot be used just now (offline), "" when all hold. Seven reads at most.

    `short`: that none of them can be used is known, and no failure: the kernel lets it run on what its parent has.

    Raises CgroupFailed when something else holds than what was written within what holds for the parent, or when the
    parent is what takes CPUs away; Vanished when the group is gone.
    """
    try:
        parent = place.rpartition("/")[0]
        _same(files, key, f"{place}/cpuset.cpus", str(held.cpus))
        may, got = (cpus_of(files, f"{one}/cpuset.cpus.effective") for one in (parent, place))
        if short and got == may and not held.cpus & may:
            note = f"{key}: none of CPUs {held.cpus} can be used now, it runs on {got}"
        else:
            note = _cpus_hold(files, mount, key, place, held.cpus, may, got)
        if held.mems:
            _same(files, key, f"{place}/cpuset.mems", str(held.mems))
            _mems_hold(files, key, place, held.mems)
    except CgroupFailed:
        if not files.is_folder(place):
            raise Vanished(key) from None
        raise
    return note


def _same(files: Files, key: str, file: str, text: str) -> None:
    now = text_of(files, file)
    if now != text:
        meaning = "somebody else writes there too, or it was not taken"
        raise _differs(key, file, text, now, meaning, "let one of the two manage this group")


def _cpus_hold(files: Files, mount: str, key: str, place: str, cpus: CpuSet, may: CpuSet, got: CpuSet) -> str:
    file = f"{place}/cpuset.cpus.effective"
    parent = place.rpartition("/")[0]
    if not cpus & may:
        meaning = f"none of these CPUs can be used below {parent}, so the kernel lets it run on {got}"
        raise _differs(key, file, str(cpus), str(got), meaning, "bring the CPUs online, or widen the parent")
    if got != cpus & may:
        word = text_of(files, f"{place}/cpuset.cpus.partition") or "member"
        meaning = f"this group is a partition ({word}), or one beside it has taken CPUs"
        advice = "see cpuset.cpus.partition of this group and of those beside it"
        raise _differs(key, file, str(cpus), str(got), meaning, advice)
    lost = cpus - got
    if lost and lost & cpus_of(files, f"{mount}/cpuset.cpus.effective"):
        meaning = f"its parent {parent} may use {may} only"
        advice = "widen the parent, or name it among the parents that may be changed"
        raise _differs(key, file, str(cpus), str(got), meaning, advice)
    return f"{key}: CPUs {lost} cannot be used now (offline, or in a partition), it runs on {got}" if lost else ""


def _mems_hold(files: Files, key: str, place: str, mems: NodeSet) -> None:
    parent = place.rpartition("/")[0]
    may, got = (mems_of(files, f"{one}/cpuset.mems.effective") for one in (parent, place))
    if got != mems:
        meaning = f"its parent {parent} may use memory of node {may} only"
        raise _differs(
            key, f"{place}/cpuset.mems.effective", str(mems), str(got), meaning, "widen the parent's cpuset.mems"
        )


def _differs(key: str, file: str, wanted: str, now: str, meaning: str, advice: str) -> CgroupFailed:
    said = f'it reads back "{now}"'
    return CgroupFailed(Failure(container_id=key, file=file, wrote=wanted, said=said, meaning=meaning, advice=advice))
