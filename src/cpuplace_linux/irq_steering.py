"""Carries an `IrqPlan` out and takes it back: one file after another, each read again, everything undone on failure."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from attrs import evolve, frozen

from cpuplace import BadInput
from cpuplace.formats import irq_record, proc_interrupts
from cpuplace.idset import CpuSet
from cpuplace.irq_plan import FileWrite, IrqPlan
from cpuplace_linux.hostfiles import HostFiles, KernelRefused

DEFAULT_RECORD: Final = "run/cpuplace/irq-undo.json"
"""Where `apply_irq_plan` keeps what was there, below the root."""

Result = Literal["done", "managed", "gone", "refused", "taken back", "not taken back", "not tried", "there", "another"]
"""done: written and read back. managed: the kernel keeps this interrupt. gone: there is no such file any more.
refused: the kernel said no, or shows something else. taken back, not taken back, not tried: what a refusal did to the
others. there: undo found it as it was. another: undo found that the number belongs to another interrupt now."""


@frozen(slots=True, kw_only=True)
class WriteResult:
    """One write and what came of it; `said` is what the kernel said, or what is there instead."""

    write: FileWrite
    result: Result
    said: str = ""


@frozen(slots=True, kw_only=True)
class IrqOutcome:
    """What came of all writes, in their order; `failure` says why it stopped, None = it did not."""

    results: tuple[WriteResult, ...] = ()
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Nothing was refused; managed and vanished interrupts are no failure."""
        return self.failure is None

    def of(self, result: Result) -> tuple[FileWrite, ...]:
        """The writes with this result."""
        return tuple(one.write for one in self.results if one.result == result)


def apply_irq_plan(
    plan: IrqPlan, root: str | os.PathLike[str] = "/", *, record: str | os.PathLike[str] | None = None
) -> IrqOutcome:
    """What came of the plan's writes; on a refusal, what was written before it is taken back, last first.

    What was there is saved first, in the new file `record` (default run/cpuplace/irq-undo.json below the root), for
    `undo_irq_record`; it is removed again when nothing remains changed. Raises BadInput when that file exists or
    cannot be written.
    """
    files = HostFiles(root)
    if not plan.writes:
        return IrqOutcome()
    path = Path(files.where(DEFAULT_RECORD) if record is None else record)
    _save(path, plan.writes)
    outcome = _carried_out(files, plan.writes)
    if not outcome.of("done") and not outcome.of("not taken back"):
        path.unlink(missing_ok=True)
    return outcome


def undo_irq_record(record: str | os.PathLike[str] | None = None, root: str | os.PathLike[str] = "/") -> IrqOutcome:
    """What came of writing back what a record says was there, last first; a refusal does not stop the others.

    The record is removed when nothing was refused. Raises BadInput when it cannot be read.
    """
    files = HostFiles(root)
    path = Path(files.where(DEFAULT_RECORD) if record is None else record)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", source=str(path), hint="what `irq apply` saved") from None
    names = _names_now(files)
    results = [_restored(files, one, names) for one in reversed(irq_record.parse(content, source=str(path)))]
    refused = [one.said for one in results if one.result == "refused"]
    if not refused:
        path.unlink(missing_ok=True)
    return IrqOutcome(results=tuple(results), failure=refused[0] if refused else None)


def _save(path: Path, writes: Sequence[FileWrite]) -> None:
    """The record is on disk before the first write; an older one is never replaced, since it knows what was first."""
    if path.exists():
        raise BadInput(
            "interrupts were moved before, and this is what was there", source=str(path), hint="`irq undo` it first"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put_whole(path, irq_record.render(writes) + "\n")
    except OSError as error:
        hint = "moving interrupts needs root" if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise BadInput(f"cannot be written: {error.strerror}", source=str(path), hint=hint) from None


def _put_whole(path: Path, text: str) -> None:
    """All of it is there or nothing, even after a kill; never over a file that came meanwhile, as a rename would."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".irq-undo.") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
        os.link(file.name, path)


def _carried_out(files: HostFiles, writes: Sequence[FileWrite]) -> IrqOutcome:
    results: list[WriteResult] = []
    for place, write in enumerate(writes):
        results.append(_written(files, write))
        if results[-1].result == "refused":
            results[:-1] = [_taken_back(files, one) for one in reversed(results[:-1])][::-1]
            results += [WriteResult(write=later, result="not tried") for later in writes[place + 1 :]]
            return IrqOutcome(results=tuple(results), failure=results[place].said)
    return IrqOutcome(results=tuple(results))


def _written(files: HostFiles, write: FileWrite) -> WriteResult:
    """Write one file and read it again."""
    try:
        files.write(write.path, write.after)
    except KernelRefused as refused:
        return WriteResult(write=write, result=_meaning(write, refused), said=str(refused))
    now = files.text(write.path)
    if now is None:
        return WriteResult(write=write, result="gone", said=f"{files.where(write.path)}: gone after the write")
    if _set(write.path, now) != _set(write.path, write.after):
        said = KernelRefused(files.where(write.path), write.after, 0, shows=now)
        back = _taken_back(files, WriteResult(write=write, result="done"))
        return WriteResult(write=write, result="refused", said=f"{said}; {back.result}")
    return WriteResult(write=write, result="done")


def _meaning(write: FileWrite, refused: KernelRefused) -> Result:
    """How the kernel says that it manages an interrupt itself, or that it belongs to one CPU: EIO, on newer ones (6.12)
    EPERM (kernel/irq/proc.c, write_irq_affinity); who may not write at all cannot open the file.
    """
    kept = refused.code == errno.EIO or (refused.code == errno.EPERM and refused.opened)
    if kept and write.path.endswith("/smp_affinity_list"):
        return "managed"
    return "gone" if refused.code in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else "refused"


def _taken_back(files: HostFiles, one: WriteResult) -> WriteResult:
    if one.result != "done":
        return one
    try:
        files.write(one.write.path, one.write.before)
    except KernelRefused as refused:
        return evolve(one, result="not taken back", said=str(refused))
    return evolve(one, result="taken back")


def _restored(files: HostFiles, write: FileWrite, names: dict[str, tuple[str, ...]]) -> WriteResult:
    now = files.text(write.path)
    if now is None:
        return WriteResult(write=write, result="gone")
    handlers = names.get(write.path, ())
    if write.names and handlers != write.names:
        said = f"{files.where(write.path)}: it is of {', '.join(handlers) or 'nobody'} now, left alone"
        return WriteResult(write=write, result="another", said=said)
    if _set(write.path, now) == _set(write.path, write.before):
        return WriteResult(write=write, result="there")
    moved = _set(write.path, now) != _set(write.path, write.after)
    said = f"{files.where(write.path)}: somebody had moved it on to {now!r}" if moved else ""
    back = _written(files, FileWrite(path=write.path, before=now, after=write.before, names=write.names))
    return WriteResult(write=write, result=back.result, said=back.said or said)


def _names_now(files: HostFiles) -> dict[str, tuple[str, ...]]:
    """The handlers of each interrupt, by the path of its affinity."""
    rows = proc_interrupts.parse(files.need("proc/interrupts"), source=files.where("proc/interrupts"))
    return {f"proc/irq/{row.number}/smp_affinity_list": row.names for row in rows}


def _set(path: str, text: str) -> CpuSet | None:
    """What a file says, however it spells it; None for what cannot be read."""
    try:
        return CpuSet.parse(text) if path.endswith("_list") else CpuSet.parse_mask(text)
    except BadInput:
        return None
