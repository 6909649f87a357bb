"""/proc/interrupts: the numbered interrupts, what raises them and who handles them.

Source: kernel/irq/proc.c (show_interrupts): number, one count an online CPU, chip, number at the chip with how it
triggers, then the names of the handlers, separated by ", ". Rows without a number (NMI, LOC, ...) are counters of
the architecture that nobody can steer; they are passed over.
"""

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cpuplace.errors import BadInput

MAX_NUMBER: Final = 1 << 24
"""A larger interrupt number is a broken text."""

_HEAD: Final = re.compile(r"\s*(?:CPU[0-9]{1,6}\s*)*")
_ROW: Final = re.compile(r"\s*([0-9]{1,8}):(.*)")
_TAIL: Final = re.compile(
    r"(?P<chip>\S.*?)??\s*(?:(?<!\S)[0-9]+)?[-\s]\s*(?:edge|level|fasteoi|event|msi|msi-x|Edge|Level|None)"
    r"(?:\s+(?P<names>\S.*))?"
)
_LONGEST: Final = 1000  # characters of chip and names; more is no kernel's


@frozen(slots=True)
class InterruptRow:
    """One numbered interrupt: how often it came on all online CPUs together, its chip, its handlers (often one)."""

    number: int
    count: int
    chip: str
    names: tuple[str, ...]


def parse(text: str, *, source: str = "interrupts") -> tuple[InterruptRow, ...]:
    """The numbered interrupts in the order of the text; raises BadInput when it does not begin with CPUs.

    >>> parse("   CPU0 CPU1\\n 24:  7  2  PCI-MSIX-0000:01:00.0   0-edge      nvme0q0\\nNMI:  0  0  Non-maskable\\n")
    (InterruptRow(number=24, count=9, chip='PCI-MSIX-0000:01:00.0', names=('nvme0q0',)),)
    """
    head, _, body = text.partition("\n")
    if "CPU" not in head or not _HEAD.fullmatch(head):
        raise BadInput(f"expected CPU0 CPU1 ..., found {head[:40]!r}", source=source, position="line 1")
    return tuple(_rows(body, len(head.split()), source))


def _rows(body: str, cpus: int, source: str) -> Iterator[InterruptRow]:
    for number, line in enumerate(body.split("\n"), 2):
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        counts = match[2].split(None, cpus)
        if len(counts) < cpus or not all(one.isascii() and one.isdigit() and len(one) < 21 for one in counts[:cpus]):
            raise BadInput(f"expected {cpus} counts", source=source, position=f"line {number}")
        if int(match[1]) > MAX_NUMBER:
            raise BadInput(f"interrupt {match[1]} is above {MAX_NUMBER}", source=source, position=f"line {number}")
        chip, names = _tail(counts[cpus] if len(counts) > cpus else "")
        yield InterruptRow(int(match[1]), sum(map(int, counts[:cpus])), chip, names)


def _tail(text: str) -> tuple[str, tuple[str, ...]]:
    """Chip and handlers; where the row is of a form not known here, the handler is what follows the last wide gap."""
    text = text[:_LONGEST].strip()
    match = _TAIL.fullmatch(text)
    if match is not None:
        chip, names = match["chip"] or "", match["names"] or ""
    else:
        chip, *rest = re.split(r"\s{2,}", text)
        names = rest[-1] if rest else ""
    return chip.strip(), tuple(filter(None, (name.strip() for name in names.split(", "))))
