"""Parents: the folders above a container that have a cpuset of their own; widened before it, narrowed after it."""

from cpuplace import CpuSet, Held, NodeSet
from cpuplace_cgroup.ground import Ground
from cpuplace_cgroup.journal import Journal
from cpuplace_cgroup.observing import cpus_of, mems_of


class Parents:
    """Changes, by a journal, only the folders that it was told to manage; an empty list has all its parent has."""

    def __init__(self, ground: Ground, journal: Journal) -> None:
        self._ground, self._files, self._journal = ground, ground.files, journal

    def widen(self, key: str, place: str, held: Held) -> None:
        """From the top, so that each has room in the one above it."""
        for parent in self._managed(place):
            cpus = cpus_of(self._files, f"{parent}/cpuset.cpus")
            if cpus:
                self._journal.write(key, f"{parent}/cpuset.cpus", str(cpus | held.cpus))
            mems = mems_of(self._files, f"{parent}/cpuset.mems")
            if mems and held.mems:
                self._journal.write(key, f"{parent}/cpuset.mems", str(mems | held.mems))

    def narrow(self, key: str, place: str) -> None:
        """From below, to what the children have; a child without a list may use everything, so then all stays."""
        for parent in reversed(self._managed(place)):
            below = self._below(parent)
            cpus = [cpus_of(self._files, f"{child}/cpuset.cpus") for child in below]
            if all(cpus) and cpus_of(self._files, f"{parent}/cpuset.cpus"):
                self._write(key, f"{parent}/cpuset.cpus", CpuSet(cpu for one in cpus for cpu in one))
            mems = [mems_of(self._files, f"{child}/cpuset.mems") for child in below]
            if all(mems) and mems_of(self._files, f"{parent}/cpuset.mems"):
                self._write(key, f"{parent}/cpuset.mems", NodeSet(node for one in mems for node in one))

    def _below(self, parent: str) -> list[str]:
        """Its folders; of one that is gone none."""
        try:
            return [f"{parent}/{name}" for name in self._files.folders(parent)]
        except OSError:
            return []

    def _write(self, key: str, file: str, ids: CpuSet | NodeSet) -> None:
        if ids:
            self._journal.write(key, file, str(ids))

    def _managed(self, place: str) -> list[str]:
        root = self._ground.root
        return [folder for folder in self._ground.between(place) if folder[len(root) + 1 :] in self._ground.parents]
