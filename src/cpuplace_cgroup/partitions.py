"""Partitions: exclusive CPUs that the kernel itself keeps from everybody else (cpuset.cpus.partition).

The kernel takes every word and may still mean no: what counts is what the file says afterwards. A direct child of the
hierarchy's root, or of a partition, is a local partition; deeper ones are remote (Linux 6.7) and need the CPUs in
cpuset.cpus.exclusive of every folder on the way. A partition's CPUs change only when it is a member in between.
"""

from typing import Literal

from cpuplace import CpuSet
from cpuplace.idset import NO_CPUS
from cpuplace_cgroup.failure import CgroupFailed, Failure, Vanished
from cpuplace_cgroup.ground import Ground
from cpuplace_cgroup.journal import Journal
from cpuplace_cgroup.observing import cpus_of, text_of

PartitionKind = Literal["root", "isolated"]
WhenInvalid = Literal["member", "fail"]


class Partitions:
    """Makes (when `kind` is given) and ends partitions, by a journal. `fails`: what to do when the kernel means no."""

    def __init__(self, ground: Ground, journal: Journal, kind: PartitionKind | None, fails: WhenInvalid) -> None:
        self._files, self._journal, self._root, self._mount = ground.files, journal, ground.root, ground.mount
        self.kind, self._fails = kind, fails

    def begin(self, key: str, place: str, cpus: CpuSet) -> tuple[str, str]:
        """Make one: the kernel's word for it, and a note when that is not what was asked for. Raises Vanished."""
        file = f"{place}/cpuset.cpus.partition"
        now = text_of(self._files, file)
        if now == self.kind:
            return now, ""
        if not now:
            old = "this kernel is too old for partitions"
            return self._no(place, self._failure(key, file, "there is no such file", old, "use Linux 6.7 or later"))
        self.end(key, place)
        try:
            word = self._tried(key, place, cpus)
        except CgroupFailed as failed:
            self.end(key, place, cpus)
            return self._no(place, failed.failure)
        if word == self.kind:
            return word, ""
        self.end(key, place)
        meaning = "the kernel does not make it a partition"
        advice = "look for groups beside it that use the same CPUs"
        return self._no(place, self._failure(key, file, f'it reads back "{word}"', meaning, advice))

    def _tried(self, key: str, place: str, cpus: CpuSet) -> str:
        """What the file says once everything is written."""
        for folder in self._remote_way(place):
            has = cpus_of(self._files, f"{folder}/cpuset.cpus.exclusive")
            self._journal.write(key, f"{folder}/cpuset.cpus.exclusive", str(has | cpus))
        self._journal.write(key, f"{place}/cpuset.cpus.partition", self.kind or "member")
        return text_of(self._files, f"{place}/cpuset.cpus.partition")

    def _failure(self, key: str, file: str, said: str, meaning: str, advice: str) -> Failure:
        return Failure(container_id=key, file=file, wrote=self.kind or "", said=said, meaning=meaning, advice=advice)

    def _no(self, place: str, failure: Failure) -> tuple[str, str]:
        if not self._files.is_folder(place):
            raise Vanished(failure.container_id)
        if self._fails == "fail":
            raise CgroupFailed(failure)
        note = f"{failure.container_id} stays a member, exclusive only against what we manage: {failure}"
        return f"member ({failure.said})", note

    def end(self, key: str, place: str, also: CpuSet = NO_CPUS) -> None:
        """Make it a member again, and give back what was exclusive for it on the way (and `also` these), from below."""
        file = f"{place}/cpuset.cpus.partition"
        if text_of(self._files, file) not in ("", "member"):
            self._journal.write(key, file, "member")
        own = cpus_of(self._files, f"{place}/cpuset.cpus.exclusive") | also
        if not own:
            return
        for folder in reversed(self._way(place)):
            has = cpus_of(self._files, f"{folder}/cpuset.cpus.exclusive")
            if has & own:
                self._journal.write(key, f"{folder}/cpuset.cpus.exclusive", str(has - own))

    def _remote_way(self, place: str) -> list[str]:
        """The folders that need the CPUs as exclusive ones; none for a local partition."""
        parent = place.rpartition("/")[0]
        local = parent == self._mount or text_of(self._files, f"{parent}/cpuset.cpus.partition") in ("root", "isolated")
        return [] if local or not text_of(self._files, f"{place}/cpuset.cpus.partition") else self._way(place)

    def _way(self, place: str) -> list[str]:
        """From the root (unless that is the hierarchy's) down to the place."""
        names = place[len(self._root) + 1 :].split("/")
        folders = [f"{self._root}/{'/'.join(names[: n + 1])}" for n in range(len(names))]
        return folders if self._root == self._mount else [self._root, *folders]
