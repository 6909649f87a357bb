"""Carrying: a plan carried out step by step, each verified in the kernel's own words."""

from typing import Final

from cpuplace import CpuSet, Held, Op, Plan, Step
from cpuplace_cgroup.failure import CgroupFailed, Failure, Vanished
from cpuplace_cgroup.ground import Ground
from cpuplace_cgroup.journal import Journal
from cpuplace_cgroup.observing import cpus_of, is_there, pids_of
from cpuplace_cgroup.outcome import Outcome
from cpuplace_cgroup.parents import Parents
from cpuplace_cgroup.partitions import Partitions
from cpuplace_cgroup.shortage import is_short
from cpuplace_cgroup.verifying import verify
from cpuplace_cgroup.writes import texts

_FEW: Final = 5


class Carrying:
    """One plan on its way; `outcome` says how it went."""

    def __init__(self, ground: Ground, journal: Journal, partitions: Partitions) -> None:
        self._ground, self._files, self._journal, self._partitions = ground, ground.files, journal, partitions
        self._parents = Parents(ground, journal)
        self._vanished: dict[str, None] = {}
        self._notes: dict[str, None] = {}
        self._words: dict[str, str] = {}

    def outcome(self, plan: Plan) -> Outcome:
        """Carry out every step, or none: whatever stops it midway, a signal included, everything is taken back."""
        done, step = 0, None
        try:
            for done, step in enumerate(plan.steps):  # noqa: B007
                self._carry(step, short=is_short(plan.after, step.container_id))
            done, step = len(plan.steps), None
            self._make_partitions(plan)
        except CgroupFailed as failed:
            failure = failed.failure.at(None if step is None else done)
        except BaseException:
            self._journal.restore()
            raise
        else:
            return self._told(plan, done)
        restored, not_restored = self._journal.restore()
        return self._told(plan, done, failure, restored, not_restored)

    def _told(
        self,
        plan: Plan,
        done: int,
        failure: Failure | None = None,
        restored: tuple[str, ...] = (),
        not_restored: tuple[str, ...] = (),
    ) -> Outcome:
        return Outcome(
            done=done,
            steps=len(plan.steps),
            failure=failure,
            restored=restored,
            not_restored=not_restored,
            vanished=tuple(self._vanished),
            partitions=self._words,
            notes=tuple(self._notes),
        )

    def _carry(self, step: Step, *, short: bool) -> None:
        """One step. Who is gone holds nothing any more, so the others' steps stay as safe as planned."""
        key, place = step.container_id, self._ground.place_of(step.container_id)
        try:
            if step.after is None:
                self._release(key, place)
                return
            if key not in self._ground.found and step.op is Op.GRANT:
                self._make(key, place)
            elif not self._files.is_folder(place):
                raise Vanished(key)
            self._set(step, place, step.after, short=short)
        except Vanished:
            self._vanished[key] = None

    def _make(self, key: str, place: str) -> None:
        """From the top; the controller first, since only then shows whether the subtree is a threaded one."""
        for folder in self._ground.above(place):
            if not self._files.is_folder(folder):
                self._journal.make(key, folder)
            self._journal.enable(key, folder)
        self._journal.make(key, place)

    def _set(self, step: Step, place: str, held: Held, *, short: bool) -> None:
        key = step.container_id
        self._enable(key, place)
        self._remark(step, place)
        if self._partitions.kind:
            self._partitions.end(key, place)
        self._parents.widen(key, place, held)
        for name, text in texts(step.op, held):
            self._journal.write(key, f"{place}/{name}", text)
        note = verify(self._files, self._ground.mount, key, place, held, short=short)
        self._notes |= {note: None} if note else {}
        self._parents.narrow(key, place)

    def _enable(self, key: str, place: str) -> None:
        if not is_there(self._files, f"{place}/cpuset.cpus"):
            for folder in self._ground.above(place):
                self._journal.enable(key, folder)

    def _remark(self, step: Step, place: str) -> None:
        """What the plan did not know, or this adapter cannot do."""
        has = cpus_of(self._files, f"{place}/cpuset.cpus")
        if step.before is not None and has and has != step.before.cpus:
            self._notes[f"{step.container_id} had {has}, the plan thought {step.before.cpus}"] = None
        if step.after is not None and step.after.preferred:
            what = f"{step.container_id}: preferred memory of node {step.after.preferred} is a policy of its processes"
            self._notes[f"{what}, which no cgroup can set: left alone"] = None

    def _release(self, key: str, place: str) -> None:
        """One of ours is removed; of others' the cpuset becomes the parent's. Who is gone already is released."""
        if not self._files.is_folder(place):
            return
        ours = self._files.is_ours(place)
        if ours or self._partitions.kind:
            self._partitions.end(key, place)
        if ours:
            self._remove(key, place)
        else:
            self._give_up(key, place)
        self._parents.narrow(key, place)

    def _remove(self, key: str, place: str) -> None:
        pids, below = self._inside(place)
        if pids:
            some = ", ".join(map(str, pids[:_FEW])) + (", ..." if len(pids) > _FEW else "")
            raise CgroupFailed(
                Failure(
                    container_id=key,
                    file=f"{place}/rmdir",
                    said="EBUSY: Device or resource busy",
                    meaning=f"{len(pids)} processes still run in it: {some}",
                    advice="end them first",
                )
            )
        for name in below:
            self._remove(key, f"{place}/{name}")
        self._journal.remove(key, place)

    def _inside(self, place: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Its processes and folders; none where it cannot be read: its removal tells whether it is gone."""
        try:
            return pids_of(self._files, place), self._files.folders(place)
        except OSError:
            return (), ()

    def _give_up(self, key: str, place: str) -> None:
        for name in ("cpuset.cpus", "cpuset.mems"):
            instead = self._journal.inherit(key, f"{place}/{name}")
            if instead:
                note = f"{key} still has processes: {name} is {instead}, as its parent has, and does not follow it"
                self._notes[note] = None

    def _make_partitions(self, plan: Plan) -> None:
        """After all steps: then everybody else is off the CPUs, which the kernel asks for."""
        if not self._partitions.kind:
            return
        for key, one in plan.after.assignments.items():
            place = self._ground.place_of(key)
            if one.exclusive and key not in self._vanished and self._files.is_folder(place):
                self._make_partition(key, place, one.cpus)

    def _make_partition(self, key: str, place: str, cpus: CpuSet) -> None:
        try:
            word, note = self._partitions.begin(key, place, cpus)
        except Vanished:
            self._vanished[key] = None
            return
        self._words[key] = word
        self._notes |= {note: None} if note else {}
